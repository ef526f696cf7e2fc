//! All connections of one kind: those that are accepted and those that are dialled race for being
//! used.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use slog::{Logger, debug};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::dials::Dials;
use super::greeting::{MeetingSide, Secure, be_picked, greet, pick};
use super::listeners::dialler;
use crate::client::connection::sockets::tune;
use crate::protocol::v2::DialResult;
use crate::trust::Alpn;

/// Between the beginnings of two dials (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);
/// For one dial.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// A dial that was refused is tried again after this and up to [`JITTER_MS`]: the other side may not
/// listen yet, or its router learns of the dial only by the own one.
const RETRY: Duration = Duration::from_millis(150);
const JITTER_MS: u64 = 100;
/// For this long a dial is repeated after only [`SOON_MS`]: a router that refuses lets it in only
/// while the dial from behind it is under way, which is a moment if the two are near each other.
const SOON: Duration = Duration::from_secs(1);
const SOON_MS: RangeInclusive<u64> = 20..=50;
/// Connections that may be greeted at once; beyond these only ones from where the peer is said to be.
const MOST: usize = 64;
/// Connections that may be greeted at once in all.
const MOST_IN_ALL: usize = 128;

/// A connection that won, or may.
pub(super) struct Entrant {
    pub(super) secure: Secure,
    /// It was dialled from here.
    pub(super) dialled: bool,
}

/// The addresses of the peer, as they become known.
pub(super) type Targets = watch::Receiver<Vec<SocketAddr>>;

/// Resolves with the connection that both sides use; continues until then.
pub(super) async fn race(
    side: &MeetingSide,
    alpn: Alpn,
    listener: TcpListener,
    mut targets: Targets,
    dials: &Dials,
    logger: &Logger,
) -> Entrant {
    let port = listener.local_addr().map_or(0, |address| address.port());
    let (mut dialling, mut greetings) = (FuturesUnordered::new(), FuturesUnordered::new());
    let mut known: Vec<SocketAddr> = Vec::new();
    let mut more = true;
    loop {
        tokio::select! {
            changed = targets.changed(), if more => {
                more = changed.is_ok();
                let now = targets.borrow_and_update().clone();
                let fresh: Vec<_> = now.into_iter().filter(|to| !known.contains(to)).collect();
                for (order, target) in (0..).zip(fresh) {
                    dialling.push(dial(target, port, STAGGER * order, dials));
                    known.push(target);
                }
            }
            Some((to, tcp)) = dialling.next(), if !dialling.is_empty() => {
                greetings.push(attempt(side, alpn, tcp, Some(to)));
            }
            accepted = listener.accept() => match accepted {
                Ok((tcp, from)) => {
                    let expected = known.iter().any(|target| is_same_host(*target, from));
                    let most = if expected { MOST_IN_ALL } else { MOST };
                    if greetings.len() < most {
                        greetings.push(attempt(side, alpn, tcp, None));
                    } else {
                        debug!(logger, "closed a connection: too many at once"; "from" => %from);
                    }
                }
                // Out of descriptors, or a connection that was closed at once.
                Err(_) => sleep(RETRY).await,
            },
            Some((to, greeted)) = greetings.next(), if !greetings.is_empty() => match greeted {
                Ok(secure) => {
                    if let Some(to) = to {
                        dials.ended(to, DialResult::Reached);
                    }
                    return Entrant { secure, dialled: to.is_some() };
                }
                Err(error) => {
                    debug!(logger, "closed a connection that is not the peer's"; "dialled" => ?to,
                        "reason" => %error);
                    if let Some(to) = to {
                        dials.ended(to, DialResult::Foreign);
                    }
                }
            },
        }
    }
}

/// Greets, then picks or waits for being picked.
async fn attempt(
    side: &MeetingSide,
    alpn: Alpn,
    tcp: TcpStream,
    dialled: Option<SocketAddr>,
) -> (Option<SocketAddr>, io::Result<Secure>) {
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
    (dialled, greeted.await)
}

/// Dials until one answers.
async fn dial(
    to: SocketAddr,
    from_port: u16,
    delay: Duration,
    dials: &Dials,
) -> (SocketAddr, TcpStream) {
    sleep(delay).await;
    let begun = Instant::now();
    dials.began(to, begun);
    loop {
        let connected = async { dialler(to, from_port)?.connect(to).await };
        match timeout(DIAL_TIMEOUT, connected).await {
            Ok(Ok(tcp)) => return (to, tcp),
            Ok(Err(error)) => dials.failed(to, &error),
            Err(_) => dials.ended(to, DialResult::Silent),
        }
        sleep(pause(begun.elapsed())).await;
    }
}

/// Between two dials of an address that has been dialled for so long.
fn pause(dialled_for: Duration) -> Duration {
    if dialled_for < SOON {
        Duration::from_millis(fastrand::u64(SOON_MS))
    } else {
        RETRY + Duration::from_millis(fastrand::u64(0..=JITTER_MS))
    }
}

fn is_same_host(one: SocketAddr, other: SocketAddr) -> bool {
    let canonical = |address: SocketAddr| -> IpAddr { address.ip().to_canonical() };
    canonical(one) == canonical(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_dialled_again_soon_at_first_and_not_all_the_time() {
        for milliseconds in (0..10_000).step_by(10) {
            let pause = pause(Duration::from_millis(milliseconds)).as_millis();
            let expected = if milliseconds < 1000 { 20..=50 } else { 150..=250 };
            assert!(expected.contains(&pause), "after {milliseconds} ms: {pause} ms");
        }
    }
}
