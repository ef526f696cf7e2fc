//! The connection to the server: one actor for each connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix::prelude::*;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::api::server_name::ServerName;
use crate::client::connection::drive::drive_connection;
use crate::client::connection::frames::Frames;
use crate::client::connection::outbox::Outbox;
use crate::client::connection::sockets;
use crate::client::messages::{HangUp, LinkEvent, LinkReport};
use crate::protocol::{CodecError, ServerFrame};

/// For each address of the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Reaches the server, and carries frames until either side ends.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) generation: u64,
    pub(crate) server: ServerName,
    pub(crate) outbox: Outbox,
    pub(crate) hub: Recipient<LinkReport>,
}

impl Actor for Link {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (server, outbox) = (self.server.clone(), self.outbox.clone());
        let (hub, generation) = (self.hub.clone(), self.generation);
        let life = async move { live(generation, &server, &outbox, &hub).await };
        ctx.spawn(life.into_actor(self).map(|(reason, retry), link, ctx| {
            // Once in its life.
            let event = LinkEvent::Down { reason, retry };
            link.hub.do_send(LinkReport { generation: link.generation, event });
            ctx.stop();
        }));
    }
}

impl Handler<HangUp> for Link {
    type Result = ();

    fn handle(&mut self, _: HangUp, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// The link's whole life; returns why it ended, and whether another attempt makes sense.
async fn live(
    generation: u64,
    name: &ServerName,
    outbox: &Outbox,
    hub: &Recipient<LinkReport>,
) -> (String, bool) {
    let (stream, local, server) = match connect(name).await {
        Ok(connected) => connected,
        Err(error) => return (format!("cannot reach {name}: {error}"), true),
    };
    // Once in its life.
    hub.do_send(LinkReport { generation, event: LinkEvent::Up { local, server } });
    let (input, output) = stream.into_split();
    let mut foreign = false;
    let reading = read(generation, Frames::new(input), hub, &mut foreign);
    // How long the server may take to read all that was said, the hub knows.
    let reason = drive_connection(reading, outbox.write_to(output), None).await;
    if foreign {
        let next = "check the address and port (--server HOST:PORT), then /reconnect";
        return (format!("{name} is not a Matou server; {next}"), false);
    }
    (reason, true)
}

/// Reports frames until the connection ends. `foreign` is set when the first bytes are no frame.
async fn read(
    generation: u64,
    mut input: Frames<tokio::net::tcp::OwnedReadHalf, ServerFrame>,
    hub: &Recipient<LinkReport>,
    foreign: &mut bool,
) -> String {
    let mut spoke = false;
    loop {
        match input.next().await {
            Ok(frames) if frames.is_empty() => return "the server closed the connection".into(),
            Ok(frames) => {
                spoke = true;
                if hub
                    .send(LinkReport { generation, event: LinkEvent::Frames(frames) })
                    .await
                    .is_err()
                {
                    return "the client has closed".into();
                }
            }
            Err(CodecError::Io(error)) => return format!("the connection broke: {error}"),
            Err(CodecError::Frame(error)) => {
                *foreign = !spoke;
                return format!("the server breaks the protocol: {error}");
            }
        }
    }
}

/// Tries all addresses of the server in turn.
async fn connect(name: &ServerName) -> io::Result<(TcpStream, SocketAddr, SocketAddr)> {
    let mut last = io::Error::other("the name has no address");
    for address in tokio::net::lookup_host((name.host.as_str(), name.port)).await? {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                sockets::tune_for_messages(&stream)?;
                let local = stream.local_addr()?;
                return Ok((stream, local, address));
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}
