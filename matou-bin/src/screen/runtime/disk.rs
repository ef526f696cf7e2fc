//! Files of the state folder, on a thread of their own so that a slow disk delays no key.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use matou_actors::protocol::Username;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tempfile::NamedTempFile;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::screen::state::event::{Listing, UiEvent};
use crate::screen::state::history::{from_file, to_file};

/// Jobs that may wait for the disk; more are refused and said to be.
const QUEUE: usize = 8192;
/// The content of the history file.
const HISTORY_BYTES: u64 = 512 * 1024;
/// Names of a folder that are looked at.
const MAX_NAMES: usize = 20_000;
/// Where pasted text waits until it is sent.
const PASTED: &str = "pasted";
/// Files of the chat log that are kept open.
const OPEN_LOGS: usize = 8;

/// Something for the disk.
#[derive(Debug)]
pub(in crate::screen) enum DiskJob {
    /// Add a line to the history.
    Remember(String),
    /// Add a line to this file of the chat log.
    Log(String, String),
    /// Read the names in a folder.
    List(PathBuf),
    /// Look whether a line is the path of a file: one of these.
    FindFile(String, Vec<PathBuf>),
    /// Save pasted text to a file.
    StorePaste(Username, String),
    /// Remove such a file.
    RemovePaste(PathBuf),
    /// Wait as on a disk that hangs, until the sender is dropped.
    #[cfg(test)]
    Hang(Receiver<()>),
}

/// The thread that does the jobs. When this is dropped it does those that wait, and ends.
pub(in crate::screen) struct Disk {
    jobs: SyncSender<DiskJob>,
    /// Closed when the thread has ended.
    ended: oneshot::Receiver<Infallible>,
    complained: bool,
}

impl Disk {
    /// Starts it; the results of the jobs go to `answers`. `folder` is made when needed;
    /// without one nothing can be kept.
    pub(in crate::screen) fn start(
        folder: Option<PathBuf>,
        answers: UnboundedSender<UiEvent>,
    ) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let (running, ended) = oneshot::channel();
        let (logs, pasted) = (VecDeque::new(), Vec::new());
        let worker = DiskWorker { folder, answers, logs, pasted, complained: false };
        std::thread::Builder::new().name("screen-disk".into()).spawn(move || {
            worker.run(&queue);
            drop(running);
        })?;
        Ok(Self { jobs, ended, complained: false })
    }

    /// Queues `job`. When too many wait it is dropped, and the event that reports this is returned:
    /// for a job that the user did not ask for, only once.
    pub(in crate::screen) fn add(&mut self, job: DiskJob) -> Option<UiEvent> {
        let (TrySendError::Full(job) | TrySendError::Disconnected(job)) =
            self.jobs.try_send(job).err()?;
        let slow = "the disk is too slow";
        match job {
            DiskJob::List(folder) => {
                let text = format!("Cannot list {}: {slow}.", folder.display());
                Some(UiEvent::DiskFailed(text))
            }
            DiskJob::FindFile(line, _) => Some(UiEvent::FileFound(line, None)),
            DiskJob::StorePaste(to, _) => Some(UiEvent::Stored(to, Err(slow.into()))),
            // The rest of them is removed at the end.
            DiskJob::RemovePaste(_) => None,
            #[cfg(test)]
            DiskJob::Hang(_) => None,
            DiskJob::Remember(_) | DiskJob::Log(..) => {
                let text = format!("History or chat log will have gaps: {slow}.");
                let again = std::mem::replace(&mut self.complained, true);
                (!again).then_some(UiEvent::DiskFailed(text))
            }
        }
    }

    /// Waits until the jobs are done, at most so long; false when they are not. A disk may hang
    /// for ever, and the thread with it.
    pub(in crate::screen) async fn finish(self, limit: Duration) -> bool {
        drop(self.jobs);
        tokio::time::timeout(limit, self.ended).await.is_ok()
    }
}

/// The lines of the history file in `folder`, oldest first; shortens it when it has grown.
pub(in crate::screen) fn history(folder: &Path) -> io::Result<Vec<String>> {
    #[cfg(feature = "testing")]
    hang_on_demand("history");
    let path = folder.join("history");
    let (text, is_whole) = match tail(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let lines = from_file(&text);
    if !is_whole || text.lines().count() > 2 * lines.len() {
        let kept: String = lines.iter().map(|line| to_file(line) + "\n").collect();
        // Without it, the file is merely longer than it needs to be.
        let _ = replace(&path, folder, &kept);
    }
    Ok(lines)
}

/// Replaces the file at `path` by one with `text`, readable by the user alone.
fn replace(path: &Path, folder: &Path, text: &str) -> io::Result<()> {
    let mut fresh = NamedTempFile::new_in(folder)?;
    fresh.write_all(text.as_bytes())?;
    fresh.persist(path)?;
    Ok(())
}

/// The end of the file, from the beginning of a line on, and whether that is all of it.
fn tail(path: &Path) -> io::Result<(String, bool)> {
    let mut file = open(OpenOptions::new().read(true), path)?;
    let skipped = file.metadata()?.len().saturating_sub(HISTORY_BYTES);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(HISTORY_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // Where the beginning is missing, the first line is only a part of one.
    let whole =
        if skipped > 0 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    Ok((whole.to_owned(), skipped == 0))
}

struct DiskWorker {
    folder: Option<PathBuf>,
    answers: UnboundedSender<UiEvent>,
    logs: VecDeque<(String, File)>,
    /// Pasted text saved to be sent as files; removed at the end.
    pasted: Vec<PathBuf>,
    complained: bool,
}

impl DiskWorker {
    fn run(mut self, queue: &Receiver<DiskJob>) {
        if let Some(folder) = &self.folder {
            sweep(&folder.join(PASTED));
        }
        while let Ok(job) = queue.recv() {
            match job {
                DiskJob::Remember(line) => {
                    let done = self.remember(&line);
                    self.report("the history file", done);
                }
                DiskJob::Log(file, line) => {
                    let done = self.log(file, &line);
                    self.report("the chat log", done);
                }
                DiskJob::List(folder) => {
                    let names = names(&folder).unwrap_or_default();
                    self.answer(UiEvent::Listed(Listing { folder, names }));
                }
                DiskJob::FindFile(line, paths) => {
                    let found = paths.into_iter().find(|path| path.is_file());
                    self.answer(UiEvent::FileFound(line, found));
                }
                DiskJob::StorePaste(to, text) => {
                    let stored = self.store(&text).map_err(|error| error.to_string());
                    self.pasted.extend(stored.clone());
                    self.answer(UiEvent::Stored(to, stored));
                }
                #[cfg(test)]
                DiskJob::Hang(until) => drop(until.recv()),
                DiskJob::RemovePaste(path) => {
                    self.pasted.retain(|other| *other != path);
                    drop(fs::remove_file(path));
                }
            }
        }
        for path in &self.pasted {
            // The receiver is gone.
            let _ = fs::remove_file(path);
        }
    }

    /// Reports a failure once, not for every line.
    fn report(&mut self, what: &str, done: io::Result<()>) {
        if let Err(error) = done
            && !std::mem::replace(&mut self.complained, true)
        {
            let text = match &self.folder {
                Some(folder) => {
                    let folder = folder.display();
                    format!("Cannot write {what} in {folder}: {error}.")
                }
                None => format!("Cannot write {what}: {error}."),
            };
            self.answer(UiEvent::DiskFailed(text));
        }
    }

    fn answer(&self, event: UiEvent) {
        // The screen may be gone already.
        let _ = self.answers.send(event);
    }

    fn folder(&self) -> io::Result<&Path> {
        self.folder.as_deref().ok_or_else(|| io::Error::other("no home directory; set HOME"))
    }

    fn remember(&self, line: &str) -> io::Result<()> {
        let folder = self.folder()?;
        make_folder(folder)?;
        append(&folder.join("history"))?.write_all(format!("{line}\n").as_bytes())
    }

    fn log(&mut self, name: String, line: &str) -> io::Result<()> {
        #[cfg(feature = "testing")]
        hang_on_demand("log");
        let folder = self.folder()?.join("logs");
        let path = folder.join(&name);
        let at = self.logs.iter().position(|(open, _)| *open == name);
        let open = at.and_then(|at| self.logs.remove(at)).filter(|(_, file)| is_at(file, &path));
        let mut entry = if let Some(entry) = open {
            entry
        } else {
            make_folder(&folder)?;
            (name, append(&path)?)
        };
        let written = entry.1.write_all(format!("{line}\n").as_bytes());
        self.logs.push_front(entry);
        self.logs.truncate(OPEN_LOGS);
        written
    }

    fn store(&self, text: &str) -> io::Result<PathBuf> {
        let folder = self.folder()?.join(PASTED);
        make_folder(&folder)?;
        let pid = std::process::id();
        for number in 0..10_000 {
            let path = folder.join(format!("paste-{pid}-{number}.txt"));
            match write_new(&path, text) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => return done.map(|()| path),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// Removes leftovers of a killed client.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_NAMES) {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("paste-")?.split('-').next());
        let process = number.and_then(|number| number.parse().ok()).and_then(Pid::from_raw);
        if process.is_some_and(|process| test_kill_process(process) == Err(Errno::SRCH)) {
            // It is looked at again the next time.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn names(folder: &Path) -> io::Result<Vec<(String, bool)>> {
    let entries = fs::read_dir(folder)?.flatten().take(MAX_NAMES);
    let named = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let is_folder = fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir());
        Some((name, is_folder))
    });
    Ok(named.collect())
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Opens a file of lines to add some; ends the last line first where it was cut.
fn append(path: &Path) -> io::Result<File> {
    let mut file = open(OpenOptions::new().read(true).append(true).create(true), path)?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// Whether `path` still leads to the open `file`, which may have been moved or removed.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => id(open) == id(there),
        _ => false,
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    open(OpenOptions::new().write(true).create_new(true), path)?.write_all(text.as_bytes())
}

/// Readable by the user alone. Links are not followed, as another user may have put them there;
/// nothing but a regular file is opened, as a pipe or device could hang.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    use nix::fcntl::OFlag;
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let not_regular = || io::Error::other("not a regular file");
    let file = options.mode(0o600).custom_flags(flags.bits()).open(path).map_err(|error| {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::LOOP) => io::Error::other(
                "it is a symbolic link, and only a link of the whole folder is followed; put the \
                 file itself here",
            ),
            // A pipe without a reader.
            Some(Errno::NXIO) => not_regular(),
            _ => error,
        }
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
}

/// Hangs for ever where `MATOU_TEST_HANG` names `place`, as a broken disk does.
#[cfg(feature = "testing")]
fn hang_on_demand(place: &str) {
    while std::env::var("MATOU_TEST_HANG").is_ok_and(|wanted| wanted == place) {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests;
