//! Further sessions beside an open one, which are established without the user: how often, and
//! where.
//!
//! A server that lies can request them in the name of the peer, and name any address.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::client::ids::RequestId;
use crate::protocol::PortPair;

/// Between two further sessions with one peer, at least.
const SHORTEST: Duration = Duration::from_secs(1);
/// The wait doubles up to this.
const LONGEST: Duration = Duration::from_secs(30);
/// Sessions accepted without the user, of all peers, at once.
const BURST: u32 = 128;

/// Spaces the further sessions with one peer.
#[derive(Debug, Default)]
pub(crate) struct Spacing {
    last: Option<(Instant, Duration)>,
}

/// A further session that would go elsewhere than the open one: the user decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PendingMove {
    pub(crate) request: RequestId,
    /// Where the peer is said to be now.
    pub(crate) address: IpAddr,
    /// Where to connect to; `None` when the peer connects.
    pub(crate) ports: Option<PortPair>,
}

/// Bounds the sessions that are accepted without the user: a burst, then one a second.
#[derive(Debug)]
pub(crate) struct Allowance {
    left: u32,
    since: Instant,
}

impl Spacing {
    /// How long one more has to wait, and notes that it is made then.
    pub(crate) fn wait(&mut self, now: Instant) -> Duration {
        let (at, wait) = match self.last {
            Some((last, wait)) if now < last + 2 * wait => {
                ((last + wait).max(now), (2 * wait).min(LONGEST))
            }
            _ => (now, SHORTEST),
        };
        self.last = Some((at, wait));
        at.saturating_duration_since(now)
    }
}

impl Allowance {
    pub(crate) fn new(now: Instant) -> Self {
        Self { left: BURST, since: now }
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.since).as_secs();
        if seconds > 0 {
            let gained = u32::try_from(seconds).unwrap_or(u32::MAX);
            (self.left, self.since) = (self.left.saturating_add(gained).min(BURST), now);
        }
        let taken = self.left > 0;
        self.left = self.left.saturating_sub(1);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_sessions_open_at_most_once_a_second_and_ever_less_often() {
        let start = Instant::now();
        let mut spacing = Spacing::default();
        let mut now = start;
        let mut made = Vec::new();
        for _ in 0..8 {
            now += spacing.wait(now);
            made.push((now - start).as_secs());
        }
        assert_eq!(made, [0, 1, 3, 7, 15, 31, 61, 91]);
        now += Duration::from_secs(60);
        assert_eq!(spacing.wait(now), Duration::ZERO, "after a rest");
    }

    #[test]
    fn automatically_accepted_sessions_are_a_burst_and_then_one_a_second() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let taken = (0..1000).filter(|_| allowance.take(start)).count();
        assert_eq!(taken, 128);
        let later = start + Duration::from_secs(2);
        assert_eq!((0..1000).filter(|_| allowance.take(later)).count(), 2);
    }
}
