//! The state of the screen: what is known of the chat, and what is open in front of it.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use matou_actors::client::TransferId;
use matou_actors::protocol::{Username, UsernameKey};

use super::asks::Asks;
use super::buffer::Limits;
use super::complete::Completion;
use super::entry::{Body, Entry};
use super::event::{Effect, Now};
use super::history::History;
use super::keys::KeyMap;
use super::modal::{Modal, SignIn};
use super::notify::Caller;
use super::people::People;
use super::settings::{ChatLog, ScreenSettings, WrongSetting};
use super::tab::{Session, Tab, TabKind};
use super::theme::{TerminalHints, Theme};
use super::transfers::Transfers;
use crate::sanitize::sanitize;

const ROOM_BYTES: usize = 60 * 1024 * 1024;
const TRANSFER_LIMITS: Limits = Limits { lines: 1000, bytes: 1024 * 1024 };
/// How long a short message stays in the status line.
const FLASH: Duration = Duration::from_secs(4);

/// Everything the screen knows. Changed by [`App::update`] only, drawn by [`super::view::draw`].
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
pub(crate) struct App {
    pub(super) theme: Theme,
    pub(super) keys: KeyMap,
    pub(super) chat_log: ChatLog,
    pub(super) keep_history: bool,
    /// Whether the terminal is told of links.
    pub(super) links: bool,
    pub(super) home: Option<PathBuf>,
    pub(super) now: Now,
    /// Columns and rows of the terminal.
    pub(super) size: (u16, u16),
    pub(super) me: Option<Username>,
    /// The server as the user named it.
    pub(super) server: String,
    pub(super) link: Link,
    pub(super) people: People,
    pub(super) ignored: Vec<Username>,
    /// The room, one for each peer, the transfers.
    pub(super) tabs: Vec<Tab>,
    pub(super) active: usize,
    /// Open sessions of those whose tabs had to go; as many as the client keeps open.
    pub(super) untabbed: BTreeMap<UsernameKey, Session>,
    /// Rows of the roster above the first one that is seen.
    pub(super) roster_offset: usize,
    pub(super) transfers: Transfers,
    pub(super) asks: Asks,
    pub(super) modal: Option<Modal>,
    pub(super) history: History,
    /// What was cut last.
    pub(super) killed: String,
    pub(super) completion: Option<Completion>,
    /// Escape was pressed alone: until then, the next key counts as with Alt.
    pub(super) meta: Option<Duration>,
    pub(super) caller: Caller,
    pub(super) mouse: bool,
    /// Bare text is shown instead of the screen.
    pub(super) bare: bool,
    /// Pasted text that is being sent as files.
    pub(super) paste_files: Vec<PasteFile>,
    pub(super) flash: Option<(String, Duration)>,
    /// Public messages of the user that have not come back.
    pub(super) unheard: usize,
    /// When something of the user's moved last while the client is signing out.
    pub(super) leaving: Option<Duration>,
    /// What went wrong meanwhile.
    pub(super) last_words: Vec<String>,
    pub(super) effects: Vec<Effect>,
    pub(super) dirty: bool,
}

/// The connection to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
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

/// Pasted text that is being sent as a file.
#[derive(Debug)]
pub(crate) struct PasteFile {
    pub(super) path: PathBuf,
    pub(super) id: Option<TransferId>,
}

/// What the screen is started with.
#[derive(Debug)]
pub(crate) struct Start {
    /// The configuration.
    pub(crate) settings: ScreenSettings,
    /// The terminal.
    pub(crate) hints: TerminalHints,
    /// Columns and rows.
    pub(crate) size: (u16, u16),
    /// The time.
    pub(crate) now: Now,
    /// The name, when it is known; else it is asked for.
    pub(crate) username: Option<Username>,
    /// The server, as the user named it.
    pub(crate) server: String,
    /// What `~` is.
    pub(crate) home: Option<PathBuf>,
    /// What was typed in earlier runs, oldest first.
    pub(crate) history: Vec<String>,
}

impl App {
    /// A screen before anything has happened.
    pub(crate) fn new(start: Start) -> Result<Self, WrongSetting> {
        let Start { settings, hints, size, now, username, server, home, history } = start;
        settings.check()?;
        let lines = usize::try_from(settings.scrollback).unwrap_or(usize::MAX);
        let room = Tab::new(TabKind::Room, Limits { lines, bytes: ROOM_BYTES });
        let transfers = Tab::new(TabKind::Transfers, TRANSFER_LIMITS);
        let modal = username.is_none().then(|| Modal::SignIn(SignIn::default()));
        let mut app = Self {
            theme: Theme::new(settings.theme, settings.colors, &hints, &settings.styles)?,
            keys: KeyMap::new(&settings.keys)?,
            chat_log: settings.chat_log,
            keep_history: settings.history,
            links: settings.links && hints.takes_links(),
            home,
            now,
            size,
            me: username,
            server,
            link: Link::Connecting,
            people: People::default(),
            ignored: Vec::new(),
            tabs: vec![room, transfers],
            active: 0,
            untabbed: BTreeMap::new(),
            roster_offset: 0,
            transfers: Transfers::default(),
            asks: Asks::default(),
            modal,
            history: History::new(history),
            killed: String::new(),
            completion: None,
            meta: None,
            caller: Caller::new(settings.notify_mention, settings.notify_private),
            mouse: settings.mouse,
            bare: false,
            paste_files: Vec::new(),
            flash: None,
            unheard: 0,
            leaving: None,
            last_words: Vec::new(),
            effects: Vec::new(),
            dirty: true,
        };
        let help = app.keys.keys(super::keys::Action::Help).join(", ");
        app.notice_in(
            0,
            &format!("Connecting to {}. {help} shows all keys and commands.", app.server),
        );
        Ok(app)
    }

    /// Whether something has changed since this was asked last.
    pub(crate) fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty) && !self.bare
    }

    /// Whether bare text is shown, over which nothing is drawn.
    pub(crate) fn is_bare(&self) -> bool {
        self.bare
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
        if let Link::Down { next: Some((_, at)), .. } = &self.link {
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

    pub(super) fn is_me(&self, who: &Username) -> bool {
        self.me.as_ref().is_some_and(|me| me.key() == who.key())
    }

    pub(super) fn is_ignored(&self, who: &Username) -> bool {
        self.ignored.iter().any(|other| other.key() == who.key())
    }

    pub(super) fn is_searching(&self) -> bool {
        matches!(&self.modal, Some(Modal::Search(search)) if search.scan.is_some())
    }

    pub(super) fn push(&mut self, index: usize, body: Body, urgent: bool) {
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
    pub(super) fn notice_in(&mut self, index: usize, text: &str) {
        self.push(index, Body::Notice(sanitize(text).into()), false);
    }

    /// Something that went wrong, in tab `index`.
    pub(super) fn error_in(&mut self, index: usize, text: &str) {
        self.push(index, Body::Error(sanitize(text).into()), false);
    }

    /// Something that went wrong, where the user looks.
    pub(super) fn error(&mut self, text: &str) {
        self.error_in(self.active, text);
    }

    /// A short message in the status line.
    pub(super) fn flash(&mut self, text: impl Into<String>) {
        self.flash = Some((text.into(), self.now.elapsed + FLASH));
    }

    pub(super) fn waiting(&self) -> Option<&VecDeque<matou_actors::protocol::MessageText>> {
        self.tab().map(|tab| &tab.waiting).filter(|waiting| !waiting.is_empty())
    }
}
