//! Reading and writing through TLS, whatever the socket is.
//!
//! What is queued for a client stays shared plain text until it is written: at most one record is
//! encrypted ahead of the socket.

use std::io;

use crate::protocol::v2::PublicKey;
use crate::trust::{MAX_RECORD, ServerTls};

/// The TLS state of a connection, and decrypted bytes that were not read yet.
#[derive(Debug)]
pub(super) struct Encryption {
    tls: ServerTls,
    plaintext: Vec<u8>,
    client: Option<PublicKey>,
}

impl Encryption {
    pub(super) fn new(tls: ServerTls) -> Self {
        Self { tls, plaintext: Vec::new(), client: None }
    }

    /// The key that the client has proved.
    pub(super) fn client_key(&self) -> Option<PublicKey> {
        self.client
    }

    /// What the connection exports for a password.
    pub(super) fn exporter(&self) -> Option<&[u8; 32]> {
        self.tls.exporter()
    }

    /// The password has been proved.
    pub(super) fn forget_exporter(&mut self) {
        self.tls.forget_exporter();
    }

    pub(super) fn has_plaintext(&self) -> bool {
        !self.plaintext.is_empty()
    }

    /// Encrypted bytes that wait for the socket.
    pub(super) fn unsent(&self) -> usize {
        self.tls.outgoing().len()
    }

    /// Reads into `buffer`: what was decrypted already, or what comes of one read by `receive`. An
    /// error of the encryption is of the kind `InvalidData`; the alert goes out by `send`.
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

    /// Decrypts `bytes`, and answers by `send` what the handshake wants.
    pub(super) fn take(
        &mut self,
        bytes: &mut [u8],
        send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let received = self.tls.receive(bytes, &mut self.plaintext);
        // What the socket does not take waits for it.
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

    /// Encrypts the front of `bytes` once nothing is left of the record before; how many bytes
    /// that were.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        mut send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.flush(&mut send)?;
        let record = bytes.get(..MAX_RECORD).unwrap_or(bytes);
        self.tls.encrypt(record).map_err(invalid)?;
        match self.flush(send) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(record.len()),
        }
    }

    /// Sends what was encrypted; `WouldBlock` when the socket does not take all of it.
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

    /// Ends the stream towards the client as well as the socket lets it.
    pub(super) fn close(&mut self, send: impl FnMut(&[u8]) -> io::Result<usize>) {
        if self.tls.close().is_ok() {
            // A client that takes nothing reads of no end.
            let _ = self.flush(send);
        }
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
