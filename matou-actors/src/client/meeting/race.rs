//! All connections of one kind: those that are accepted and those that are dialled race for being
//! used.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use slog::{Logger, debug};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::greeting::{Secure, Side, be_picked, greet, pick};
use super::listeners::dialler;
use crate::client::connection::sockets::tune;
use crate::trust::Alpn;

/// Between the beginnings of two dials (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);
/// For one dial.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// A dial that was refused is tried again after this and up to [`JITTER_MS`]: the other side may not
/// listen yet, or its router learns of the dial only by the own one.
const RETRY: Duration = Duration::from_millis(150);
const JITTER_MS: u64 = 100;
/// Connections that may be greeted at once; beyond these only ones from where the peer is said to be.
const MOST: usize = 64;
/// Connections that may be greeted at once in all.
const MOST_IN_ALL: usize = 128;

/// Why each address that was tried did not lead to the peer.
#[derive(Debug, Default)]
pub(super) struct Failures(RefCell<BTreeMap<SocketAddr, String>>);

impl Failures {
    fn note(&self, address: SocketAddr, reason: String) {
        self.0.borrow_mut().insert(address, reason);
    }

    /// One line for the user.
    pub(super) fn describe(&self) -> String {
        let all = self.0.borrow();
        let all: Vec<_> = all.iter().map(|(at, reason)| format!("{at} {reason}")).collect();
        if all.is_empty() { "the other side did not connect".into() } else { all.join(", ") }
    }
}

/// Where the addresses of the peer come from, as they become known.
pub(super) type Targets = watch::Receiver<Vec<SocketAddr>>;

/// Resolves with the connection that both sides use; goes on until then.
pub(super) async fn race(
    side: &Side,
    alpn: Alpn,
    listener: TcpListener,
    mut targets: Targets,
    failures: &Failures,
    logger: &Logger,
) -> Secure {
    let port = listener.local_addr().map_or(0, |address| address.port());
    let (mut dials, mut greetings) = (FuturesUnordered::new(), FuturesUnordered::new());
    let mut known: Vec<SocketAddr> = Vec::new();
    let mut more = true;
    loop {
        tokio::select! {
            changed = targets.changed(), if more => {
                more = changed.is_ok();
                let now = targets.borrow_and_update().clone();
                for target in now {
                    if !known.contains(&target) {
                        let order = u32::try_from(known.len()).unwrap_or(u32::MAX);
                        dials.push(dial(target, port, STAGGER * order, failures));
                        known.push(target);
                    }
                }
            }
            Some(tcp) = dials.next(), if !dials.is_empty() => {
                greetings.push(attempt(side, alpn, tcp));
            }
            accepted = listener.accept() => match accepted {
                Ok((tcp, from)) => {
                    let expected = known.iter().any(|target| is_same_host(*target, from));
                    let most = if expected { MOST_IN_ALL } else { MOST };
                    if greetings.len() < most {
                        greetings.push(attempt(side, alpn, tcp));
                    } else {
                        debug!(logger, "closed a connection: too many at once"; "from" => %from);
                    }
                }
                // Out of descriptors, or a connection that was gone at once.
                Err(_) => sleep(RETRY).await,
            },
            Some((from, greeted)) = greetings.next(), if !greetings.is_empty() => match greeted {
                Ok(secure) => return secure,
                Err(error) => {
                    debug!(logger, "closed a connection that is not the peer's"; "from" => ?from,
                        "reason" => %error);
                    if let Some(from) = from.filter(|from| known.contains(from)) {
                        failures.note(from, format!("is not the right one ({error})"));
                    }
                }
            },
        }
    }
}

/// Greets, then picks or waits for being picked.
async fn attempt(
    side: &Side,
    alpn: Alpn,
    tcp: TcpStream,
) -> (Option<SocketAddr>, io::Result<Secure>) {
    let from = tcp.peer_addr().ok();
    let greeted = async {
        tune(&tcp)?;
        let mut secure = greet(side, alpn, tcp).await?;
        if side.asked {
            pick(&mut secure).await?;
        } else {
            be_picked(&mut secure).await?;
        }
        Ok(secure)
    };
    (from, greeted.await)
}

/// Dials until somebody answers.
async fn dial(to: SocketAddr, from_port: u16, delay: Duration, failures: &Failures) -> TcpStream {
    sleep(delay).await;
    loop {
        let connected = async { dialler(to, from_port)?.connect(to).await };
        let reason = match timeout(DIAL_TIMEOUT, connected).await {
            Ok(Ok(tcp)) => return tcp,
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                "refused the connection".to_owned()
            }
            Ok(Err(error)) => format!("cannot be reached ({error})"),
            Err(_) => "did not answer".to_owned(),
        };
        failures.note(to, reason);
        sleep(RETRY + Duration::from_millis(fastrand::u64(0..=JITTER_MS))).await;
    }
}

fn is_same_host(one: SocketAddr, other: SocketAddr) -> bool {
    let canonical = |address: SocketAddr| -> IpAddr { address.ip().to_canonical() };
    canonical(one) == canonical(other)
}
