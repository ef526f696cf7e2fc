//! Files and folders of revision 2 against a bare loop of rustls and BLAKE3, and against tar over
//! the same TLS.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::UsageWho;

use matou_actors::exchange::{
    EncryptedStream, Exchange, Order, RateLimit, Report, Settings, start,
};
use matou_actors::transfer::{ChosenFile, Downloads};
use matou_actors::trust::{Alpn, ExpectedKey, Identity, KeyExchange, client_config, server_config};
use rustls::Connection;
use rustls::pki_types::ServerName;

use super::{Ground, MIB, cpu, message, note};
use crate::error::{BenchError, Context, Outcome};
use crate::scenario::Figures;
use crate::session::Session;

/// Bytes that a bare loop reads, hashes and encrypts at once, as DATA holds.
const RUN: usize = 61_440;
const READ: usize = 64 * 1024;
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
        note(session, "secure-folder", "tar over rustls", round, tar(&root));
        note(session, "secure-folder", "matou", round, folder(&root));
        note(session, "secure-resume", "matou", round, resume(&ground));
        let bare = message::during(|| again_and_again(|| bare(&ground)));
        note(session, "secure-latency", "bare rustls and BLAKE3", round, bare);
        let matou = message::during(|| again_and_again(|| matou(&ground)));
        note(session, "secure-latency", "matou", round, matou);
    }
    Ok(())
}

/// Moves a file until there are enough messages for a percentile.
fn again_and_again(file: impl Fn() -> Outcome<Figures>) -> Outcome<()> {
    let begin = Instant::now();
    while begin.elapsed() < LATENCY {
        file()?;
    }
    Ok(())
}

/// Two ends of an encrypted connection, behind the handshake.
fn pair() -> Outcome<(EncryptedStream, EncryptedStream)> {
    let failed = |what: &str| BenchError::Invalid(format!("no TLS: {what}"));
    let (ada, bea) = (identity()?, identity()?);
    let listener = TcpListener::bind("127.0.0.1:0").context("listen")?;
    let address = listener.local_addr().context("listen")?;
    let client = client_config(
        &ada,
        ExpectedKey::Exactly(bea.public_key()),
        Alpn::File,
        KeyExchange::Hybrid,
    );
    let client = client.map_err(|error| failed(&error.to_string()))?;
    let server = server_config(&bea, ExpectedKey::Exactly(ada.public_key()), Alpn::File);
    let server = server.map_err(|error| failed(&error.to_string()))?;
    let name = ServerName::try_from("matou").map_err(|error| failed(&error.to_string()))?;
    let client = rustls::ClientConnection::new(Arc::new(client), name);
    let mut client = client.map_err(|error| failed(&error.to_string()))?;
    let server = rustls::ServerConnection::new(Arc::new(server));
    let mut server = server.map_err(|error| failed(&error.to_string()))?;
    let accepted = thread::spawn(move || -> io::Result<EncryptedStream> {
        let mut socket = listener.accept()?.0;
        while server.is_handshaking() {
            server.complete_io(&mut socket)?;
        }
        Ok(EncryptedStream { socket, tls: Connection::from(server) })
    });
    let mut socket = TcpStream::connect(address).context("connect")?;
    while client.is_handshaking() {
        client.complete_io(&mut socket).context("shake hands")?;
    }
    let far = accepted.join().map_err(|_| failed("the other side"))?.context("shake hands")?;
    Ok((EncryptedStream { socket, tls: Connection::from(client) }, far))
}

fn identity() -> Outcome<Identity> {
    Identity::generate().map_err(|error| BenchError::Invalid(error.to_string()))
}

/// Encrypts what `from` yields, hashing it, until its end.
fn pump_out(mut stream: EncryptedStream, mut from: impl Read) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; RUN];
    stream.tls.set_buffer_limit(None);
    loop {
        let mut filled = 0;
        while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            match from.read(room)? {
                0 => break,
                read => filled += read,
            }
        }
        let run = buffer.get(..filled).unwrap_or_default();
        hasher.update(run);
        if run.is_empty() {
            stream.tls.send_close_notify();
        } else {
            stream.tls.writer().write_all(run)?;
        }
        while stream.tls.wants_write() {
            stream.tls.write_tls(&mut stream.socket)?;
        }
        if run.is_empty() {
            return Ok(hasher.finalize());
        }
    }
}

/// Decrypts until the end, hashing what comes.
fn pump_in(mut stream: EncryptedStream, mut to: impl Write) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; READ];
    let mut plain = vec![0; 2 * READ];
    loop {
        let read = stream.socket.read(&mut buffer)?;
        let mut encrypted = buffer.get(..read).unwrap_or_default();
        while !encrypted.is_empty() {
            stream.tls.read_tls(&mut encrypted)?;
            let state = stream.tls.process_new_packets().map_err(io::Error::other)?;
            let count = state.plaintext_bytes_to_read();
            let room = plain.get_mut(..count).ok_or(io::ErrorKind::OutOfMemory)?;
            stream.tls.reader().read_exact(room)?;
            hasher.update(room);
            to.write_all(room)?;
            if state.peer_has_closed() {
                return Ok(hasher.finalize());
            }
        }
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The least that an encrypted and hashed file can cost with these libraries.
fn bare(ground: &Ground) -> Outcome<Figures> {
    let (near, far) = pair()?;
    let source = File::open(ground.source()).context("open the source")?;
    let copy = File::create(ground.copy(0)).context("make the copy")?;
    let (begin, before) = (Instant::now(), cpu(UsageWho::RUSAGE_SELF)?);
    let receiver = thread::spawn(move || pump_in(far, copy));
    let sent = pump_out(near, source).context("send")?;
    let hash = receiver.join().map_err(|_| BenchError::Invalid("it panicked".into()))?;
    let seconds = begin.elapsed().as_secs_f64();
    if hash.context("receive")? != sent {
        return Err(BenchError::Invalid("the hashes differ".into()));
    }
    let cpu = cpu(UsageWho::RUSAGE_SELF)? - before;
    ground.check_and_remove(&ground.copy(0))?;
    Ok(ground.figures(seconds, cpu))
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
        self.ada.order(Order::Offer { key: 1, chosen: Arc::new(chosen) });
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
                Report::Frame(frame) => other.order(Order::Frame(frame)),
                Report::Offered(offer) => {
                    own.order(Order::Take { transfer: offer.transfer, folder: None });
                }
                Report::Failed { reason, .. } => return Err(BenchError::Invalid(reason)),
                _ => {}
            }
        }
    }
}

fn matou(ground: &Ground) -> Outcome<Figures> {
    let into = ground.folder().join("in");
    fs::create_dir_all(&into).context("make a folder")?;
    let pair = Pair::new(&into, None)?;
    let (begin, before) = (Instant::now(), cpu(UsageWho::RUSAGE_SELF)?);
    pair.offer(&ground.source())?;
    pair.until(|sends, report| sends && matches!(report, Report::Sent { .. }))?;
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = cpu(UsageWho::RUSAGE_SELF)? - before;
    ground.check_and_remove(&into.join("source"))?;
    Ok(ground.figures(seconds, cpu))
}

/// tar, encrypted by the same library without a hash.
fn tar(root: &Path) -> Outcome<Figures> {
    let into = root.with_file_name("copy");
    fs::create_dir_all(&into).context("make a folder")?;
    let (near, far) = pair()?;
    let begin = Instant::now();
    let mut pack = Command::new("tar")
        .args(["-cf", "-", "."])
        .current_dir(root)
        .stdout(Stdio::piped())
        .spawn()
        .context("start tar")?;
    let mut unpack = Command::new("tar")
        .args(["-xf", "-"])
        .current_dir(&into)
        .stdin(Stdio::piped())
        .spawn()
        .context("start tar")?;
    let packed = pack.stdout.take().ok_or(BenchError::Invalid("tar has no output".into()))?;
    let input = unpack.stdin.take().ok_or(BenchError::Invalid("tar has no input".into()))?;
    let receiver = thread::spawn(move || pump_in(far, input));
    pump_out(near, packed).context("send")?;
    receiver.join().map_err(|_| BenchError::Invalid("it panicked".into()))?.context("receive")?;
    unpack.wait().context("wait for tar")?;
    let seconds = begin.elapsed().as_secs_f64();
    pack.wait().context("wait for tar")?;
    fs::remove_dir_all(&into).context("remove the copy")?;
    Ok(files(seconds))
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
    Ok(files(seconds))
}

fn files(seconds: f64) -> Figures {
    let mut figures = Figures::default();
    figures.set("files_per_s", FILES as f64 / seconds);
    figures
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
            first.ada.order(Order::Close);
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
