//! The meeting of two clients of revision 2.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::Duration;

use slog::{Logger, debug};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::candidates::{DialChoice, DialTarget, Surroundings, choose};
use super::dials::Dials;
use super::greeting::{MeetingSide, Secure};
use super::listeners::MeetingPorts;
use super::outside::{ServerAt, Shown, show};
use super::race::{Entrant, race};
use crate::client::connection::sockets::{round_trip, tune_for_messages};
use crate::protocol::PortPair;
use crate::protocol::v2::{Candidates, DialReport, Endpoint, PrivatePort, Ticket};
use crate::trust::Alpn;

/// How long after the addresses of the other side a server that issues tickets sends one; without a
/// ticket there will be no signal to dial.
const TICKET_GRACE: Duration = Duration::from_millis(150);
/// How long the word to go is waited for.
const GO_TIMEOUT: Duration = Duration::from_secs(3);

/// A way to the other side that takes longer is not waited for.
const LONGEST_WAY: Duration = Duration::from_secs(1);

/// What a meeting begins with.
#[derive(Debug)]
pub(crate) struct MeetingPlan {
    pub(crate) side: MeetingSide,
    pub(crate) ports: MeetingPorts,
    pub(crate) around: Surroundings,
    /// `None`: the connection to it is not encrypted, or gone.
    pub(crate) server: Option<ServerAt>,
    pub(crate) limit: Duration,
    pub(crate) logger: Logger,
}

/// What the server has said so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct News {
    /// Where the other side can be reached.
    pub(crate) offered: Option<Candidates>,
    pub(crate) ticket: Option<Ticket>,
    /// The other side dials now.
    pub(crate) go: bool,
}

/// Both connections.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) messages: Secure,
    pub(crate) files: Secure,
}

/// What a meeting has shown of the ways between both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MeetingReport {
    /// What became of each address of the other side.
    pub(crate) dialled: DialReport,
    /// What the other side offered.
    pub(crate) offered: Option<Candidates>,
    pub(crate) ports: PortPair,
    /// Where the server sees the own message port.
    pub(crate) outside: Option<Endpoint>,
    /// The message connection, and whether it was dialled from here.
    pub(crate) reached: Option<(SocketAddr, bool)>,
    /// The file connection is there, too.
    pub(crate) has_files: bool,
}

/// What becomes known during the meeting.
#[derive(Default)]
struct MeetingProgress {
    reached: Cell<Option<(SocketAddr, bool)>>,
    has_files: Cell<bool>,
    outside: Cell<Option<Endpoint>>,
    /// The connections that show the own ports.
    shown: RefCell<Vec<Shown>>,
    changed: Notify,
}

/// Meets the peer in time; the error names each address that was tried, for the user.
pub(crate) async fn meet(
    plan: MeetingPlan,
    news: watch::Receiver<News>,
) -> (Result<Met, String>, MeetingReport) {
    let MeetingPlan {
        side,
        ports: MeetingPorts { messages, files, ports },
        around,
        server,
        limit,
        logger,
    } = plan;
    let (dials, file_dials) = (Dials::default(), Dials::default());
    let progress = MeetingProgress::default();
    let (to_messages, message_targets) = watch::channel(Vec::new());
    let (to_files, file_targets) = watch::channel(Vec::new());
    // On the heap: each holds the handshakes of a race.
    let messages = Box::pin(async {
        let won = race(&side, Alpn::Message, messages, message_targets, &dials, &logger).await;
        if side.asked {
            // The other side learns of the choice by then, and both dial for files at the same time.
            let round_trip = round_trip(won.secure.stream.get_ref().0).unwrap_or_default();
            sleep((round_trip / 2).min(LONGEST_WAY)).await;
        }
        progress.reached.set(Some((won.secure.peer, won.dialled)));
        progress.changed.notify_one();
        won.secure
    });
    let files = Box::pin(async {
        let Entrant { secure, .. } =
            race(&side, Alpn::File, files, file_targets, &file_dials, &logger).await;
        progress.has_files.set(true);
        secure
    });
    let dialling = dial(news.clone(), around, &progress, &dials, to_messages, to_files);
    let showing = Box::pin(show_both(news.clone(), server, &side, ports, &progress, &logger));
    let met = timeout(limit, async {
        tokio::select! {
            met = async { tokio::join!(messages, files) } => met,
            () = async { tokio::join!(dialling, showing); } => unreachable!("neither future resolves"),
        }
    })
    .await;
    for shown in progress.shown.take() {
        shown.close().await;
    }
    let now = std::time::Instant::now();
    let report = MeetingReport {
        dialled: dials.report(now),
        offered: news.borrow().offered.clone(),
        ports,
        outside: progress.outside.get(),
        reached: progress.reached.get(),
        has_files: progress.has_files.get(),
    };
    let met = match met {
        Ok((messages, files)) => tune_for_messages(messages.stream.get_ref().0)
            .map_err(|error| format!("the connection broke: {error}"))
            .map(|()| Met { messages, files }),
        Err(_) if report.reached.is_some() => Err(format!(
            "the message connection works, but there was no file connection within {} s: {}",
            limit.as_secs(),
            file_dials.describe(now)
        )),
        Err(_) => {
            Err(format!("no connection within {} s: {}", limit.as_secs(), dials.describe(now)))
        }
    };
    (met, report)
}

/// Names the addresses to dial as they become known: those outside the own network once both sides
/// go, those for files once messages have found their way. Never ends.
async fn dial(
    mut news: watch::Receiver<News>,
    mut around: Surroundings,
    progress: &MeetingProgress,
    dials: &Dials,
    to_messages: watch::Sender<Vec<SocketAddr>>,
    to_files: watch::Sender<Vec<SocketAddr>>,
) {
    let (mut known_since, mut more) = (None, true);
    loop {
        let News { offered, ticket, go } = news.borrow_and_update().clone();
        let mut release = None;
        if let Some(offered) = offered {
            around.outside = progress.outside.get().map(|outside| outside.address);
            let since = *known_since.get_or_insert_with(Instant::now);
            let held = if ticket.is_some() { GO_TIMEOUT } else { TICKET_GRACE };
            let goes = go || since.elapsed() >= held;
            release = (!goes).then_some(since + held);
            let DialChoice { targets, not_dialled } = choose(&offered, &around);
            let all = targets.iter().map(|target| target.messages).chain(not_dialled);
            all.for_each(|to| dials.known(to));
            let now = targets.iter().filter(|target| goes || !target.is_outside);
            to_messages.send_replace(now.map(|target| target.messages).collect());
            if let Some((peer, _)) = progress.reached.get() {
                to_files.send_replace(file_targets(&targets, peer));
            }
        }
        tokio::select! {
            changed = news.changed(), if more => more = changed.is_ok(),
            () = progress.changed.notified() => {}
            () = sleep_until(release.unwrap_or_else(Instant::now)), if release.is_some() => {}
        }
    }
}

/// Where to dial for files: the way that messages found first.
fn file_targets(targets: &[DialTarget], peer: SocketAddr) -> Vec<SocketAddr> {
    let is_same_host =
        |target: &DialTarget| target.messages.ip().to_canonical() == peer.ip().to_canonical();
    let far = |target: &&DialTarget| (target.messages != peer, !is_same_host(target));
    let mut targets: Vec<_> = targets.iter().collect();
    targets.sort_by_key(far);
    targets.into_iter().map(|target| target.files).collect()
}

/// Shows the ticket from both ports, and keeps those connections. Never ends.
async fn show_both(
    mut news: watch::Receiver<News>,
    server: Option<ServerAt>,
    side: &MeetingSide,
    ports: PortPair,
    progress: &MeetingProgress,
    logger: &Logger,
) {
    let known = news.wait_for(|news| news.ticket.is_some()).await;
    let ticket = known.ok().and_then(|news| news.ticket);
    let (Some(ticket), Some(server)) = (ticket, server) else {
        return std::future::pending().await;
    };
    let one = async |port, from: u16| match show(server, &side.identity, ticket, port, from).await {
        Ok(shown) => {
            if port == PrivatePort::Messages {
                progress.outside.set(Some(shown.seen));
                progress.changed.notify_one();
            }
            progress.shown.borrow_mut().push(shown);
        }
        Err(error) => {
            debug!(logger, "the server does not see a private port";
                "port" => from, "reason" => %error);
        }
    };
    tokio::join!(
        one(PrivatePort::Messages, ports.message.get()),
        one(PrivatePort::Files, ports.file.get())
    );
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::num::NonZeroU16;

    use super::*;
    use crate::protocol::v2::{Candidate, CandidateKind};

    const TICKET: Option<Ticket> = Some(Ticket([1; 16]));

    fn candidate(address: &str, kind: CandidateKind, ports: [u16; 2]) -> Candidate {
        let [message, file] = ports.map(|port| NonZeroU16::new(port).unwrap());
        Candidate { address: address.parse().unwrap(), ports: PortPair { message, file }, kind }
    }

    /// A peer in the own network, and seen at a public address.
    fn offered() -> Option<Candidates> {
        Candidates::new(vec![
            candidate("203.0.113.5", CandidateKind::SeenByServer, [40_000, 40_007]),
            candidate("192.168.1.9", CandidateKind::Interface, [5000, 5001]),
        ])
    }

    fn around() -> Surroundings {
        let networks = vec!["192.168.1.7/24".parse().unwrap()];
        Surroundings { networks, server: [198, 51, 100, 1].into(), outside: None }
    }

    fn near() -> SocketAddr {
        (IpAddr::from([192, 168, 1, 9]), 5000).into()
    }

    fn far() -> SocketAddr {
        (IpAddr::from([203, 0, 113, 5]), 40_000).into()
    }

    /// After how long the address outside the own network is dialled.
    async fn held(ticket: Option<Ticket>, go_after: Option<Duration>) -> Duration {
        let start = Instant::now();
        let (news, received) =
            watch::channel(News { offered: offered(), ticket, ..News::default() });
        let (progress, dials) = (MeetingProgress::default(), Dials::default());
        let (to_messages, mut targets) = watch::channel(Vec::new());
        let (to_files, files) = watch::channel(Vec::new());
        let dialling = dial(received, around(), &progress, &dials, to_messages, to_files);
        let go = async {
            if let Some(after) = go_after {
                sleep(after).await;
                news.send_modify(|news| news.go = true);
            }
            std::future::pending::<()>().await;
        };
        let watching = async {
            targets.wait_for(|targets| targets.contains(&near())).await.unwrap();
            assert_eq!(start.elapsed(), Duration::ZERO, "the own network is not held");
            targets.wait_for(|targets| targets.contains(&far())).await.unwrap();
            assert!(files.borrow().is_empty(), "before messages have found their way");
            start.elapsed()
        };
        tokio::select! {
            held = watching => held,
            () = async { tokio::join!(dialling, go); } => unreachable!("neither future resolves"),
        }
    }

    #[actix_rt::test]
    async fn addresses_outside_the_own_network_are_dialled_when_both_sides_go() {
        tokio::time::pause();
        let second = Duration::from_secs(1);
        let within = |held: Duration, expected: Duration| {
            assert!(held.abs_diff(expected) < Duration::from_millis(5), "{held:?}");
        };
        within(held(TICKET, Some(second)).await, second);
        within(held(TICKET, None).await, GO_TIMEOUT);
        within(held(None, None).await, TICKET_GRACE);
    }

    #[test]
    fn files_take_the_way_that_messages_found() {
        let DialChoice { targets, .. } = choose(&offered().unwrap(), &around());
        let files = |peer| file_targets(&targets, peer);
        let by_far = (far().ip(), 40_007).into();
        let by_near = (near().ip(), 5001).into();
        assert_eq!(files(near()), [by_near, by_far]);
        assert_eq!(files(far()), [by_far, by_near]);
        assert_eq!(files((far().ip(), 9).into()), [by_far, by_near], "from another port");
    }
}
