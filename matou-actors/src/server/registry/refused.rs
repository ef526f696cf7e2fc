//! Why a client is not admitted.

use crate::protocol::UsernameError;
use crate::protocol::v2::SignInRefusal;

/// Why a name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Invalid(#[from] UsernameError),
    #[error("the name, or one that looks like it, is taken")]
    Taken,
    #[error("the name, or one that looks like it, belongs to another key")]
    OtherKey,
    #[error("too many new names from that address")]
    TooManyNewNames,
    #[error("the name is banned")]
    Banned,
    #[error("the key is banned")]
    KeyBanned,
    #[error("the password is missing")]
    PasswordMissing,
    #[error("the password is wrong")]
    PasswordWrong,
    #[error("the key is not on the list of admitted keys")]
    NotListed,
    #[error("the name mixes letters of several scripts")]
    MixedScripts,
}

/// [`Refused`] without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RefusedKind {
    Invalid,
    Taken,
    OtherKey,
    TooManyNewNames,
    Banned,
    KeyBanned,
    NotListed,
    PasswordMissing,
    PasswordWrong,
    MixedScripts,
}

impl Refused {
    /// For the user: what happened, and what to do next.
    pub(crate) fn words(self) -> String {
        match self {
            Self::OtherKey => format!(
                "{self}; choose another name, or sign in with the key that it belongs to \
                 (matou-bin identity import)"
            ),
            Self::TooManyNewNames => {
                format!("{self}; use a name that you have used before, or try again in an hour")
            }
            Self::NotListed => format!(
                "{self}; ask the operator, who needs your fingerprint (matou-bin identity show)"
            ),
            Self::Banned | Self::KeyBanned => {
                let what = if self == Self::Banned { "the name" } else { "your key" };
                format!(
                    "an operator has banned {what}, or disconnected you a moment ago; try again in a \
                     minute, or ask the operator"
                )
            }
            _ => self.to_string(),
        }
    }

    /// The reason in REFUSED.
    pub(crate) fn code(self) -> SignInRefusal {
        match self {
            Self::Invalid(_) | Self::MixedScripts => SignInRefusal::InvalidName,
            Self::Taken => SignInRefusal::Taken,
            Self::OtherKey => SignInRefusal::OtherKey,
            Self::TooManyNewNames => SignInRefusal::TooManyNames,
            Self::PasswordMissing | Self::PasswordWrong => SignInRefusal::Password,
            Self::NotListed => SignInRefusal::NotListed,
            Self::Banned | Self::KeyBanned => SignInRefusal::Banned,
        }
    }

    pub(crate) fn kind(self) -> RefusedKind {
        match self {
            Self::Invalid(_) => RefusedKind::Invalid,
            Self::Taken => RefusedKind::Taken,
            Self::OtherKey => RefusedKind::OtherKey,
            Self::TooManyNewNames => RefusedKind::TooManyNewNames,
            Self::Banned => RefusedKind::Banned,
            Self::KeyBanned => RefusedKind::KeyBanned,
            Self::NotListed => RefusedKind::NotListed,
            Self::PasswordMissing => RefusedKind::PasswordMissing,
            Self::PasswordWrong => RefusedKind::PasswordWrong,
            Self::MixedScripts => RefusedKind::MixedScripts,
        }
    }
}
