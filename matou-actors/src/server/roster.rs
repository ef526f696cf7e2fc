//! Who is in the room, and the frames that tell a newcomer.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::ConnectionId;
use crate::protocol::{Username, encode_joined};

/// Everybody in the room, in the order of their connections.
///
/// The CONOTIF of everybody are kept encoded in runs whose sizes at least halve, so that an
/// arrival copies few bytes and all newcomers share the runs.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    members: BTreeMap<ConnectionId, Username>,
    runs: Vec<Bytes>,
    stale: bool,
}

impl Roster {
    pub(crate) fn enter(&mut self, id: ConnectionId, name: Username) {
        if !self.stale {
            let mut run = BytesMut::new();
            encode_joined(&name, &mut run);
            while let Some(last) = self.runs.pop_if(|last| last.len() <= run.len()) {
                let mut joined = BytesMut::with_capacity(last.len() + run.len());
                joined.extend_from_slice(&last);
                joined.extend_from_slice(&run);
                run = joined;
            }
            self.runs.push(run.freeze());
        }
        self.members.insert(id, name);
    }

    /// How many are here.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn has(&self, id: ConnectionId) -> bool {
        self.members.contains_key(&id)
    }

    /// The name that left, if it was here.
    pub(crate) fn leave(&mut self, id: ConnectionId) -> Option<Username> {
        let name = self.members.remove(&id)?;
        self.stale = true;
        Some(name)
    }

    /// One CONOTIF for each member, as a few shared runs of bytes.
    pub(crate) fn replay(&mut self) -> impl Iterator<Item = Bytes> + '_ {
        if self.stale {
            let mut run = BytesMut::new();
            for name in self.members.values() {
                encode_joined(name, &mut run);
            }
            self.runs = if run.is_empty() { Vec::new() } else { vec![run.freeze()] };
            self.stale = false;
        }
        self.runs.iter().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Decode, ServerFrame};

    fn names(roster: &mut Roster) -> Vec<String> {
        let bytes: Vec<u8> = roster.replay().flat_map(|run| run.to_vec()).collect();
        let (mut rest, mut names) = (&bytes[..], Vec::new());
        while let Some((frame, taken)) = ServerFrame::decode(rest).unwrap() {
            let ServerFrame::Joined(name) = frame else { panic!("{frame:?}") };
            names.push(name.to_string());
            rest = &rest[taken..];
        }
        assert!(rest.is_empty());
        names
    }

    #[test]
    fn everybody_is_replayed_once_in_order_through_arrivals_and_departures() {
        let mut roster = Roster::default();
        let mut expected = Vec::new();
        for i in 0..500_u64 {
            let name = format!("user{i}");
            roster.enter(ConnectionId(i), Username::parse(&name).unwrap());
            expected.push(name);
            if i % 7 == 3 {
                let gone = usize::try_from(i / 14).unwrap();
                let name = expected.remove(gone);
                let id = name.trim_start_matches("user").parse().unwrap();
                assert_eq!(roster.leave(ConnectionId(id)).unwrap().as_str(), name);
            }
            if i % 3 == 0 {
                assert_eq!(names(&mut roster), expected);
            }
        }
        assert_eq!(names(&mut roster), expected);
    }

    #[test]
    fn a_large_roster_is_few_runs() {
        let mut roster = Roster::default();
        for i in 0..10_000 {
            roster.enter(ConnectionId(i), Username::parse(&format!("u{i}")).unwrap());
        }
        assert!(roster.replay().count() <= 16);
    }

    #[test]
    fn who_was_not_here_does_not_leave() {
        assert_eq!(Roster::default().leave(ConnectionId(1)), None);
    }
}
