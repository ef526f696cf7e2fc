//! Reaching the server: which address, and encrypted or not.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::first_bytes::FirstBytes;
use super::handshake::{Handshake, failed, foreign, is_other_key, shake_hands};
use super::known_file;
use crate::client::api::event::{KeyStanding, LinkSecurity};
use crate::client::api::password::Password;
use crate::client::api::server_name::ServerName;
use crate::client::api::settings::EncryptionPolicy;
use crate::client::connection::sockets;
use crate::protocol::v2::PasswordProof;
use crate::trust::{
    Alpn, EXPORTER_LABEL, ExpectedKey, Fingerprint, Identity, KeyExchange, PasswordKey, peer_key,
};

/// The most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// How long a server may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Until another server is tried.
    Short,
    /// As long as it may take.
    Long,
}

impl Patience {
    /// For each address of the server.
    fn connect_timeout(self) -> Duration {
        Duration::from_secs(if self == Self::Short { 2 } else { 10 })
    }

    /// For each handshake.
    fn handshake_timeout(self) -> Duration {
        Duration::from_secs(if self == Self::Short { 2 } else { 5 })
    }
}

/// What the user wants of the connection, and knows of the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) encryption: EncryptionPolicy,
    pub(crate) known_servers: Option<std::path::PathBuf>,
    pub(crate) password: Option<Password>,
}

/// A stream to the server, plain or encrypted.
pub(super) type Stream = Either<TcpStream, Box<TlsStream<FirstBytes>>>;

/// The server is reached.
pub(super) struct Reached {
    pub(super) stream: Stream,
    pub(super) local: SocketAddr,
    pub(super) server: SocketAddr,
    /// How many addresses of that family the server has.
    pub(super) addresses: usize,
    pub(super) security: LinkSecurity,
    /// That the user knows the server's password.
    pub(super) password: PasswordProof,
}

/// The server is not reached. With `retry` off another attempt would end in the same way.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreachable {
    pub(super) reason: String,
    pub(super) retry: bool,
    /// It has another key than the expected one.
    pub(super) is_other_key: bool,
}

/// What else there is beside the server that is tried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alternatives {
    /// Another server is tried if this one does not answer soon.
    pub(crate) has_next: bool,
    /// Another server takes its place when it is lost.
    pub(crate) is_replaceable: bool,
    /// The address at which it was lost a moment ago.
    pub(crate) lost: Option<SocketAddr>,
}

/// Reaches the server at one of its addresses, encrypted if that is wanted and possible.
pub(super) async fn reach(
    name: &ServerName,
    trust: &Trust,
    alternatives: Alternatives,
) -> Result<Reached, Unreachable> {
    let Alternatives { has_next, is_replaceable, lost } = alternatives;
    let patience = if has_next { Patience::Short } else { Patience::Long };
    let found = tokio::net::lookup_host((name.host.as_str(), name.port)).await;
    let found = found.map_err(|error| again(unreachable(name, &error)))?;
    let mut addresses: Vec<SocketAddr> = found.take(MAX_ADDRESSES).collect();
    addresses.sort_by_key(|&address| Some(address) == lost);
    let reached = reach_any(name, &addresses, trust, patience).await?;
    if is_replaceable || reached.addresses > 1 {
        sockets::notice_loss_soon(socket(&reached.stream)).map_err(broken)?;
    }
    Ok(reached)
}

/// Where a server answers, and what protects a connection to it; the error is for the user.
pub(crate) async fn server_at(
    name: &ServerName,
    trust: &Trust,
) -> Result<(SocketAddr, LinkSecurity), String> {
    let alternatives = Alternatives { has_next: false, is_replaceable: false, lost: None };
    let reached = reach(name, trust, alternatives).await;
    reached.map(|reached| (reached.server, reached.security)).map_err(|error| error.reason)
}

fn socket(stream: &Stream) -> &TcpStream {
    match stream {
        Either::Left(tcp) => tcp,
        Either::Right(tls) => tls.get_ref().0.get_ref(),
    }
}

/// Tries these addresses of the server in turn.
async fn reach_any(
    name: &ServerName,
    addresses: &[SocketAddr],
    trust: &Trust,
    patience: Patience,
) -> Result<Reached, Unreachable> {
    let mut failure = again(format!("cannot reach {name}: the name has no address"));
    let mut left = addresses.len();
    for &at in addresses {
        left -= 1;
        let patience = if left > 0 { Patience::Short } else { patience };
        match reach_at(name, at, trust, patience).await {
            Ok(mut reached) => {
                let others = addresses.iter().filter(|other| other.is_ipv4() == at.is_ipv4());
                reached.addresses = others.count();
                return Ok(reached);
            }
            Err(error) if error.retry => failure = error,
            // Another key at one of the addresses is no reason to overlook it.
            Err(error) => return Err(error),
        }
    }
    Err(failure)
}

async fn reach_at(
    name: &ServerName,
    at: SocketAddr,
    trust: &Trust,
    patience: Patience,
) -> Result<Reached, Unreachable> {
    let tcp = connect_to(at, patience).await.map_err(|error| again(unreachable(name, &error)))?;
    let identity = match (&trust.identity, trust.encryption) {
        (_, EncryptionPolicy::Off) | (None, EncryptionPolicy::Auto) => return plain(name, tcp),
        (None, EncryptionPolicy::Require) => return Err(never("there is no key to encrypt with")),
        (Some(identity), _) => identity,
    };
    let file = trust.known_servers.as_deref();
    let known = known_file::look_up(file, name).await.map_err(never)?;
    let expected = name.fingerprint.or(known).map_or(ExpectedKey::Any, ExpectedKey::Fingerprint);
    let limit = patience.handshake_timeout();
    let mut outcome = shake_hands(tcp, identity, expected, KeyExchange::Hybrid, limit).await;
    // Some networks drop large hellos: then no server answers, and the last one is tried with a small one.
    if let Ok(Handshake::Silent) = outcome
        && patience == Patience::Long
    {
        let tcp =
            connect_to(at, patience).await.map_err(|error| again(unreachable(name, &error)))?;
        outcome = shake_hands(tcp, identity, expected, KeyExchange::Classic, limit).await;
    }
    match outcome.map_err(never)? {
        Handshake::Done(stream) => encrypted(name, stream, known, trust).await,
        Handshake::Silent => Err(again(format!("{name} does not answer; is it a Matou server?"))),
        Handshake::Closed if expected != ExpectedKey::Any => Err(again(format!(
            "{name} closed the connection instead of encrypting it, although its key is known; \
             nothing was sent"
        ))),
        Handshake::Closed if trust.encryption == EncryptionPolicy::Require => Err(never(format!(
            "{name} does not support encryption, which client.encryption requires"
        ))),
        Handshake::Closed => {
            let tcp =
                connect_to(at, patience).await.map_err(|error| again(unreachable(name, &error)))?;
            plain(name, tcp)
        }
        Handshake::Failed(error) => {
            let ((reason, retry), is_other_key) =
                (failed(name, &error, expected), is_other_key(&error));
            Err(Unreachable { reason, retry, is_other_key })
        }
    }
}

async fn encrypted(
    name: &ServerName,
    stream: Box<TlsStream<FirstBytes>>,
    known: Option<Fingerprint>,
    trust: &Trust,
) -> Result<Reached, Unreachable> {
    let (socket, state) = stream.get_ref();
    let key = peer_key(state, Alpn::Server).map_err(|error| never(foreign(name, &error)))?;
    let fingerprint = Fingerprint::of(&key);
    let (local, server) = (socket.get_ref().local_addr(), socket.get_ref().peer_addr());
    let (local, server) = (local.map_err(broken)?, server.map_err(broken)?);
    let standing = if name.fingerprint.is_some() {
        KeyStanding::Named
    } else if known.is_some() {
        KeyStanding::Known
    } else {
        KeyStanding::New
    };
    // An address with a fingerprint replaces what was known.
    if known != Some(fingerprint) {
        let file = trust.known_servers.as_deref();
        known_file::add(file, name, fingerprint).await.map_err(never)?;
    }
    let password = match &trust.password {
        None => PasswordProof::None,
        Some(password) => {
            let exported = state.export_keying_material([0; 32], EXPORTER_LABEL, None);
            let exported = exported.map_err(|error| {
                again(format!("cannot sign in to {name} with the password: {error}"))
            })?;
            PasswordProof::Hmac(PasswordKey::new(password.text(), &key).prove(&exported))
        }
    };
    let fingerprint = fingerprint.to_string();
    let security = LinkSecurity::Encrypted { fingerprint, key: standing };
    Ok(Reached { stream: Either::Right(stream), local, server, addresses: 1, security, password })
}

fn plain(name: &ServerName, tcp: TcpStream) -> Result<Reached, Unreachable> {
    if name.fingerprint.is_some() {
        return Err(never(format!(
            "not connecting to {name}: its address has a fingerprint, which cannot be checked while \
             client.encryption is off"
        )));
    }
    let server = address(&tcp, name)?;
    let local = tcp.local_addr().map_err(broken)?;
    let (stream, security) = (Either::Left(tcp), LinkSecurity::Plain);
    Ok(Reached { stream, local, server, addresses: 1, security, password: PasswordProof::None })
}

fn unreachable(name: &ServerName, error: &io::Error) -> String {
    format!("cannot reach {name}: {error}")
}

fn address(tcp: &TcpStream, name: &ServerName) -> Result<SocketAddr, Unreachable> {
    tcp.peer_addr().map_err(|error| again(unreachable(name, &error)))
}

#[allow(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn broken(error: io::Error) -> Unreachable {
    again(format!("the connection broke: {error}"))
}

fn again(reason: impl Into<String>) -> Unreachable {
    Unreachable { reason: reason.into(), retry: true, is_other_key: false }
}

fn never(reason: impl Into<String>) -> Unreachable {
    Unreachable { reason: reason.into(), retry: false, is_other_key: false }
}

async fn connect_to(address: SocketAddr, patience: Patience) -> io::Result<TcpStream> {
    let stream = timeout(patience.connect_timeout(), TcpStream::connect(address)).await;
    let stream = stream.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    sockets::tune_for_messages(&stream)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[actix_rt::test]
    async fn every_address_of_a_name_is_tried_until_one_answers() {
        let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let live = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = ServerName::parse("ship").unwrap();
        let trust = Trust { encryption: EncryptionPolicy::Off, ..Trust::default() };
        let addresses = [dead, live.local_addr().unwrap(), dead];
        let reached = reach_any(&name, &addresses, &trust, Patience::Long).await.ok().unwrap();
        assert_eq!((reached.server, reached.addresses), (live.local_addr().unwrap(), 3));
        let failure = reach_any(&name, &[dead, dead], &trust, Patience::Long).await.err().unwrap();
        assert!(
            failure.retry && failure.reason.starts_with("cannot reach ship:6286"),
            "{failure:?}"
        );
    }

    // A server that is stopped still has its port open.
    #[actix_rt::test]
    async fn an_address_that_takes_the_connection_and_is_silent_does_not_hold_up_the_next() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let live = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = ServerName::parse("ship").unwrap();
        let identity = Some(Arc::new(Identity::generate().unwrap()));
        let trust = Trust { identity, ..Trust::default() };
        let addresses = [silent.local_addr().unwrap(), live.local_addr().unwrap()];
        let reaching = reach_any(&name, &addresses, &trust, Patience::Short);
        let next = async {
            let began = std::time::Instant::now();
            live.accept().await.unwrap();
            began.elapsed()
        };
        let (_, after) = tokio::join!(reaching, next);
        assert!(after < Duration::from_secs(4), "{after:?}");
    }
}
