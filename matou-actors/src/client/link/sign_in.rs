//! Which name the client has, or asks for.

use crate::protocol::Username;

/// The public side of the client, as far as the name goes.
#[derive(Debug, Default)]
pub(crate) struct SignIn {
    name: Option<Username>,
    /// The name that the server accepted last: it is the user's own, and is taken back.
    own: Option<Username>,
    stage: SignInStage,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum SignInStage {
    #[default]
    Offline,
    Idle,
    Asked,
    Joined,
}

/// What to do about a name that the user wishes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Ask the server for it.
    Ask(Username),
    /// It is asked for once the server is reached.
    Later,
    /// An answer is still awaited.
    Busy(Username),
    /// The user has a name.
    SignedIn(Username),
}

/// What CORES means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SignInAnswer {
    /// The name is the user's.
    Joined(Username),
    /// The user must choose another one.
    Refused(Username),
    /// Another connection, likely the user's lost connection, holds the user's own name: ask again later.
    Held,
    /// There was no question.
    Unasked,
}

impl SignIn {
    pub(crate) fn new(name: Option<Username>) -> Self {
        Self { name, ..Self::default() }
    }

    /// The user's name: the one accepted last, by this or a lost connection.
    pub(crate) fn me(&self) -> Option<&Username> {
        self.own.as_ref()
    }

    pub(crate) fn is_joined(&self) -> bool {
        self.stage == SignInStage::Joined
    }

    /// A name is asked for, or will be as soon as the server is reached.
    pub(crate) fn is_asking(&self) -> bool {
        self.name.is_some() && self.stage != SignInStage::Joined
    }

    /// The server was asked for a name and has not answered.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.stage == SignInStage::Asked
    }

    /// The server is reached; the name to ask for.
    pub(crate) fn connected(&mut self) -> Option<Username> {
        self.stage = SignInStage::Idle;
        self.ask()
    }

    /// The name to ask for now, if one is wanted and none is asked for.
    pub(crate) fn ask(&mut self) -> Option<Username> {
        let name = self.name.clone().filter(|_| self.stage == SignInStage::Idle)?;
        self.stage = SignInStage::Asked;
        Some(name)
    }

    pub(crate) fn wish(&mut self, name: Username) -> Wish {
        match (&self.stage, &self.name) {
            (SignInStage::Joined, Some(own)) => return Wish::SignedIn(own.clone()),
            (SignInStage::Asked, Some(asked)) => return Wish::Busy(asked.clone()),
            _ => {}
        }
        self.name = Some(name);
        self.ask().map_or(Wish::Later, Wish::Ask)
    }

    pub(crate) fn answered(&mut self, accepted: bool) -> SignInAnswer {
        let Some(name) = self.name.clone().filter(|_| self.stage == SignInStage::Asked) else {
            return SignInAnswer::Unasked;
        };
        if accepted {
            (self.stage, self.own) = (SignInStage::Joined, Some(name.clone()));
            return SignInAnswer::Joined(name);
        }
        self.stage = SignInStage::Idle;
        if self.own.as_ref() == Some(&name) {
            return SignInAnswer::Held;
        }
        self.name = None;
        SignInAnswer::Refused(name)
    }

    /// The name that was asked for is another user's for good, even if it was the own one.
    pub(crate) fn refused_for_good(&mut self) -> SignInAnswer {
        let Some(name) = self.name.take_if(|_| self.stage == SignInStage::Asked) else {
            return SignInAnswer::Unasked;
        };
        self.stage = SignInStage::Idle;
        SignInAnswer::Refused(name)
    }

    /// The connection is gone; whether the user was signed in.
    pub(crate) fn lost(&mut self) -> bool {
        std::mem::take(&mut self.stage) == SignInStage::Joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    #[test]
    fn a_refused_name_is_not_asked_for_again() {
        let mut sign_in = SignIn::new(Some(name("ann")));
        assert_eq!(sign_in.connected(), Some(name("ann")));
        assert_eq!(sign_in.wish(name("eve")), Wish::Busy(name("ann")));
        assert_eq!(sign_in.answered(false), SignInAnswer::Refused(name("ann")));
        assert_eq!(sign_in.ask(), None);
        assert_eq!(sign_in.wish(name("bob")), Wish::Ask(name("bob")));
        assert_eq!(sign_in.answered(true), SignInAnswer::Joined(name("bob")));
        assert_eq!(sign_in.answered(true), SignInAnswer::Unasked);
        assert_eq!(sign_in.wish(name("eve")), Wish::SignedIn(name("bob")));
    }

    #[test]
    fn the_own_name_is_taken_back_as_long_as_it_is_held() {
        let mut sign_in = SignIn::new(None);
        assert_eq!(sign_in.connected(), None);
        assert_eq!(sign_in.wish(name("ann")), Wish::Ask(name("ann")));
        sign_in.answered(true);
        assert!(sign_in.lost());
        assert_eq!(sign_in.connected(), Some(name("ann")));
        assert!(sign_in.is_unanswered());
        assert_eq!(sign_in.answered(false), SignInAnswer::Held);
        assert!(sign_in.is_asking() && !sign_in.is_unanswered(), "no, for now, is an answer");
        assert_eq!(sign_in.ask(), Some(name("ann")));
        assert_eq!(sign_in.answered(true), SignInAnswer::Joined(name("ann")));
    }

    #[test]
    fn the_own_name_is_not_asked_for_again_once_it_is_refused_for_good() {
        let mut sign_in = SignIn::new(Some(name("ann")));
        sign_in.connected();
        sign_in.answered(true);
        sign_in.lost();
        sign_in.connected();
        assert_eq!(sign_in.refused_for_good(), SignInAnswer::Refused(name("ann")));
        assert_eq!((sign_in.ask(), sign_in.me()), (None, Some(&name("ann"))));
        assert_eq!(sign_in.refused_for_good(), SignInAnswer::Unasked);
    }

    #[test]
    fn another_name_than_the_own_one_can_be_refused() {
        let mut sign_in = SignIn::new(Some(name("ann")));
        sign_in.connected();
        sign_in.answered(true);
        sign_in.lost();
        assert_eq!(sign_in.wish(name("bob")), Wish::Later);
        assert_eq!(sign_in.connected(), Some(name("bob")));
        assert_eq!(sign_in.answered(false), SignInAnswer::Refused(name("bob")));
    }

    // Private sessions outlive the server, and their texts are shown under the user's name.
    #[test]
    fn the_last_accepted_name_stays_the_own_one_until_another_is_accepted() {
        let mut sign_in = SignIn::new(Some(name("ann")));
        sign_in.connected();
        sign_in.answered(true);
        sign_in.lost();
        sign_in.wish(name("bob"));
        assert_eq!(sign_in.me(), Some(&name("ann")));
        sign_in.connected();
        sign_in.answered(false);
        assert_eq!(sign_in.me(), Some(&name("ann")), "bob was refused");
        assert_eq!(sign_in.wish(name("carol")), Wish::Ask(name("carol")));
        sign_in.answered(true);
        assert_eq!(sign_in.me(), Some(&name("carol")));
    }
}
