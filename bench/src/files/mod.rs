//! Files: Matou's movers against bare loops and against the programs that people would use.

mod bare_tls;
mod encrypted;
mod message;
mod mover;
mod paired;
mod peer;
mod together;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use tempfile::TempDir;

pub(crate) use self::encrypted::run as run_encrypted;
use self::mover::Mover;
pub(crate) use self::paired::PAIRED;
use self::peer::Peer;
use crate::error::{BenchError, Context, Outcome};
use crate::process::{self, Cores};
use crate::quiet;
use crate::scenario::Figures;
use crate::session::{Run, Session};

const MIB: u64 = 1024 * 1024;

/// How much of it to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// MiB of the file.
    pub(crate) mebibytes: u64,
    /// Repetitions.
    pub(crate) rounds: usize,
    /// For how long a run is repeated that other processes disturbed.
    pub(crate) patience: Duration,
}

/// Runs all file scenarios and adds what came out to the session.
pub(crate) fn run(session: &mut Session, extent: Extent, results: Option<&Path>) -> Outcome<()> {
    process::pin(Cores::All);
    println!("-- files: short turns");
    paired::run(session, extent)?;
    let patience = extent.patience;
    let ground = Ground::new(extent.mebibytes)?;
    println!("-- files: {} MiB, from memory to memory over loopback", extent.mebibytes);
    ground.move_once(Mover::Splice)?;
    let peers: Vec<Peer> = Peer::ALL.into_iter().filter(|peer| present(*peer, session)).collect();
    for round in 0..extent.rounds {
        // Who begins changes, so that what begins with cold memory is not always the same.
        let turn = round % Mover::ALL.len();
        for mover in Mover::ALL.into_iter().cycle().skip(turn).take(Mover::ALL.len()) {
            let outcome = quietly(patience, || ground.move_once(mover));
            note(session, "files", mover.title(), round, outcome);
        }
        for peer in &peers {
            let outcome = quietly(patience, || ground.fetch_once(*peer));
            note(session, "files", peer.title(), round, outcome);
        }
        for mover in [Mover::Splice, Mover::SpliceUnheld, Mover::Matou] {
            let outcome = quietly(patience, || message::during_a_file(mover, &ground));
            note(session, "files-latency", mover.title(), round, outcome);
        }
        for mover in [Mover::Splice, Mover::Matou] {
            let outcome = quietly(patience, || together::ten(mover, &ground));
            note(session, "files-fair", mover.title(), round, outcome);
        }
        if let Some(file) = results {
            session.save(file)?;
        }
    }
    Ok(())
}

/// A run when the machine is quiet, and how quiet it was.
fn quietly(patience: Duration, mut run: impl FnMut() -> Outcome<Figures>) -> Outcome<Figures> {
    quiet::attempt(patience, || {
        let own = || Ok(cpu(UsageWho::RUSAGE_SELF)? + cpu(UsageWho::RUSAGE_CHILDREN)?);
        let (start, before, own_before) = (Instant::now(), process::machine_cpu()?, own()?);
        let mut figures = run()?;
        let machine = process::machine_cpu()?.saturating_sub(before).as_secs_f64();
        let others = machine - (own()? - own_before);
        figures.set("other_cores", (others / start.elapsed().as_secs_f64()).max(0.0));
        Ok(figures)
    })
}

fn present(peer: Peer, session: &mut Session) -> bool {
    match peer.programs() {
        Ok(()) => true,
        Err(error) => {
            println!("{} is left out: {error}", peer.title());
            session.skipped.insert(peer.title().into(), error.to_string());
            false
        }
    }
}

fn note(
    session: &mut Session,
    scenario: &str,
    subject: &str,
    round: usize,
    outcome: Outcome<Figures>,
) {
    let (figures, failure) = match outcome {
        Ok(figures) => (figures, None),
        Err(error) => (Figures::default(), Some(error.to_string())),
    };
    match &failure {
        Some(why) => println!("{scenario:14} {subject:24} failed: {why}"),
        None => println!("{scenario:14} {subject:24} {figures}"),
    }
    let (scenario, subject) = (scenario.to_owned(), subject.to_owned());
    session.runs.push(Run { scenario, subject, round, figures, failure });
}

/// The file that is moved, and the folder for its copies.
#[derive(Debug)]
pub(super) struct Ground {
    folder: TempDir,
    size: u64,
}

impl Ground {
    /// A file of so many MiB in memory.
    fn new(mebibytes: u64) -> Outcome<Self> {
        let what = || "make a file in /dev/shm".to_owned();
        let folder = tempfile::Builder::new().prefix("matou-bench").tempdir_in("/dev/shm");
        let ground = Self { folder: folder.context(what())?, size: mebibytes * MIB };
        let mut file = File::create(ground.source()).context(what())?;
        // Not all the same, so that nothing on the way can make it smaller.
        let mut state = 1_u64;
        let mut piece = Vec::with_capacity(usize::try_from(MIB).unwrap_or(0));
        while piece.len() < piece.capacity() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            piece.extend_from_slice(&state.to_le_bytes());
        }
        for _ in 0..mebibytes {
            file.write_all(&piece).context(what())?;
        }
        Ok(ground)
    }

    /// The file.
    pub(super) fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    /// Where a copy goes.
    pub(super) fn copy(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("copy{number}"))
    }

    /// Where the copies go, and what servers of the file need.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    fn move_once(&self, mover: Mover) -> Outcome<Figures> {
        let watch = MemoryWatch::start();
        let (start, before) = (Instant::now(), cpu(UsageWho::RUSAGE_SELF)?);
        let copy = File::create(self.copy(0)).context("make the copy")?;
        mover::pair(mover, &self.source(), &copy, self.size)?;
        let seconds = start.elapsed().as_secs_f64();
        let cpu = cpu(UsageWho::RUSAGE_SELF)? - before;
        let grown = watch.stop();
        self.check_and_remove(&self.copy(0))?;
        let mut figures = self.figures(seconds, cpu);
        figures.set("memory_mib", (grown + mover.pipe_bytes()) as f64 / MIB as f64);
        Ok(figures)
    }

    fn fetch_once(&self, peer: Peer) -> Outcome<Figures> {
        let before = cpu(UsageWho::RUSAGE_CHILDREN)?;
        let took = peer.fetch(self)?;
        let cpu = cpu(UsageWho::RUSAGE_CHILDREN)? - before;
        self.check_and_remove(&self.copy(0))?;
        Ok(self.figures(took.as_secs_f64(), cpu))
    }

    fn figures(&self, seconds: f64, cpu: f64) -> Figures {
        let mut figures = Figures::default();
        figures.set("mb_per_s", self.size as f64 / 1e6 / seconds);
        figures.set("cpu_s_per_gib", cpu / (self.size as f64 / (1024 * MIB) as f64));
        figures
    }

    fn check_and_remove(&self, copy: &Path) -> Outcome<()> {
        let length = fs::metadata(copy).context("look at the copy")?.len();
        fs::remove_file(copy).context("remove the copy")?;
        if length != self.size {
            return Err(BenchError::Invalid(format!("{length} bytes came of {}", self.size)));
        }
        Ok(())
    }
}

fn files_per_second(count: usize, seconds: f64) -> Figures {
    let mut figures = Figures::default();
    figures.set("files_per_s", count as f64 / seconds);
    figures
}

/// CPU seconds of this process, or of those that it started and that have ended.
fn cpu(who: UsageWho) -> Outcome<f64> {
    let usage = getrusage(who).context("read CPU time")?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// Follows the memory of this process and of the kernel's TCP buffers from another thread.
#[derive(Debug)]
pub(super) struct MemoryWatch {
    stop: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<u64>,
}

impl MemoryWatch {
    const INTERVAL: Duration = Duration::from_millis(20);

    /// Starts to follow.
    pub(super) fn start() -> Self {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let first = Self::bytes();
        let thread = std::thread::spawn(move || {
            let mut most = first;
            while stopped.recv_timeout(Self::INTERVAL)
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                most = most.max(Self::bytes());
            }
            most - first
        });
        Self { stop, thread }
    }

    /// The most bytes there were above those of the beginning.
    pub(super) fn stop(self) -> u64 {
        drop(self.stop);
        self.thread.join().unwrap_or(0)
    }

    fn bytes() -> u64 {
        let own = process::memory(std::process::id()).map_or(0, |memory| memory.anonymous);
        own + tcp_bytes().unwrap_or(0)
    }
}

/// Bytes in the buffers of all TCP sockets: `mem` of the line `TCP:`, in pages.
fn tcp_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/net/sockstat").ok()?;
    let line = text.lines().find(|line| line.starts_with("TCP:"))?;
    let pages: u64 =
        line.split_whitespace().skip_while(|word| *word != "mem").nth(1)?.parse().ok()?;
    u64::try_from(rustix::param::page_size()).ok().map(|size| pages * size)
}
