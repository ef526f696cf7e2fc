//! One connection of a meeting: the handshake, who is there, and whether it is the one to use.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::protocol::v2::{MAX_BODY, MessageFrame, PublicKey, SessionId};
use crate::protocol::{Decode, Encode};
use crate::trust::{
    Alpn, ExpectedKey, Identity, KeyExchange, client_config, peer_key, server_config,
};

/// For the handshake and the first frame of the other side.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// Type and size of a frame.
const FRONT: usize = 8;
/// The first type of revision 2: those of revision 1 have no size.
const FIRST_WITH_SIZE: i32 = 16;

/// The role in SESSION of the side that asked for the session.
const ASKED: i32 = 0;
/// The role of the side that was asked.
const WAS_ASKED: i32 = 1;

/// An encrypted connection with the right peer, which both sides use.
#[derive(Debug)]
pub(crate) struct Secure {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) peer: SocketAddr,
}

/// One side of a meeting.
#[derive(Clone, Debug)]
pub(crate) struct MeetingSide {
    pub(crate) session: SessionId,
    /// Asked for the session: is the TLS client, and picks the connections.
    pub(crate) asked: bool,
    pub(crate) identity: Arc<Identity>,
    /// The key that the other side has to prove.
    pub(crate) peer_key: PublicKey,
}

/// Greets the other end: an error unless it proves the right key and names the same session from
/// the other side.
pub(super) async fn greet(side: &MeetingSide, alpn: Alpn, tcp: TcpStream) -> io::Result<Secure> {
    let peer = tcp.peer_addr()?;
    let greeting = async {
        let mut stream = shake_hands(side, alpn, tcp).await?;
        let (own, other) = if side.asked { (ASKED, WAS_ASKED) } else { (WAS_ASKED, ASKED) };
        write(&mut stream, &MessageFrame::Session { session: side.session, role: own }).await?;
        match read(&mut stream).await? {
            MessageFrame::Session { session, role } if session == side.session && role == other => {
                Ok(Secure { stream, peer })
            }
            _ => Err(io::Error::other("it belongs to another session")),
        }
    };
    timeout(GREETING_TIMEOUT, greeting).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// The side that asked picks this connection.
pub(super) async fn pick(secure: &mut Secure) -> io::Result<()> {
    write(&mut secure.stream, &MessageFrame::Use {}).await
}

/// The side that was asked waits for being picked.
pub(super) async fn be_picked(secure: &mut Secure) -> io::Result<()> {
    match read(&mut secure.stream).await? {
        MessageFrame::Use {} => Ok(()),
        _ => Err(io::Error::other("the other side breaks the protocol")),
    }
}

async fn shake_hands(
    side: &MeetingSide,
    alpn: Alpn,
    tcp: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let expected = ExpectedKey::Exactly(side.peer_key);
    let stream = if side.asked {
        let config = client_config(&side.identity, expected, alpn, KeyExchange::Hybrid);
        let connector = TlsConnector::from(Arc::new(config.map_err(io::Error::other)?));
        // Never sent: the hello has no server name.
        let name = ServerName::try_from("matou").map_err(io::Error::other)?;
        TlsStream::from(connector.connect(name, tcp).await?)
    } else {
        let config = server_config(&side.identity, expected, alpn).map_err(io::Error::other)?;
        TlsStream::from(TlsAcceptor::from(Arc::new(config)).accept(tcp).await?)
    };
    peer_key(stream.get_ref().1, alpn).map_err(io::Error::other)?;
    Ok(stream)
}

/// Reads one frame and not a byte beyond it.
pub(crate) async fn read<F: Decode>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<F> {
    let mut bytes = vec![0; FRONT];
    stream.read_exact(&mut bytes).await?;
    let kind = bytes.first_chunk().map(|kind| i32::from_be_bytes(*kind));
    if kind.is_none_or(|kind| kind < FIRST_WITH_SIZE) {
        return Err(io::Error::other("received a frame of revision 1"));
    }
    let size = bytes.get(4..).and_then(|size| Some(i32::from_be_bytes(size.try_into().ok()?)));
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= MAX_BODY);
    let size = size.ok_or_else(|| io::Error::other("a frame has an impossible size"))?;
    bytes.resize(FRONT + size, 0);
    stream.read_exact(bytes.get_mut(FRONT..).unwrap_or_default()).await?;
    let frame = F::decode(&bytes).map_err(io::Error::other)?;
    Ok(frame.ok_or_else(|| io::Error::other("a frame is incomplete"))?.0)
}

pub(crate) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    frame: &impl Encode,
) -> io::Result<()> {
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    stream.write_all(&out).await?;
    stream.flush().await
}
