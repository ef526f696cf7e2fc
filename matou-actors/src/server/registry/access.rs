//! Which users are admitted, whatever their names.

use crate::protocol::v2::PublicKey;
use crate::server::accept::admitted_keys::AdmittedKeys;
use crate::server::registry::refused::Refused;

/// What a user needs besides a name; nothing by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// The keys that are admitted; `None`: all, and users without one.
    pub(crate) admitted: Option<AdmittedKeys>,
}

/// What a client has proved about the server's password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordCheck {
    /// The client knows it, or there is none.
    Passed,
    Missing,
    Wrong,
}

impl PasswordCheck {
    pub(crate) fn result(self) -> Result<(), Refused> {
        match self {
            Self::Passed => Ok(()),
            Self::Missing => Err(Refused::PasswordMissing),
            Self::Wrong => Err(Refused::PasswordWrong),
        }
    }
}

impl Access {
    /// Whether the user with that key, or without one, is admitted.
    pub(crate) fn check(&self, key: Option<&PublicKey>) -> Result<(), Refused> {
        let is_admitted = match (&self.admitted, key) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(admitted), Some(key)) => admitted.contains(key),
        };
        if is_admitted { Ok(()) } else { Err(Refused::NotListed) }
    }
}
