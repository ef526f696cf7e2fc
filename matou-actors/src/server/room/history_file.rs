//! Keeps the history over restarts: one file, written by a thread of its own.
//!
//! The file begins with HISTORYEND, whose sequence no past event has reached; then follow the
//! messages, as a client reads them. New ones are appended. Now and then the room replaces the
//! whole file by what it still keeps, which also repairs earlier damage: a disk that is slow or
//! full costs the history, and nothing else.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use slog::{Logger, info, warn};
use tokio::sync::oneshot;

use crate::protocol::v2::{FROM_HISTORY, ServerFrame};
use crate::protocol::{Decode as _, Encode as _};
use crate::server::room::event::wire_sequence;

/// Larger than any file that is written here.
const LARGEST: u64 = 64 * 1024 * 1024;
/// Bytes that may wait for the disk.
const MAX_QUEUED: usize = 8 * 1024 * 1024;
/// Writes that may wait for the disk.
const MAX_JOBS: usize = 4096;
/// How long written messages may wait until they are safe from a loss of power.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How many events may have happened that are not in the file. A client that has seen them is not
/// taken for one that has seen the events that follow.
const UNSAVED: u64 = 1 << 20;

/// What a file held.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    /// The messages.
    pub(crate) frames: Bytes,
    /// The sequence of the next event.
    pub(crate) next: u64,
}

/// The room's end of the thread.
#[derive(Clone, Debug)]
pub(crate) struct HistoryWriter {
    jobs: SyncSender<Job>,
    state: Arc<SharedState>,
}

#[derive(Debug, Default)]
struct SharedState {
    queued: AtomicUsize,
    /// The file is incomplete: it has to be replaced.
    stale: AtomicBool,
}

#[derive(Debug)]
enum Job {
    Append(Bytes),
    Replace { frames: Vec<Bytes>, done: Option<oneshot::Sender<Result<(), String>>> },
    End(oneshot::Sender<()>),
}

/// The thread's side.
struct WriterThread {
    path: PathBuf,
    file: Option<File>,
    unsynced: bool,
    state: Arc<SharedState>,
    logger: Logger,
}

impl Saved {
    fn parse(bytes: Vec<u8>) -> Result<(Self, usize), String> {
        let bytes = Bytes::from(bytes);
        if bytes.is_empty() {
            return Ok((Self::default(), 0));
        }
        let Ok(Some((ServerFrame::HistoryEnd { oldest }, start))) = ServerFrame::decode(&bytes)
        else {
            return Err("it is not a history file of Matou; move it away".into());
        };
        // On the wire the first event is 1.
        let (mut end, mut last) = (start, 0);
        while let Some(Ok(Some((frame, length)))) = bytes.get(end..).map(ServerFrame::decode) {
            match frame {
                // The mark is in the last byte: a frame of which only the front was written, and
                // zeros, lacks it.
                ServerFrame::Said { sequence, flags, .. }
                    if flags & FROM_HISTORY != 0 && sequence > last =>
                {
                    last = sequence;
                }
                _ => break,
            }
            end += length;
        }
        let next = last.max(oldest.saturating_sub(1));
        let torn = bytes.len() - end;
        let next = next.saturating_add(UNSAVED);
        Ok((Self { frames: bytes.slice(start..end), next }, torn))
    }
}

/// Reads the file at `path` and begins to write it. A file that cannot be used is left alone, and
/// the history is not kept.
pub(crate) fn open(path: &Path, logger: &Logger) -> Option<(Saved, HistoryWriter)> {
    let opened = read(path).and_then(Saved::parse).and_then(|saved| {
        let (jobs, receiver) = sync_channel(MAX_JOBS);
        let state = Arc::<SharedState>::default();
        let writer = HistoryWriter { jobs, state: Arc::clone(&state) };
        let (path, logger) = (path.to_owned(), logger.clone());
        let writing = WriterThread { path, file: None, unsynced: false, state, logger };
        let thread = thread::Builder::new().name("history".into());
        let spawned = thread.spawn(move || writing.run(&receiver));
        spawned.map(|_| (saved, writer)).map_err(|error| error.to_string())
    });
    match opened {
        Ok(((saved, torn), writer)) => {
            if torn > 0 {
                warn!(logger, "the end of the history was damaged and is left out";
                    "path" => %path.display(), "bytes" => torn);
            }
            Some((saved, writer))
        }
        Err(reason) => {
            warn!(logger, "the history will not survive a restart";
                "path" => %path.display(), "reason" => reason, "next" => "see history.file");
            None
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    // Opening a named pipe would wait for its other end.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err("it is too large to be a history file of Matou; move it away".into());
    }
    Ok(bytes)
}

impl HistoryWriter {
    /// Appends messages. What the thread has no room for makes the file stale.
    pub(crate) fn append(&self, frames: Bytes) {
        let length = frames.len();
        if self.state.queued.load(Relaxed) > MAX_QUEUED {
            self.state.stale.store(true, Relaxed);
            return;
        }
        self.state.queued.fetch_add(length, Relaxed);
        if self.jobs.try_send(Job::Append(frames)).is_err() {
            self.state.queued.fetch_sub(length, Relaxed);
            self.state.stale.store(true, Relaxed);
        }
    }

    /// Replaces the file by these messages; `next` is the sequence of the next event. `done`
    /// resolves with whether they are in the file.
    pub(crate) fn replace(
        &self,
        mut frames: Vec<Bytes>,
        next: u64,
        done: Option<oneshot::Sender<Result<(), String>>>,
    ) {
        let mut head = BytesMut::new();
        ServerFrame::HistoryEnd { oldest: wire_sequence(next) }.encode(&mut head);
        frames.insert(0, head.freeze());
        if self.jobs.try_send(Job::Replace { frames, done }).is_err() {
            self.state.stale.store(true, Relaxed);
        }
    }

    /// Whether the file lacks something and has to be replaced.
    pub(crate) fn is_stale(&self) -> bool {
        self.state.stale.load(Relaxed)
    }

    /// Ends the thread; resolves when everything is written.
    pub(crate) async fn end(self) {
        let (done, wait) = oneshot::channel();
        if self.jobs.try_send(Job::End(done)).is_ok() {
            // The thread may have ended by itself.
            let _ = wait.await;
        }
    }
}

impl WriterThread {
    fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let job = if self.unsynced {
                jobs.recv_timeout(SYNC_EVERY)
            } else {
                jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match job {
                Ok(Job::Append(frames)) => {
                    self.state.queued.fetch_sub(frames.len(), Relaxed);
                    self.append(&frames);
                }
                Ok(Job::Replace { frames, done }) => {
                    let outcome = self.replace(&frames).map_err(|error| error.to_string());
                    if let Some(done) = done {
                        // The asker may have given up.
                        let _ = done.send(outcome);
                    }
                }
                Ok(Job::End(done)) => {
                    self.sync();
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => self.sync(),
                Err(RecvTimeoutError::Disconnected) => return self.sync(),
            }
        }
    }

    fn append(&mut self, frames: &[u8]) {
        let Some(file) = &mut self.file else { return };
        match file.write_all(frames) {
            Ok(()) => self.unsynced = true,
            Err(error) => self.failed(&error),
        }
    }

    fn sync(&mut self) {
        self.unsynced = false;
        if let Some(file) = &self.file
            && let Err(error) = file.sync_data()
        {
            self.failed(&error);
        }
    }

    /// After a crash at any moment there is the old file or the new one.
    fn replace(&mut self, frames: &[Bytes]) -> io::Result<()> {
        match replace(&self.path, frames) {
            Ok(file) => {
                self.file = Some(file);
                self.unsynced = false;
                if self.state.stale.swap(false, Relaxed) {
                    info!(self.logger, "the history survives a restart again";
                        "path" => %self.path.display());
                }
                Ok(())
            }
            Err(error) => {
                self.failed(&error);
                Err(error)
            }
        }
    }

    /// What was written so far may be damaged: nothing is appended before it was replaced.
    fn failed(&mut self, error: &io::Error) {
        self.file = None;
        if !self.state.stale.swap(true, Relaxed) {
            warn!(self.logger, "cannot write the history; trying again";
                "path" => %self.path.display(), "reason" => %error);
        }
    }
}

fn replace(path: &Path, frames: &[Bytes]) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // Under a name of its own, readable by its owner alone: no existing file of the folder is
    // written to.
    let mut file = tempfile::Builder::new().prefix(".history-").tempfile_in(folder)?;
    for frames in frames {
        file.write_all(frames)?;
    }
    file.as_file().sync_all()?;
    let file = file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use slog::{Discard, o};

    use super::*;
    use crate::protocol::v2::UnixMillis;
    use crate::protocol::{MessageText, Username};

    fn logger() -> Logger {
        Logger::root(Discard, o!())
    }

    fn said(sequence: u64) -> Bytes {
        let mut out = BytesMut::new();
        let (username, text) = (Username::parse("x").unwrap(), MessageText::parse("hi").unwrap());
        let time = UnixMillis(7);
        ServerFrame::Said { sequence, time, username, text, flags: 1 }.encode(&mut out);
        out.freeze()
    }

    async fn replaced(writer: &HistoryWriter, frames: Vec<Bytes>, next: u64) -> Result<(), String> {
        let (done, wait) = oneshot::channel();
        writer.replace(frames, next, Some(done));
        wait.await.unwrap()
    }

    #[tokio::test]
    async fn a_history_file_is_read_back_and_sequences_continue_far_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let (saved, writer) = open(&path, &logger()).unwrap();
        assert_eq!(saved, Saved::default());
        replaced(&writer, vec![said(4)], 4).await.unwrap();
        writer.append(said(5));
        writer.append(said(9));
        writer.end().await;
        let (saved, _writer) = open(&path, &logger()).unwrap();
        assert_eq!(saved.frames, [said(4), said(5), said(9)].concat());
        assert_eq!(saved.next, 9 + UNSAVED);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_torn_end_is_left_out_wherever_it_is_torn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let (_, writer) = open(&path, &logger()).unwrap();
        replaced(&writer, vec![said(1), said(2)], 2).await.unwrap();
        writer.end().await;
        let whole = fs::read(&path).unwrap();
        let last = whole.len() - said(2).len();
        for end in last..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            assert_eq!(open(&path, &logger()).unwrap().0.frames, said(1), "{end}");
            let zeros = [&whole[..end], &[0; 100]].concat();
            fs::write(&path, zeros).unwrap();
            assert_eq!(open(&path, &logger()).unwrap().0.frames, said(1), "{end}");
        }
    }

    #[test]
    fn a_file_of_another_kind_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("diary");
        fs::write(&path, "dear diary").unwrap();
        assert!(open(&path, &logger()).is_none());
        assert!(open(folder.path(), &logger()).is_none());
        assert_eq!(fs::read_to_string(&path).unwrap(), "dear diary");
    }

    #[tokio::test]
    async fn a_disk_that_takes_nothing_costs_the_history_until_it_takes_something_again() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let path = inner.join("history");
        let (_, writer) = open(&path, &logger()).unwrap();
        assert!(replaced(&writer, vec![said(1)], 1).await.is_err());
        assert!(writer.is_stale());
        writer.append(said(2));
        fs::create_dir(&inner).unwrap();
        replaced(&writer, vec![said(1), said(2)], 2).await.unwrap();
        assert!(!writer.is_stale());
        writer.end().await;
        assert_eq!(open(&path, &logger()).unwrap().0.frames, [said(1), said(2)].concat());
    }

    #[test]
    fn messages_waiting_for_a_slow_disk_are_bounded() {
        let (jobs, receiver) = sync_channel(MAX_JOBS);
        let writer = HistoryWriter { jobs, state: Arc::default() };
        let frames = Bytes::from(vec![0; 64 * 1024]);
        for _ in 0..1000 {
            writer.append(frames.clone());
        }
        assert!(writer.is_stale());
        drop(writer);
        assert!(receiver.iter().count() * frames.len() <= MAX_QUEUED + 2 * frames.len());
    }
}
