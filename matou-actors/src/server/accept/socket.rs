//! Accepting from one listening socket, also when there are no descriptors left.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::FutureExt as _;
use nix::errno::Errno;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

use crate::server::connection::socket::Accepted;

/// How long to leave the kernel's queue alone after an accept that failed: asking again
/// at once frees no descriptor.
const BACK_OFF: Duration = Duration::from_millis(100);
/// The most connections refused for lack of a descriptor between two pauses.
const REFUSED_AT_ONCE: u64 = 256;

/// What happened at a listening socket.
#[derive(Debug)]
pub(crate) enum AcceptOutcome {
    Connected(Accepted, SocketAddr),
    /// There was no descriptor for this many connections: they were accepted with the spare one and
    /// closed.
    NoDescriptor(u64),
    Failed(io::Error),
}

/// A listening socket with a descriptor in reserve: without it, clients that the process has no
/// descriptor for would wait in the kernel's queue without an answer.
#[derive(Debug)]
pub(crate) struct ListeningSocket {
    socket: TcpListener,
    spare: Option<Socket>,
}

impl ListeningSocket {
    pub(crate) fn new(socket: TcpListener) -> Self {
        Self { socket, spare: spare() }
    }

    /// Waits for the next arrival; after a failure, and after refusing clients, only once the
    /// kernel was left alone for a while.
    pub(crate) async fn next(&mut self) -> AcceptOutcome {
        match self.socket.accept().await {
            Ok((stream, peer)) => match Accepted::new(stream) {
                Ok(accepted) => AcceptOutcome::Connected(accepted, peer),
                Err(error) => AcceptOutcome::Failed(error),
            },
            Err(error) => {
                let outcome = if is_exhaustion(&error) && self.spare.is_some() {
                    AcceptOutcome::NoDescriptor(self.refuse_waiting())
                } else {
                    AcceptOutcome::Failed(error)
                };
                if !matches!(&outcome, AcceptOutcome::Failed(error) if is_of_one_connection(error))
                {
                    tokio::time::sleep(BACK_OFF).await;
                }
                if self.spare.is_none() {
                    self.spare = spare();
                }
                outcome
            }
        }
    }

    fn refuse_waiting(&mut self) -> u64 {
        self.spare = None;
        let mut refused = 0;
        while refused < REFUSED_AT_ONCE {
            let Some(Ok((stream, _))) = self.socket.accept().now_or_never() else { break };
            if let Ok(accepted) = Accepted::new(stream) {
                accepted.refuse();
            }
            refused += 1;
        }
        self.spare = spare();
        refused
    }
}

/// Whether `error` says that the process (EMFILE) or the system (ENFILE) is out of descriptors.
fn is_exhaustion(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw);
    matches!(code, Some(Errno::EMFILE | Errno::ENFILE))
}

/// Whether `error` concerns only the connection that was to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Any descriptor; a socket is one on every system.
fn spare() -> Option<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, None).ok()
}
