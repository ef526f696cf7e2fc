//! Errors in settings, from any source.

use std::path::PathBuf;

use crate::sanitize::sanitize;

/// Why the settings are unusable: exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("{}: {error}", file.display())]
    Read { file: PathBuf, error: std::io::Error },
    #[error("{}: {}", file.display(), .error.trim_end())]
    Syntax { file: PathBuf, error: String },
    #[error("{origin}: {key} = {}: unknown key; {allowed}", shown(value))]
    UnknownKey { origin: String, key: String, value: String, allowed: String },
    #[error("{origin}: {key} = {} is invalid: {allowed}", shown(value))]
    Invalid { origin: String, key: String, value: String, allowed: String },
}

/// Shortens a value to a recognisable length.
fn shown(value: &str) -> String {
    shortened(&sanitize(value))
}

/// The beginning of a long text.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 200;
    let mut text = text.to_owned();
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}
