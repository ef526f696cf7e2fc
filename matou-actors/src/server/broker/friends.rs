//! Whom members have talked to: addresses with which a private request was accepted.

use std::collections::{HashMap, VecDeque};

use crate::server::address_prefix::AddressPrefix;
use crate::server::ids::MemberId;
use crate::server::shrink_sparse::ShrinkSparse as _;

/// The most addresses that are kept for one member, the latest ones.
const MOST: usize = 32;

/// The friends of each member, until the member leaves. By address, not by name: a stranger can
/// take the name of an absent friend.
#[derive(Debug, Default)]
pub(super) struct Friends(HashMap<MemberId, VecDeque<AddressPrefix>>);

impl Friends {
    pub(super) fn add(&mut self, member: MemberId, address: AddressPrefix) {
        let known = self.0.entry(member).or_default();
        known.retain(|other| *other != address);
        known.truncate(MOST - 1);
        known.push_front(address);
    }

    pub(super) fn has(&self, member: MemberId, address: AddressPrefix) -> bool {
        self.0.get(&member).is_some_and(|known| known.contains(&address))
    }

    pub(super) fn forget(&mut self, member: MemberId) {
        self.0.remove(&member);
        self.0.shrink_sparse();
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn only_the_latest_friends_of_a_member_are_remembered() {
        let at = |last: u8| AddressPrefix::from(IpAddr::from([192, 0, 2, last]));
        let (mut friends, ada) = (Friends::default(), MemberId(1));
        for last in 0..40 {
            friends.add(ada, at(last));
            friends.add(ada, at(0));
        }
        let known: Vec<_> = (0..40).filter(|last| friends.has(ada, at(*last))).collect();
        assert_eq!(known, std::iter::once(0).chain(9..40).collect::<Vec<_>>());
        assert!(!friends.has(MemberId(2), at(0)));
        friends.forget(ada);
        assert!(friends.0.is_empty());
    }
}
