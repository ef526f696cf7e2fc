//! One source of settings, checked against the schema: a file, the environment, the flags.

use std::ffi::OsString;
use std::path::Path;

use config::{File, FileFormat, Map, Source, Value, ValueKind};

use super::SettingsError;
use super::error::shortened;

/// The most parts that the key of an environment variable may have.
const MAX_PARTS: usize = 8;

/// A setting given on the command line.
#[derive(Debug)]
pub(crate) struct Flag {
    /// As typed, for errors: `--listen`.
    pub(crate) name: &'static str,
    /// What it sets: `network.listen`.
    pub(crate) key: &'static str,
    /// To what.
    pub(crate) value: String,
}

/// The keys that exist, with values of the types that they have. A table without entries takes
/// any keys.
pub(super) struct Schema(Map<String, Value>);

/// The settings of one source, each of which names it as its origin.
#[derive(Clone, Debug)]
pub(super) struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

impl Schema {
    /// The schema that the text of a shipped configuration file is.
    pub(super) fn new(shipped: &str) -> Result<Self, SettingsError> {
        Ok(Self(parse(shipped, Path::new("built-in defaults"))?))
    }

    /// The settings of `text`, which was read from `path`.
    pub(super) fn file(&self, path: &Path, text: &str) -> Result<Layer, SettingsError> {
        let origin = path.display().to_string();
        let mut values = match parse(text, path) {
            Ok(values) => values,
            Err(error) => return Err(too_large_number(&origin, text).unwrap_or(error)),
        };
        check(&origin, "", &self.0, &mut values)?;
        Ok(Layer(values))
    }

    /// The settings of those `variables` that begin with `prefix`: `PREFIX__SECTION__KEY`.
    pub(super) fn environment(
        &self,
        prefix: &str,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Layer, SettingsError> {
        let mut layer = Layer(Map::new());
        for (name, value) in variables {
            let name = name.to_string_lossy();
            let Some(rest) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'))
            else {
                continue;
            };
            let origin = format!("environment variable {}", shortened(&name));
            let Some(path) = rest.strip_prefix('_') else {
                let allowed = self.variable_hint(prefix, rest);
                let (key, value) = (rest.to_lowercase(), value.to_string_lossy().into_owned());
                return Err(SettingsError::UnknownKey { origin, key, value, allowed });
            };
            let key = path.to_lowercase().replace("__", ".");
            if key.split('.').count() > MAX_PARTS {
                let (key, value) = (shortened(&key), value.to_string_lossy().into_owned());
                let allowed = format!("the form is {prefix}__SECTION__KEY");
                return Err(SettingsError::UnknownKey { origin, key, value, allowed });
            }
            match value.to_str() {
                Some(value) => self.text(&mut layer, &origin, &key, value)?,
                None => {
                    return Err(SettingsError::Invalid {
                        origin,
                        key,
                        value: value.to_string_lossy().into_owned(),
                        allowed: "UTF-8 text is expected".into(),
                    });
                }
            }
        }
        Ok(layer)
    }

    /// The settings of `flags`.
    pub(super) fn flags(&self, flags: &[Flag]) -> Result<Layer, SettingsError> {
        let mut layer = Layer(Map::new());
        for flag in flags {
            self.text(&mut layer, flag.name, flag.key, &flag.value)?;
        }
        Ok(layer)
    }

    /// Adds a setting that was given as text and has the type that the schema says.
    fn text(
        &self,
        layer: &mut Layer,
        origin: &str,
        key: &str,
        text: &str,
    ) -> Result<(), SettingsError> {
        let kind = match self.find(key) {
            Some(ValueKind::I64(_)) if is_too_large(text) => {
                return Err(too_large(origin, key.to_owned(), text));
            }
            Some(ValueKind::I64(_)) => text.trim().parse().ok().map(ValueKind::I64),
            Some(ValueKind::Float(_)) => text.trim().parse().ok().map(ValueKind::Float),
            Some(ValueKind::Boolean(_)) => text.trim().parse().ok().map(ValueKind::Boolean),
            Some(ValueKind::Array(_)) => list(origin, text),
            _ => None,
        };
        // Where the type is wrong, the check below reports it in the same words as for a file.
        let value = kind.unwrap_or_else(|| ValueKind::String(text.to_owned()));
        let mut values = Map::new();
        insert(&mut values, origin, key, value);
        check(origin, "", &self.0, &mut values)?;
        merge(&mut layer.0, values);
        Ok(())
    }

    /// The variable that was meant by `rest`, which follows `prefix` and one underscore.
    fn variable_hint(&self, prefix: &str, rest: &str) -> String {
        let form = format!("the form is {prefix}__SECTION__KEY, with two underscores");
        let bare = |text: &str| text.to_lowercase().replace('_', "");
        let meant = self.0.iter().find_map(|(section, value)| {
            let ValueKind::Table(table) = &value.kind else { return None };
            let key = table.keys().find(|key| bare(rest) == bare(section) + &bare(key))?;
            Some(format!("{prefix}__{section}__{key}").to_uppercase())
        });
        meant.map_or(form.clone(), |meant| format!("{form} (did you mean {meant}?)"))
    }

    fn find(&self, key: &str) -> Option<&ValueKind> {
        let mut parts = key.split('.');
        let mut kind = &self.0.get(parts.next()?)?.kind;
        for part in parts {
            let ValueKind::Table(table) = kind else { return None };
            kind = &table.get(part)?.kind;
        }
        Some(kind)
    }
}

/// Refuses keys that do not exist and values of a wrong type, and notes the origin.
fn check(
    origin: &str,
    section: &str,
    schema: &Map<String, Value>,
    values: &mut Map<String, Value>,
) -> Result<(), SettingsError> {
    for (name, value) in values {
        let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        let free = schema.is_empty() && !section.is_empty();
        match schema.get(name).map(|expected| &expected.kind) {
            None if free => {}
            None => return Err(unknown(origin, key, value, section, schema)),
            Some(ValueKind::Table(inner)) => {
                let ValueKind::Table(table) = &mut value.kind else {
                    return Err(wrong_type(origin, key, value, "a section of keys"));
                };
                check(origin, &key, inner, table)?;
            }
            Some(ValueKind::Array(_)) if matches!(value.kind, ValueKind::String(_)) => {
                if let ValueKind::String(text) = &value.kind
                    && let Some(list) = list(origin, text)
                {
                    value.kind = list;
                }
            }
            Some(expected) if type_name(expected) == type_name(&value.kind) => {}
            Some(expected) => {
                return Err(wrong_type(origin, key, value, type_name(expected)));
            }
        }
        let kind = std::mem::replace(&mut value.kind, ValueKind::Nil);
        *value = Value::new(Some(&origin.to_owned()), kind);
    }
    Ok(())
}

fn parse(text: &str, path: &Path) -> Result<Map<String, Value>, SettingsError> {
    File::from_str(text, FileFormat::Toml)
        .collect()
        .map_err(|error| SettingsError::Syntax { file: path.to_owned(), error: error.to_string() })
}

/// The error for the first number in `text` that no setting can hold. The parser reports it without
/// its key.
fn too_large_number(origin: &str, text: &str) -> Option<SettingsError> {
    let mut section = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            section = format!("{}.", name.trim());
        } else if let Some((key, value)) = line.split_once('=') {
            let value = value.split('#').next().unwrap_or_default();
            if is_too_large(value) {
                return Some(too_large(origin, format!("{section}{}", key.trim()), value));
            }
        }
    }
    None
}

fn is_too_large(number: &str) -> bool {
    let number = number.trim().replace('_', "");
    let digits = number.trim_start_matches(['+', '-']);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && number.parse::<i64>().is_err()
}

fn too_large(origin: &str, key: String, value: &str) -> SettingsError {
    SettingsError::Invalid {
        origin: origin.to_owned(),
        key,
        value: value.trim().to_owned(),
        allowed: format!("a whole number up to {} is expected", i64::MAX),
    }
}

/// `a, b` or `["a", "b"]`. An entry can begin with a bracket, as an IPv6 address does.
fn list(origin: &str, text: &str) -> Option<ValueKind> {
    let inside = text.trim_start().strip_prefix('[').map(str::trim_start);
    if inside.is_some_and(|inside| inside.starts_with(['"', '\'', ']'])) {
        let parsed = parse(&format!("list = {text}"), Path::new(origin)).ok()?;
        return Some(parsed.get("list")?.kind.clone());
    }
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    Some(entries.map(|entry| Value::new(None, entry)).collect::<Vec<_>>().into())
}

fn insert(values: &mut Map<String, Value>, origin: &str, key: &str, kind: ValueKind) {
    let (first, kind) = match key.split_once('.') {
        None => (key, kind),
        Some((first, rest)) => {
            let mut inner = Map::new();
            insert(&mut inner, origin, rest, kind);
            (first, ValueKind::Table(inner))
        }
    };
    values.insert(first.to_owned(), Value::new(Some(&origin.to_owned()), kind));
}

fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        let there = into.get_mut(&key).map(|there| &mut there.kind);
        if let (Some(ValueKind::Table(there)), ValueKind::Table(table)) = (there, &value.kind) {
            merge(there, table.clone());
        } else {
            into.insert(key, value);
        }
    }
}

fn unknown(
    origin: &str,
    key: String,
    value: &Value,
    section: &str,
    schema: &Map<String, Value>,
) -> SettingsError {
    let mut names: Vec<&str> = schema.keys().map(String::as_str).collect();
    names.sort_unstable();
    let last = key.rsplit('.').next().unwrap_or_default();
    let nearest = names.iter().min_by_key(|name| strsim::damerau_levenshtein(last, name));
    let nearest = nearest.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
    let place =
        if section.is_empty() { "the sections are".into() } else { format!("[{section}] has") };
    let allowed = format!("{place} {}{nearest}", names.join(", "));
    SettingsError::UnknownKey {
        origin: origin.to_owned(),
        key,
        value: super::merge::shown(&value.kind),
        allowed,
    }
}

fn wrong_type(origin: &str, key: String, value: &Value, expected: &str) -> SettingsError {
    SettingsError::Invalid {
        origin: origin.to_owned(),
        key,
        value: super::merge::shown(&value.kind),
        allowed: format!("{expected} is expected"),
    }
}

fn type_name(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => {
            "a whole number"
        }
        ValueKind::Float(_) => "a number",
        ValueKind::String(_) => "a text in quotes",
        ValueKind::Table(_) => "a section of keys",
        ValueKind::Array(_) => "a list",
    }
}
