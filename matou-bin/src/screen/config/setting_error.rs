//! A setting that cannot be used.

use std::fmt;

/// A value of the right type that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value} is invalid: {allowed}")]
pub(crate) struct WrongSetting {
    /// The key as `screen.key`.
    pub(crate) key: String,
    /// The value as given.
    pub(crate) value: String,
    /// What is allowed.
    pub(crate) allowed: String,
}

impl WrongSetting {
    pub(in crate::screen) fn new(
        key: String,
        value: &(impl fmt::Debug + ?Sized),
        allowed: impl Into<String>,
    ) -> Self {
        Self { key, value: format!("{value:?}"), allowed: allowed.into() }
    }
}
