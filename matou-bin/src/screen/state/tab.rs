//! One tab: the room, a private chat, or the transfers.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use matou_actors::client::{LinkSecurity, MessageId};
use matou_actors::protocol::{MessageText, Username};

use crate::screen::state::buffer::{Buffer, BufferLimits, EntryId};
use crate::screen::state::entry::Entry;
use crate::screen::state::input_line::InputLine;

/// Messages that may wait in one tab for their session.
const MAX_WAITING: usize = 1000;
/// Messages of one tab whose delivery is awaited: as many as a session keeps.
const MAX_UNCONFIRMED: usize = 10_000;

/// The content of one tab and its input.
#[derive(Debug)]
pub(crate) struct Tab {
    /// What it is for.
    pub(crate) kind: TabKind,
    /// What it has shown so far.
    pub(crate) buffer: Buffer,
    /// Which part of it is seen.
    pub(crate) scroll: Scroll,
    /// Messages that arrived while it was not seen.
    pub(crate) unread: usize,
    /// Whether one of them is for the user in particular.
    pub(crate) urgent: bool,
    /// The input.
    pub(crate) input: InputLine,
    /// How the private session stands.
    pub(crate) session: PrivateState,
    /// What protects it, while it is open.
    pub(crate) security: Option<LinkSecurity>,
    /// When the user's typing was announced last to the peer.
    pub(crate) announced_typing: Option<Duration>,
    /// Until when the peer counts as typing.
    pub(crate) peer_types_until: Option<Duration>,
    /// Texts for a session that is not open yet.
    pub(crate) waiting: VecDeque<MessageText>,
    /// Messages that the other side has not confirmed, and where they are shown.
    unconfirmed: VecDeque<(MessageId, EntryId)>,
}

/// What a tab is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TabKind {
    /// The public room.
    Room,
    /// A private chat with one user.
    Peer(Username),
    /// File transfers.
    Transfers,
}

/// How a private session stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PrivateState {
    /// There is none.
    #[default]
    None,
    /// The other one asks for it.
    Asking,
    /// The user asked for it.
    Asked,
    /// Both want it; the connections are being made.
    Connecting,
    /// Messages and files may go both ways.
    Open(IpAddr),
}

/// Which part of a scrollback is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scroll {
    /// The end, also when more is added.
    Bottom,
    /// From this row of this entry on.
    At(EntryId, usize),
}

impl Tab {
    /// An empty one.
    pub(crate) fn new(kind: TabKind, limits: BufferLimits) -> Self {
        Self {
            kind,
            buffer: Buffer::new(limits),
            scroll: Scroll::Bottom,
            unread: 0,
            urgent: false,
            input: InputLine::default(),
            session: PrivateState::None,
            security: None,
            announced_typing: None,
            peer_types_until: None,
            waiting: VecDeque::new(),
            unconfirmed: VecDeque::new(),
        }
    }

    /// The peer of a private tab.
    pub(crate) fn peer(&self) -> Option<&Username> {
        match &self.kind {
            TabKind::Peer(peer) => Some(peer),
            TabKind::Room | TabKind::Transfers => None,
        }
    }

    /// Its label.
    pub(crate) fn title(&self) -> &str {
        match &self.kind {
            TabKind::Room => "room",
            TabKind::Peer(peer) => peer.as_str(),
            TabKind::Transfers => "transfers",
        }
    }

    /// Adds `entry`, which is `seen` at once or counts as unread.
    pub(crate) fn push(&mut self, entry: Entry, seen: bool, urgent: bool) {
        if !seen {
            self.buffer.mark_unread();
            self.unread += usize::from(entry.is_message() || urgent);
            self.urgent |= urgent;
        }
        self.buffer.push(entry);
    }

    /// The next message is to be confirmed under this number.
    pub(crate) fn await_delivery(&mut self, id: MessageId) {
        if self.unconfirmed.len() >= MAX_UNCONFIRMED {
            self.unconfirmed.pop_front();
        }
        self.unconfirmed.push_back((id, self.buffer.end()));
    }

    /// These messages were delivered.
    pub(crate) fn delivered(&mut self, ids: &[MessageId]) {
        for id in ids {
            if let Some(at) = self.unconfirmed.iter().position(|(other, _)| other == id)
                && let Some((_, entry)) = self.unconfirmed.remove(at)
            {
                self.buffer.delivered(entry);
            }
        }
    }

    /// The user looks at its end.
    pub(crate) fn see(&mut self) {
        self.unread = 0;
        self.urgent = false;
    }

    /// `text` waits for the session to open.
    pub(crate) fn wait(&mut self, text: MessageText) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(text);
        }
    }

    /// `text` has been delivered, or never will be.
    pub(crate) fn waits_no_more(&mut self, text: &MessageText) {
        if let Some(position) = self.waiting.iter().position(|waiting| waiting == text) {
            self.waiting.remove(position);
        }
    }
}
