//! Who is in the room.

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

use crate::protocol::v2::{MemberRevision, PublicKey};
use crate::protocol::{FoldedName, Username};

/// More names than any server holds: one that announces more breaks the protocol.
const MOST: usize = 100_000;

/// The names that the server announced, the user's own included.
///
/// Owned by the link, which alone changes it. A clone is a snapshot and costs nothing, however many
/// names there are: both share all that does not change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    present: RedBlackTreeMapSync<FoldedName, PresentUser>,
    /// Names that spoke without having been announced: a server need not announce to newcomers who is
    /// here, and the name under which it speaks itself belongs to no user.
    unannounced: RedBlackTreeMapSync<FoldedName, Username>,
    /// Names that left and have not returned.
    departed: RedBlackTreeSetSync<FoldedName>,
    /// The user's own CONOTIF was received: those announced from now on are new.
    settled: bool,
    /// Others were announced before: the server announces those present to newcomers.
    announces: bool,
}

/// A user whom the server announced.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PresentUser {
    name: Username,
    member: MemberRevision,
}

/// What an announcement means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// A user who was present before.
    Present,
    /// A new user.
    New,
    /// The user, or one known already.
    Known,
    /// More names than there can be.
    TooMany,
}

impl Roster {
    /// CONOTIF, PRESENT or JOINED of `who`, while the user is called `me`.
    pub(crate) fn arrived(
        &mut self,
        who: &Username,
        member: MemberRevision,
        me: &Username,
    ) -> Arrival {
        let key = who.folded();
        let (known, own) = (self.present.contains_key(&key), key == me.folded());
        if self.present.size() >= MOST && !known {
            return Arrival::TooMany;
        }
        self.departed.remove_mut(&key);
        self.present.insert_mut(key, PresentUser { name: who.clone(), member });
        if own {
            self.settled = true;
            return Arrival::Known;
        }
        match (known, self.settled) {
            (true, _) => Arrival::Known,
            (false, true) => Arrival::New,
            (false, false) => {
                self.announces = true;
                Arrival::Present
            }
        }
    }

    /// The server announces all who are here, even if that is only the user.
    pub(crate) fn welcomed(&mut self) {
        self.announces = true;
    }

    /// Whether a user of that name may be here without having been announced. A server that has not
    /// shown that it announces present users to newcomers may be one that never does, or the room
    /// was empty; but a user who has left since would have been announced again.
    pub(crate) fn may_be_here(&self, key: &FoldedName) -> bool {
        !self.announces && !self.departed.contains(key)
    }

    /// A message of `who`; whether they were not known to be here.
    pub(crate) fn spoke(&mut self, who: &Username) -> bool {
        let key = who.folded();
        let known = self.present.contains_key(&key) || self.unannounced.get(&key) == Some(who);
        if known || self.unannounced.size() >= MOST {
            return false;
        }
        self.departed.remove_mut(&key);
        self.unannounced.insert_mut(key, who.clone());
        true
    }

    /// DISCONOTIF of `who`; whether they were here.
    pub(crate) fn left(&mut self, who: &Username) -> bool {
        let key = who.folded();
        let spoke = self.unannounced.remove_mut(&key);
        let was_here = self.present.remove_mut(&key) || spoke;
        if self.departed.size() < MOST {
            self.departed.insert_mut(key);
        }
        was_here
    }

    /// The server is lost: no one is known to be here.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether the server announced a user of that name.
    pub(crate) fn is_announced(&self, name: &Username) -> bool {
        self.present.contains_key(&name.folded())
    }

    /// The name as its owner writes it, if they were announced or have spoken.
    pub(crate) fn find(&self, key: &FoldedName) -> Option<&Username> {
        self.present.get(key).map(|present| &present.name).or_else(|| self.unannounced.get(key))
    }

    /// The key that the server announced for this user; `None` for one of revision 1.
    pub(crate) fn key(&self, key: &FoldedName) -> Option<PublicKey> {
        match self.present.get(key)?.member {
            MemberRevision::Revision1 => None,
            MemberRevision::Revision2(public) => Some(public),
        }
    }

    /// All who were announced, by name without regard to case.
    pub(crate) fn names(&self) -> Vec<Username> {
        self.present.values().map(|present| present.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    #[test]
    fn users_announced_before_the_own_name_were_present() {
        let (me, mut roster) = (name("Me"), Roster::default());
        assert!(roster.may_be_here(&name("Zoe").folded()));
        assert_eq!(roster.arrived(&name("Ann"), MemberRevision::Revision1, &me), Arrival::Present);
        assert!(!roster.may_be_here(&name("Zoe").folded()));
        assert_eq!(roster.arrived(&name("me"), MemberRevision::Revision1, &me), Arrival::Known);
        assert_eq!(roster.arrived(&name("bob"), MemberRevision::Revision1, &me), Arrival::New);
        assert_eq!(roster.arrived(&name("BOB"), MemberRevision::Revision1, &me), Arrival::Known);
        assert!(roster.left(&name("bOb")));
        assert!(!roster.left(&name("bob")));
        assert_eq!(roster.find(&name("ann").folded()), Some(&name("Ann")));
        roster.spoke(&name("Eve"));
        assert_eq!(
            roster.find(&name("eve").folded()),
            Some(&name("Eve")),
            "has spoken, if not announced"
        );
        assert!(!roster.names().contains(&name("Eve")));
        assert!(roster.left(&name("EVE")));
        roster.clear();
        assert!(roster.may_be_here(&name("Zoe").folded()));
        assert_eq!(roster.arrived(&name("bob"), MemberRevision::Revision1, &me), Arrival::Present);
    }

    #[test]
    fn a_room_is_empty_if_a_server_that_announces_all_announced_no_one() {
        let (me, mut roster) = (name("Me"), Roster::default());
        roster.welcomed();
        roster.arrived(&me, MemberRevision::Revision1, &me);
        assert!(!roster.may_be_here(&name("Zoe").folded()));
        roster.clear();
        assert!(roster.may_be_here(&name("Zoe").folded()));
    }

    #[test]
    fn a_departed_user_is_absent_even_if_the_server_announces_no_one_to_newcomers() {
        let (me, bob, mut roster) = (name("Me"), name("Bob"), Roster::default());
        roster.arrived(&me, MemberRevision::Revision1, &me);
        assert!(roster.may_be_here(&bob.folded()));
        roster.left(&bob);
        assert!(!roster.may_be_here(&bob.folded()) && roster.may_be_here(&name("Ann").folded()));
        roster.spoke(&name("BOB"));
        roster.left(&bob);
        roster.arrived(&bob, MemberRevision::Revision1, &me);
        assert_eq!(roster.find(&bob.folded()), Some(&bob));
        roster.clear();
        assert!(roster.may_be_here(&bob.folded()));
    }
}
