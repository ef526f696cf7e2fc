//! What became of each address of the other side.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::protocol::v2::{DialReport, DialResult, Dialled, Endpoint};

/// An address that has not answered within this time is silent.
const SILENT_AFTER: Duration = Duration::from_secs(1);

/// The addresses of one kind of connection.
#[derive(Debug, Default)]
pub(super) struct Dials(RefCell<BTreeMap<SocketAddr, Dial>>);

#[derive(Clone, Copy, Debug)]
struct Dial {
    begun: Option<Instant>,
    result: Option<DialResult>,
}

impl Dials {
    /// The other side has this address; it may not be one to dial.
    pub(super) fn known(&self, to: SocketAddr) {
        self.0.borrow_mut().entry(to).or_insert(Dial { begun: None, result: None });
    }

    pub(super) fn began(&self, to: SocketAddr, now: Instant) {
        let mut all = self.0.borrow_mut();
        let dial = all.entry(to).or_insert(Dial { begun: None, result: None });
        dial.begun.get_or_insert(now);
    }

    /// A dial ended so. That an address was reached is not forgotten.
    pub(super) fn ended(&self, to: SocketAddr, result: DialResult) {
        let mut all = self.0.borrow_mut();
        let dial = all.entry(to).or_insert(Dial { begun: None, result: None });
        if dial.result != Some(DialResult::Reached) {
            dial.result = Some(result);
        }
    }

    /// A dial was not connected. Of errors that say nothing about the other side nothing is kept.
    pub(super) fn failed(&self, to: SocketAddr, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => {
                self.ended(to, DialResult::Refused);
            }
            io::ErrorKind::NetworkUnreachable => self.ended(to, DialResult::NoRoute),
            io::ErrorKind::HostUnreachable | io::ErrorKind::TimedOut => {
                self.ended(to, DialResult::Silent);
            }
            _ => {}
        }
    }

    /// How things stand.
    pub(super) fn report(&self, now: Instant) -> DialReport {
        let all = self.0.borrow();
        let all = all.iter().filter_map(|(to, dial)| {
            let waited = dial.begun.map(|begun| now.saturating_duration_since(begun));
            let result = match (dial.result, waited) {
                (Some(result), _) => result,
                (None, Some(waited)) if waited >= SILENT_AFTER => DialResult::Silent,
                (None, _) => DialResult::NotTried,
            };
            Some(Dialled { to: Endpoint::new(*to)?, result })
        });
        DialReport::new(all.collect())
    }

    /// One line for the user.
    pub(super) fn describe(&self, now: Instant) -> String {
        let report = self.report(now);
        let all: Vec<_> = report.as_slice().iter().filter_map(describe).collect();
        if all.is_empty() { "the other side did not connect".into() } else { all.join(", ") }
    }
}

fn describe(dialled: &Dialled) -> Option<String> {
    let what = match dialled.result {
        DialResult::Refused => "refused the connection",
        DialResult::Silent => "did not answer",
        DialResult::NoRoute => "cannot be reached from here",
        DialResult::Foreign => "is not the peer",
        DialResult::Reached | DialResult::NotTried | DialResult::Other(_) => return None,
    };
    Some(format!("{} {what}", SocketAddr::from(dialled.to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_silent_only_after_it_had_the_time_to_answer() {
        let (dials, start) = (Dials::default(), Instant::now());
        let at = |port| SocketAddr::from(([192, 0, 2, 1], port));
        dials.known(at(1));
        dials.began(at(2), start);
        dials.began(at(3), start + Duration::from_secs(4));
        dials.began(at(4), start);
        dials.failed(at(4), &io::ErrorKind::ConnectionRefused.into());
        dials.ended(at(4), DialResult::Reached);
        dials.failed(at(4), &io::ErrorKind::ConnectionRefused.into());
        dials.began(at(5), start);
        dials.failed(at(5), &io::ErrorKind::AddrInUse.into());
        let report = dials.report(start + Duration::from_millis(4500));
        let results: Vec<_> = report.as_slice().iter().map(|dialled| dialled.result).collect();
        let expected = [
            DialResult::NotTried,
            DialResult::Silent,
            DialResult::NotTried,
            DialResult::Reached,
            DialResult::Silent,
        ];
        assert_eq!(results, expected);
    }
}
