//! Why the screen ended other than by the user's wish.

use std::io;

use crate::screen::config::setting_error::WrongSetting;

/// Why the screen ended other than by the user's wish.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScreenError {
    /// The terminal cannot be used, or is gone.
    #[error("the terminal cannot be used: {0}; --plain works without a screen")]
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
    #[error("a part of the program failed; what it said stands above")]
    Panicked,
}
