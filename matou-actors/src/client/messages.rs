//! The messages between the client's actors.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use actix::Message;
use tokio::sync::oneshot;

use crate::client::api::command::Command;
use crate::client::api::event::{Event, LinkSecurity};
use crate::client::api::password::Password;
use crate::client::api::server_name::ServerName;
use crate::client::doctor::Evidence;
use crate::client::files::HeaderSeen;
use crate::client::ids::{MessageId, SessionNumber, TransferId};
use crate::client::link::roster::Roster;
use crate::client::link::view::Standing;
use crate::client::meeting::MeetingReport;
use crate::exchange::Report;
use crate::protocol::v2::{self, Candidates, DialReport, Ticket};
use crate::protocol::{MessageText, PortPair, Username};
use crate::transfer::{ChosenFile, Moved};

/// A command of the user. Answered once the next one may follow.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct RunCommand {
    pub(crate) command: Command,
    pub(crate) checked: Checked,
}

/// For a command that sends a file: the file, or why it cannot be sent.
pub(crate) type Checked = Option<Result<Arc<ChosenFile>, String>>;

/// What happened to the link to the server, in order: `standing` and `roster`, each if it has
/// changed, are what holds once all of `events` have happened. Answered once the next one may
/// follow, which matters when the server caused it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LinkReport {
    pub(crate) standing: Option<Standing>,
    pub(crate) roster: Option<Roster>,
    pub(crate) events: Vec<LinkEvent>,
    pub(crate) by_server: bool,
}

/// What can happen to the link to the server.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// Not shown when the user ignores its author.
    Emit(Event),
    /// A frame about a private session.
    Private(v2::ServerFrame),
    /// A user is in the room, or joined it, which the user has read.
    Arrived(Username),
    /// A user left the room.
    Left(Username),
    /// The server is lost, and with it everything that needs it.
    Lost,
    /// The first sign-in is complete.
    Ready,
}

/// What the link to the server is to do.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum LinkCommand {
    /// Do what the user wants. `room` is dropped once the next command may follow.
    Run { command: ServerCommand, room: oneshot::Sender<()> },
    /// Send a frame that the set-up of a private session needs, unless the connection is another one by
    /// now.
    Send { generation: u64, frame: v2::ClientFrame },
    /// The user signs out once nothing is under way: a lost connection is not made again.
    Finish,
    /// The user signs out now.
    Leave,
    /// Wait no more for the server to read and answer.
    GiveUp,
}

/// What a user can want of the server.
#[derive(Debug)]
pub(crate) enum ServerCommand {
    SignIn(Username),
    UsePassword(Password),
    UseServers(Vec<ServerName>),
    Reconnect,
    Say { text: MessageText, action: bool },
    FetchHistory,
    ListPresent,
    ShowTopic,
}

impl ServerCommand {
    /// `command`, if it is about the server; else it is handed back.
    pub(crate) fn from_command(command: Command) -> Result<Self, Command> {
        Ok(match command {
            Command::SignIn(name) => Self::SignIn(name),
            Command::UsePassword(password) => Self::UsePassword(password),
            Command::UseServers(servers) => Self::UseServers(servers),
            Command::Reconnect => Self::Reconnect,
            Command::Say(text) => Self::Say { text, action: false },
            Command::Act(text) => Self::Say { text, action: true },
            Command::FetchHistory => Self::FetchHistory,
            Command::ListPresent => Self::ListPresent,
            Command::ShowTopic => Self::ShowTopic,
            other => return Err(other),
        })
    }
}

/// What happened on one connection to the server.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ConnectionReport {
    pub(crate) generation: u64,
    pub(crate) event: ConnectionEvent,
}

/// What can happen on a connection to the server.
#[derive(Debug)]
pub(crate) enum ConnectionEvent {
    /// It is reached.
    Up {
        local: SocketAddr,
        server: SocketAddr,
        /// How many addresses of that family the server has.
        addresses: usize,
        security: LinkSecurity,
    },
    /// Received frames. Answered once the next ones may follow.
    Frames(Vec<v2::ServerFrame>),
    /// There was no room for a text of the user's.
    NotSaid,
    /// This many bytes are not written yet, after [`ConnectionCommand::Close`].
    Unwritten(usize),
    /// It could not be reached, or is lost; its actor has stopped. With `retry` off it is not a
    /// Matou server, and another attempt would end in the same way.
    Down { reason: String, retry: bool },
    /// It has another key than the expected one; [`ConnectionEvent::Down`] follows.
    OtherKey,
}

/// What a connection to the server is to do.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum ConnectionCommand {
    /// Send a text. `room` is dropped once the next one may follow.
    Say { text: MessageText, action: bool, room: oneshot::Sender<()> },
    /// Send a frame.
    Send(v2::ClientFrame),
    /// Ask a server of revision 2 for the messages before the event with that sequence.
    Recall { before: u64, count: u32 },
    /// Close after what was sent so far.
    Close,
    /// Give up at once.
    HangUp,
}

/// What happened in one private session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SessionReport {
    pub(crate) session: SessionNumber,
    pub(crate) event: SessionEvent,
}

/// What can happen in a private session.
#[derive(Debug)]
pub(crate) enum SessionEvent {
    /// Two ports are open for the peer.
    PortsOpen(PortPair),
    /// The same in revision 2: where the peer can try to connect.
    CandidatesReady(Candidates),
    /// The meeting of revision 2 has ended, and what it has shown; [`SessionEvent::Up`] or
    /// [`SessionEvent::Over`] follows.
    Met(Box<MeetingReport>),
    /// The same with what the peer saw, if it has said so in time.
    Diagnosed(Box<Evidence>),
    /// Both connections are established.
    Up { peer: SocketAddr },
    /// Received texts. Answered once the next ones may follow.
    Texts(Vec<PrivateText>),
    /// A text of the user's is on its way. With a number the peer confirms that it has it.
    Sent { text: PrivateText, id: Option<MessageId> },
    /// The peer's user is typing, or not.
    Typing(bool),
    /// The peer has these texts.
    Confirmed(Vec<MessageId>),
    /// The session is over, and the peer has not confirmed these texts.
    Unconfirmed(Vec<MessageText>),
    /// A text of the user will not arrive: the peer reads too slowly, or is gone.
    NotSent { to: Username, text: MessageText },
    /// Something happened to a file.
    File(FileEvent),
    /// The session is closed from here: no text or file of the user's is reported after it, but
    /// the end of transfers that were cut.
    Closing,
    /// This many bytes of texts are not written yet, after [`SessionCommand::Close`].
    Unwritten(usize),
    /// Not all texts were written, and why.
    Unsent { reason: String },
    /// The message connection ended by itself, and so the session. Files that were sent before the
    /// end may still arrive.
    TalkOver { reason: String },
    /// The attempt to open the session failed, or both its connections are done with; its actor
    /// has stopped.
    Over { reason: String },
}

/// What can happen to a file in a private session.
#[derive(Debug)]
pub(crate) enum FileEvent {
    /// One is offered, with this many bytes `free` in the downloads folder.
    Offered { id: TransferId, size: Option<u64>, free: Option<u64>, named: Option<Named> },
    /// Bytes of it are about to move; `path` is where from or to.
    Begun { id: TransferId, path: PathBuf, size: Option<u64> },
    /// Some have moved.
    Moved { id: TransferId, moved: Moved },
    /// It is whole. `changed`: it was written to while it was sent.
    Whole { id: TransferId, path: PathBuf, size: u64, changed: bool },
    /// It is on the disk of the other side, checked; this many links and special files of a folder
    /// were left out.
    Received { id: TransferId, size: u64, skipped: u64 },
    /// It was not taken, and is still offered.
    NotTaken { id: TransferId, reason: String },
    /// It ended otherwise; `refused`: the other side did not want or could not take it.
    Failed { id: TransferId, refused: bool, reason: String },
    /// This session cannot send it, nor any other one.
    GaveBack(OutgoingFile),
    /// The peer broke the protocol: no more files are received.
    Violation { reason: String },
}

/// What revision 2 says of an offer beside its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    /// Of a folder: how many files and folders it holds.
    pub(crate) entries: Option<u32>,
}

/// A private message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PrivateText {
    pub(crate) text: MessageText,
    /// It is about what its author does, as of `/me`.
    pub(crate) action: bool,
}

impl PrivateText {
    /// As revision 1 has it.
    pub(crate) fn into_plain(self) -> MessageText {
        if self.action { self.text.as_action() } else { self.text }
    }
}

impl From<MessageText> for PrivateText {
    fn from(text: MessageText) -> Self {
        Self { text, action: false }
    }
}

/// A file on its way to a peer.
#[derive(Debug)]
pub(crate) struct OutgoingFile {
    pub(crate) id: TransferId,
    pub(crate) file: Arc<ChosenFile>,
    /// It broke off before only to be sent again, which is done once.
    pub(crate) resent: bool,
}

/// What a private session is to do.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) enum SessionCommand {
    /// Send a text. `room` is dropped once the next one may follow.
    SendText { text: PrivateText, room: oneshot::Sender<()> },
    /// Say that the user is typing, or not.
    Typing(bool),
    /// The peer can be reached at these addresses.
    Reach(Candidates),
    /// Show this ticket to the server from the private ports.
    Show(Ticket),
    /// The peer dials now.
    Go,
    /// The peer's meeting is over, and this became of its dials.
    PeerSaw(DialReport),
    /// Send a file in its turn.
    SendFile(OutgoingFile),
    /// Take an offered file. `unattended`: refuse it if it cannot be taken.
    TakeFile { id: TransferId, unattended: bool, folder: Option<PathBuf> },
    /// Refuse an offered file.
    RefuseFile { id: TransferId, reason: String },
    /// Stop a file, however far it is.
    CancelFile { id: TransferId },
    /// Say goodbye after the texts sent so far; files are aborted.
    Close { reason: String, give_up: GiveUp },
    /// Give up at once.
    HangUp,
}

/// How long a session that was closed waits for its peer to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GiveUp {
    /// Until the peer stops taking anything.
    WhenStalled,
    /// Until it is hung up.
    WhenHungUp,
}

/// To a session: what the watch with this number saw on its file connection, with this many bytes
/// `free` in the downloads folder. Answered once an offer has been handled.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct FileSeen {
    pub(crate) watch: u64,
    pub(crate) seen: HeaderSeen,
    pub(crate) free: Option<u64>,
}

/// To a session of revision 2: something happened to its files.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ExchangeReport(pub(crate) Report);
