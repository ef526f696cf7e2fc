//! Events for the screen and the effects that it wants: the border of the pure part.

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};
use jiff::civil::DateTime;
use matou_actors::client::{Command, Event};
use matou_actors::protocol::Username;

use crate::screen::config::settings::Notify;

/// The time, which nothing pure reads by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Since the screen was opened; never goes back.
    pub(crate) elapsed: Duration,
    /// The clock on the wall.
    pub(crate) wall: DateTime,
}

/// Something that happened.
#[derive(Debug)]
pub(crate) enum UiEvent {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    /// The terminal got or lost the focus.
    Focus(bool),
    /// An event of the chat client.
    Chat(Event),
    /// The answer to [`UiEffect::List`].
    Listed(Listing),
    /// The answer to [`UiEffect::FindFile`]: the line, and the file that it is the path of.
    FileFound(String, Option<PathBuf>),
    /// The answer to [`UiEffect::StorePaste`]: the file, or why there is none.
    Stored(Username, Result<PathBuf, String>),
    /// Something for the disk failed: what, and why.
    DiskFailed(String),
    /// Time has passed.
    Tick,
}

/// Something to be done outside.
#[derive(Debug, PartialEq)]
pub(crate) enum UiEffect {
    /// Send a command to the chat client.
    Send(Command),
    /// Add a line to the history file.
    Remember(String),
    /// Add a line to a file of the chat log.
    Log {
        /// The file's name, which holds the date.
        file: String,
        /// The line.
        line: String,
    },
    /// Read the names in a folder, to complete a path.
    List(PathBuf),
    /// Look whether a line is the path of a file.
    FindFile {
        /// The line.
        line: String,
        /// The paths that it may be, the likeliest first.
        paths: Vec<PathBuf>,
    },
    /// Put pasted text into a file that can be sent to `to`.
    StorePaste {
        /// For whom.
        to: Username,
        /// The pasted text.
        text: String,
    },
    /// Remove such a file again.
    RemovePaste(PathBuf),
    /// Call the user.
    Notify(Notify, String),
    /// Take the mouse, or give it back.
    Mouse(bool),
    /// Show these lines in copy mode until [`UiEffect::EndCopyMode`].
    CopyMode(Vec<String>),
    /// Show the screen again.
    EndCopyMode,
    /// Draw everything again.
    Redraw,
    /// Go back to the shell for a while.
    Suspend,
    /// Leave, for this reason when it was not the user's wish.
    Exit(Option<String>),
}

/// The names in a folder.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// Its entries, with whether they are folders.
    pub(crate) names: Vec<(String, bool)>,
}
