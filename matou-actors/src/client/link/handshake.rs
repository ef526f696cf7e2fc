//! The TLS handshake with a server, and what its failures mean to the user.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName as TlsName;
use rustls::{CertificateError, Error as TlsFailure};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::first_bytes::FirstBytes;
use crate::client::api::server_name::ServerName;
use crate::trust::{Alpn, ExpectedKey, Identity, KeyExchange, client_config};

/// How a handshake ended.
pub(super) enum Handshake {
    Done(Box<TlsStream<FirstBytes>>),
    /// The server closed the connection without a byte, as one does that knows no TLS.
    Closed,
    Silent,
    Failed(io::Error),
}

/// Encrypts `tcp` with the expected server within `limit`.
pub(super) async fn shake_hands(
    tcp: TcpStream,
    identity: &Identity,
    expected: ExpectedKey,
    exchange: KeyExchange,
    limit: Duration,
) -> Result<Handshake, String> {
    let config = client_config(identity, expected, Alpn::Server, exchange);
    let config = config.map_err(|error| error.to_string())?;
    // Never sent: the hello has no server name.
    let name = TlsName::try_from("matou").map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(Arc::new(config));
    let handshake = connector.connect(name, FirstBytes::new(tcp)).into_fallible();
    Ok(match timeout(limit, handshake).await {
        Ok(Ok(stream)) => Handshake::Done(Box::new(stream)),
        Ok(Err((error, socket))) if socket.has_received() || !is_end(&error) => {
            Handshake::Failed(error)
        }
        Ok(Err(_)) => Handshake::Closed,
        Err(_) => Handshake::Silent,
    })
}

/// Whether a connection was ended by the other side.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// Whether a handshake failed because the server has another key than the expected one.
pub(super) fn is_other_key(error: &io::Error) -> bool {
    use CertificateError::ApplicationVerificationFailure;
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<TlsFailure>());
    matches!(cause, Some(TlsFailure::InvalidCertificate(ApplicationVerificationFailure)))
}

/// Why a handshake failed, for the user, and whether another attempt makes sense.
pub(super) fn failed(
    name: &ServerName,
    error: &io::Error,
    expected: ExpectedKey,
) -> (String, bool) {
    if is_other_key(error) {
        return (other_key(name, expected), false);
    }
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<TlsFailure>());
    match cause {
        // A proxy answers so, too, while the server behind it is started again.
        Some(TlsFailure::InvalidMessage(_)) if expected != ExpectedKey::Any => (
            format!(
                "{name} did not answer as a Matou server, although its key is known; nothing was sent"
            ),
            true,
        ),
        Some(TlsFailure::InvalidMessage(_)) => (foreign_words(name), false),
        _ => (format!("cannot encrypt the connection to {name}: {error}"), true),
    }
}

/// What another key than the expected one can mean, and what to do.
fn other_key(name: &ServerName, expected: ExpectedKey) -> String {
    if name.fingerprint.is_some() {
        return format!(
            "{name} presented a different key than the one in its address: a different server \
             answers there, or the connection is being intercepted. Nothing was sent. Ask its \
             operator for the current address"
        );
    }
    let known = match expected {
        ExpectedKey::Fingerprint(known) => format!(" ({known})"),
        ExpectedKey::Any | ExpectedKey::Exactly(_) => String::new(),
    };
    format!(
        "{name} presented a different key than before{known}: its key was replaced, a different \
         server answers there, or the connection is being intercepted. Nothing was sent. Check \
         with its operator; if the key was replaced, run matou-bin identity forget {name}, then \
         connect again"
    )
}

/// The same, with the error that shows it.
pub(super) fn foreign(name: &ServerName, error: &impl std::fmt::Display) -> String {
    format!("{} ({error})", foreign_words(name))
}

/// That something else answers.
pub(super) fn foreign_words(name: &ServerName) -> String {
    format!(
        "{name} is not a Matou server; check the address and port (--server HOST:PORT), then \
         connect again"
    )
}
