//! What a user can ask of the client.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use crate::client::api::password::Password;
use crate::client::api::server_name::ServerName;
use crate::client::ids::TransferId;
use crate::protocol::{MessageText, Username};
use crate::transfer::Pipe;

/// One request of the user. The outcome is reported as [`crate::client::Event`]s, never as a return
/// value, so that a terminal, a script and a test drive the client alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Sign in under this name: the first time, or after [`crate::client::Event::Refused`].
    SignIn(Username),
    /// Reach the server again with this password, after [`crate::client::Event::PasswordNeeded`].
    UsePassword(Password),
    /// A public message.
    Say(MessageText),
    /// A public message about what the user does, as of `/me`; of at most 510 bytes, since revision 1
    /// says it as "* text".
    Act(MessageText),
    /// A private message. Without a session, one is asked for first, and whatever was typed for
    /// this peer meanwhile is delivered in order once it is open.
    Tell {
        /// To whom.
        to: Username,
        /// What.
        text: MessageText,
    },
    /// A private message about what the user does, as of `/me`; of at most 510 bytes, as for
    /// [`Command::Act`].
    ActTo {
        /// To whom.
        to: Username,
        /// What.
        text: MessageText,
    },
    /// A file or folder, or several. Without a session, one is asked for first, as for
    /// [`Command::Tell`].
    Send {
        /// To whom.
        to: Username,
        /// Which file; `~` is expanded already.
        path: PathBuf,
        /// Other readings of what the user typed, tried in order when there is nothing at `path`.
        or: Vec<PathBuf>,
        /// The last reading: several paths, which are all sent when there is something at each of
        /// them and nothing at any of the others.
        several: Vec<PathBuf>,
    },
    /// The content of a pipe, read to its end, sent as a file; only to users of revision 2.
    SendPipe {
        /// To whom.
        to: Username,
        /// What it is called there.
        name: PathBuf,
        /// The pipe.
        pipe: PipeInput,
    },
    /// Ask this user for a private session.
    Open(Username),
    /// Accept the private request of this user.
    Accept(Username),
    /// Forget the private request of this user (the protocol has no frame for a refusal).
    Decline(Username),
    /// End the private session with this user, or withdraw one's own request.
    Close(Username),
    /// Receive the file that was offered under this number.
    Take(TransferId),
    /// The same, into this folder; `~` is expanded already. Only in revision 2.
    TakeTo {
        /// Which offer.
        id: TransferId,
        /// Into which folder.
        folder: PathBuf,
    },
    /// Limit the speed of files of revision 2 to this many bytes a second; 0 means no limit.
    SetRate(u64),
    /// Say how the speed of files is limited.
    ShowRate,
    /// Refuse the file that was offered under this number: closes the file connection only.
    Refuse(TransferId),
    /// Stop a transfer, in whichever direction.
    Cancel(TransferId),
    /// Save received files in this folder from now on; `~` is expanded already.
    SetDownloads {
        /// Which folder.
        folder: PathBuf,
        /// Other readings of what the user typed, tried in order when there is nothing at
        /// `folder`; the last one is made when there is nothing at any of them.
        or: Vec<PathBuf>,
    },
    /// Say where received files are saved.
    ShowDownloads,
    /// List all transfers, as [`crate::client::Event::Transfers`].
    ListTransfers,
    /// List who is here, as [`crate::client::Event::Present`].
    ListPresent,
    /// Say on the encrypted session with this user, if there is one, whether the user is typing.
    Typing {
        /// To whom.
        to: Username,
        /// Whether they are.
        active: bool,
    },
    /// Show the topic of the room, as [`crate::client::Event::Topic`].
    ShowTopic,
    /// Fetch public messages from before the oldest that was shown, as [`crate::client::Event::History`].
    FetchHistory,
    /// Show nothing more of this user: public or private messages, requests, offers.
    Ignore(Username),
    /// Undo [`Command::Ignore`].
    Unignore(Username),
    /// Accept private requests and files of this user without asking, until they leave or the
    /// server is lost: a name that was free may have another owner.
    Allow(Username),
    /// Undo [`Command::Allow`].
    Disallow(Username),
    /// Say what is known of this user, as [`crate::client::Event::Whois`].
    Whois(Username),
    /// Show the words by which the two users compare their keys, as
    /// [`crate::client::Event::Verification`].
    Verify(Username),
    /// The words were the same: the key of this user is compared.
    Compared(Username),
    /// Accept the key that this user has now instead of the known one.
    Trust(Username),
    /// Report what prevents a connection between the user and this one, as
    /// [`crate::client::Event::Diagnosis`]. Without a session, one is requested first.
    Diagnose(Username),
    /// Send the private messages to this user that did not arrive again.
    Resend(Username),
    /// Do not wait for the next attempt: connect to the server now.
    Reconnect,
    /// Use another server, or others of one room, before the first sign-in.
    UseServers(Vec<ServerName>),
    /// Sign out once the messages typed so far are sent; transfers are aborted.
    Quit,
    /// Sign out once everything is sent: messages, and files in progress or still waiting for their
    /// private session.
    Finish,
}

/// A pipe, or whatever else is read once and to its end.
#[derive(Clone, Debug)]
pub struct PipeInput(pub(crate) Arc<Pipe>);

impl From<File> for PipeInput {
    fn from(input: File) -> Self {
        Self(Arc::new(input.into()))
    }
}

impl PartialEq for PipeInput {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for PipeInput {}
