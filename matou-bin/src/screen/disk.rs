//! Files of the state folder, on a thread of their own so that a slow disk delays no key.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use matou_actors::protocol::Username;
use tokio::sync::mpsc::UnboundedSender;

use super::event::{Listing, UiEvent};
use super::history::{from_file, to_file};

/// Jobs that may wait for the disk; more are refused and said to be.
const QUEUE: usize = 8192;
/// What is read of the history file.
const HISTORY_BYTES: u64 = 512 * 1024;
/// Names of a folder that are looked at.
const MAX_NAMES: usize = 20_000;
/// Files of the chat log that are kept open.
const OPEN_LOGS: usize = 8;

/// Something for the disk.
#[derive(Debug)]
pub(super) enum Job {
    /// Add a line to the history.
    Remember(String),
    /// Add a line to this file of the chat log.
    Log(String, String),
    /// Read the names in a folder.
    List(PathBuf),
    /// Put pasted text for somebody into a file.
    StorePaste(Username, String),
    /// Remove such a file.
    RemovePaste(PathBuf),
}

/// The thread that does the jobs. Finishes those that wait when dropped.
pub(super) struct Disk {
    jobs: Option<SyncSender<Job>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Disk {
    /// Starts it; what comes of the jobs is told by `answers`. `folder` is made when needed.
    pub(super) fn start(folder: PathBuf, answers: UnboundedSender<UiEvent>) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let worker = Worker { folder, answers, logs: VecDeque::new(), complained: false };
        let builder = std::thread::Builder::new().name("screen-disk".into());
        let thread = builder.spawn(move || worker.run(&queue))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Gives it `job`; false when too many wait.
    pub(super) fn add(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // It has told about its own problems; a panic was printed.
            let _ = thread.join();
        }
    }
}

/// The lines of the history file in `folder`, oldest first; shortens it when it has grown.
pub(super) fn history(folder: &Path) -> Vec<String> {
    let path = folder.join("history");
    let Ok(text) = tail(&path) else {
        return Vec::new();
    };
    let lines = from_file(&text);
    if text.lines().count() > 2 * lines.len() {
        let kept: String = lines.iter().map(|line| to_file(line) + "\n").collect();
        let fresh = folder.join("history.new");
        // Without it, the file is merely longer than it needs to be.
        let _ = write_new(&fresh, &kept).and_then(|()| fs::rename(&fresh, &path));
    }
    lines
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = open(OpenOptions::new().read(true), path)?;
    let skipped = file.metadata()?.len().saturating_sub(HISTORY_BYTES);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(HISTORY_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // Where the beginning is missing, the first line is only a part of one.
    let whole =
        if skipped > 0 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    Ok(whole.to_owned())
}

struct Worker {
    folder: PathBuf,
    answers: UnboundedSender<UiEvent>,
    logs: VecDeque<(String, File)>,
    complained: bool,
}

impl Worker {
    fn run(mut self, queue: &Receiver<Job>) {
        while let Ok(job) = queue.recv() {
            match job {
                Job::Remember(line) => {
                    let done = self.remember(&line);
                    self.told("The history file", done);
                }
                Job::Log(file, line) => {
                    let done = self.log(file, &line);
                    self.told("The chat log", done);
                }
                Job::List(folder) => {
                    let names = names(&folder).unwrap_or_default();
                    self.answer(UiEvent::Listed(Listing { folder, names }));
                }
                Job::StorePaste(to, text) => {
                    let stored = self.store(&text).map_err(|error| error.to_string());
                    self.answer(UiEvent::Stored(to, stored));
                }
                Job::RemovePaste(path) => drop(fs::remove_file(path)),
            }
        }
    }

    /// Says once what goes wrong, not for every line.
    fn told(&mut self, what: &str, done: io::Result<()>) {
        if let Err(error) = done
            && !std::mem::replace(&mut self.complained, true)
        {
            let folder = self.folder.display();
            let text = format!("{what} in {folder} cannot be written: {error}. Check that folder.");
            self.answer(UiEvent::DiskFailed(text));
        }
    }

    fn answer(&self, event: UiEvent) {
        // The screen may be gone already.
        let _ = self.answers.send(event);
    }

    fn remember(&self, line: &str) -> io::Result<()> {
        make_folder(&self.folder)?;
        append(&self.folder.join("history"))?.write_all(format!("{line}\n").as_bytes())
    }

    fn log(&mut self, name: String, line: &str) -> io::Result<()> {
        let at = self.logs.iter().position(|(open, _)| *open == name);
        let mut entry = if let Some(entry) = at.and_then(|at| self.logs.remove(at)) {
            entry
        } else {
            let folder = self.folder.join("logs");
            make_folder(&folder)?;
            let file = append(&folder.join(&name))?;
            (name, file)
        };
        let written = entry.1.write_all(format!("{line}\n").as_bytes());
        self.logs.push_front(entry);
        self.logs.truncate(OPEN_LOGS);
        written
    }

    fn store(&self, text: &str) -> io::Result<PathBuf> {
        let folder = self.folder.join("pasted");
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

fn append(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().append(true).create(true), path)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    open(OpenOptions::new().write(true).create_new(true), path)?.write_all(text.as_bytes())
}

/// Only for the user, and never through a link that somebody else put there.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.mode(0o600).custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits()).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn lines_are_appended_to_files_of_the_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let (answers, _events) = unbounded_channel();
        let disk = Disk::start(state.clone(), answers).unwrap();
        for n in 0..3 {
            assert!(disk.add(Job::Remember(format!("line {n}"))));
            assert!(disk.add(Job::Log("public.log".into(), format!("said {n}"))));
        }
        drop(disk);
        assert_eq!(history(&state), ["line 0", "line 1", "line 2"]);
        let log = state.join("logs/public.log");
        assert_eq!(fs::read_to_string(&log).unwrap(), "said 0\nsaid 1\nsaid 2\n");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&log), mode(&state.join("history"))), (0o600, 0o600));
        assert_eq!(mode(&state.join("logs")), 0o700);
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        std::os::unix::fs::symlink(&target, folder.path().join("history")).unwrap();
        let (answers, mut events) = unbounded_channel();
        let disk = Disk::start(folder.path().into(), answers).unwrap();
        disk.add(Job::Remember("x".into()));
        disk.add(Job::Remember("y".into()));
        drop(disk);
        assert!(!target.exists());
        assert!(matches!(events.try_recv(), Ok(UiEvent::DiskFailed(_))));
        assert!(events.try_recv().is_err(), "said once only");
    }

    #[test]
    fn a_history_that_has_grown_is_shortened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let all: Vec<_> = (0..5000).map(|n| n.to_string()).collect();
        fs::write(&path, all.join("\n") + "\n").unwrap();
        let lines = history(folder.path());
        assert_eq!((lines.len(), lines.last().unwrap().as_str()), (1000, "4999"));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1000);
    }

    #[test]
    fn names_of_a_folder_are_listed_and_pasted_text_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let (answers, mut events) = unbounded_channel();
        let disk = Disk::start(folder.path().into(), answers).unwrap();
        let bob = Username::parse("bob").unwrap();
        disk.add(Job::StorePaste(bob.clone(), "a\nb".into()));
        disk.add(Job::List(folder.path().into()));
        drop(disk);
        let Ok(UiEvent::Stored(to, Ok(path))) = events.try_recv() else { panic!("not stored") };
        assert_eq!((to, fs::read_to_string(path).unwrap().as_str()), (bob, "a\nb"));
        let Ok(UiEvent::Listed(listing)) = events.try_recv() else { panic!("not listed") };
        assert_eq!(listing.names, [("pasted".to_owned(), true)]);
    }
}
