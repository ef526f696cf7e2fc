//! What can be wrong with a setting, wherever it was set.

use std::path::PathBuf;

use crate::sanitize::sanitize;

/// Why the settings cannot be used: exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("{}: {error}", file.display())]
    Read { file: PathBuf, error: std::io::Error },
    #[error("{}: {}", file.display(), .error.trim_end())]
    Syntax { file: PathBuf, error: String },
    #[error("{origin}: {key} = {}: there is no such key; {allowed}", shown(value))]
    UnknownKey { origin: String, key: String, value: String, allowed: String },
    #[error("{origin}: {key} = {} is not possible: {allowed}", shown(value))]
    Impossible { origin: String, key: String, value: String, allowed: String },
}

/// Enough of a value to recognise it.
fn shown(value: &str) -> String {
    const SHOWN: usize = 200;
    let mut text = sanitize(value).into_owned();
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}
