//! Where a port of this machine is seen from outside: a connection from it to the server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::greeting::{read, write};
use super::listeners::dialler_from;
use crate::client::api::event::LinkSecurity;
use crate::client::connection::sockets::tune;
use crate::protocol::v2::{ClientFrame, Endpoint, PrivatePort, ServerFrame, Ticket};
use crate::trust::{
    Alpn, ExpectedKey, Fingerprint, Identity, KeyExchange, client_config, peer_key,
};

/// For the connection, the handshake and the answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The server, and the key that it has to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerAt {
    pub(crate) address: SocketAddr,
    pub(crate) key: Fingerprint,
}

impl ServerAt {
    /// `None` if the connection to it is not encrypted.
    pub(crate) fn of(address: SocketAddr, security: &LinkSecurity) -> Option<Self> {
        let LinkSecurity::Encrypted { fingerprint, .. } = security else { return None };
        Some(Self { address, key: Fingerprint::parse(fingerprint)? })
    }
}

/// A connection that keeps the way through the routers open.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) seen: Endpoint,
    stream: TlsStream<TcpStream>,
}

impl Shown {
    /// Ends the connection in the way that the server expects.
    pub(crate) async fn close(mut self) {
        // The server closes it by itself in a while.
        let _ = self.stream.shutdown().await;
    }
}

/// Shows a ticket to the server on a connection from `from_port`.
pub(crate) async fn show(
    server: ServerAt,
    identity: &Identity,
    ticket: Ticket,
    port: PrivatePort,
    from_port: u16,
) -> io::Result<Shown> {
    let showing = async {
        let tcp = dialler_from(server.address, from_port)?.connect(server.address).await?;
        tune(&tcp)?;
        let expected = ExpectedKey::Fingerprint(server.key);
        let config = client_config(identity, expected, Alpn::Server, KeyExchange::Hybrid);
        let connector = TlsConnector::from(Arc::new(config.map_err(io::Error::other)?));
        // Never sent: the hello has no server name.
        let name = ServerName::try_from("matou").map_err(io::Error::other)?;
        let mut stream = connector.connect(name, tcp).await?;
        peer_key(stream.get_ref().1, Alpn::Server).map_err(io::Error::other)?;
        write(&mut stream, &ClientFrame::Where { ticket, port }).await?;
        match read(&mut stream).await? {
            ServerFrame::Here { seen } => Ok(Shown { seen, stream }),
            _ => Err(io::Error::other("the server does not say where it sees this computer")),
        }
    };
    timeout(TIMEOUT, showing).await.map_err(|_| io::ErrorKind::TimedOut)?
}
