//! What a client sends behind its handshake, of any content and broken in any way, beside a model of
//! what it means; and first bytes that may be a handshake.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test, which panics when a promise is broken"
)]

use std::cell::RefCell;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConfig};

use super::{
    ALERT, APPLICATION_DATA, HANDSHAKE, HEADER, KEY_UPDATE, KEY_UPDATE_REQUEST, Keys, MAX_IDLE,
    MAX_RECORD, Records,
};
use crate::fuzzing::Choices;
use crate::trust::{
    Alpn, ExpectedKey, Identity, KeyExchange, ServerTls, client_config, server_config,
};

/// Codes of alerts (RFC 8446, section 6).
const CLOSE_NOTIFY: u8 = 0;
const USER_CANCELED: u8 = 90;
/// More than a handshake is answered by.
const LONGEST_ANSWER: usize = 16 * 1024;

thread_local! {
    static SERVER: Arc<ServerConfig> = {
        let identity = Identity::generate().unwrap();
        Arc::new(server_config(&identity, ExpectedKey::Any, Alpn::Server).unwrap())
    };
    static CLIENT: Identity = Identity::generate().unwrap();
    // A handshake takes much longer than what follows it.
    static HELLO: Vec<u8> = {
        let mut hello = Vec::new();
        client(KeyExchange::Classic).write_tls(&mut hello).unwrap();
        hello
    };
    static PAIR: RefCell<Option<(Keys, Records)>> = const { RefCell::new(None) };
}

/// What the records that were sent mean.
#[derive(Default)]
struct Model {
    said: Vec<u8>,
    idle: u8,
    /// The client has gone on to keys that are not those of what follows.
    updated: bool,
    ended: bool,
    broken: bool,
}

/// Nothing but what was said comes out of the records, up to the first that is wrong.
pub fn tls_records(bytes: &[u8]) {
    let (mut sending, mut records) = PAIR.with(RefCell::take).unwrap_or_else(pair);
    let begin = (sending.sequence, records.receiving.sequence, records.sending.sequence);
    let (mut choices, mut model, mut wire) = (Choices::new(bytes), Model::default(), Vec::new());
    let piece = 1 + choices.below(256).unwrap_or(0) * 64;
    while let Some((kind, content)) = record(&mut choices) {
        let at = wire.len();
        if sending.append(kind, &content, &mut wire).is_err() {
            // It is too long for a record.
            continue;
        }
        let is_broken = choices.byte().is_some_and(|byte| byte > 0xf0);
        if is_broken {
            let place = choices.below(wire.len() - at - HEADER).unwrap_or(0);
            wire[at + HEADER + place] ^= 1;
        }
        model.receives(kind, &content, is_broken);
    }
    let (mut plaintext, mut outgoing, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    let mut failure = None;
    for run in wire.chunks(piece) {
        waiting.extend_from_slice(run);
        match records.process(&mut waiting, &mut plaintext, &mut outgoing) {
            Ok(used) => {
                waiting.drain(..used);
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    assert_eq!(failure.is_some(), model.broken, "{failure:?}");
    assert_eq!(records.has_ended(), model.ended && !model.broken);
    assert!(plaintext == model.said, "what was said, and nothing else");
    while let Some((header, rest)) = outgoing.split_first_chunk::<HEADER>() {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        assert_eq!(header[0], APPLICATION_DATA);
        outgoing = rest[length..].to_vec();
    }
    // Back to what they were behind the handshake, unless they have other keys now.
    if !model.updated {
        (sending.sequence, records.receiving.sequence, records.sending.sequence) = begin;
        (records.idle, records.has_ended) = (0, false);
        PAIR.set(Some((sending, records)));
    }
}

/// First bytes of a client: no handshake is done by them, and their answer is bounded.
pub fn tls_hello(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let piece = 1 + choices.below(256).unwrap_or(0) * 16;
    let mut hello = if choices.byte().is_some_and(|byte| byte % 2 == 0) {
        patched(&mut choices)
    } else {
        choices.rest().to_vec()
    };
    let mut tls = ServerTls::new(SERVER.with(Arc::clone), None).unwrap();
    let mut plaintext = Vec::new();
    for run in hello.chunks_mut(piece) {
        if tls.receive(run, &mut plaintext).is_err() {
            break;
        }
    }
    assert!(plaintext.is_empty() && tls.client_key().is_none());
    assert!(tls.outgoing().len() < LONGEST_ANSWER);
}

/// A real hello with some bytes replaced, removed or repeated.
fn patched(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut hello = HELLO.with(Clone::clone);
    while let Some(at) = choices.byte().zip(choices.byte()).map(|it| u16::from_be_bytes(it.into()))
    {
        let at = usize::from(at) % hello.len().max(1);
        match (choices.below(4), choices.byte()) {
            (Some(0), Some(byte)) => hello.insert(at, byte),
            (Some(1), Some(_)) if !hello.is_empty() => drop(hello.remove(at)),
            (Some(_), Some(byte)) if !hello.is_empty() => hello[at] = byte,
            _ => {}
        }
    }
    hello
}

/// The type and the content of the next record.
fn record(choices: &mut Choices<'_>) -> Option<(u8, Vec<u8>)> {
    Some(match choices.below(10)? {
        0..=3 => {
            let (length, byte) = (choices.below(256)?, choices.byte()?);
            (APPLICATION_DATA, vec![byte; length])
        }
        4 => (ALERT, vec![choices.byte()?, [CLOSE_NOTIFY, USER_CANCELED][choices.below(2)?]]),
        5 => (HANDSHAKE, [KEY_UPDATE, KEY_UPDATE_REQUEST][choices.below(2)?].to_vec()),
        // About as long as a record may be.
        6 => (APPLICATION_DATA, vec![choices.byte()?; MAX_RECORD - 128 + choices.below(256)?]),
        _ => {
            let (kind, length) = (choices.byte()?, choices.below(8)?);
            (kind, (0..length).map_while(|_| choices.byte()).collect())
        }
    })
}

impl Model {
    fn receives(&mut self, kind: u8, content: &[u8], is_broken: bool) {
        if self.ended || self.broken {
            return;
        }
        let inner = [content, &[kind]].concat();
        // Zeros at the end are padding (section 5.4).
        let length = inner.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let Some((kind, content)) = inner[..length].split_last() else {
            self.broken = true;
            return;
        };
        self.broken = is_broken || self.updated || inner.len() > MAX_RECORD + 1;
        if self.broken {
            return;
        }
        let is_data = *kind == APPLICATION_DATA && !content.is_empty();
        self.idle = if is_data { 0 } else { self.idle + 1 };
        match (*kind, content) {
            _ if self.idle > MAX_IDLE => self.broken = true,
            (APPLICATION_DATA, data) => self.said.extend_from_slice(data),
            (ALERT, [_, CLOSE_NOTIFY]) => self.ended = true,
            (ALERT, [_, USER_CANCELED]) => {}
            (HANDSHAKE, update) if update == KEY_UPDATE || update == KEY_UPDATE_REQUEST => {
                self.updated = true;
            }
            _ => self.broken = true,
        }
    }
}

fn client(key_exchange: KeyExchange) -> ClientConnection {
    let config = |it: &_| client_config(it, ExpectedKey::Any, Alpn::Server, key_exchange).unwrap();
    let mut config = CLIENT.with(config);
    config.enable_secret_extraction = true;
    ClientConnection::new(Arc::new(config), ServerName::try_from("matou").unwrap()).unwrap()
}

/// The key with which a client sends, and the records of its server.
fn pair() -> (Keys, Records) {
    let mut client = client(KeyExchange::Classic);
    let mut server = ServerTls::new(SERVER.with(Arc::clone), None).unwrap();
    while server.client_key().is_none() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.receive(&mut bytes, &mut Vec::new()).unwrap();
        let mut answer = server.outgoing();
        while !answer.is_empty() {
            client.read_tls(&mut answer).unwrap();
            client.process_new_packets().unwrap();
        }
        server.sent(usize::MAX);
    }
    let keys = Keys::new(client.dangerous_extract_secrets().unwrap().tx).ok().unwrap();
    (keys, *server.into_records().unwrap())
}
