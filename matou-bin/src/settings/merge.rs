//! The layers merged, and turned into the struct that holds them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{Config, Map, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::SettingsError;
use super::layer::{Flag, Schema};
use crate::paths::{expand_tilde, read_text};

/// The sources of settings, the weakest first; the built-in defaults are below all of them.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    /// The shipped configuration file: its text is the schema.
    pub(super) shipped: &'static str,
    /// The prefix of variables, such as `MATOU_SERVER`.
    pub(super) prefix: &'static str,
    /// The user's file.
    pub(super) file: Option<&'a Path>,
    /// The environment.
    pub(super) variables: Vec<(OsString, OsString)>,
    /// The command line.
    pub(super) flags: &'a [Flag],
}

/// All layers as one; each value knows its origin.
#[derive(Debug)]
pub(super) struct Merged(Config);

impl Merged {
    /// Reads and merges `sources`.
    pub(super) fn new(sources: Sources<'_>) -> Result<Self, SettingsError> {
        let schema = Schema::new(sources.shipped)?;
        let mut builder = Config::builder();
        if let Some(path) = sources.file {
            let text = read_text(path)
                .map_err(|error| SettingsError::Read { file: path.to_owned(), error })?;
            builder = builder.add_source(schema.file(path, &text)?);
        }
        builder = builder
            .add_source(schema.environment(sources.prefix, sources.variables)?)
            .add_source(schema.flags(sources.flags)?);
        let merged = builder.build().map_err(|error| SettingsError::Syntax {
            file: sources.file.unwrap_or(Path::new("settings")).to_owned(),
            error: error.to_string(),
        })?;
        Ok(Self(merged))
    }

    /// The struct that holds the settings; what no layer sets has its default.
    pub(super) fn settings<T: DeserializeOwned>(&self) -> Result<T, SettingsError> {
        let all = json(&self.0.cache.kind);
        T::deserialize(all).map_err(|error| {
            self.culprit::<T>("", &self.0.cache).unwrap_or_else(|| SettingsError::Invalid {
                origin: "settings".into(),
                key: "all together".into(),
                value: String::new(),
                allowed: error.to_string(),
            })
        })
    }

    /// The error that names `key` and where it was set.
    pub(super) fn invalid(&self, key: &str, value: String, allowed: String) -> SettingsError {
        let mut origin = None;
        let mut kind = &self.0.cache.kind;
        for part in key.split('.') {
            let ValueKind::Table(table) = kind else { break };
            let Some(value) = table.get(part) else { break };
            origin = value.origin();
            kind = &value.kind;
        }
        let origin = origin.unwrap_or("built-in defaults").to_owned();
        SettingsError::Invalid { origin, key: key.to_owned(), value, allowed }
    }

    /// The first value that cannot be deserialized even alone.
    fn culprit<T: DeserializeOwned>(&self, key: &str, value: &Value) -> Option<SettingsError> {
        if let ValueKind::Table(table) = &value.kind {
            return table.iter().find_map(|(name, value)| {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                self.culprit::<T>(&key, value)
            });
        }
        let alone = key.rsplit('.').fold(json(&value.kind), |inner, name| {
            serde_json::Value::Object([(name.to_owned(), inner)].into_iter().collect())
        });
        let error = T::deserialize(alone).err()?;
        Some(self.invalid(key, shown(&value.kind), allowed(&error.to_string())))
    }
}

/// `path`, which is the value of `key`, with `~` replaced.
pub(super) fn expand(
    merged: &Merged,
    key: &str,
    path: &Path,
    home: Option<&Path>,
) -> Result<PathBuf, SettingsError> {
    expand_tilde(path.as_os_str(), home)
        .map_err(|error| merged.invalid(key, format!("{:?}", path.display().to_string()), error))
}

/// A value as it would stand in a file.
pub(super) fn shown(kind: &ValueKind) -> String {
    json(kind).to_string()
}

/// The allowed values, from the words of the deserializer.
fn allowed(error: &str) -> String {
    let Some((_, expected)) = error.rsplit_once("expected ") else { return error.to_owned() };
    match expected {
        "u16" => "a whole number from 0 to 65535 is expected".into(),
        "u32" => "a whole number from 0 to 4294967295 is expected".into(),
        "u64" | "usize" => "a whole number from 0 on is expected".into(),
        other => format!("{other} is expected").replace('`', "\""),
    }
}

fn json(kind: &ValueKind) -> serde_json::Value {
    use serde_json::Value as Json;
    match kind {
        ValueKind::Nil => Json::Null,
        ValueKind::Boolean(value) => (*value).into(),
        ValueKind::I64(value) => (*value).into(),
        ValueKind::U64(value) => (*value).into(),
        ValueKind::I128(value) => value.to_string().into(),
        ValueKind::U128(value) => value.to_string().into(),
        ValueKind::Float(value) => (*value).into(),
        ValueKind::String(value) => value.as_str().into(),
        ValueKind::Table(table) => table_json(table),
        ValueKind::Array(values) => values.iter().map(|value| json(&value.kind)).collect(),
    }
}

fn table_json(table: &Map<String, Value>) -> serde_json::Value {
    table.iter().map(|(key, value)| (key.clone(), json(&value.kind))).collect()
}
