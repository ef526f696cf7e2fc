//! The state of the screen: what is known about the chat, and which dialog is open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use matou_actors::client::{LinkSecurity, TransferId};
use matou_actors::protocol::{FoldedName, Username};

use crate::sanitize::sanitize;
use crate::screen::config::keymap::KeyMap;
use crate::screen::config::setting_error::WrongSetting;
use crate::screen::config::settings::{ChatLog, ScreenSettings};
use crate::screen::config::theme::{TerminalHints, Theme};
use crate::screen::state::buffer::BufferLimits;
use crate::screen::state::burst::Burst;
use crate::screen::state::completion::Completion;
use crate::screen::state::entry::{Body, Entry};
use crate::screen::state::event::{Now, UiEffect};
use crate::screen::state::history::InputHistory;
use crate::screen::state::input_line::InputLine;
use crate::screen::state::modal::{Modal, ServerChoice, ServerMenu, SignInForm};
use crate::screen::state::notify::Notifier;
use crate::screen::state::people::People;
use crate::screen::state::prompts::Prompts;
use crate::screen::state::question::Question;
use crate::screen::state::server_labels::ServerLabels;
use crate::screen::state::tab::{PrivateState, Tab, TabKind};
use crate::screen::state::transfers::TransferList;
use crate::screen::text::short_names::ShortNames;

const ROOM_BYTES: usize = 60 * 1024 * 1024;
const TRANSFER_LIMITS: BufferLimits = BufferLimits { lines: 1000, bytes: 1024 * 1024 };
/// How long a short message stays in the status line.
const FLASH: Duration = Duration::from_secs(4);

/// Everything the screen knows. Changed by [`App::update`] only, drawn by `view::draw`.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
pub(crate) struct App {
    pub(in crate::screen) theme: Theme,
    pub(in crate::screen) short_names: ShortNames,
    pub(in crate::screen) keys: KeyMap,
    pub(in crate::screen) chat_log: ChatLog,
    pub(in crate::screen) keep_history: bool,
    /// Whether peers of encrypted sessions learn that the user types.
    pub(in crate::screen) announces_typing: bool,
    /// Whether links are announced to the terminal.
    pub(in crate::screen) links: bool,
    pub(in crate::screen) home: Option<PathBuf>,
    pub(in crate::screen) now: Now,
    /// Columns and rows of the terminal.
    pub(in crate::screen) size: (u16, u16),
    pub(in crate::screen) me: Option<Username>,
    /// The server as the user named it.
    pub(in crate::screen) server: String,
    /// Under which names servers were found.
    pub(in crate::screen) named: ServerLabels,
    pub(in crate::screen) link: ServerStatus,
    /// What protects the connection to the server, once it was reached.
    pub(in crate::screen) security: Option<LinkSecurity>,
    /// The last reason shown for the server not being reached.
    pub(in crate::screen) stated_reason: String,
    pub(in crate::screen) older: Older,
    /// The topic of the room; empty when there is none.
    pub(in crate::screen) topic: String,
    pub(in crate::screen) people: People,
    pub(in crate::screen) ignored: Vec<Username>,
    /// Users whose keys the user has compared, as far as they were here.
    pub(in crate::screen) compared: BTreeSet<FoldedName>,
    /// The room, one for each peer, the transfers.
    pub(in crate::screen) tabs: Vec<Tab>,
    pub(in crate::screen) active: usize,
    /// Open sessions of those whose tabs had to go; as many as the client keeps open.
    pub(in crate::screen) untabbed: BTreeMap<FoldedName, PrivateState>,
    /// Rows of the roster above the first one that is seen.
    pub(in crate::screen) roster_offset: usize,
    pub(in crate::screen) transfers: TransferList,
    pub(in crate::screen) prompts: Prompts,
    /// The question that Enter or a key combination answers, and since when it is shown.
    pub(in crate::screen) question: (Question, Duration),
    pub(in crate::screen) modal: Option<Modal>,
    pub(in crate::screen) history: InputHistory,
    /// The text cut last.
    pub(in crate::screen) killed: String,
    pub(in crate::screen) completion: Option<Completion>,
    /// Escape was pressed alone: until then, the next key counts as with Alt.
    pub(in crate::screen) meta: Option<Duration>,
    /// Distinguishes an unbracketed paste from typing.
    pub(in crate::screen) burst: Burst,
    /// A line that may be the path of a file, while the disk is asked, and since when.
    pub(in crate::screen) looked_up: Option<(String, Duration)>,
    pub(in crate::screen) notifier: Notifier,
    pub(in crate::screen) mouse: bool,
    /// The messages are shown as plain lines instead of the screen.
    pub(in crate::screen) copy_mode: bool,
    /// Pasted text that is being sent as files.
    pub(in crate::screen) paste_files: Vec<PasteFile>,
    pub(in crate::screen) flash: Option<(String, Duration)>,
    /// Public messages of the user that were not echoed yet.
    pub(in crate::screen) unacknowledged: usize,
    /// When something of the user's moved last while the client is signing out.
    pub(in crate::screen) leaving: Option<Duration>,
    /// Errors to print after the screen is closed.
    pub(in crate::screen) last_words: Vec<String>,
    pub(in crate::screen) effects: Vec<UiEffect>,
    pub(in crate::screen) dirty: bool,
}

/// The connection to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerStatus {
    /// Not yet.
    Connecting,
    /// Signed in.
    Up,
    /// Lost.
    Down {
        /// Why.
        reason: String,
        /// The number of the next attempt, and when it is made.
        next: Option<(u32, Duration)>,
    },
}

/// What the server has of the room's messages before those that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Older {
    /// Nothing, or nothing more that fits.
    #[default]
    None,
    /// Some can be fetched.
    Available,
    /// Some are on their way.
    Fetching,
}

/// Pasted text that is being sent as a file.
#[derive(Debug)]
pub(crate) struct PasteFile {
    pub(in crate::screen) path: PathBuf,
    pub(in crate::screen) id: Option<TransferId>,
}

/// What the screen is started with.
#[derive(Debug)]
pub(crate) struct AppStart {
    /// The configuration.
    pub(crate) settings: ScreenSettings,
    /// The terminal.
    pub(crate) hints: TerminalHints,
    /// How names are shortened.
    pub(crate) short_names: ShortNames,
    /// Columns and rows.
    pub(crate) size: (u16, u16),
    /// The time.
    pub(crate) now: Now,
    /// The name, when it is known; else it is asked for.
    pub(crate) username: Option<Username>,
    /// The server, as the user named it; empty while it is to be chosen.
    pub(crate) server: String,
    /// What there is to choose from then.
    pub(crate) servers: Vec<ServerChoice>,
    /// Under which names servers were found.
    pub(crate) named: ServerLabels,
    /// What `~` is.
    pub(crate) home: Option<PathBuf>,
    /// Input of earlier runs, oldest first.
    pub(crate) history: Vec<String>,
}

impl App {
    /// A screen before anything has happened.
    pub(crate) fn new(start: AppStart) -> Result<Self, WrongSetting> {
        let AppStart {
            settings,
            hints,
            short_names,
            size,
            now,
            username,
            server,
            servers,
            named,
            home,
            history,
        } = start;
        settings.check()?;
        let lines = usize::try_from(settings.scrollback).unwrap_or(usize::MAX);
        let room = Tab::new(TabKind::Room, BufferLimits { lines, bytes: ROOM_BYTES });
        let transfers = Tab::new(TabKind::Transfers, TRANSFER_LIMITS);
        let modal = if servers.is_empty() {
            username.is_none().then(|| Modal::SignIn(SignInForm::default()))
        } else {
            let (selected, input, problem) = (0, InputLine::default(), None);
            Some(Modal::Servers(ServerMenu { list: servers, selected, input, problem }))
        };
        let mut app = Self {
            theme: Theme::new(settings.theme, settings.colors, &hints, &settings.styles)?,
            short_names,
            keys: KeyMap::new(&settings.keys)?,
            chat_log: settings.chat_log,
            keep_history: settings.history,
            announces_typing: settings.typing,
            links: settings.links && hints.takes_links(),
            home,
            now,
            size,
            me: username,
            server,
            named,
            link: ServerStatus::Connecting,
            security: None,
            stated_reason: String::new(),
            older: Older::default(),
            topic: String::new(),
            people: People::default(),
            ignored: Vec::new(),
            compared: BTreeSet::new(),
            tabs: vec![room, transfers],
            active: 0,
            untabbed: BTreeMap::new(),
            roster_offset: 0,
            transfers: TransferList::default(),
            prompts: Prompts::default(),
            question: (Question::default(), Duration::ZERO),
            modal,
            history: InputHistory::new(history),
            killed: String::new(),
            completion: None,
            meta: None,
            notifier: Notifier::new(settings.notify_mention, settings.notify_private),
            mouse: settings.mouse,
            copy_mode: false,
            burst: Burst::default(),
            looked_up: None,
            paste_files: Vec::new(),
            flash: None,
            unacknowledged: 0,
            leaving: None,
            last_words: Vec::new(),
            effects: Vec::new(),
            dirty: true,
        };
        if !app.server.is_empty() {
            app.greet();
        }
        Ok(app)
    }

    /// Announces the beginning.
    pub(in crate::screen) fn greet(&mut self) {
        let help = self.keys.keys(crate::screen::config::keymap::KeyAction::Help).join(", ");
        let server = self.named.label(&self.server);
        let text = format!("Connecting to {server}. {help} shows all keys and commands.");
        self.notice_in(0, &text);
    }

    /// Whether something has changed since this was asked last.
    pub(crate) fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty) && !self.copy_mode
    }

    /// Whether copy mode is active, over which nothing is drawn.
    pub(crate) fn in_copy_mode(&self) -> bool {
        self.copy_mode
    }

    /// How long nothing changes by itself: the clock, a countdown, a short message.
    pub(crate) fn idle_for(&self) -> Duration {
        if self.is_searching() {
            return Duration::ZERO;
        }
        let wall = self.now.wall;
        let in_minute = Duration::new(
            wall.second().unsigned_abs().into(),
            wall.subsec_nanosecond().unsigned_abs(),
        );
        let mut wait = Duration::from_secs(60).saturating_sub(in_minute);
        if let Some((_, until)) = &self.flash {
            wait = wait.min(until.saturating_sub(self.now.elapsed));
        }
        if let Some(until) = self.tab().and_then(|tab| tab.peer_types_until) {
            wait = wait.min(until.saturating_sub(self.now.elapsed));
        }
        if let Some(next) = self.burst.next() {
            wait = wait.min(next.saturating_sub(self.now.elapsed));
        }
        if let ServerStatus::Down { next: Some((_, at)), .. } = &self.link {
            let left = at.saturating_sub(self.now.elapsed);
            if !left.is_zero() {
                let part = Duration::from_nanos(u64::from(left.subsec_nanos()));
                wait = wait.min(if part.is_zero() { Duration::from_secs(1) } else { part });
            }
        }
        if self.leaving.is_some() {
            wait = wait.min(Duration::from_secs(1));
        }
        wait.max(Duration::from_millis(1))
    }

    pub(in crate::screen) fn is_me(&self, who: &Username) -> bool {
        self.me.as_ref().is_some_and(|me| me.folded() == who.folded())
    }

    pub(in crate::screen) fn is_ignored(&self, who: &Username) -> bool {
        self.ignored.iter().any(|other| other.folded() == who.folded())
    }

    pub(in crate::screen) fn is_searching(&self) -> bool {
        matches!(&self.modal, Some(Modal::Search(search)) if search.scan.is_some())
    }

    pub(in crate::screen) fn push(&mut self, index: usize, body: Body, urgent: bool) {
        let entry = Entry { at: self.now.wall, body };
        let seen = self.is_seen(index);
        self.log(index, &entry);
        if let Some(tab) = self.tabs.get_mut(index) {
            tab.push(entry, seen, urgent);
            if tab.peer().is_some() {
                self.trim_peers();
            }
        }
    }

    /// Something that the user should know, in tab `index`.
    pub(in crate::screen) fn notice_in(&mut self, index: usize, text: &str) {
        self.push(index, Body::Notice(sanitize(text).into()), false);
    }

    /// Something that went wrong, in tab `index`.
    pub(in crate::screen) fn error_in(&mut self, index: usize, text: &str) {
        self.push(index, Body::Error(sanitize(text).into()), false);
    }

    /// Something that went wrong, where the user looks.
    pub(in crate::screen) fn error(&mut self, text: &str) {
        self.error_in(self.active, text);
    }

    /// A short message in the status line.
    pub(in crate::screen) fn flash(&mut self, text: impl Into<String>) {
        self.flash = Some((text.into(), self.now.elapsed + FLASH));
    }

    pub(in crate::screen) fn waiting(
        &self,
    ) -> Option<&VecDeque<matou_actors::protocol::MessageText>> {
        self.tab().map(|tab| &tab.waiting).filter(|waiting| !waiting.is_empty())
    }
}
