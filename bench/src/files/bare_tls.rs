//! Encrypted connections, and what the same libraries do with them without Matou: a bare loop of rustls and
//! BLAKE3, and tar.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use matou_actors::exchange::EncryptedStream;
use matou_actors::trust::{Alpn, ExpectedKey, Identity, KeyExchange, client_config, server_config};
use nix::sys::resource::UsageWho;
use rustls::Connection;
use rustls::pki_types::ServerName;

use super::{Ground, cpu};
use crate::error::{BenchError, Context, Outcome};
use crate::scenario::Figures;

/// Bytes that a bare loop reads, hashes and encrypts at once, as DATA holds.
const RUN: usize = 61_440;
const READ: usize = 64 * 1024;

/// Two ends of an encrypted connection, behind the handshake.
pub(super) fn pair() -> Outcome<(EncryptedStream, EncryptedStream)> {
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

/// The least that an encrypted and hashed file can cost with these libraries.
pub(super) struct Bare<'a> {
    ground: &'a Ground,
    ends: Option<(EncryptedStream, EncryptedStream)>,
    files: Option<(File, File)>,
}

impl<'a> Bare<'a> {
    pub(super) fn begin(ground: &'a Ground) -> Outcome<Self> {
        let source = File::open(ground.source()).context("open the source")?;
        let copy = File::create(ground.copy(0)).context("make the copy")?;
        Ok(Self { ground, ends: Some(pair()?), files: Some((source, copy)) })
    }

    pub(super) fn run(&mut self) -> Outcome<()> {
        let (ends, files) = (self.ends.take(), self.files.take());
        let Some(((near, far), (source, copy))) = ends.zip(files) else {
            return Err(BenchError::Invalid("it was moved already".into()));
        };
        let receiver = thread::spawn(move || pump_in(far, copy));
        let sent = pump_out(near, source).context("send")?;
        let hash = receiver.join().map_err(|_| BenchError::Invalid("it panicked".into()))?;
        if hash.context("receive")? != sent {
            return Err(BenchError::Invalid("the hashes differ".into()));
        }
        Ok(())
    }

    pub(super) fn end(self) -> Outcome<()> {
        self.ground.check_and_remove(&self.ground.copy(0))
    }
}

pub(super) fn bare(ground: &Ground) -> Outcome<Figures> {
    let mut file = Bare::begin(ground)?;
    let (begin, before) = (Instant::now(), cpu(UsageWho::RUSAGE_SELF)?);
    file.run()?;
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = cpu(UsageWho::RUSAGE_SELF)? - before;
    file.end()?;
    Ok(ground.figures(seconds, cpu))
}

/// tar, encrypted by the same library without a hash.
pub(super) fn tar(root: &Path, files: usize) -> Outcome<Figures> {
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
    Ok(super::files_per_second(files, seconds))
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
