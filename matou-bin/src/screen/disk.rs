//! Files of the state folder, on a thread of their own so that a slow disk delays no key.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use matou_actors::protocol::Username;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tokio::sync::mpsc::UnboundedSender;

use super::event::{Listing, UiEvent};
use super::history::{from_file, to_file};

/// Jobs that may wait for the disk; more are refused and said to be.
const QUEUE: usize = 8192;
/// What is read of the history file.
const HISTORY_BYTES: u64 = 512 * 1024;
/// Names of a folder that are looked at.
const MAX_NAMES: usize = 20_000;
/// Where pasted text waits until it is sent.
const PASTED: &str = "pasted";
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
        let (logs, pasted) = (VecDeque::new(), Vec::new());
        let worker = Worker { folder, answers, logs, pasted, complained: false };
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
    let Ok((text, is_whole)) = tail(&path) else {
        return Vec::new();
    };
    let lines = from_file(&text);
    if !is_whole || text.lines().count() > 2 * lines.len() {
        let kept: String = lines.iter().map(|line| to_file(line) + "\n").collect();
        let fresh = folder.join("history.new");
        // One that was left behind in the middle of this.
        let _ = fs::remove_file(&fresh);
        // Without it, the file is merely longer than it needs to be.
        let _ = write_new(&fresh, &kept).and_then(|()| fs::rename(&fresh, &path));
    }
    lines
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

struct Worker {
    folder: PathBuf,
    answers: UnboundedSender<UiEvent>,
    logs: VecDeque<(String, File)>,
    /// What was pasted for somebody: nothing of it stays behind.
    pasted: Vec<PathBuf>,
    complained: bool,
}

impl Worker {
    fn run(mut self, queue: &Receiver<Job>) {
        sweep(&self.folder.join(PASTED));
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
                    self.pasted.extend(stored.clone());
                    self.answer(UiEvent::Stored(to, stored));
                }
                Job::RemovePaste(path) => {
                    self.pasted.retain(|other| *other != path);
                    drop(fs::remove_file(path));
                }
            }
        }
        for path in &self.pasted {
            // Nobody is there any more to be told.
            let _ = fs::remove_file(path);
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
        let folder = self.folder.join(PASTED);
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

/// Removes what a client that was killed left behind.
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
        let Some(UiEvent::Stored(to, Ok(path))) = events.blocking_recv() else {
            panic!("not stored")
        };
        assert_eq!((to, fs::read_to_string(&path).unwrap().as_str()), (bob, "a\nb"));
        let Some(UiEvent::Listed(listing)) = events.blocking_recv() else { panic!("not listed") };
        assert_eq!(listing.names, [("pasted".to_owned(), true)]);
        drop(disk);
        assert!(!path.exists(), "nothing of it stays behind");
    }

    #[test]
    fn what_a_killed_client_left_behind_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        make_folder(&folder.path().join(PASTED)).unwrap();
        let of = |process: u32| folder.path().join(PASTED).join(format!("paste-{process}-0.txt"));
        let (theirs, own) = (of(ended.id()), of(std::process::id()));
        for path in [&theirs, &own] {
            write_new(path, "secret").unwrap();
        }
        let (answers, _events) = unbounded_channel();
        drop(Disk::start(folder.path().into(), answers).unwrap());
        assert!(!theirs.exists() && own.exists());
    }

    #[test]
    fn a_history_that_has_grown_is_shortened_whatever_its_lines_are_like() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        write_new(&path, &format!("{}\n", "x".repeat(9_000)).repeat(100)).unwrap();
        write_new(&folder.path().join("history.new"), "left behind").unwrap();
        assert!(!history(folder.path()).is_empty());
        assert!(fs::metadata(path).unwrap().len() <= HISTORY_BYTES);
    }
}
