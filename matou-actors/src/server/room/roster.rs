//! Who is in the room, and the frames that a newcomer gets.

use bytes::{Bytes, BytesMut};

use crate::protocol::Username;
use crate::server::ids::MemberId;
use crate::server::room::event::{Dialect, MemberKey, PerDialect};

/// The most members of a run: few runs make a welcome short, and a leave has one encoded anew.
const RUN: usize = 1024;

/// The members of the room, in the order of their connections.
///
/// They are kept in runs, and the CONOTIF of each run are encoded when a newcomer needs them: a
/// leave changes one run, and newcomers share all the others with those before. A join at the end,
/// as most are, appends to the encoded bytes and changes little of them.
///
/// One run of all, encoded anew for each newcomer, would be fast enough (34 µs for 10,000 members);
/// but each newcomer who reads slowly would hold 180 kB of its own, instead of shared ones.
#[derive(Debug, Default)]
pub(crate) struct EncodedRoster {
    runs: Vec<MemberRun>,
}

/// A member of the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Present {
    pub(crate) id: MemberId,
    pub(crate) name: Username,
    pub(crate) key: MemberKey,
}

/// Some members in a row, at least one.
#[derive(Debug)]
struct MemberRun {
    members: Vec<Present>,
    /// All of them in their order, in pieces of which each has fewer than the one before; or none.
    encoded: PerDialect<Vec<Piece>>,
}

/// The CONOTIF or PRESENT of some members in a row.
#[derive(Debug)]
struct Piece {
    members: usize,
    frames: Bytes,
}

impl EncodedRoster {
    /// Adds a user who is not in the room.
    pub(crate) fn enter(&mut self, present: Present) {
        let id = present.id;
        let mut place = self.place(id);
        if self.runs.get(place).is_some_and(|run| run.members.len() >= RUN) {
            place = self.part(place, id);
        }
        if let Some(run) = self.runs.get_mut(place) {
            return run.enter(present);
        }
        // After a full run many more will follow: reserve all of it.
        let many = if self.runs.is_empty() { 1 } else { RUN };
        let mut run = MemberRun::new(Vec::with_capacity(many));
        run.enter(present);
        self.runs.push(run);
    }

    /// Makes room for `id` in or after the run at `place`; returns where it belongs then.
    fn part(&mut self, place: usize, id: MemberId) -> usize {
        let is_last_run = place + 1 == self.runs.len();
        let Some(run) = self.runs.get_mut(place) else { return place };
        // Most join in the order of their connections, and fill one run after the other.
        let comes_last = run.members.last().is_some_and(|last| last.id < id);
        if !(comes_last && is_last_run) {
            let rest = run.members.split_off(RUN / 2);
            run.forget_encoded();
            self.runs.insert(place + 1, MemberRun::new(rest));
            return self.place(id);
        }
        place + 1
    }

    /// How many are here.
    pub(crate) fn len(&self) -> usize {
        self.runs.iter().map(|run| run.members.len()).sum()
    }

    pub(crate) fn has(&self, id: MemberId) -> bool {
        self.runs.get(self.place(id)).is_some_and(|run| run.find(id).is_some())
    }

    /// Who left, if they were here.
    pub(crate) fn leave(&mut self, id: MemberId) -> Option<Present> {
        let place = self.place(id);
        let run = self.runs.get_mut(place)?;
        let left = run.members.remove(run.find(id)?);
        run.forget_encoded();
        if run.members.is_empty() {
            self.runs.remove(place);
        } else {
            self.join(place);
            self.join(place.saturating_sub(1));
        }
        Some(left)
    }

    /// One CONOTIF or PRESENT for each member, as a few shared runs of bytes.
    pub(crate) fn replay(&mut self, dialect: Dialect) -> impl Iterator<Item = Bytes> + '_ {
        self.runs.iter_mut().flat_map(move |run| run.encoded(dialect))
    }

    /// The run where `id` is, or would be.
    fn place(&self, id: MemberId) -> usize {
        let starts_before =
            |run: &MemberRun| run.members.first().is_some_and(|first| first.id <= id);
        self.runs.partition_point(starts_before).saturating_sub(1)
    }

    /// Makes one run of that one and the next if they are short: else there would be as many for
    /// the few who stay as there were for a crowd.
    fn join(&mut self, place: usize) {
        if let Some([run, next]) = self.runs.get_mut(place..place.saturating_add(2))
            && run.members.len() + next.members.len() <= RUN / 2
        {
            run.members.append(&mut next.members);
            run.forget_encoded();
            self.runs.remove(place + 1);
        }
    }
}

impl MemberRun {
    fn new(members: Vec<Present>) -> Self {
        Self { members, encoded: PerDialect::default() }
    }

    fn find(&self, id: MemberId) -> Option<usize> {
        self.members.binary_search_by_key(&id, |present| present.id).ok()
    }

    fn enter(&mut self, present: Present) {
        let at = self.members.partition_point(|other| other.id < present.id);
        if at < self.members.len() {
            self.forget_encoded();
        }
        for dialect in [Dialect::V1, Dialect::V2] {
            let encoded = self.encoded.of_mut(dialect);
            if !encoded.is_empty() {
                encoded.push(Piece::of(dialect, [&present]));
                merge(encoded);
            }
        }
        self.members.insert(at, present);
    }

    fn forget_encoded(&mut self) {
        self.encoded.v1.clear();
        self.encoded.v2.clear();
    }

    fn encoded(&mut self, dialect: Dialect) -> impl Iterator<Item = Bytes> + '_ {
        let encoded = self.encoded.of_mut(dialect);
        if encoded.is_empty() {
            encoded.push(Piece::of(dialect, &self.members));
        }
        encoded.iter().map(|piece| piece.frames.clone())
    }
}

/// Makes one piece of the last two while the last has as many members: so there are few pieces,
/// and a name is not copied often.
fn merge(pieces: &mut Vec<Piece>) {
    while let [.., before, last] = &mut pieces[..]
        && last.members >= before.members
    {
        let frames = [&before.frames[..], &last.frames[..]].concat();
        let members = before.members + last.members;
        *before = Piece { members, frames: frames.into() };
        pieces.pop();
    }
}

impl Piece {
    fn of<'a>(dialect: Dialect, run: impl IntoIterator<Item = &'a Present>) -> Self {
        let (mut out, mut members) = (BytesMut::new(), 0);
        for Present { name, key, .. } in run {
            dialect.encode_present(name, key.as_deref(), &mut out);
            members += 1;
        }
        // The room that is left over would be kept with the bytes.
        Self { members, frames: Bytes::copy_from_slice(&out) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::protocol::v2::{self, MemberRevision, PublicKey};
    use crate::protocol::{Decode, ServerFrame};

    fn present(id: MemberId, name: &str) -> Present {
        Present { id, name: Username::parse(name).unwrap(), key: None }
    }

    fn names(roster: &mut EncodedRoster) -> Vec<String> {
        let bytes: Vec<u8> = roster.replay(Dialect::V1).flat_map(|run| run.to_vec()).collect();
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
    fn each_member_is_replayed_once_in_order_through_arrivals_and_departures() {
        let mut roster = EncodedRoster::default();
        let mut expected = Vec::new();
        for i in 0..500_u64 {
            let name = format!("user{i}");
            roster.enter(present(MemberId(i), &name));
            expected.push(name);
            if i % 7 == 3 {
                let gone = usize::try_from(i / 14).unwrap();
                let name = expected.remove(gone);
                let id = name.trim_start_matches("user").parse().unwrap();
                assert_eq!(roster.leave(MemberId(id)).unwrap().name.as_str(), name);
            }
            if i % 3 == 0 {
                assert_eq!(names(&mut roster), expected);
            }
        }
        assert_eq!(names(&mut roster), expected);
    }

    #[test]
    fn a_newcomer_of_revision_2_reads_the_keys_of_all() {
        let mut roster = EncodedRoster::default();
        let key = PublicKey([7; 32]);
        roster.enter(present(MemberId(1), "old"));
        assert_eq!(roster.replay(Dialect::V2).count(), 1);
        roster.enter(Present { key: Some(key.into()), ..present(MemberId(2), "new") });
        let bytes = roster.replay(Dialect::V2).collect::<Vec<_>>().concat();
        let (first, length) = v2::ServerFrame::decode(&bytes).unwrap().unwrap();
        let (second, rest) = v2::ServerFrame::decode(&bytes[length..]).unwrap().unwrap();
        assert_eq!(length + rest, bytes.len());
        let expect = |name, member| {
            let username = Username::parse(name).unwrap();
            v2::ServerFrame::Present { username, member }
        };
        assert_eq!(first, expect("old", MemberRevision::Revision1));
        assert_eq!(second, expect("new", MemberRevision::Revision2(key)));
        assert_eq!(names(&mut roster), ["old", "new"]);
    }

    #[test]
    fn joins_and_leaves_do_not_change_the_bytes_of_the_others() {
        let mut roster = EncodedRoster::default();
        for i in 0..10_000 {
            roster.enter(present(MemberId(i), &format!("u{i}")));
        }
        let before: Vec<_> = roster.replay(Dialect::V1).collect();
        assert_eq!(before.len(), 10_000_usize.div_ceil(RUN));
        roster.leave(MemberId(5000)).unwrap();
        roster.enter(present(MemberId(10_000), "new"));
        let after = roster.replay(Dialect::V1);
        let changed = before.iter().zip(after).filter(|(old, new)| old.as_ptr() != new.as_ptr());
        assert_eq!(changed.count(), 1, "the run of the one who left");
    }

    #[test]
    fn newcomers_are_appended_in_few_pieces_and_seldom_copied() {
        let mut roster = EncodedRoster::default();
        let mut copied = 0;
        for i in 0..4096_usize {
            let before: Vec<Bytes> = roster.replay(Dialect::V1).collect();
            let id = u64::try_from(i).unwrap();
            roster.enter(present(MemberId(id), &format!("u{i:04}")));
            let after: Vec<Bytes> = roster.replay(Dialect::V1).collect();
            let new = |piece: &&Bytes| !before.iter().any(|old| old.as_ptr() == piece.as_ptr());
            copied += after.iter().filter(new).map(Bytes::len).sum::<usize>();
            assert!(after.len() <= 4096 / RUN + 11, "{} pieces of {}", after.len(), i + 1);
        }
        let all: usize = roster.replay(Dialect::V1).map(|piece| piece.len()).sum();
        assert!(copied <= 12 * all, "{copied} bytes copied for {all}");
    }

    #[test]
    fn all_members_are_in_place_and_runs_stay_few_in_any_order() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut roster, mut model) = (EncodedRoster::default(), BTreeMap::new());
        for crowd in [4000, 30, 2000, 0] {
            while model.len() < crowd {
                let id = random.u64(0..100_000);
                if model.insert(id, format!("user{id}")).is_none() {
                    roster.enter(present(MemberId(id), &model[&id]));
                }
            }
            let mut all: Vec<u64> = model.keys().copied().collect();
            random.shuffle(&mut all);
            for id in all.into_iter().skip(crowd) {
                assert!(roster.has(MemberId(id)));
                let name = roster.leave(MemberId(id)).unwrap().name;
                assert_eq!(Some(name.to_string()), model.remove(&id));
                assert!(!roster.has(MemberId(id)));
            }
            assert_eq!(
                (names(&mut roster), roster.len()),
                (model.values().cloned().collect(), crowd)
            );
            assert!(roster.runs.len() <= crowd.div_ceil(RUN / 4), "{}", roster.runs.len());
        }
    }

    #[test]
    fn an_unknown_member_does_not_leave() {
        assert_eq!(EncodedRoster::default().leave(MemberId(1)), None);
    }
}
