//! Why the screen ended other than by the user's wish.

use std::io;

use crate::screen::config::setting_error::WrongSetting;

/// Why the screen ended other than by the user's wish.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScreenError {
    /// The terminal cannot be used, or is gone.
    #[error("cannot use the terminal: {0}; try --plain")]
    Terminal(#[from] io::Error),
    /// A setting is impossible (they are checked before).
    #[error(transparent)]
    Setting(#[from] WrongSetting),
    /// The client has ended by itself.
    #[error("{0}")]
    Client(String),
    /// Not all that was typed went out; a line for each.
    #[error("{0}")]
    Unsent(String),
    /// Something panicked; the panic itself is printed above.
    #[error("the program failed; see the message above")]
    Panicked,
}
