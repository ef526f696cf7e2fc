//! What is wrong with a setting.

/// A value that has the right type and cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value} is invalid: {allowed}")]
pub struct SettingError {
    /// The key as `section.key`.
    pub key: &'static str,
    /// The value as given.
    pub value: String,
    /// What is allowed.
    pub allowed: &'static str,
}
