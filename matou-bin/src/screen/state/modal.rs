//! What captures the keys for a while: a question, a search, the help page.

use std::path::PathBuf;

use crate::screen::state::buffer::EntryId;
use crate::screen::state::input_line::InputLine;
use crate::screen::state::tab::Scroll;
use matou_actors::client::ServerName;
use matou_actors::protocol::Username;

/// What is open in front of the tabs.
#[derive(Debug)]
pub(crate) enum Modal {
    /// Asks which of several servers to join.
    Servers(ServerMenu),
    /// Asks for the user's name.
    SignIn(SignInForm),
    /// The keys and commands, scrolled by this many rows.
    Help(usize),
    /// Search in the scrollback of the active tab.
    Search(Search),
    /// Search in the input history.
    HistorySearch(HistorySearch),
    /// Asks what to do with a paste of several messages.
    Paste(Paste),
    /// Asks whether to quit although transfers are running.
    Leave,
    /// Asks whether to close the tab of this peer, whose session is open.
    CloseTab {
        /// The peer.
        peer: Username,
        /// Whether Enter closes it.
        armed: bool,
    },
}

impl Modal {
    /// Whether the key that leaves closes this instead.
    pub(crate) fn is_closed_first(&self) -> bool {
        match self {
            Self::Servers(_) | Self::SignIn(_) | Self::Leave => false,
            Self::Help(_)
            | Self::Search(_)
            | Self::HistorySearch(_)
            | Self::Paste(_)
            | Self::CloseTab { .. } => true,
        }
    }
}

/// A pasted text and the answer that Enter gives.
#[derive(Debug)]
pub(crate) struct Paste {
    /// The pasted text.
    pub(crate) text: String,
    /// The file that the text is the path of.
    pub(crate) file: Option<PathBuf>,
    /// The selected answer; none after text was typed, so that its Enter publishes nothing.
    pub(crate) choice: Option<PasteChoice>,
}

/// What can be done with a paste.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasteChoice {
    Send,
    Edit,
    /// Send the text as a file.
    File,
    /// Send the file that the text is the path of.
    Path,
    /// Write a command that sends that file to a user.
    Address,
}

impl PasteChoice {
    /// What the prompt calls it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Edit => "edit",
            Self::File => "file",
            Self::Path => "send the file",
            Self::Address => "choose the recipient",
        }
    }
}

/// Asking which server to join.
#[derive(Debug)]
pub(crate) struct ServerMenu {
    /// Those that were found, at least one.
    pub(crate) list: Vec<ServerChoice>,
    /// The one that Enter joins while nothing is typed.
    pub(crate) selected: usize,
    /// Its number, or the address of another one.
    pub(crate) input: InputLine,
    /// Why the input is not valid.
    pub(crate) problem: Option<String>,
}

/// A server that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerChoice {
    /// Its name, safe to display.
    pub(crate) name: String,
    /// Where it is, for people.
    pub(crate) address: String,
    /// How the client names it, and other servers of the same room.
    pub(crate) servers: Vec<ServerName>,
    /// Whether its key was seen before.
    pub(crate) is_known: bool,
}

/// Servers of one room, as they are displayed.
pub(crate) fn server_names(servers: &[ServerName]) -> String {
    servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl ServerMenu {
    /// What Enter joins.
    pub(crate) fn chosen(&self) -> Result<Vec<ServerName>, String> {
        let typed = self.input.text().trim();
        let listed = match typed.parse::<usize>() {
            _ if typed.is_empty() => self.list.get(self.selected),
            Ok(number) => match number.checked_sub(1).and_then(|index| self.list.get(index)) {
                Some(listed) => Some(listed),
                None => return Err(format!("There is no server {number} in the list.")),
            },
            Err(_) => None,
        };
        listed.map_or_else(|| ServerName::parse_list(typed), |listed| Ok(listed.servers.clone()))
    }
}

/// Asking for the user's name.
#[derive(Debug, Default)]
pub(crate) struct SignInForm {
    /// The server is reached; before that, another one can be named.
    pub(crate) reached: bool,
    /// The input.
    pub(crate) input: InputLine,
    /// Why the name before was none.
    pub(crate) problem: Option<String>,
    /// The name that the server is asked for at the moment.
    pub(crate) asked: Option<Username>,
    /// The prompt is not for the name but for the server's password, which is not shown.
    pub(crate) password: bool,
}

/// Searching in a scrollback, from the newest entry back.
#[derive(Debug)]
pub(crate) struct Search {
    /// The search text.
    pub(crate) input: InputLine,
    /// The entry it was found in.
    pub(crate) found: Option<EntryId>,
    /// The entry to look at next, while looking.
    pub(crate) scan: Option<EntryId>,
    /// Looking towards newer entries.
    pub(crate) forward: bool,
    /// The former position, to return to.
    pub(crate) origin: Scroll,
}

/// Searching in the input history.
#[derive(Debug, Default)]
pub(crate) struct HistorySearch {
    /// The search text.
    pub(crate) needle: String,
    /// Which line it was found in, and the line.
    pub(crate) found: Option<(usize, String)>,
    /// Nothing older has it.
    pub(crate) failed: bool,
}
