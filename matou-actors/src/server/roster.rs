//! Who is in the room, and the frames that tell a newcomer.

use bytes::{Bytes, BytesMut};

use super::ConnectionId;
use crate::protocol::{Username, encode_joined};

/// The most members of a run.
const RUN: usize = 256;

/// Everybody in the room, in the order of their connections.
///
/// They are kept in runs, and the CONOTIF of each run are encoded when a newcomer needs them:
/// whoever comes or goes changes one run, and newcomers share all the others with those before.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    runs: Vec<Run>,
}

/// Some members in a row, at least one.
#[derive(Debug)]
struct Run {
    members: Vec<(ConnectionId, Username)>,
    encoded: Option<Bytes>,
}

impl Roster {
    /// Adds somebody who is not here.
    pub(crate) fn enter(&mut self, id: ConnectionId, name: Username) {
        let place = self.place(id);
        let is_last = place + 1 == self.runs.len();
        let Some(run) = self.runs.get_mut(place) else {
            return self.runs.push(Run::new(vec![(id, name)]));
        };
        let at = run.members.partition_point(|&(other, _)| other < id);
        run.members.insert(at, (id, name));
        run.encoded = None;
        if run.members.len() > RUN {
            // Most come in the order of their connections, and fill one run after the other.
            let kept = if is_last { RUN } else { RUN / 2 };
            let rest = run.members.split_off(kept);
            self.runs.insert(place + 1, Run::new(rest));
        }
    }

    /// How many are here.
    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(|run| run.members.len()).sum()
    }

    pub(crate) fn has(&self, id: ConnectionId) -> bool {
        self.runs.get(self.place(id)).is_some_and(|run| run.find(id).is_some())
    }

    /// The name that left, if it was here.
    pub(crate) fn leave(&mut self, id: ConnectionId) -> Option<Username> {
        let place = self.place(id);
        let run = self.runs.get_mut(place)?;
        let (_, name) = run.members.remove(run.find(id)?);
        run.encoded = None;
        if run.members.is_empty() {
            self.runs.remove(place);
        } else {
            self.join(place);
            self.join(place.saturating_sub(1));
        }
        Some(name)
    }

    /// One CONOTIF for each member, as a few shared runs of bytes.
    pub(crate) fn replay(&mut self) -> impl Iterator<Item = Bytes> + '_ {
        self.runs.iter_mut().map(Run::encoded)
    }

    /// The run where `id` is, or would be.
    fn place(&self, id: ConnectionId) -> usize {
        let starts_before = |run: &Run| run.members.first().is_some_and(|&(first, _)| first <= id);
        self.runs.partition_point(starts_before).saturating_sub(1)
    }

    /// Makes one run of that one and the next if they are short: else there would be as many for
    /// the few who stay as there were for a crowd.
    fn join(&mut self, place: usize) {
        if let Some([run, next]) = self.runs.get_mut(place..place.saturating_add(2))
            && run.members.len() + next.members.len() <= RUN / 2
        {
            run.members.append(&mut next.members);
            run.encoded = None;
            self.runs.remove(place + 1);
        }
    }
}

impl Run {
    fn new(members: Vec<(ConnectionId, Username)>) -> Self {
        Self { members, encoded: None }
    }

    fn find(&self, id: ConnectionId) -> Option<usize> {
        self.members.binary_search_by_key(&id, |&(id, _)| id).ok()
    }

    fn encoded(&mut self) -> Bytes {
        let encode = || {
            let mut out = BytesMut::new();
            for (_, name) in &self.members {
                encode_joined(name, &mut out);
            }
            // The room that is left over would be kept with the bytes.
            Bytes::copy_from_slice(&out)
        };
        self.encoded.get_or_insert_with(encode).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
    fn whoever_comes_or_goes_the_others_are_the_same_bytes_as_before() {
        let mut roster = Roster::default();
        for i in 0..10_000 {
            roster.enter(ConnectionId(i), Username::parse(&format!("u{i}")).unwrap());
        }
        let before: Vec<_> = roster.replay().collect();
        assert_eq!(before.len(), 10_000_usize.div_ceil(RUN));
        roster.leave(ConnectionId(5000)).unwrap();
        roster.enter(ConnectionId(10_000), Username::parse("new").unwrap());
        let after = roster.replay();
        let changed = before.iter().zip(after).filter(|(old, new)| old.as_ptr() != new.as_ptr());
        assert_eq!(changed.count(), 2, "the run of the one who left and the last one");
    }

    #[test]
    fn whatever_the_order_everybody_is_in_place_and_the_runs_are_few() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut roster, mut model) = (Roster::default(), BTreeMap::new());
        for crowd in [4000, 30, 2000, 0] {
            while model.len() < crowd {
                let id = random.u64(0..100_000);
                if model.insert(id, format!("user{id}")).is_none() {
                    roster.enter(ConnectionId(id), Username::parse(&model[&id]).unwrap());
                }
            }
            let mut all: Vec<u64> = model.keys().copied().collect();
            random.shuffle(&mut all);
            for id in all.into_iter().skip(crowd) {
                assert!(roster.has(ConnectionId(id)));
                let name = roster.leave(ConnectionId(id)).unwrap();
                assert_eq!(Some(name.to_string()), model.remove(&id));
                assert!(!roster.has(ConnectionId(id)));
            }
            assert_eq!(
                (names(&mut roster), roster.len()),
                (model.values().cloned().collect(), crowd)
            );
            assert!(roster.runs.len() <= crowd.div_ceil(RUN / 4), "{}", roster.runs.len());
        }
    }

    #[test]
    fn who_was_not_here_does_not_leave() {
        assert_eq!(Roster::default().leave(ConnectionId(1)), None);
    }
}
