//! What the client reports to its user.

use std::net::IpAddr;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use super::diagnosis::Diagnosis;
pub use super::error_code::ErrorCode;
pub use super::security::{KeyStanding, LinkSecurity};
pub use super::transfer_info::{Direction, TransferInfo, TransferState};
use super::transfer_info::{lossy, lossy_if_any};
use crate::client::ids::{MessageId, TransferId};
use crate::protocol::{MessageText, Username};

/// One thing that happened. Serialized it is `{"event": "...", ...}`, the form of `--json`
/// (which adds the `time`: nothing here reads a clock).
///
/// Order: `Security` comes before `Connected`, `Connected` comes before the `Joined` of those already here, and they before anything
/// else that was said or happened in the room. Text in `reason` and `message` is for a person,
/// says what to do next where there is something to do, and holds no control character.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The server accepted the name.
    Connected {
        /// The server as `host:port`, as the user named it.
        server: String,
        /// The name that is now the user's own.
        username: Username,
    },
    /// The server is reached; what protects the connection to it. Comes before [`Event::Connected`].
    Security {
        /// The server as `host:port`, as the user named it.
        server: String,
        /// What protects it.
        #[serde(flatten)]
        security: LinkSecurity,
    },
    /// The server is reached, and the user has no name yet: send [`crate::client::Command::SignIn`].
    NameNeeded {
        /// The server as `host:port`, as the user named it.
        server: String,
    },
    /// The server refused the name: send [`crate::client::Command::SignIn`] with another one. Not sent
    /// while the client itself keeps asking for its own name after a reconnect.
    Refused {
        /// The name asked for.
        username: Username,
        /// Why, in the server's words; `None` when it is taken or not allowed.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The server asks for a password: send [`crate::client::Command::UsePassword`]. Comes before
    /// [`Event::Disconnected`].
    PasswordNeeded {
        /// The server as `host:port`, as the user named it.
        server: String,
        /// The client has given one, and it is wrong.
        wrong: bool,
    },
    /// The server presented another key than the known one or the one in its address, so nothing was
    /// sent. Comes before the event that says what follows, such as [`Event::Disconnected`].
    ServerKeyRefused {
        /// The server as `host:port`, as the user named it.
        server: String,
    },
    /// The connection to the server is gone, or could not be made and is not tried again by
    /// itself; private sessions and transfers go on.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// A server of the room cannot be reached or is lost (then this follows
    /// [`Event::Disconnected`]), and another one is tried at once.
    Failover {
        /// The former one as `host:port`, as the user named it.
        from: String,
        /// The one that is tried now.
        server: String,
        /// Why the former one is not used.
        reason: String,
    },
    /// The next attempt to reach the server (or to take the name back).
    Reconnecting {
        /// 1 for the first attempt since the connection was lost.
        attempt: u32,
        /// Milliseconds from now.
        delay_ms: u64,
        /// Why the attempt before failed.
        reason: String,
    },
    /// Another user joined, or was here when the user joined.
    Joined {
        /// Who.
        username: Username,
        /// They were here before the user: not news.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        present: bool,
    },
    /// Another user left.
    Left {
        /// Who.
        username: Username,
    },
    /// A public message, the user's own ones too.
    Message {
        /// Who said it.
        from: Username,
        /// What was said.
        text: MessageText,
        /// It says what they do, as of `/me`.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        action: bool,
    },
    /// A public message from before the user joined, or from while they were away. These come
    /// between [`Event::Connected`] and all new messages, the oldest first.
    HistoryMessage {
        /// The message, with its author and time.
        #[serde(flatten)]
        message: PastMessage,
        /// It was said while the user was away, and not before they first joined.
        missed: bool,
    },
    /// The history is complete: everything after this is new.
    HistoryEnd {
        /// How many messages there were.
        messages: u64,
        /// Whether the server has older ones: [`crate::client::Command::FetchHistory`].
        more: bool,
    },
    /// Answer to [`crate::client::Command::FetchHistory`]: the messages before the oldest that was shown,
    /// the oldest first.
    History {
        /// The messages.
        messages: Vec<PastMessage>,
        /// Whether the server has older ones.
        more: bool,
    },
    /// The topic of the room: sent after [`Event::Connected`] if there is one, when an operator
    /// sets another, and as the answer to [`crate::client::Command::ShowTopic`].
    Topic {
        /// The topic; empty when there is none.
        topic: String,
        /// It has just been set.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        changed: bool,
    },
    /// Another user is typing a private message, or has stopped. Without a further event they have stopped
    /// after 6 s.
    Typing {
        /// Who.
        from: Username,
        /// Whether they are.
        active: bool,
    },
    /// Answer to [`crate::client::Command::ListPresent`]: all users here, the user included, by
    /// name.
    Present {
        /// The names.
        usernames: Vec<Username>,
    },
    /// Answer to [`crate::client::Command::Whois`].
    Whois {
        /// Who.
        username: Username,
        /// They are in the room.
        here: bool,
        /// The fingerprint of the key that they have now; `None` for a client of revision 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The fingerprint of the key that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        known: Option<String>,
        /// The date since when it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// The date on which the user compared it.
        #[serde(skip_serializing_if = "Option::is_none")]
        compared: Option<String>,
        /// The key they have now is not the known one.
        changed: bool,
        /// Where the open session with them goes.
        #[serde(skip_serializing_if = "Option::is_none")]
        address: Option<IpAddr>,
    },
    /// Answer to [`crate::client::Command::Verify`]: the words that both sides must see.
    Verification {
        /// With whom to compare them.
        username: Username,
        /// Twelve words, with spaces between them.
        words: String,
        /// The fingerprint of their key.
        fingerprint: String,
    },
    /// Answer to [`crate::client::Command::Diagnose`]: what prevents a connection between two
    /// computers.
    Diagnosis(Diagnosis),
    /// How far the key of a user is known has changed.
    KeyStanding {
        /// Who.
        username: Username,
        /// The fingerprint of their key.
        fingerprint: String,
        /// How far it is known.
        key: KeyStanding,
    },
    /// A user asks for a private session: [`crate::client::Command::Accept`] or `Decline`. Sent again
    /// when a session with them opens or ends and the question is still open.
    PrivateRequest {
        /// Who asks.
        from: Username,
    },
    /// The server says that a peer whom the user talks with is somewhere else now, where the next
    /// session with them would go: [`crate::client::Command::Accept`] or `Decline`. Nothing is sent there
    /// before.
    PrivateMoveRequest {
        /// Who.
        from: Username,
        /// Where they are said to be now.
        address: IpAddr,
        /// Where the open session goes.
        open: IpAddr,
    },
    /// A pending private request is void, while another request or session with the same user
    /// continues; otherwise [`Event::PrivateClosed`] reports it.
    PrivateRequestOver {
        /// Who asked.
        from: Username,
        /// Why.
        reason: String,
    },
    /// How the user's own private request, or the answer to one, stands before it is open.
    PrivateState {
        /// With whom.
        with: Username,
        /// The state.
        state: RequestState,
    },
    /// A private session is open: messages and files may go both ways.
    PrivateOpened {
        /// With whom.
        with: Username,
        /// Where the peer is.
        address: IpAddr,
        /// What protects it.
        #[serde(flatten)]
        security: LinkSecurity,
    },
    /// A private message, the user's own ones too.
    PrivateMessage {
        /// Of a message of the user's that the other side will confirm: its number, which
        /// [`Event::Delivered`] has.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<MessageId>,
        /// Who said it.
        from: Username,
        /// To whom.
        to: Username,
        /// What was said.
        text: MessageText,
        /// It says what its author does, as of `/me`.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        action: bool,
    },
    /// A private session, or the attempt to open one, ended.
    PrivateClosed {
        /// With whom.
        with: Username,
        /// Why.
        reason: String,
    },
    /// The program of the other side has shown these private messages, or handed them on.
    Delivered {
        /// To whom.
        to: Username,
        /// Their numbers.
        ids: Vec<MessageId>,
    },
    /// Private messages of the user's that will not arrive.
    Undelivered {
        /// To whom.
        to: Username,
        /// What was said, in its order.
        texts: Vec<MessageText>,
        /// Why, and what to do.
        reason: String,
    },
    /// A file waits for [`crate::client::Command::Take`] or `Refuse`; nothing past its header was read.
    FileOffered {
        /// Its number.
        id: TransferId,
        /// Who sends it.
        from: Username,
        /// Its name, made safe for this machine; revision 1 has none.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Of a folder: how many files and folders it holds.
        #[serde(skip_serializing_if = "Option::is_none")]
        entries: Option<u32>,
        /// Its size in bytes; of a pipe it is not known.
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        /// Where the sender is.
        address: IpAddr,
        /// Free bytes in the downloads folder, when known.
        #[serde(skip_serializing_if = "Option::is_none")]
        free: Option<u64>,
    },
    /// A transfer was accepted for sending (it may wait for its turn or its session) or begins
    /// to be received.
    FileStarted(TransferInfo),
    /// A transfer moved; at most 10 times a second for each. Of a file that is sent, nothing is said
    /// before its other side takes it, nor of one so small that this cannot be known.
    FileProgress {
        /// Its number.
        id: TransferId,
        /// Bytes moved so far.
        bytes: u64,
        /// Bytes in all, if known.
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        /// Bytes a second, over the last seconds, once that can be measured.
        #[serde(skip_serializing_if = "Option::is_none")]
        rate: Option<u64>,
    },
    /// A file is here, whole.
    FileReceived {
        /// Its number.
        id: TransferId,
        /// Who sent it.
        from: Username,
        /// Its size in bytes.
        size: u64,
        /// Where it is.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
    },
    /// All of a file has arrived. In revision 2 (`received`) it is on the disk of the other side, checked;
    /// in revision 1 it is at their computer, and whether they take it is not known.
    FileSent {
        /// It is on the disk of the other side, checked.
        received: bool,
        /// Its number.
        id: TransferId,
        /// To whom.
        to: Username,
        /// Its size in bytes.
        size: u64,
        /// Which file.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
    },
    /// An offer or a transfer ended without a whole file.
    FileFailed {
        /// Its number.
        id: TransferId,
        /// Sent or received.
        direction: Direction,
        /// With whom.
        with: Username,
        /// The file that was to be sent; a received one has no path yet.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "lossy_if_any")]
        path: Option<PathBuf>,
        /// The other side refused it, or declined the private session that it needs. Revision 1 cannot
        /// say so.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        refused: bool,
        /// Why, and what was kept.
        reason: String,
    },
    /// Answer to [`crate::client::Command::ListTransfers`]: offers, waiting and running ones, by number.
    Transfers {
        /// The transfers.
        transfers: Vec<TransferInfo>,
    },
    /// Something that the user should know and that is not an error.
    Notice {
        /// What.
        message: String,
    },
    /// Something that the user asked for cannot be done.
    Error {
        /// What kind of error it is, for programs.
        code: ErrorCode,
        /// What happened, to what, and what to do next.
        message: String,
    },
    /// The client has signed out and everything is closed; the last event.
    Closed,
}

/// A public message from before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PastMessage {
    /// Who said it.
    pub from: Username,
    /// What was said.
    pub text: MessageText,
    /// It says what they do, as of `/me`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub action: bool,
    /// When, by the server's clock.
    pub sent: Timestamp,
}

/// Where an unopened private session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// The user asked; the other one has not answered.
    Asked,
    /// Both want it; the two connections are being made.
    Connecting,
}
