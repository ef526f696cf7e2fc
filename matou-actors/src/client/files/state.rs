//! The state of one file connection: one file at a time in each direction, others wait.
//!
//! Knows no socket, file or clock: each occurrence is a [`FileInput`], each consequence a
//! [`FileEffect`], and the time is passed in.

use std::collections::VecDeque;
use std::time::Instant;

use crate::client::ids::TransferId;

/// Something that happened to the connection, or that the user wants of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileInput {
    /// A file to send. `resent`: it broke off on another connection only to be sent again.
    Enqueue { id: TransferId, resent: bool },
    /// The header of a file was received.
    HeaderSeen { id: TransferId, size: u64 },
    /// No more files can be received.
    ReceivingEnded { reason: String },
    /// The user takes an offer. `unattended`: no user is there who could take it again later.
    Take { id: TransferId, unattended: bool },
    /// The user refuses an offer.
    Refuse { id: TransferId, reason: String },
    /// The user stops a transfer, in whichever state.
    Cancel { id: TransferId },
    /// This many bytes of a transfer have moved.
    Progress { id: TransferId, bytes: u64 },
    /// A transfer is over.
    Ended { id: TransferId, ending: TransferEnding },
    /// The private session ended by itself: files sent before may still arrive.
    TalkOver { reason: String },
    /// The user closed the private session.
    Close { reason: String },
    /// The time of [`FileState::deadline`] is reached.
    Tick,
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransferEnding {
    Whole,
    /// Nothing was moved; the connection stands where it stood before.
    NotBegun(String),
    /// `ended`: the connection has ended in this direction, so the other side knows.
    Broken {
        reason: String,
        ended: bool,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileEffect {
    /// Begin to send a file.
    Send(TransferId),
    /// Begin to receive an offered file.
    Receive { id: TransferId, size: u64 },
    /// Stop a transfer, and with it the socket in its direction.
    Stop { id: TransferId, reason: String },
    /// Do not let a transfer stall for long.
    Orphan(TransferId),
    /// Watch the socket, instead of what was watched before.
    Watch(WatchFrom),
    /// Leave the socket to a transfer, or to its end.
    StopWatching,
    /// End the connection in the own direction, after what was sent.
    ShutdownWrite,
    /// End the connection in both directions.
    Shutdown,
    /// End the connection even if the other side reads nothing.
    Abort,
    /// Report an offer.
    Offer { id: TransferId, size: u64 },
    /// Report that an offer was not taken, and stands.
    NotTaken { id: TransferId, reason: String },
    /// Report the end of an offer or a file that is not whole.
    Failed { id: TransferId, reason: String },
    /// Hand a file back that this connection cannot send.
    GiveBack { id: TransferId, resent: bool },
}

/// What is next on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchFrom {
    /// A header.
    Header,
    /// This many bytes of a file whose header was read, and which may be taken.
    Offer(u64),
    /// This many bytes of a refused file, all of which are here; then a header.
    Refused(u64),
}

/// What decisions depend on besides the input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) now: Instant,
    /// Bytes received and not read.
    pub(crate) unread: u64,
}

/// The state of one file connection.
#[derive(Debug, Default)]
pub(crate) struct FileState {
    pub(super) queue: VecDeque<QueuedFile>,
    pub(super) sending: Option<SendingFile>,
    pub(super) incoming: Option<IncomingFile>,
    /// Why no file can be sent any more, if so.
    pub(super) sending_closed: Option<String>,
    /// The input is no longer understood: inside a file that is not taken, or at its end.
    pub(super) receiving_closed: bool,
    pub(super) phase: SessionPhase,
    pub(super) ends: Ends,
    effects: Vec<FileEffect>,
}

/// A file that waits for its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueuedFile {
    pub(super) id: TransferId,
    pub(super) resent: bool,
}

/// The file that is sent now.
#[derive(Debug)]
pub(super) struct SendingFile {
    pub(super) id: TransferId,
    pub(super) bytes: u64,
    pub(super) resent: bool,
    /// It is stopped only to be sent again over another connection.
    pub(super) give_back: bool,
}

/// The file that is offered or received now.
#[derive(Debug)]
pub(super) struct IncomingFile {
    pub(super) id: TransferId,
    size: u64,
    /// By the user; else it is offered.
    pub(super) taken: bool,
    unattended: bool,
}

/// How far the private session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SessionPhase {
    #[default]
    Open,
    /// It ended by itself.
    Over,
    /// The user closed it.
    Closed,
}

/// How far the end of the connection is, which `revision1` decides on.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// The own file broke off in the middle, and the other side may not know.
    pub(super) cut: bool,
    /// When to end the connection if it is of no more use then.
    pub(super) unused: Option<Instant>,
    /// When to give the own file back if it has not moved until then.
    pub(super) release: Option<Release>,
    /// When to be done, since the session is over.
    pub(super) linger: Option<Instant>,
    /// The session is over, and nothing more is expected of the connection.
    pub(super) done: bool,
}

/// An own file that stood still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Release {
    pub(super) at: Instant,
    pub(super) id: TransferId,
    pub(super) bytes: u64,
}

impl FileState {
    /// What has to be done after `input`, in order.
    pub(crate) fn handle(&mut self, input: FileInput, moment: Circumstances) -> Vec<FileEffect> {
        match input {
            FileInput::Enqueue { id, resent } => self.enqueue(QueuedFile { id, resent }),
            FileInput::HeaderSeen { id, size } => self.header_seen(id, size),
            FileInput::ReceivingEnded { reason } => self.receiving_ended(&reason),
            FileInput::Take { id, unattended } => self.take(id, unattended),
            FileInput::Refuse { id, reason } => {
                if self.is_offered(id) {
                    self.refuse(id, &reason, moment);
                }
            }
            FileInput::Cancel { id } => self.cancel(id, moment),
            FileInput::Progress { id, bytes } => {
                if let Some(sending) = self.sending.as_mut().filter(|sending| sending.id == id) {
                    sending.bytes = bytes;
                }
            }
            FileInput::Ended { id, ending } => self.ended(id, ending, moment),
            FileInput::TalkOver { reason } => self.talk_over(&reason, moment.now),
            FileInput::Close { reason } => self.close(&reason),
            FileInput::Tick => self.tick(moment.now),
        }
        std::mem::take(&mut self.effects)
    }

    pub(super) fn effect(&mut self, effect: FileEffect) {
        self.effects.push(effect);
    }

    pub(super) fn fail(&mut self, id: TransferId, reason: &str) {
        self.effect(FileEffect::Failed { id, reason: reason.into() });
    }

    fn enqueue(&mut self, file: QueuedFile) {
        if self.sending_closed.is_some() {
            return self.effect(FileEffect::GiveBack { id: file.id, resent: file.resent });
        }
        self.queue.push_back(file);
        self.send_next();
    }

    fn send_next(&mut self) {
        if self.sending.is_some() || self.sending_closed.is_some() {
            return;
        }
        if let Some(QueuedFile { id, resent }) = self.queue.pop_front() {
            self.sending = Some(SendingFile { id, bytes: 0, resent, give_back: false });
            self.effect(FileEffect::Send(id));
        }
    }

    fn header_seen(&mut self, id: TransferId, size: u64) {
        if self.phase == SessionPhase::Closed || self.receiving_closed {
            return;
        }
        self.incoming = Some(IncomingFile { id, size, taken: false, unattended: false });
        self.effect(FileEffect::Offer { id, size });
    }

    pub(super) fn is_offered(&self, id: TransferId) -> bool {
        self.incoming.as_ref().is_some_and(|file| file.id == id && !file.taken)
    }

    /// Takes the offer `id` out, and returns its size.
    pub(super) fn remove_incoming(&mut self, id: TransferId) -> Option<u64> {
        self.incoming.take_if(|file| file.id == id).map(|file| file.size)
    }

    fn take(&mut self, id: TransferId, unattended: bool) {
        let Some(file) = self.incoming.as_mut().filter(|file| file.id == id && !file.taken) else {
            return;
        };
        (file.taken, file.unattended) = (true, unattended);
        let size = file.size;
        self.effect(FileEffect::StopWatching);
        self.effect(FileEffect::Receive { id, size });
    }

    fn cancel(&mut self, id: TransferId, moment: Circumstances) {
        if self.is_offered(id) {
            return self.refuse(id, "you refused it", moment);
        }
        if self.is_moving(id) {
            return self.effect(FileEffect::Stop { id, reason: "you cancelled it".into() });
        }
        let queued = self.queue.len();
        self.queue.retain(|file| file.id != id);
        if self.queue.len() < queued {
            self.fail(id, "you cancelled it");
        }
    }

    fn is_moving(&self, id: TransferId) -> bool {
        self.sending.as_ref().is_some_and(|file| file.id == id)
            || self.incoming.as_ref().is_some_and(|file| file.id == id && file.taken)
    }

    fn ended(&mut self, id: TransferId, ending: TransferEnding, moment: Circumstances) {
        if !self.is_moving(id) {
            return;
        }
        let incoming = self.incoming.as_ref().is_some_and(|file| file.id == id);
        match ending {
            TransferEnding::Whole if incoming => {
                self.incoming = None;
                if self.phase != SessionPhase::Closed && !self.receiving_closed {
                    self.effect(FileEffect::Watch(WatchFrom::Header));
                }
            }
            TransferEnding::Whole => self.sending = None,
            TransferEnding::NotBegun(reason) if incoming => self.not_taken(id, &reason, moment),
            TransferEnding::NotBegun(reason) => {
                self.sending = None;
                self.fail(id, &reason);
            }
            TransferEnding::Broken { reason, .. } if incoming => {
                self.receiving_broke(id, &reason, moment);
            }
            TransferEnding::Broken { reason, ended } => self.sending_broke(&reason, ended),
        }
        self.send_next();
        self.end_soon(moment.now);
    }

    fn not_taken(&mut self, id: TransferId, reason: &str, moment: Circumstances) {
        if self.phase == SessionPhase::Closed {
            self.remove_incoming(id);
            return self.fail(id, reason);
        }
        let Some(file) = &mut self.incoming else { return };
        if file.unattended {
            // Others wait behind it.
            return self.refuse(id, &format!("it cannot be taken: {reason}"), moment);
        }
        // The user may do something about it: the offer stands.
        file.taken = false;
        let size = file.size;
        self.effect(FileEffect::Watch(WatchFrom::Offer(size)));
        self.effect(FileEffect::NotTaken { id, reason: reason.into() });
    }
}
