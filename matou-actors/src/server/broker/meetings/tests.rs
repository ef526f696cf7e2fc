//! Meetings step by step.

use std::net::IpAddr;
use std::sync::Arc;

use super::*;
use crate::protocol::v2::PublicKey;
use crate::server::ids::ConnectionId;
use crate::server::tests::member;

const SESSION: SessionId = SessionId([7; 16]);
const MS: fn(u64) -> Duration = Duration::from_millis;

/// Ann asks Bob; a member has the key that its number names.
fn ask() -> SessionRequest {
    let keyed = |number: u8, name| {
        let key = Some(Arc::new(PublicKey([number; 32])));
        Member { key, ..member(0, number.into(), name) }
    };
    SessionRequest { session: SESSION, asker: keyed(1, "ann"), asked: keyed(2, "bob") }
}

fn at(address: &str, port: u16) -> Endpoint {
    Endpoint::new((address.parse::<IpAddr>().unwrap(), port).into()).unwrap()
}

fn given(address: &str) -> Candidates {
    let [message, file] = [5000, 5001].map(|port| at(address, port).port);
    let (address, ports) = (address.parse().unwrap(), PortPair { message, file });
    Candidates::new(vec![Candidate { address, ports, kind: CandidateKind::Interface }]).unwrap()
}

fn shown(
    ticket: Ticket,
    port: PrivatePort,
    key: u8,
    seen: Endpoint,
    round_trip: u64,
) -> PresentedTicket {
    let number = u64::from(key) * 10 + u64::from(port == PrivatePort::Files);
    PresentedTicket {
        route: Route { shard: 0, id: ConnectionId(number) },
        ticket,
        port,
        seen,
        key: Some(Arc::new(PublicKey([key; 32]))),
        round_trip: MS(round_trip),
    }
}

/// A meeting of which both sides have said where they are.
fn meeting(now: Instant) -> (Meetings, Tickets) {
    let mut meetings = Meetings::default();
    let tickets = meetings.begin(&ask(), given("10.0.0.2"), now).unwrap();
    meetings.offered(SESSION, given("10.0.0.1"));
    (meetings, tickets)
}

fn show_both(meetings: &mut Meetings, ticket: Ticket, key: u8, outside: u16, round_trip: u64) {
    for (port, number) in [(PrivatePort::Messages, outside), (PrivatePort::Files, outside + 1)] {
        let seen = at(&format!("203.0.113.{key}"), number);
        let shown = shown(ticket, port, key, seen, round_trip);
        assert_eq!(meetings.show(&shown, Instant::now()), Ok(SESSION));
    }
}

#[test]
fn a_ticket_works_once_for_each_port_and_only_with_the_key_of_its_side() {
    let now = Instant::now();
    let (mut meetings, tickets) = meeting(now);
    assert_ne!(tickets.asker, tickets.asked);
    let seen = at("203.0.113.1", 5000);
    let mut show = |ticket, port, key| meetings.show(&shown(ticket, port, key, seen, 1), now);
    assert_eq!(show(Ticket([9; 16]), PrivatePort::Messages, 1), Err(Ignored::NotPending));
    assert_eq!(show(Ticket::NONE, PrivatePort::Messages, 1), Err(Ignored::NotPending));
    assert_eq!(show(tickets.asker, PrivatePort::Messages, 2), Err(Ignored::NotPending));
    assert_eq!(show(tickets.asker, PrivatePort::Other(2), 1), Err(Ignored::NotPending));
    assert_eq!(show(tickets.asker, PrivatePort::Messages, 1), Ok(SESSION));
    assert_eq!(show(tickets.asker, PrivatePort::Messages, 1), Err(Ignored::Repeated));
    assert_eq!(show(tickets.asker, PrivatePort::Files, 1), Ok(SESSION));
    let late = meetings
        .show(&shown(tickets.asked, PrivatePort::Messages, 2, seen, 1), now + MEETING_LIFETIME);
    assert_eq!(late, Err(Ignored::NotPending));
    let ids: Vec<_> = meetings.take_over().into_iter().map(|route| route.id.0).collect();
    assert_eq!(ids, [10, 11], "what was kept for the meeting is needed no longer");
}

#[test]
fn both_go_once_both_are_seen_and_the_one_with_the_shorter_way_later() {
    let (mut meetings, tickets) = meeting(Instant::now());
    show_both(&mut meetings, tickets.asker, 1, 5000, 20);
    assert_eq!(meetings.go(SESSION, false), None);
    show_both(&mut meetings, tickets.asked, 2, 40_000, 100);
    let [first, second] = meetings.go(SESSION, false).unwrap();
    assert_eq!((first.to.name.as_str(), first.after), ("bob", MS(0)));
    assert_eq!((second.to.name.as_str(), second.after), ("ann", MS(40)));
    assert_eq!(meetings.go(SESSION, true), None, "once");
    let of = |go: &Go| go.candidates.as_ref().unwrap().as_slice()[0];
    let (to_bob, to_ann) = (of(&first), of(&second));
    assert_eq!(to_bob.address, IpAddr::from([203, 0, 113, 1]));
    assert_eq!((to_bob.ports.message.get(), to_bob.ports.file.get()), (5000, 5001));
    assert_eq!(to_ann.address, IpAddr::from([203, 0, 113, 2]));
    assert_eq!((to_ann.ports.message.get(), to_ann.ports.file.get()), (40_000, 40_001));
    assert_eq!(to_ann.kind, CandidateKind::SeenByServer);
    let rest = &second.candidates.as_ref().unwrap().as_slice()[1..];
    assert_eq!(rest, given("10.0.0.2").as_slice(), "older clients forget what was given before");
}

#[test]
fn after_the_wait_both_dial_with_the_known_addresses() {
    let (mut meetings, tickets) = meeting(Instant::now());
    let seen = at("203.0.113.2", 40_000);
    let messages = shown(tickets.asked, PrivatePort::Messages, 2, seen, 30);
    meetings.show(&messages, Instant::now()).unwrap();
    assert_eq!(meetings.go(SESSION, false), None);
    let both = meetings.go(SESSION, true).unwrap();
    for go in both {
        assert_eq!(go.after, MS(0));
        let known = go.candidates.map(|all| all.as_slice()[0]);
        let known = known.map(|first| (first.ports.message.get(), first.ports.file.get()));
        let expected = (go.to.name.as_str() == "ann").then_some((40_000, 5001));
        assert_eq!(known, expected, "{}", go.to.name);
    }
}

#[test]
fn candidates_are_held_until_the_asker_has_sent_its_own() {
    let mut meetings = Meetings::default();
    let tickets = meetings.begin(&ask(), given("10.0.0.2"), Instant::now()).unwrap();
    show_both(&mut meetings, tickets.asker, 1, 5000, 1);
    show_both(&mut meetings, tickets.asked, 2, 5000, 1);
    assert_eq!(meetings.go(SESSION, true), None);
    meetings.offered(SESSION, given("10.0.0.1"));
    assert!(meetings.go(SESSION, false).is_some());
}

#[test]
fn an_address_that_was_given_already_is_not_given_again() {
    let now = Instant::now();
    let mut meetings = Meetings::default();
    let tickets = meetings.begin(&ask(), given("10.0.0.2"), now).unwrap();
    let [message, file] = [5000, 5001].map(|port| at("203.0.113.1", port).port);
    let seen = Candidate {
        address: [203, 0, 113, 1].into(),
        ports: PortPair { message, file },
        kind: CandidateKind::SeenByServer,
    };
    meetings.offered(SESSION, Candidates::new(vec![seen]).unwrap());
    show_both(&mut meetings, tickets.asker, 1, 5000, 1);
    let both = meetings.go(SESSION, true).unwrap();
    assert!(both.iter().all(|go| go.candidates.is_none()), "{both:?}");
}

#[test]
fn each_side_reports_once_and_the_second_report_ends_the_meeting() {
    let (mut meetings, tickets) = meeting(Instant::now());
    show_both(&mut meetings, tickets.asker, 1, 5000, 1);
    let (ann, bob) = (ask().asker.id(), ask().asked.id());
    assert_eq!(meetings.outcome(MemberId(9), SESSION), Err(Ignored::NotPending));
    assert_eq!(meetings.outcome(ann, SESSION).unwrap().id(), bob);
    assert_eq!(meetings.outcome(ann, SESSION), Err(Ignored::Repeated));
    assert_eq!(meetings.take_over(), []);
    assert_eq!(meetings.outcome(bob, SESSION).unwrap().id(), ann);
    assert_eq!(meetings.take_over().len(), 2);
    assert_eq!(meetings.outcome(bob, SESSION), Err(Ignored::NotPending));
    assert!(meetings.by_ticket.is_empty() && meetings.by_session.is_empty());
}

#[test]
fn the_number_of_meetings_is_bounded() {
    let (mut meetings, now) = (Meetings::default(), Instant::now());
    let mut begin = |number: u16, now| {
        let mut session = [0; 16];
        session[..2].copy_from_slice(&number.to_be_bytes());
        let request = SessionRequest { session: SessionId(session), ..ask() };
        let tickets = meetings.begin(&request, given("10.0.0.2"), now);
        meetings.expire(now);
        tickets.is_some()
    };
    let most = u16::try_from(MOST).unwrap();
    assert!((0..most).all(|number| begin(number, now)));
    assert!(!begin(most, now), "full");
    assert!(!begin(0, now + MEETING_LIFETIME), "the number is in use");
    assert!(begin(most, now + MEETING_LIFETIME), "their time is over");
}
