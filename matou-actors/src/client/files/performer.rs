//! Does what [`FileState`] decides: owns the socket, the watch on it, and the transfers over it.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;

use super::header_watch::{HeaderSeen, HeaderWatch, unread};
use super::state::{Circumstances, FileEffect, FileInput, FileState, TransferEnding, WatchFrom};
use crate::client::ids::{TransferId, TransferIds};
use crate::client::messages::{FileEvent, FileSeen, OutgoingFile};
use crate::protocol::Username;
use crate::transfer::{
    Cancel, ChosenFile, Downloads, FileStamp, Orphan, Transfer, TransferEvent, TransferJob,
    TransferReport, Verdict, abort,
};

/// What the files of all sessions share.
#[derive(Clone, Debug)]
pub(crate) struct FileContext {
    pub(crate) downloads: Arc<Downloads>,
    /// Numbers for offers.
    pub(crate) ids: TransferIds,
}

/// A file connection.
#[derive(Debug)]
pub(crate) struct FileConnection {
    state: FileState,
    /// In blocking mode.
    socket: Arc<TcpStream>,
    peer: Username,
    context: FileContext,
    watch: Option<HeaderWatch>,
    /// The number of the watch that is listened to; what an older one saw is of no interest.
    watched: u64,
    /// Free bytes in the downloads folder when the last header arrived.
    free: Option<u64>,
    /// Files that wait for their turn, and the one that is sent.
    files: HashMap<TransferId, Arc<ChosenFile>>,
    transfers: HashMap<TransferId, Addr<Transfer>>,
    seen: Recipient<FileSeen>,
    reports: Recipient<TransferReport>,
    events: Vec<FileEvent>,
}

impl FileConnection {
    /// The owner of `socket`, which reports to `session` what it sees and what its transfers do.
    pub(crate) fn new<S>(
        socket: tokio::net::TcpStream,
        peer: Username,
        context: FileContext,
        session: &Addr<S>,
    ) -> std::io::Result<Self>
    where
        S: Actor<Context = Context<S>> + Handler<FileSeen> + Handler<TransferReport>,
    {
        let socket = socket.into_std()?;
        // Movers block; the watch for headers asks each read not to.
        socket.set_nonblocking(false)?;
        let mut connection = Self {
            state: FileState::default(),
            socket: Arc::new(socket),
            peer,
            context,
            watch: None,
            watched: 0,
            free: None,
            files: HashMap::new(),
            transfers: HashMap::new(),
            seen: session.clone().recipient(),
            reports: session.clone().recipient(),
            events: Vec::new(),
        };
        connection.perform(FileEffect::Watch(WatchFrom::Header));
        Ok(connection)
    }

    /// Handles an input; returns what there is to report.
    pub(crate) fn handle(&mut self, input: FileInput) -> Vec<FileEvent> {
        let moment = Circumstances { now: Instant::now(), unread: unread(&self.socket) };
        for effect in self.state.handle(input, moment) {
            self.perform(effect);
        }
        std::mem::take(&mut self.events)
    }

    /// Sends a file in its turn.
    pub(crate) fn send(&mut self, file: OutgoingFile) -> Vec<FileEvent> {
        let OutgoingFile { id, file, resent } = file;
        self.files.insert(id, file);
        self.handle(FileInput::Enqueue { id, resent })
    }

    /// Handles what the watch saw.
    pub(crate) fn seen(&mut self, FileSeen { watch, seen, free }: FileSeen) -> Vec<FileEvent> {
        if watch != self.watched {
            return Vec::new();
        }
        match seen {
            HeaderSeen::Header(size) => {
                self.free = free;
                let id = self.context.ids.next();
                self.handle(FileInput::HeaderSeen { id, size })
            }
            HeaderSeen::Down(reason) => self.handle(FileInput::ReceivingEnded { reason }),
            HeaderSeen::Violation(reason) => {
                self.events.push(FileEvent::Violation { reason: reason.clone() });
                self.handle(FileInput::ReceivingEnded { reason })
            }
        }
    }

    /// Handles a report of a transfer.
    pub(crate) fn report(
        &mut self,
        TransferReport { key, outcome }: TransferReport,
    ) -> Vec<FileEvent> {
        let id = TransferId(key);
        match outcome {
            TransferEvent::Begun { path, size } => {
                vec![FileEvent::Begun { id, path, size: Some(size) }]
            }
            TransferEvent::Moved { moved, taken } => {
                if taken {
                    self.events.push(FileEvent::Moved { id, moved });
                }
                self.handle(FileInput::Progress { id, bytes: moved.bytes })
            }
            TransferEvent::Ended(verdict) => {
                self.transfers.remove(&id);
                let ending = match verdict {
                    Verdict::Whole { path, size, changed } => {
                        self.files.remove(&id);
                        self.events.push(FileEvent::Whole { id, path, size, changed });
                        TransferEnding::Whole
                    }
                    Verdict::NotBegun(reason) => TransferEnding::NotBegun(reason),
                    Verdict::Broken { reason, kept, ended } => {
                        let reason = match kept {
                            Some(kept) => format!("{reason}; {kept}"),
                            None => reason,
                        };
                        TransferEnding::Broken { reason, ended }
                    }
                };
                self.handle(FileInput::Ended { id, ending })
            }
        }
    }

    /// When [`FileInput::Tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.state.deadline()
    }

    /// Whether the session is over and its files can have no further outcome.
    pub(crate) fn is_done(&self) -> bool {
        self.state.is_done() && self.transfers.is_empty()
    }

    fn perform(&mut self, effect: FileEffect) {
        match effect {
            FileEffect::Send(id) => {
                if let Some(file) = self.files.get(&id) {
                    self.start(id, TransferJob::Send(Arc::clone(file)));
                }
            }
            FileEffect::Receive { id, size } => {
                let stamp = FileStamp::new(&self.peer, jiff::Zoned::now().datetime());
                let downloads = Arc::clone(&self.context.downloads);
                self.start(id, TransferJob::Receive { downloads, stamp, size });
            }
            // Once for each request of the user, or once in the life of a connection.
            FileEffect::Stop { id, reason } => {
                if let Some(transfer) = self.transfers.get(&id) {
                    transfer.do_send(Cancel(reason));
                }
            }
            FileEffect::Orphan(id) => {
                if let Some(transfer) = self.transfers.get(&id) {
                    transfer.do_send(Orphan);
                }
            }
            FileEffect::Watch(from) => self.watch(from),
            FileEffect::StopWatching => (self.watch, self.watched) = (None, self.watched + 1),
            // An error means that it is closed already.
            FileEffect::ShutdownWrite => drop(self.socket.shutdown(Shutdown::Write)),
            FileEffect::Shutdown => drop(self.socket.shutdown(Shutdown::Both)),
            FileEffect::Abort => abort(&self.socket),
            FileEffect::Offer { id, size } => {
                let (free, named) = (self.free, None);
                self.events.push(FileEvent::Offered { id, size: Some(size), free, named });
            }
            FileEffect::NotTaken { id, reason } => {
                self.events.push(FileEvent::NotTaken { id, reason });
            }
            FileEffect::Failed { id, reason } => {
                self.files.remove(&id);
                self.events.push(FileEvent::Failed { id, refused: false, reason });
            }
            FileEffect::GiveBack { id, resent } => {
                if let Some(file) = self.files.remove(&id) {
                    self.events.push(FileEvent::GaveBack(OutgoingFile { id, file, resent }));
                }
            }
        }
    }

    fn start(&mut self, id: TransferId, job: TransferJob) {
        let transfer = Transfer::new(id.0, job, Arc::clone(&self.socket), self.reports.clone());
        self.transfers.insert(id, transfer.start());
    }

    fn watch(&mut self, from: WatchFrom) {
        self.watched += 1;
        let (watch, session) = (self.watched, self.seen.clone());
        let downloads = Arc::clone(&self.context.downloads);
        let report = move |seen| {
            let free = matches!(seen, HeaderSeen::Header(_)).then(|| downloads.free()).flatten();
            // The watching thread waits until it is decided whether an offer is taken at once: only
            // then its end is of interest. An error means that the session is gone.
            let _ = futures::executor::block_on(session.send(FileSeen { watch, seen, free }));
        };
        match HeaderWatch::start(Arc::clone(&self.socket), from, report) {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => {
                let reason = format!("the file connection cannot be watched: {error}");
                // By a message, since this is not the place to decide.
                self.seen.do_send(FileSeen { watch, seen: HeaderSeen::Down(reason), free: None });
            }
        }
    }
}
