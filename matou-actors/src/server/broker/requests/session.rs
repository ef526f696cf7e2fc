//! Requests of revision 2: each has a number that its asker chose, and is answered in any case.

use std::time::Instant;

use super::{Ignored, MemberPair, Party, Requests};
use crate::protocol::v2::{Declined, SessionId};
use crate::server::broker::session_request::SessionRequest;
use crate::server::registry::directory::Member;

impl Requests {
    /// ASK: `asker` asks `asked`. An ignored one is not to be answered.
    pub(crate) fn ask_for_session(
        &mut self,
        request: SessionRequest,
        now: Instant,
    ) -> Result<(), Ignored> {
        if self.by_session.contains_key(&request.session) {
            return Err(Ignored::Repeated);
        }
        let source = party(&request.asker);
        let asked = self.ask_for(source, request.asked.id(), Some(request.clone()), now);
        let reason = match asked {
            Err(Ignored::TargetBusy | Ignored::TooOften | Ignored::AddressTooOften) => {
                Declined::TooMany
            }
            Err(Ignored::Oneself) => Declined::NoSuchUser,
            _ => return asked,
        };
        self.declined.push((request, reason));
        asked
    }

    /// ANSWER with 0: `by` accepts the request with that number.
    pub(crate) fn accept_session(
        &mut self,
        by: &Member,
        session: SessionId,
        now: Instant,
    ) -> Result<SessionRequest, Ignored> {
        let (pair, request) = self.session(session, now, |pair| pair.target == by.id())?;
        self.accept_pair(pair, party(by).address)?;
        Ok(request)
    }

    /// ANSWER with a reason: `by` declines the request with that number.
    pub(crate) fn decline_session(
        &mut self,
        by: &Member,
        session: SessionId,
        reason: Declined,
        now: Instant,
    ) -> Result<(), Ignored> {
        let (pair, _) = self.session(session, now, |pair| pair.target == by.id())?;
        self.decline(pair, reason);
        Ok(())
    }

    /// CANDIDATES: `by`, the asker, sends its addresses, which ends the request.
    pub(crate) fn offer_candidates(
        &mut self,
        by: &Member,
        session: SessionId,
        now: Instant,
    ) -> Result<SessionRequest, Ignored> {
        let (pair, request) = self.session(session, now, |pair| pair.source == by.id())?;
        if !self.pending.get(&pair).is_some_and(|pending| pending.accepted) {
            return Err(Ignored::NotAccepted);
        }
        self.remove(pair);
        Ok(request)
    }

    /// Takes the failed requests; their askers are to be informed.
    pub(crate) fn take_declined(&mut self) -> Vec<(SessionRequest, Declined)> {
        std::mem::take(&mut self.declined)
    }

    fn session(
        &mut self,
        session: SessionId,
        now: Instant,
        may: impl FnOnce(&MemberPair) -> bool,
    ) -> Result<(MemberPair, SessionRequest), Ignored> {
        self.expire(now);
        let pair = self.by_session.get(&session).copied().filter(may).ok_or(Ignored::NotPending)?;
        let request = self.pending.get(&pair).and_then(|pending| pending.session.as_deref());
        Ok((pair, request.ok_or(Ignored::NotPending)?.clone()))
    }
}

fn party(member: &Member) -> Party {
    Party { id: member.id(), address: member.addresses.peer.into() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::server::tests::{member, request_limits};

    const LIFETIME: Duration = Duration::from_secs(120);
    const SESSION: SessionId = SessionId([7; 16]);

    fn requests() -> (Requests, Instant) {
        let limits = request_limits(LIFETIME, 2);
        (Requests::new(limits), Instant::now())
    }

    fn request(session: u8, from: &Member, to: &Member) -> SessionRequest {
        let session = SessionId([session; 16]);
        SessionRequest { session, asker: from.clone(), asked: to.clone() }
    }

    #[test]
    fn each_step_works_once_and_for_the_right_side_only() {
        let ((mut requests, now), ann, bob) =
            (requests(), member(0, 1, "ann"), member(0, 2, "bob"));
        let asked = request(7, &ann, &bob);
        requests.ask_for_session(asked.clone(), now).unwrap();
        assert_eq!(requests.ask_for_session(asked.clone(), now), Err(Ignored::Repeated));
        assert_eq!(requests.accept_session(&ann, SESSION, now), Err(Ignored::NotPending));
        assert_eq!(requests.offer_candidates(&ann, SESSION, now), Err(Ignored::NotAccepted));
        assert_eq!(
            requests.accept(party(&bob), ann.id(), now),
            Err(Ignored::NotPending),
            "PVCOACC"
        );
        assert_eq!(requests.accept_session(&bob, SESSION, now), Ok(asked.clone()));
        assert_eq!(requests.accept_session(&bob, SESSION, now), Err(Ignored::AlreadyAccepted));
        assert_eq!(requests.offer_candidates(&bob, SESSION, now), Err(Ignored::NotPending));
        assert_eq!(requests.offer_ports(ann.id(), bob.id(), now), Err(Ignored::NotPending));
        assert_eq!(requests.offer_candidates(&ann, SESSION, now), Ok(asked));
        assert_eq!(requests.offer_candidates(&ann, SESSION, now), Err(Ignored::NotPending));
        assert_eq!((requests.pending(), requests.take_declined()), (0, vec![]));
    }

    #[test]
    fn the_asker_is_informed_of_every_end() {
        let (mut requests, now) = requests();
        let (ann, bob) = (member(0, 1, "ann"), member(0, 2, "bob"));
        let ends = |requests: &mut Requests| -> Vec<_> {
            requests.take_declined().into_iter().map(|(of, why)| (of.session.0[0], why)).collect()
        };
        requests.ask_for_session(request(1, &ann, &bob), now).unwrap();
        requests.decline_session(&bob, SessionId([1; 16]), Declined::Busy, now).unwrap();
        assert_eq!(ends(&mut requests), [(1, Declined::Busy)]);
        requests.ask_for_session(request(2, &ann, &bob), now).unwrap();
        requests.expire(now + LIFETIME);
        assert_eq!(ends(&mut requests), [(2, Declined::Expired)]);
        requests.ask_for_session(request(3, &ann, &bob), now).unwrap();
        requests.forget(bob.id());
        assert_eq!(ends(&mut requests), [(3, Declined::Left)]);
        requests.ask_for_session(request(4, &ann, &bob), now).unwrap();
        requests.forget(ann.id());
        assert_eq!(ends(&mut requests), [], "no one is left to inform");
        for id in 3..5 {
            let stranger = member(0, id, &format!("s{id}"));
            requests
                .ask_for_session(request(9 + u8::try_from(id).unwrap(), &stranger, &bob), now)
                .unwrap();
        }
        let late = request(20, &member(0, 5, "late"), &bob);
        assert!(requests.ask_for_session(late, now).is_err());
        assert_eq!(ends(&mut requests), [(20, Declined::TooMany)]);
        let own = request(21, &ann, &ann);
        assert_eq!(requests.ask_for_session(own, now), Err(Ignored::Oneself));
        assert_eq!(ends(&mut requests), [(21, Declined::NoSuchUser)]);
    }
}
