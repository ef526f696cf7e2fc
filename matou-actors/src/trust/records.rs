//! The records of the server's side of a connection behind its handshake (RFC 8446, sections 4.6.3, 5
//! and 6).
//!
//! `rustls` does the handshake and derives every key. Its own record layer needs several times as much
//! memory for an idle client, and copies everything twice; here data is encrypted straight from the
//! room's log into the send buffer. A connection stores only the raw keys: an expanded cipher takes
//! 1.6 kB, and expanding it again a tenth of a microsecond.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;

use aws_lc_rs::aead::{
    AES_128_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use rustls::crypto::cipher::{AeadKey, Iv, Nonce as RecordNonce};
use rustls::kernel::KernelConnection;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::{AlertDescription, ConnectionTrafficSecrets, Error};

/// The most plain bytes of a record (section 5.1).
pub(crate) const MAX_RECORD: usize = 16 * 1024;
/// The most encrypted ones (section 5.2).
const MAX_ENCRYPTED: usize = MAX_RECORD + 256;
/// Type, version and length.
const HEADER: usize = 5;
const TAG: usize = 16;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

const WARNING: u8 = 1;
const FATAL: u8 = 2;
/// `KeyUpdate` that asks for none in return.
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];
/// `KeyUpdate` that asks for one in return.
const KEY_UPDATE_REQUEST: [u8; 5] = [24, 0, 0, 1, 1];

/// The most records under one key: half of what is safe for AES-GCM (section 5.5).
const MAX_RECORDS: u64 = 1 << 23;
/// The most consecutive records without data.
const MAX_IDLE: u8 = 32;

/// The keys of both directions.
pub(super) struct Records {
    connection: KernelConnection<ServerConnectionData>,
    sending: Keys,
    receiving: Keys,
    idle: u8,
    has_ended: bool,
}

/// The key of one direction.
struct Keys {
    algorithm: &'static Algorithm,
    key: AeadKey,
    iv: Iv,
    sequence: u64,
}

/// Encrypts records with a cipher that was expanded once.
pub(crate) struct Sealing<'a> {
    records: &'a mut Records,
    cipher: LessSafeKey,
}

/// What is wrong with the input: the alert for the client, and the error for the log.
struct Violation(AlertDescription, Error);

impl Records {
    /// Takes over from `connection` after its handshake; the client may already have closed its side.
    pub(super) fn new(
        connection: UnbufferedServerConnection,
        has_ended: bool,
    ) -> Result<Self, Error> {
        let (secrets, connection) = connection.dangerous_into_kernel_connection()?;
        let (sending, receiving) = (Keys::new(secrets.tx)?, Keys::new(secrets.rx)?);
        Ok(Self { connection, sending, receiving, idle: 0, has_ended })
    }

    /// Whether the client has closed its stream with `close_notify`.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Expands the sending key.
    pub(super) fn sealing(&mut self) -> Result<Sealing<'_>, Error> {
        let cipher = self.sending.cipher()?;
        Ok(Sealing { records: self, cipher })
    }

    /// Closes the stream to the client.
    pub(super) fn close(&mut self, outgoing: &mut Vec<u8>) -> Result<(), Error> {
        self.alert(WARNING, AlertDescription::CloseNotify, outgoing)
    }

    /// Decrypts the complete records in `input` into `plaintext`, and appends replies to `outgoing`;
    /// returns how many bytes were consumed.
    pub(super) fn process(
        &mut self,
        input: &mut [u8],
        plaintext: &mut Vec<u8>,
        outgoing: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        let (mut used, mut cipher) = (0, None);
        loop {
            if self.has_ended {
                // Data after the end is ignored.
                return Ok(input.len());
            }
            let rest = input.get_mut(used..).unwrap_or_default();
            match self.process_one(rest, &mut cipher, plaintext, outgoing) {
                Ok(0) => return Ok(used),
                Ok(length) => used += length,
                Err(Violation(alert, error)) => {
                    if !matches!(error, Error::AlertReceived(_)) {
                        self.alert(FATAL, alert, outgoing)?;
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Processes the first record; returns its length, or 0 if it is incomplete. `cipher` is reused from
    /// one record to the next.
    fn process_one(
        &mut self,
        input: &mut [u8],
        cipher: &mut Option<LessSafeKey>,
        plaintext: &mut Vec<u8>,
        outgoing: &mut Vec<u8>,
    ) -> Result<usize, Violation> {
        let Some((header, rest)) = input.split_first_chunk_mut::<HEADER>() else { return Ok(0) };
        let [kind, _, _, l0, l1] = *header;
        if kind != APPLICATION_DATA {
            return Err(unexpected("a record is not encrypted"));
        }
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length > MAX_ENCRYPTED {
            return Err(overflow());
        }
        let Some(body) = rest.get_mut(..length) else { return Ok(0) };
        let ready = match cipher {
            Some(ready) => ready,
            None => cipher.insert(self.receiving.cipher().map_err(internal)?),
        };
        let (kind, content) = self.receiving.open(ready, *header, body)?;
        let is_data = kind == APPLICATION_DATA && !content.is_empty();
        self.idle = if is_data { 0 } else { self.idle + 1 };
        if self.idle > MAX_IDLE {
            return Err(unexpected("many records without data"));
        }
        match (kind, content) {
            (APPLICATION_DATA, data) => plaintext.extend_from_slice(data),
            (ALERT, alert) => self.take_alert(alert)?,
            (HANDSHAKE, message) if message == KEY_UPDATE => {
                self.update_receiving()?;
                *cipher = None;
            }
            (HANDSHAKE, message) if message == KEY_UPDATE_REQUEST => {
                self.update_receiving()?;
                *cipher = None;
                self.answer_update(outgoing).map_err(internal)?;
            }
            _ => return Err(unexpected("a record is neither data nor an update of the key")),
        }
        Ok(HEADER + length)
    }

    fn take_alert(&mut self, alert: &[u8]) -> Result<(), Violation> {
        let &[_, code] = alert else { return Err(unexpected("an alert of another length")) };
        match AlertDescription::from(code) {
            AlertDescription::CloseNotify => self.has_ended = true,
            // It only announces a CloseNotify.
            AlertDescription::UserCanceled => {}
            alert => return Err(Violation(alert, Error::AlertReceived(alert))),
        }
        Ok(())
    }

    fn alert(
        &mut self,
        level: u8,
        alert: AlertDescription,
        outgoing: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.sending.append(ALERT, &[level, alert.into()], outgoing)
    }

    fn update_receiving(&mut self) -> Result<(), Violation> {
        let secrets = self.connection.update_rx_secret().map_err(internal)?;
        self.receiving = Keys::new(secrets).map_err(internal)?;
        Ok(())
    }

    fn answer_update(&mut self, outgoing: &mut Vec<u8>) -> Result<(), Error> {
        self.sending.append(HANDSHAKE, &KEY_UPDATE, outgoing)?;
        self.sending = Keys::new(self.connection.update_tx_secret()?)?;
        Ok(())
    }
}

impl Sealing<'_> {
    /// Encrypts `plaintext` into `room`; returns how many bytes were written.
    pub(crate) fn encrypt(&mut self, plaintext: &[u8], room: &mut [u8]) -> Result<usize, Error> {
        let mut written = 0;
        for run in plaintext.chunks(MAX_RECORD) {
            if self.records.sending.sequence >= MAX_RECORDS {
                written += self.update(room.get_mut(written..).unwrap_or_default())?;
            }
            let room = room.get_mut(written..).unwrap_or_default();
            written += self.records.sending.seal(&self.cipher, APPLICATION_DATA, run, room)?;
        }
        Ok(written)
    }

    /// Switches to a new key, which it announces in `room`; returns how many bytes were written.
    fn update(&mut self, room: &mut [u8]) -> Result<usize, Error> {
        let Records { connection, sending, .. } = &mut *self.records;
        let written = sending.seal(&self.cipher, HANDSHAKE, &KEY_UPDATE, room)?;
        *sending = Keys::new(connection.update_tx_secret()?)?;
        self.cipher = sending.cipher()?;
        Ok(written)
    }
}

impl Keys {
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Result<Self, Error> {
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(Error::General("a cipher suite that was never offered".into())),
        };
        Ok(Self { algorithm, key, iv, sequence })
    }

    /// Expands the key into a cipher.
    fn cipher(&self) -> Result<LessSafeKey, Error> {
        let key = UnboundKey::new(self.algorithm, self.key.as_ref());
        let key = key.map_err(|_| Error::General("a key of another length".into()))?;
        Ok(LessSafeKey::new(key))
    }

    /// The nonce of the next record; each is used only once.
    fn nonce(&mut self) -> Option<Nonce> {
        let nonce = RecordNonce::new(&self.iv, self.sequence);
        self.sequence = self.sequence.checked_add(1)?;
        Some(Nonce::assume_unique_for_key(nonce.0))
    }

    /// Writes a record to the front of `room`; returns its length.
    fn seal(
        &mut self,
        cipher: &LessSafeKey,
        kind: u8,
        content: &[u8],
        room: &mut [u8],
    ) -> Result<usize, Error> {
        let length = content.len() + 1 + TAG;
        let header = header(length)?;
        let record = room.get_mut(..HEADER + length).ok_or(Error::EncryptError)?;
        let (front, body) = record.split_at_mut(HEADER);
        front.copy_from_slice(&header);
        let (encrypted, kind_and_tag) = body.split_at_mut(content.len());
        let nonce = self.nonce().ok_or(Error::EncryptError)?;
        let sealed = cipher.seal_out_of_place_scatter(
            nonce,
            Aad::from(header),
            content,
            encrypted,
            &[kind],
            kind_and_tag,
        );
        sealed.map_err(|_| Error::EncryptError)?;
        Ok(HEADER + length)
    }

    /// Appends a record to `outgoing`.
    fn append(&mut self, kind: u8, content: &[u8], outgoing: &mut Vec<u8>) -> Result<(), Error> {
        let (at, cipher) = (outgoing.len(), self.cipher()?);
        outgoing.resize(at + HEADER + content.len() + 1 + TAG, 0);
        self.seal(&cipher, kind, content, outgoing.get_mut(at..).unwrap_or_default()).map(drop)
    }

    /// Decrypts the body of a record; returns its inner type and its content without padding.
    fn open<'a>(
        &mut self,
        cipher: &LessSafeKey,
        header: [u8; HEADER],
        body: &'a mut [u8],
    ) -> Result<(u8, &'a [u8]), Violation> {
        let broken = || Violation(AlertDescription::BadRecordMac, Error::DecryptError);
        let nonce = self.nonce().ok_or_else(broken)?;
        let plain = cipher.open_in_place(nonce, Aad::from(header), body);
        let plain = plain.map_err(|_| broken())?;
        if plain.len() > MAX_RECORD + 1 {
            return Err(overflow());
        }
        let end = plain.iter().rposition(|byte| *byte != 0);
        match end.and_then(|end| plain.get(..=end)?.split_last()) {
            Some((kind, content)) => Ok((*kind, content)),
            None => Err(unexpected("a record without a type")),
        }
    }
}

fn header(length: usize) -> Result<[u8; HEADER], Error> {
    let length = u16::try_from(length).map_err(|_| Error::EncryptError)?;
    let [l0, l1] = length.to_be_bytes();
    Ok([APPLICATION_DATA, 3, 3, l0, l1])
}

fn unexpected(what: &str) -> Violation {
    Violation(AlertDescription::UnexpectedMessage, Error::General(what.into()))
}

fn overflow() -> Violation {
    Violation(AlertDescription::RecordOverflow, Error::PeerSentOversizedRecord)
}

fn internal(error: Error) -> Violation {
    Violation(AlertDescription::InternalError, error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::ClientConnection;
    use rustls::pki_types::ServerName;

    use super::*;
    use crate::trust::{
        Alpn, ExpectedKey, Identity, KeyExchange, RECORD_OVERHEAD, ServerTls, client_config,
        server_config,
    };

    /// A client of `rustls` and the records of the server behind their handshake.
    struct Pair {
        client: ClientConnection,
        records: Records,
    }

    fn pair() -> Pair {
        let (ada, server) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let client = client_config(&ada, ExpectedKey::Any, Alpn::Server, KeyExchange::Classic);
        let server = server_config(&server, ExpectedKey::Any, Alpn::Server).unwrap();
        let name = ServerName::try_from("matou").unwrap();
        let mut client = ClientConnection::new(Arc::new(client.unwrap()), name).unwrap();
        let mut server = ServerTls::new(Arc::new(server), None).unwrap();
        while server.client_key().is_none() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.receive(&mut bytes, &mut Vec::new()).unwrap();
            read(&mut client, server.outgoing()).unwrap();
            server.sent(usize::MAX);
        }
        let records = *server.into_records().unwrap();
        Pair { client, records }
    }

    fn read(client: &mut ClientConnection, mut bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let mut plaintext = Vec::new();
        while !bytes.is_empty() {
            client.read_tls(&mut bytes).unwrap();
            let state = client.process_new_packets()?;
            let at = plaintext.len();
            plaintext.resize(at + state.plaintext_bytes_to_read(), 0);
            std::io::Read::read_exact(&mut client.reader(), &mut plaintext[at..]).unwrap();
        }
        Ok(plaintext)
    }

    impl Pair {
        /// What the client sends, as the server reads it; the answer goes to the client.
        fn receive(&mut self, cut: usize) -> Result<Vec<u8>, Error> {
            let (mut bytes, mut plaintext, mut outgoing) = (Vec::new(), Vec::new(), Vec::new());
            while self.client.wants_write() {
                self.client.write_tls(&mut bytes).unwrap();
            }
            let mut waiting = Vec::new();
            for run in bytes.chunks(cut) {
                waiting.extend_from_slice(run);
                let used = self.records.process(&mut waiting, &mut plaintext, &mut outgoing);
                waiting.drain(..used?);
            }
            assert!(waiting.is_empty());
            read(&mut self.client, &outgoing)?;
            Ok(plaintext)
        }

        fn send(&mut self, plaintext: &[u8]) -> Vec<u8> {
            let records = plaintext.len().div_ceil(MAX_RECORD);
            let mut room = vec![0; plaintext.len() + records * RECORD_OVERHEAD];
            let written = self.records.sealing().unwrap().encrypt(plaintext, &mut room).unwrap();
            read(&mut self.client, &room[..written]).unwrap()
        }

        fn say(&mut self, plaintext: &[u8]) {
            std::io::Write::write_all(&mut self.client.writer(), plaintext).unwrap();
        }
    }

    #[test]
    fn data_passes_both_ways_however_it_is_cut() {
        let mut pair = pair();
        for length in [1, 100, MAX_RECORD, MAX_RECORD + 1, 3 * MAX_RECORD + 7] {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            assert_eq!(pair.send(&bytes), bytes);
            for cut in [1, 5, 1000, usize::MAX] {
                pair.say(&bytes);
                assert!(pair.receive(cut).unwrap() == bytes);
            }
        }
    }

    #[test]
    fn keys_are_updated_when_the_client_asks_for_it_and_before_they_are_used_up() {
        let mut pair = pair();
        for _ in 0..3 {
            pair.client.refresh_traffic_keys().unwrap();
            pair.say(b"hello");
            assert_eq!(pair.receive(usize::MAX).unwrap(), b"hello");
            assert_eq!(pair.send(b"world"), b"world");
        }
        let before = pair.records.sending.iv.as_ref().to_vec();
        pair.records.sending.sequence = MAX_RECORDS;
        let mut room = [0; 200];
        // The client has not seen so many, and reads nothing of it.
        pair.records.sealing().unwrap().encrypt(b"again", &mut room).unwrap();
        assert_ne!(pair.records.sending.iv.as_ref(), before);
        assert_eq!(pair.records.sending.sequence, 1);
    }

    #[test]
    fn the_end_of_either_side_is_noticed_by_the_other() {
        let mut pair = pair();
        let mut outgoing = Vec::new();
        pair.records.close(&mut outgoing).unwrap();
        let mut bytes = &*outgoing;
        pair.client.read_tls(&mut bytes).unwrap();
        assert!(pair.client.process_new_packets().unwrap().peer_has_closed());
        pair.say(b"bye");
        pair.client.send_close_notify();
        assert_eq!(pair.receive(3).unwrap(), b"bye");
        assert!(pair.records.has_ended());
    }

    #[test]
    fn a_record_changed_in_transit_is_answered_by_an_alert() {
        for place in [0, 4, HEADER, HEADER + 3] {
            let mut pair = pair();
            pair.say(b"hello");
            let (mut bytes, mut plaintext, mut outgoing) = (Vec::new(), Vec::new(), Vec::new());
            pair.client.write_tls(&mut bytes).unwrap();
            bytes[place] ^= 1;
            bytes.push(0);
            let error = pair.records.process(&mut bytes, &mut plaintext, &mut outgoing);
            assert!(error.is_err() && plaintext.is_empty(), "{place}");
            let refused = read(&mut pair.client, &outgoing);
            assert!(matches!(refused, Err(Error::AlertReceived(_))), "{place}: {refused:?}");
        }
    }

    #[test]
    fn a_client_that_only_updates_keys_is_refused() {
        let mut pair = pair();
        let refused = (0..100).find(|_| {
            pair.client.refresh_traffic_keys().unwrap();
            pair.receive(usize::MAX).is_err()
        });
        assert_eq!(refused, Some(usize::from(MAX_IDLE)));
    }

    #[test]
    fn records_without_a_type_or_of_a_forbidden_one_are_refused() {
        for (kind, content) in [
            (0, &[0; 9][..]),
            (HANDSHAKE, &[24, 0, 0, 1, 2]),
            (HANDSHAKE, &[1, 0, 0, 0]),
            (20, &[1]),
            (ALERT, &[1]),
            (99, &[]),
        ] {
            let mut pair = pair();
            // A client whose key is known here, to make records that `rustls` would not.
            let keys = || Keys {
                algorithm: &CHACHA20_POLY1305,
                key: AeadKey::from([7; 32]),
                iv: Iv::from([1; 12]),
                sequence: 0,
            };
            let mut bytes = Vec::new();
            keys().append(kind, content, &mut bytes).unwrap();
            pair.records.receiving = keys();
            let (mut plaintext, mut outgoing) = (Vec::new(), Vec::new());
            let answered = pair.records.process(&mut bytes, &mut plaintext, &mut outgoing);
            assert!(matches!(answered, Err(Error::General(_))), "{kind}: {answered:?}");
            assert!(plaintext.is_empty() && !outgoing.is_empty());
        }
    }
}
