//! TLS of the encrypted bare server: `rustls` shakes hands, and behind that there is a cipher for each
//! direction, kept ready.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use aws_lc_rs::aead::{
    AES_128_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use matou_actors::trust::{Alpn, ExpectedKey, Identity, server_config};
use rustls::crypto::cipher::{Iv, Nonce as RecordNonce};
use rustls::{ConnectionTrafficSecrets, ServerConfig, ServerConnection};

use crate::error::{BenchError, Outcome};

const HEADER: usize = 5;
/// Behind the content of a record: its type and the tag.
const TRAILER: usize = 1 + 16;
const MAX_RECORD: usize = 16 * 1024;
const APPLICATION_DATA: u8 = 23;
/// Plain bytes that are encrypted for one call of the kernel.
const AHEAD: usize = 4 * MAX_RECORD;

/// Accepts any key, with a new one of its own.
pub(super) fn config() -> Outcome<Arc<ServerConfig>> {
    let broken = |error: &dyn std::fmt::Display| BenchError::Invalid(error.to_string());
    let identity = Identity::generate().map_err(|error| broken(&error))?;
    let config = server_config(&identity, ExpectedKey::Any, Alpn::Server);
    Ok(Arc::new(config.map_err(|error| broken(&error))?))
}

/// The server's side of one connection.
pub(super) struct Tls {
    state: State,
    /// The front of a record whose end has not come yet.
    partial: Vec<u8>,
    /// Encrypted bytes that the kernel did not take.
    unsent: Vec<u8>,
}

enum State {
    Handshake(Box<ServerConnection>),
    Open { sending: Cipher, receiving: Cipher },
    Broken,
}

struct Cipher {
    key: LessSafeKey,
    iv: Iv,
    sequence: u64,
}

impl Tls {
    pub(super) fn new(config: &Arc<ServerConfig>) -> io::Result<Self> {
        let handshake = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        let state = State::Handshake(Box::new(handshake));
        Ok(Self { state, partial: Vec::new(), unsent: Vec::new() })
    }

    /// Reads once, and decrypts to the front of `room` what is whole.
    pub(super) fn read(&mut self, mut socket: &TcpStream, room: &mut [u8]) -> io::Result<usize> {
        let read = match socket.read(room)? {
            0 => return Ok(0),
            read => room.get(..read).unwrap_or_default(),
        };
        let mut input = std::mem::take(&mut self.partial);
        input.extend_from_slice(read);
        let (mut used, mut plain) = (0, 0);
        while let Some(record) = first_record(input.get_mut(used..).unwrap_or_default()) {
            used += record.len();
            match &mut self.state {
                State::Handshake(_) => self.shake_hands(socket, record)?,
                State::Open { receiving, .. } => {
                    let content = receiving.open(record)?;
                    let room = room.get_mut(plain..plain + content.len());
                    room.ok_or(io::ErrorKind::OutOfMemory)?.copy_from_slice(content);
                    plain += content.len();
                }
                State::Broken => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        self.partial = input.split_off(used);
        if plain == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(plain) }
    }

    fn shake_hands(&mut self, mut socket: &TcpStream, mut record: &[u8]) -> io::Result<()> {
        let State::Handshake(mut tls) = std::mem::replace(&mut self.state, State::Broken) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        tls.read_tls(&mut record)?;
        tls.process_new_packets().map_err(io::Error::other)?;
        while tls.wants_write() {
            tls.write_tls(&mut socket)?;
        }
        self.state = if tls.is_handshaking() {
            State::Handshake(tls)
        } else {
            let secrets = tls.dangerous_extract_secrets().map_err(io::Error::other)?;
            let (sending, receiving) = (Cipher::new(secrets.tx)?, Cipher::new(secrets.rx)?);
            State::Open { sending, receiving }
        };
        Ok(())
    }

    /// Writes what was encrypted before, and then the first bytes of `run`; how many of these, and
    /// whether the kernel took everything.
    pub(super) fn write(
        &mut self,
        mut socket: &TcpStream,
        run: &[u8],
        scratch: &mut Vec<u8>,
    ) -> io::Result<(usize, bool)> {
        let State::Open { sending, .. } = &mut self.state else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        if !self.unsent.is_empty() {
            let written = socket.write(&self.unsent)?;
            self.unsent.drain(..written);
            if !self.unsent.is_empty() {
                return Ok((0, false));
            }
        }
        let run = run.get(..run.len().min(AHEAD)).unwrap_or_default();
        scratch.resize(AHEAD + AHEAD / MAX_RECORD * (HEADER + TRAILER), 0);
        let mut filled = 0;
        for content in run.chunks(MAX_RECORD) {
            filled += sending.seal(content, scratch.get_mut(filled..).unwrap_or_default())?;
        }
        let encrypted = scratch.get(..filled).unwrap_or_default();
        let written = match socket.write(encrypted) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            written => written?,
        };
        self.unsent.extend_from_slice(encrypted.get(written..).unwrap_or_default());
        Ok((run.len(), self.unsent.is_empty()))
    }
}

impl Cipher {
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> io::Result<Self> {
        let (algorithm, key, iv): (&Algorithm, _, _) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        let key = UnboundKey::new(algorithm, key.as_ref()).map_err(io::Error::other)?;
        Ok(Self { key: LessSafeKey::new(key), iv, sequence })
    }

    fn nonce(&mut self) -> Nonce {
        let nonce = RecordNonce::new(&self.iv, self.sequence);
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce.0)
    }

    /// Writes a record to the front of `room`; how many bytes it has.
    fn seal(&mut self, content: &[u8], room: &mut [u8]) -> io::Result<usize> {
        let length = content.len() + TRAILER;
        let [l0, l1] = u16::try_from(length).map_err(io::Error::other)?.to_be_bytes();
        let header = [APPLICATION_DATA, 3, 3, l0, l1];
        let record = room.get_mut(..HEADER + length).ok_or(io::ErrorKind::OutOfMemory)?;
        let (front, body) = record.split_at_mut(HEADER);
        front.copy_from_slice(&header);
        let (encrypted, trailer) = body.split_at_mut(content.len());
        let (nonce, kind) = (self.nonce(), [APPLICATION_DATA]);
        let sealed = self.key.seal_out_of_place_scatter(
            nonce,
            Aad::from(header),
            content,
            encrypted,
            &kind,
            trailer,
        );
        sealed.map_err(io::Error::other)?;
        Ok(HEADER + length)
    }

    /// Decrypts a record; its content.
    fn open<'a>(&mut self, record: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let (header, body) =
            record.split_first_chunk_mut::<HEADER>().ok_or(io::ErrorKind::InvalidData)?;
        let nonce = self.nonce();
        let plain = self.key.open_in_place(nonce, Aad::from(*header), body);
        match plain.map_err(io::Error::other)?.split_last() {
            Some((&APPLICATION_DATA, content)) => Ok(content),
            // The generator pads nothing, and updates no key.
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn first_record(input: &mut [u8]) -> Option<&mut [u8]> {
    let &[_, _, _, l0, l1] = input.first_chunk::<HEADER>()?;
    input.get_mut(..HEADER + usize::from(u16::from_be_bytes([l0, l1])))
}
