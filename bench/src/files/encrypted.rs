//! Files and folders of revision 2 against a bare loop of rustls and BLAKE3, and against tar over
//! the same TLS.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::resource::UsageWho;

use matou_actors::exchange::{Exchange, ExchangeOrder, RateLimit, Report, Settings, start};
use matou_actors::transfer::{ChosenFile, Downloads};

use super::bare_tls::{Bare, bare, pair, tar};
use super::{Ground, MIB, cpu, message, note};
use crate::error::{BenchError, Context, Outcome};
use crate::scenario::Figures;
use crate::session::Session;

const FILES: usize = 10_000;
/// How long messages are measured beside files.
const LATENCY: Duration = Duration::from_secs(5);
/// For anything to happen.
const DEADLINE: Duration = Duration::from_secs(120);

/// Runs the scenarios of encrypted files.
pub(crate) fn run(session: &mut Session, mebibytes: u64, rounds: usize) -> Outcome<()> {
    let ground = Ground::new(mebibytes)?;
    let many = tempfile::Builder::new().prefix("matou-bench").tempdir_in("/dev/shm");
    let many = many.context("make a folder")?;
    let root = many.path().join("many");
    fs::create_dir(&root).context("make a folder")?;
    for number in 0..FILES {
        fs::write(root.join(format!("{number:05}")), vec![7; 4096]).context("make a file")?;
    }
    for round in 0..rounds {
        note(session, "secure-file", "bare rustls and BLAKE3", round, bare(&ground));
        note(session, "secure-file", "matou", round, matou(&ground));
        note(session, "secure-folder", "tar over rustls", round, tar(&root, FILES));
        note(session, "secure-folder", "matou", round, folder(&root));
        note(session, "secure-resume", "matou", round, resume(&ground));
        let bare = latency(|| Bare::begin(&ground), Bare::run, Bare::end);
        note(session, "secure-latency", "bare rustls and BLAKE3", round, bare);
        let matou = latency(|| Whole::begin(&ground), Whole::run, Whole::end);
        note(session, "secure-latency", "matou", round, matou);
    }
    Ok(())
}

/// The times of messages while files move, and neither while one is prepared nor while its copy is checked.
fn latency<File>(
    begin: impl Fn() -> Outcome<File>,
    run: impl Fn(&mut File) -> Outcome<()>,
    end: impl Fn(File) -> Outcome<()>,
) -> Outcome<Figures> {
    let mut talk = message::Beside::new()?;
    let mut moved = Duration::ZERO;
    while moved < LATENCY {
        let mut file = begin()?;
        let start = Instant::now();
        talk.during(|| run(&mut file))?;
        moved += start.elapsed();
        end(file)?;
    }
    Ok(talk.figures())
}

/// Two exchanges, joined as their sessions would join them.
struct Pair {
    ada: Exchange,
    bea: Exchange,
    /// What either reports, and whether it is Ada, who sends.
    reports: Receiver<(bool, Report)>,
}

impl Pair {
    /// With `rate` in bytes a second, if there is one.
    fn new(into: &Path, rate: Option<u64>) -> Outcome<Self> {
        let (near, far) = pair()?;
        let limit = RateLimit::default();
        limit.set(rate);
        let (reported, reports) = channel();
        let side = |stream, sends| -> Outcome<Exchange> {
            let settings = Settings {
                asked: sends,
                peer: matou_actors::protocol::v2::PublicKey([1; 32]),
                downloads: Arc::new(Downloads::new(into.to_owned(), 0)),
                rate: limit.clone(),
            };
            let reported = reported.clone();
            let exchange =
                start(stream, settings, move |report| drop(reported.send((sends, report))));
            exchange.map(|(exchange, _)| exchange).context("start an exchange")
        };
        Ok(Self { ada: side(near, true)?, bea: side(far, false)?, reports })
    }

    fn offer(&self, path: &Path) -> Outcome<()> {
        // Offers are looked at once: nothing has to be held open.
        let chosen = ChosenFile::choose_path(path)
            .map_err(|error| BenchError::Invalid(error.to_string()))?;
        self.ada.order(ExchangeOrder::Offer { key: 1, chosen: Arc::new(chosen) });
        Ok(())
    }

    /// Passes frames on and takes what is offered, until `done` says so of a report of either
    /// side.
    fn until(&self, mut done: impl FnMut(bool, &Report) -> bool) -> Outcome<()> {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok((sends, report)) = self.reports.recv_timeout(left) else {
                return Err(BenchError::Invalid("it took too long".into()));
            };
            if done(sends, &report) {
                return Ok(());
            }
            let (own, other) = if sends { (&self.ada, &self.bea) } else { (&self.bea, &self.ada) };
            match report {
                Report::Frame(frame) => other.order(ExchangeOrder::Frame(frame)),
                Report::Offered(offer) => {
                    own.order(ExchangeOrder::Take { transfer: offer.transfer, folder: None });
                }
                Report::Failed { reason, .. } => return Err(BenchError::Invalid(reason)),
                _ => {}
            }
        }
    }
}

/// A file from offer to receipt.
struct Whole<'a> {
    ground: &'a Ground,
    into: PathBuf,
    pair: Pair,
}

impl<'a> Whole<'a> {
    fn begin(ground: &'a Ground) -> Outcome<Self> {
        let into = ground.folder().join("in");
        fs::create_dir_all(&into).context("make a folder")?;
        let pair = Pair::new(&into, None)?;
        Ok(Self { ground, into, pair })
    }

    fn run(&mut self) -> Outcome<()> {
        self.pair.offer(&self.ground.source())?;
        self.pair.until(|sends, report| sends && matches!(report, Report::Sent { .. }))
    }

    fn end(self) -> Outcome<()> {
        self.ground.check_and_remove(&self.into.join("source"))
    }
}

fn matou(ground: &Ground) -> Outcome<Figures> {
    let mut file = Whole::begin(ground)?;
    let (begin, before) = (Instant::now(), cpu(UsageWho::RUSAGE_SELF)?);
    file.run()?;
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = cpu(UsageWho::RUSAGE_SELF)? - before;
    file.end()?;
    Ok(ground.figures(seconds, cpu))
}

fn folder(root: &Path) -> Outcome<Figures> {
    let into = root.with_file_name("copy");
    fs::create_dir_all(&into).context("make a folder")?;
    let pair = Pair::new(&into, None)?;
    let begin = Instant::now();
    pair.offer(root)?;
    pair.until(|sends, report| sends && matches!(report, Report::Sent { .. }))?;
    let seconds = begin.elapsed().as_secs_f64();
    let there = fs::read_dir(into.join("many")).context("look at the copy")?.count();
    fs::remove_dir_all(&into).context("remove the copy")?;
    if there != FILES {
        return Err(BenchError::Invalid(format!("{there} files came")));
    }
    Ok(super::files_per_second(FILES, seconds))
}

/// A file that was cut at nine tenths: from the offer until bytes move, against hashing what is there.
fn resume(ground: &Ground) -> Outcome<Figures> {
    let into = ground.folder().join("in");
    fs::create_dir_all(&into).context("make a folder")?;
    let cut = ground.size() / 10 * 9;
    // Progress is reported a few times a second: fast, the file would be whole before it is cut.
    let first = Pair::new(&into, Some(400_000_000))?;
    first.offer(&ground.source())?;
    first.until(|sends, report| {
        let reached = matches!(report, Report::Moved { moved, .. } if !sends && moved.bytes >= cut);
        if reached {
            first.ada.order(ExchangeOrder::Close);
        }
        reached
    })?;
    drop(first);
    let part = into.join("source.part");
    let there = fs::metadata(&part).context("look at the part")?.len();
    File::options().write(true).open(&part).and_then(|part| part.set_len(cut)).context("cut")?;
    let pair = Pair::new(&into, None)?;
    let begin = Instant::now();
    pair.offer(&ground.source())?;
    let mut moving = Duration::ZERO;
    pair.until(|sends, report| {
        if moving.is_zero() && matches!(report, Report::Moved { .. }) && !sends {
            moving = begin.elapsed();
        }
        sends && matches!(report, Report::Sent { .. })
    })?;
    let copy = into.join("source");
    let hashing = Instant::now();
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(&copy).context("open the copy")?.take(cut);
    io::copy(&mut file, &mut hasher).context("hash the copy")?;
    let hashing = hashing.elapsed();
    ground.check_and_remove(&copy)?;
    let mut figures = Figures::default();
    figures.set("resumed_s", moving.as_secs_f64());
    figures.set("hash_s", hashing.as_secs_f64());
    figures.set("there_mib", there as f64 / MIB as f64);
    Ok(figures)
}
