//! Reading and writing through TLS, over any socket.
//!
//! The queue of a client holds shared plain text until it is written: at most [`AHEAD`] bytes are
//! encrypted ahead of the socket.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::rc::Rc;

use crate::protocol::v2::PublicKey;
use crate::trust::{MAX_RECORD, RECORD_OVERHEAD, Sealing, ServerTls};

/// Plain bytes that are encrypted and sent with one system call. In a busy room one call for each
/// record would cost more than its encryption.
const AHEAD: usize = 4 * MAX_RECORD;
/// Shorter runs of plain text are merged into one record: a record costs about as much as this many
/// bytes.
const SHORT: usize = 2048;

/// The buffer for encrypted bytes, shared by the connections of an event loop.
#[derive(Debug)]
pub(super) struct RecordBuffer {
    plain: Vec<u8>,
    encrypted: Vec<u8>,
    filled: usize,
}

/// The TLS state of a connection, and decrypted bytes that have not been read yet.
#[derive(Debug)]
pub(super) struct Encryption {
    tls: ServerTls,
    records: Rc<RefCell<RecordBuffer>>,
    plaintext: Vec<u8>,
    client: Option<PublicKey>,
}

impl Encryption {
    pub(super) fn new(tls: ServerTls, records: Rc<RefCell<RecordBuffer>>) -> Self {
        Self { tls, records, plaintext: Vec::new(), client: None }
    }

    /// The key that the client has proved.
    pub(super) fn client_key(&self) -> Option<PublicKey> {
        self.client
    }

    /// The exporter secret with which the client proves the password.
    pub(super) fn exporter(&self) -> Option<&[u8; 32]> {
        self.tls.exporter()
    }

    /// Drops it once the password is proved.
    pub(super) fn forget_exporter(&mut self) {
        self.tls.forget_exporter();
    }

    pub(super) fn has_plaintext(&self) -> bool {
        !self.plaintext.is_empty()
    }

    /// Encrypted bytes that the socket has not accepted yet.
    pub(super) fn unsent(&self) -> usize {
        self.tls.outgoing().len()
    }

    /// Reads into `buffer`: what is already decrypted, or the result of one call of `receive`. TLS errors
    /// have the kind `InvalidData`; the alert is sent through `send`.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        receive: impl FnOnce(&mut [u8]) -> io::Result<usize>,
        send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.plaintext.is_empty() {
            let count = receive(buffer)?;
            if count == 0 {
                return if self.tls.has_ended() {
                    Ok(0)
                } else {
                    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "cut off"))
                };
            }
            self.take(buffer.get_mut(..count).unwrap_or_default(), send)?;
        }
        let count = self.plaintext.len().min(buffer.len());
        if count == 0 {
            return if self.tls.has_ended() {
                Ok(0)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            };
        }
        let (Some(into), Some(from)) = (buffer.get_mut(..count), self.plaintext.get(..count))
        else {
            return Ok(0);
        };
        into.copy_from_slice(from);
        if count == self.plaintext.len() {
            // An idle client keeps no buffer.
            self.plaintext = Vec::new();
        } else {
            self.plaintext.drain(..count);
        }
        Ok(count)
    }

    /// Decrypts `bytes`, and sends replies of the handshake through `send`.
    pub(super) fn take(
        &mut self,
        bytes: &mut [u8],
        send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let received = self.tls.receive(bytes, &mut self.plaintext);
        // What the socket does not accept stays in `outgoing`.
        let flushed = self.flush(send);
        received.map_err(invalid)?;
        if let Err(error) = flushed
            && error.kind() != io::ErrorKind::WouldBlock
        {
            return Err(error);
        }
        if self.client.is_none()
            && let Some(key) = self.tls.client_key()
        {
            self.client = Some(key.map_err(invalid)?);
        }
        Ok(())
    }

    /// Encrypts and sends the front of `slices`, after everything that was encrypted before; returns how
    /// many plain bytes were consumed.
    pub(super) fn write(
        &mut self,
        slices: &[IoSlice<'_>],
        mut send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.flush(&mut send)?;
        let mut records = self.records.borrow_mut();
        let taken = records.encrypt(slices, &mut self.tls).map_err(invalid)?;
        let mut rest = records.encrypted.get(..records.filled).unwrap_or_default();
        while !rest.is_empty() {
            match send(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.tls.keep(rest);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Sends what is encrypted; `WouldBlock` if the socket does not accept all of it.
    pub(super) fn flush(
        &mut self,
        mut send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        while !self.tls.outgoing().is_empty() {
            match send(self.tls.outgoing())? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => self.tls.sent(count),
            }
        }
        Ok(())
    }

    /// Closes the stream to the client as far as the socket allows.
    pub(super) fn close(&mut self, send: impl FnMut(&[u8]) -> io::Result<usize>) {
        if self.tls.close().is_ok() {
            // A client that reads nothing does not get the close_notify.
            let _ = self.flush(send);
        }
    }
}

impl RecordBuffer {
    /// Encrypts the first [`AHEAD`] bytes of `slices`; returns how many there were.
    fn encrypt(
        &mut self,
        slices: &[IoSlice<'_>],
        tls: &mut ServerTls,
    ) -> Result<usize, rustls::Error> {
        self.filled = 0;
        self.plain.clear();
        let mut taken = 0;
        let mut sealing = tls.sealing()?;
        for slice in slices {
            let slice = slice.get(..slice.len().min(AHEAD - taken)).unwrap_or_default();
            taken += slice.len();
            if slices.len() > 1 && slice.len() < SHORT {
                self.plain.extend_from_slice(slice);
            } else {
                self.encrypt_short(&mut sealing)?;
                let room = self.encrypted.get_mut(self.filled..).unwrap_or_default();
                self.filled += sealing.encrypt(slice, room)?;
            }
        }
        self.encrypt_short(&mut sealing)?;
        Ok(taken)
    }

    /// Encrypts the short runs that were merged.
    fn encrypt_short(&mut self, sealing: &mut Sealing<'_>) -> Result<(), rustls::Error> {
        let room = self.encrypted.get_mut(self.filled..).unwrap_or_default();
        self.filled += sealing.encrypt(&self.plain, room)?;
        self.plain.clear();
        Ok(())
    }
}

impl Default for RecordBuffer {
    fn default() -> Self {
        // Every other run may be a short one, which ends a record.
        let records = AHEAD / MAX_RECORD + 2 * AHEAD / SHORT + 1;
        let encrypted = vec![0; AHEAD + records * RECORD_OVERHEAD];
        Self { plain: Vec::new(), encrypted, filled: 0 }
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
