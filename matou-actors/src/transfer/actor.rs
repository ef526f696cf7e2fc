//! One actor for each transfer: it supervises the thread that moves the bytes.

use std::fs::File;
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::oneshot;

use super::acceptance::{Acceptance, window};
use super::arrival::arrive;
use super::mover::{MoveError, Progress, receive_file, send_file};
use super::progress_sampler::{INTERVAL, Moved, ProgressSampler};
use super::{ChosenFile, Downloads, FileStamp, PartFile, Source, hold_send_buffer};
use crate::protocol::{Encode, FileHeader};

/// A mover needs little stack; the default would be 2 MiB of address space for each transfer.
const STACK: usize = 256 * 1024;
/// How long a transfer whose session is over may stand still.
const ORPHAN_STALL: Duration = Duration::from_secs(30);

/// Moves one file and stops.
#[derive(Debug)]
pub struct Transfer {
    key: u64,
    job: Option<TransferJob>,
    socket: Arc<TcpStream>,
    report: Recipient<TransferReport>,
    progress: Arc<Progress>,
    sampler: ProgressSampler,
    acceptance: Acceptance,
    /// Bytes of the file, once it has begun.
    size: Option<u64>,
    /// The bytes of the last report.
    reported: u64,
    began: Instant,
    cancelled: Option<String>,
    orphan: Option<(Instant, u64)>,
    /// The direction that is shut down to wake the thread, and no more: a file may go the other
    /// way.
    direction: Shutdown,
}

/// What is to be moved.
#[derive(Debug)]
pub enum TransferJob {
    /// Send this file, header first.
    Send(Arc<ChosenFile>),
    /// Receive this many bytes, whose header was read already, into a new file.
    Receive {
        /// The folder.
        downloads: Arc<Downloads>,
        /// What to call the file.
        stamp: FileStamp,
        /// Its size in bytes.
        size: u64,
    },
}

/// A report of a transfer; the last one is a [`TransferEvent::Ended`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct TransferReport {
    /// The number that the transfer was started with.
    pub key: u64,
    /// What happened.
    pub outcome: TransferEvent,
}

/// What can happen to a transfer.
#[derive(Debug)]
pub enum TransferEvent {
    /// Bytes are about to move.
    Begun {
        /// The file that is sent, or the `.part` file that is written.
        path: PathBuf,
        /// Bytes in all.
        size: u64,
    },
    /// Some have moved; at most 10 times a second.
    Moved {
        /// How many, and how fast.
        moved: Moved,
        /// The other side takes them; else they may only have filled buffers.
        taken: bool,
    },
    /// It is over, and the actor has stopped.
    Ended(Verdict),
}

/// How a transfer ended.
#[derive(Debug)]
pub enum Verdict {
    /// Whole.
    Whole {
        /// The file sent, or where the one received is.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The file that was sent was written to meanwhile, so what arrived may be a mixture.
        changed: bool,
    },
    /// It could not begin; the connection stands where it stood before.
    NotBegun(String),
    /// It broke off inside the file, and no other one can follow in this direction. The connection
    /// is not shut down for it: a file may go the other way.
    Broken {
        /// Why.
        reason: String,
        /// What became of the received part.
        kept: Option<String>,
        /// The connection has ended, as far as this direction goes. Otherwise the other side does
        /// not know yet.
        ended: bool,
    },
}

/// Stops the transfer, giving this reason.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Cancel(pub String);

/// The session of the transfer is over: it may end by itself, but not stand still for long.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Orphan;

impl Transfer {
    /// A transfer over `socket`, which must be in blocking mode, that reports to `report` under `key`.
    pub fn new(
        key: u64,
        job: TransferJob,
        socket: Arc<TcpStream>,
        report: Recipient<TransferReport>,
    ) -> Self {
        let direction = match job {
            TransferJob::Send(_) => Shutdown::Write,
            TransferJob::Receive { .. } => Shutdown::Read,
        };
        let mut sampler = ProgressSampler::default();
        sampler.sample(Duration::ZERO, 0);
        Self {
            key,
            direction,
            job: Some(job),
            socket,
            report,
            progress: Arc::default(),
            sampler,
            acceptance: Acceptance::default(),
            size: None,
            reported: 0,
            began: Instant::now(),
            cancelled: None,
            orphan: None,
        }
    }

    /// Two or three times in a transfer's life, and [`ProgressSampler`] bounds the rest: no flood.
    fn report(&self, outcome: TransferEvent) {
        self.report.do_send(TransferReport { key: self.key, outcome });
    }

    fn sample(&mut self) {
        let bytes = self.progress.bytes();
        // All of it was reported: it stands still until the other side has it.
        let whole = bytes == self.reported && Some(bytes) == self.size;
        let moved = self.sampler.sample(self.began.elapsed(), bytes);
        let sends = self.direction == Shutdown::Write;
        let taken = !sends || self.acceptance.sample(window(&self.socket), bytes);
        if taken {
            self.progress.note_taken();
        }
        if let Some(moved) = moved.filter(|_| !whole) {
            self.reported = bytes;
            self.report(TransferEvent::Moved { moved, taken });
        }
        if let Some((since, seen)) = &mut self.orphan {
            if *seen != bytes {
                (*since, *seen) = (Instant::now(), bytes);
            } else if since.elapsed() > ORPHAN_STALL {
                self.cut("the session ended and the transfer made no progress".into());
            }
        }
    }

    fn cut(&mut self, reason: String) {
        self.cancelled.get_or_insert(reason);
        self.progress.stop();
        // An error means that it is closed already: the thread has seen it.
        let _ = self.socket.shutdown(self.direction);
    }

    fn end(&mut self, verdict: Option<Verdict>, ctx: &mut Context<Self>) {
        let died = || Verdict::Broken {
            reason: "the transfer thread failed".into(),
            kept: None,
            ended: false,
        };
        let ended = false;
        let verdict = match (verdict.unwrap_or_else(died), self.cancelled.take()) {
            (Verdict::Broken { kept, .. }, Some(reason)) => Verdict::Broken { reason, kept, ended },
            (Verdict::NotBegun(_), Some(reason)) => Verdict::Broken { reason, kept: None, ended },
            // It arrived too late, and yet nothing can be sent after it.
            (Verdict::Whole { .. }, Some(reason)) if self.direction == Shutdown::Write => {
                let reason = format!("{reason}, after all of it had been sent");
                Verdict::Broken { reason, kept: None, ended }
            }
            (other, _) => other,
        };
        if let Verdict::Whole { size, .. } = verdict
            && let Some(moved) = self.sampler.finish(self.began.elapsed(), size)
        {
            self.report(TransferEvent::Moved { moved, taken: true });
        }
        self.report(TransferEvent::Ended(verdict));
        ctx.stop();
    }
}

impl Actor for Transfer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(job) = self.job.take() else { return };
        let (begun_sender, begun) = oneshot::channel();
        let (ended_sender, ended) = oneshot::channel();
        let (socket, progress) = (Arc::clone(&self.socket), Arc::clone(&self.progress));
        let thread = thread::Builder::new().name("transfer".into()).stack_size(STACK);
        let spawned = thread.spawn(move || {
            // The actor may have stopped.
            let _ = ended_sender.send(run(job, &socket, &progress, begun_sender));
        });
        if let Err(error) = spawned {
            self.end(Some(Verdict::NotBegun(format!("cannot start a thread: {error}"))), ctx);
            return;
        }
        ctx.spawn(begun.into_actor(self).map(|begun, actor, ctx| {
            if let Ok((path, size)) = begun {
                actor.size = Some(size);
                actor.began = Instant::now();
                actor.report(TransferEvent::Begun { path, size });
                ctx.run_interval(INTERVAL, |actor, _| actor.sample());
            }
            ctx.spawn(
                ended.into_actor(actor).map(|verdict, actor, ctx| actor.end(verdict.ok(), ctx)),
            );
        }));
    }
}

impl Handler<Cancel> for Transfer {
    type Result = ();

    fn handle(&mut self, Cancel(reason): Cancel, _: &mut Self::Context) {
        self.cut(reason);
    }
}

impl Handler<Orphan> for Transfer {
    type Result = ();

    fn handle(&mut self, _: Orphan, _: &mut Self::Context) {
        self.orphan.get_or_insert((Instant::now(), self.progress.bytes()));
    }
}

type BegunSender = oneshot::Sender<(PathBuf, u64)>;

/// The thread's whole work.
fn run(job: TransferJob, socket: &TcpStream, progress: &Progress, begun: BegunSender) -> Verdict {
    match job {
        TransferJob::Send(chosen) => match chosen.open() {
            Ok(source) => send(chosen.path().to_owned(), &source, socket, progress, begun),
            Err(error) => Verdict::NotBegun(error.to_string()),
        },
        TransferJob::Receive { downloads, stamp, size } => match downloads.begin(stamp, size) {
            Ok(part) => {
                let _ = begun.send((part.path(), size));
                let wrote = |left| part.wrote(left);
                match receive_file(socket, size, part.file(), progress, &wrote) {
                    Ok(()) => finish(part, size),
                    Err(error) => cut(&error, &part, progress.bytes(), size),
                }
            }
            Err(error) => Verdict::NotBegun(error.to_string()),
        },
    }
}

fn send(
    path: PathBuf,
    source: &Source,
    socket: &TcpStream,
    progress: &Progress,
    begun: BegunSender,
) -> Verdict {
    let size = source.size;
    let _ = begun.send((path.clone(), size));
    match send_with_header(&source.file, size, socket, progress) {
        Ok(()) => Verdict::Whole { path, size, changed: source.has_changed() },
        Err(error) => Verdict::Broken {
            reason: why_not_sent(&error, &path, progress, size),
            kept: None,
            ended: is_of_the_connection(&error),
        },
    }
}

fn why_not_sent(error: &MoveError, path: &Path, progress: &Progress, size: u64) -> String {
    let path = path.display();
    match error {
        MoveError::Shrunk => format!(
            "{path} became shorter while it was sent, so the other side has an incomplete file; send \
             it again once nothing writes to it"
        ),
        MoveError::File(error) => format!("cannot read {path}: {error}"),
        MoveError::Socket(_) | MoveError::Ended if progress.is_taken() => format!(
            "the other side stopped it or closed the connection after {} of {size} bytes",
            progress.bytes()
        ),
        // What has left may be no more than buffers hold.
        MoveError::Socket(_) | MoveError::Ended => {
            "the other side refused the file or closed the connection".into()
        }
    }
}

fn send_with_header(
    file: &File,
    size: u64,
    mut socket: &TcpStream,
    progress: &Progress,
) -> Result<(), MoveError> {
    let mut header = bytes::BytesMut::new();
    // No file system holds a file whose size is no `long`.
    let Some(frame) = FileHeader::new(size) else { return Err(MoveError::Shrunk) };
    frame.encode(&mut header);
    let _ = hold_send_buffer(socket);
    std::io::Write::write_all(&mut socket, &header).map_err(MoveError::Socket)?;
    send_file(file, size, socket, progress)?;
    // Before all of it has arrived an end of the connection could still lose it.
    arrive(socket).map_err(MoveError::Socket)
}

fn finish(part: PartFile, size: u64) -> Verdict {
    match part.finish() {
        Ok(path) => Verdict::Whole { path, size, changed: false },
        // The connection is in order after the file.
        Err(error) => Verdict::Broken { reason: error.to_string(), kept: None, ended: false },
    }
}

fn cut(error: &MoveError, part: &PartFile, bytes: u64, size: u64) -> Verdict {
    let path = part.path();
    let path = path.display();
    let kept = if !part.exists() {
        format!("{path} was removed meanwhile")
    } else if bytes == 0 && part.remove().is_ok() {
        format!("no bytes had arrived, so {path} was removed")
    } else {
        format!("{bytes} of {size} bytes are kept in {path}")
    };
    let kept = Some(kept);
    let reason = match error {
        MoveError::File(error) => format!("cannot write: {error}"),
        other => other.to_string(),
    };
    Verdict::Broken { reason, kept, ended: is_of_the_connection(error) }
}

fn is_of_the_connection(error: &MoveError) -> bool {
    matches!(error, MoveError::Socket(_) | MoveError::Ended)
}
