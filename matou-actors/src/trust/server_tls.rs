//! The server's side of one encrypted connection, as bytes in and bytes out.
//!
//! The unbuffered API of `rustls` does the handshake, `records` everything after it: an idle connection
//! holds only its keys, and there may be ten thousand of them.

use std::sync::Arc;

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, InsufficientSizeError, UnbufferedStatus,
};
use rustls::{Error, ServerConfig};

use super::exporter::{Exported, ExporterSlot};
use super::records::{MAX_RECORD, Records, Sealing};
use super::tls::{Alpn, TlsError, peer_key};
use crate::protocol::v2::PublicKey;

/// What a record adds to its plain bytes, including a preceding key update.
pub(crate) const RECORD_OVERHEAD: usize = 64;
/// The most bytes of an incomplete record or handshake message.
const MAX_INCOMING: usize = 2 * MAX_RECORD;

/// The state of a connection, with input not yet processed and output not yet sent.
pub(crate) struct ServerTls {
    state: State,
    /// The key that the client has proved, once the handshake is done.
    client: Option<Result<PublicKey, TlsError>>,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    exporter: Exporter,
}

enum State {
    Handshake(Box<UnbufferedServerConnection>),
    Open(Box<Records>),
    /// The handshake has failed.
    Broken,
}

/// The exporter secret with which the client proves the password.
enum Exporter {
    /// There is no password, or it is already proved.
    Unused,
    /// The handshake is not complete yet.
    Awaited(Arc<ExporterSlot>),
    Known(Box<Exported>),
}

impl ServerTls {
    /// A connection whose exporter secret is taken from `exporters`, the key log of `config`.
    pub(crate) fn new(
        config: Arc<ServerConfig>,
        exporters: Option<Arc<ExporterSlot>>,
    ) -> Result<Self, Error> {
        let connection = UnbufferedServerConnection::new(config)?;
        let exporter = exporters.map_or(Exporter::Unused, Exporter::Awaited);
        let (incoming, outgoing) = (Vec::new(), Vec::new());
        let state = State::Handshake(Box::new(connection));
        Ok(Self { state, client: None, incoming, outgoing, exporter })
    }

    /// Processes bytes from the client, and appends their plain text to `plaintext`. After an
    /// error [`Self::outgoing`] holds the alert for the client.
    pub(crate) fn receive(
        &mut self,
        fresh: &mut [u8],
        plaintext: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let received = self.receive_records(fresh, plaintext);
        if let Exporter::Awaited(exporters) = &self.exporter
            && let Some(exported) = exporters.take()
        {
            self.exporter = Exporter::Known(Box::new(exported));
        }
        received
    }

    fn receive_records(&mut self, fresh: &mut [u8], plaintext: &mut Vec<u8>) -> Result<(), Error> {
        if self.incoming.is_empty() {
            let used = self.process(fresh, plaintext)?;
            self.incoming.extend_from_slice(fresh.get(used..).unwrap_or_default());
        } else {
            self.incoming.extend_from_slice(fresh);
            let mut incoming = std::mem::take(&mut self.incoming);
            let used = self.process(&mut incoming, plaintext)?;
            incoming.drain(..used.min(incoming.len()));
            if !incoming.is_empty() {
                self.incoming = incoming;
            }
        }
        if self.incoming.len() > MAX_INCOMING {
            return Err(Error::General("a handshake message has no end".into()));
        }
        Ok(())
    }

    /// Prepares to encrypt data that is sent after [`Self::outgoing`]. Its buffer needs
    /// [`RECORD_OVERHEAD`] extra bytes for each record of [`MAX_RECORD`].
    pub(crate) fn sealing(&mut self) -> Result<Sealing<'_>, Error> {
        match &mut self.state {
            State::Open(records) => records.sealing(),
            State::Handshake(_) | State::Broken => Err(Error::HandshakeNotComplete),
        }
    }

    /// Closes the stream to the client.
    pub(crate) fn close(&mut self) -> Result<(), Error> {
        match &mut self.state {
            State::Open(records) => records.close(&mut self.outgoing),
            State::Handshake(_) | State::Broken => Err(Error::HandshakeNotComplete),
        }
    }

    /// Keeps encrypted bytes that could not be sent yet.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        self.outgoing.extend_from_slice(bytes);
    }

    /// Encrypted bytes that are still to be sent.
    pub(crate) fn outgoing(&self) -> &[u8] {
        &self.outgoing
    }

    /// The first `count` bytes of [`Self::outgoing`] were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        if count >= self.outgoing.len() {
            // An idle connection keeps no buffer.
            self.outgoing = Vec::new();
        } else {
            self.outgoing.drain(..count);
        }
    }

    /// Whether the client has closed its stream with `close_notify`.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(&self.state, State::Open(records) if records.has_ended())
    }

    /// The key that the client has proved; `None` during the handshake.
    pub(crate) fn client_key(&self) -> Option<Result<PublicKey, TlsError>> {
        self.client.clone()
    }

    /// The exporter secret, once the handshake is done.
    pub(crate) fn exporter(&self) -> Option<&[u8; 32]> {
        match &self.exporter {
            Exporter::Known(exported) => Some(exported),
            Exporter::Unused | Exporter::Awaited(_) => None,
        }
    }

    /// Drops the exporter secret once the password is proved.
    pub(crate) fn forget_exporter(&mut self) {
        self.exporter = Exporter::Unused;
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn into_records(self) -> Option<Box<Records>> {
        match self.state {
            State::Open(records) => Some(records),
            State::Handshake(_) | State::Broken => None,
        }
    }

    fn process(&mut self, input: &mut [u8], plaintext: &mut Vec<u8>) -> Result<usize, Error> {
        let used = match &mut self.state {
            State::Handshake(connection) => {
                let (used, has_ended) =
                    shake_hands(connection, input, plaintext, &mut self.outgoing)?;
                if !connection.is_handshaking() {
                    self.client = Some(peer_key(connection, Alpn::Server));
                    self.open(has_ended)?;
                }
                used
            }
            State::Open(_) => 0,
            State::Broken => return Err(Error::HandshakeNotComplete),
        };
        let State::Open(records) = &mut self.state else { return Ok(used) };
        let rest = input.get_mut(used..).unwrap_or_default();
        Ok(used + records.process(rest, plaintext, &mut self.outgoing)?)
    }

    /// The handshake is done.
    fn open(&mut self, has_ended: bool) -> Result<(), Error> {
        if let State::Handshake(connection) = std::mem::replace(&mut self.state, State::Broken) {
            self.state = State::Open(Box::new(Records::new(*connection, has_ended)?));
        }
        Ok(())
    }
}

/// Advances the handshake with `input`; returns how many bytes were consumed, and whether the client has
/// closed its stream.
fn shake_hands(
    connection: &mut UnbufferedServerConnection,
    input: &mut [u8],
    plaintext: &mut Vec<u8>,
    outgoing: &mut Vec<u8>,
) -> Result<(usize, bool), Error> {
    let (mut used, mut has_ended) = (0, false);
    loop {
        let rest = input.get_mut(used..).unwrap_or_default();
        let UnbufferedStatus { mut discard, state, .. } = connection.process_tls_records(rest);
        let state = match state {
            Ok(state) => state,
            Err(error) => {
                // If there is an alert it is produced next; otherwise the same bytes are read again, so they
                // must not be consumed.
                let rest = input.get_mut(used + discard..).unwrap_or_default();
                let alert = connection.process_tls_records(rest);
                if let Ok(ConnectionState::EncodeTlsData(mut data)) = alert.state {
                    encode(&mut data, outgoing)?;
                }
                return Err(error);
            }
        };
        let goes_on = match state {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    plaintext.extend_from_slice(record.payload);
                }
                true
            }
            ConnectionState::EncodeTlsData(mut data) => {
                encode(&mut data, outgoing)?;
                true
            }
            ConnectionState::TransmitTlsData(data) => {
                data.done();
                true
            }
            ConnectionState::PeerClosed => {
                has_ended = true;
                true
            }
            ConnectionState::BlockedHandshake
            | ConnectionState::WriteTraffic(_)
            | ConnectionState::Closed => false,
            _ => return Err(Error::General("an unexpected state".into())),
        };
        used += discard;
        if !goes_on {
            return Ok((used, has_ended));
        }
    }
}

fn encode<Data>(data: &mut EncodeTlsData<'_, Data>, outgoing: &mut Vec<u8>) -> Result<(), Error> {
    let at = outgoing.len();
    loop {
        let room = outgoing.get_mut(at..).unwrap_or_default();
        match data.encode(room) {
            Ok(written) => {
                outgoing.truncate(at + written);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                outgoing.resize(at + required_size, 0);
            }
            Err(EncodeError::AlreadyEncoded) => return Err(Error::EncryptError),
        }
    }
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (incoming, outgoing) = (self.incoming.len(), self.outgoing.len());
        write!(f, "ServerTls({incoming} bytes in, {outgoing} bytes out)")
    }
}
