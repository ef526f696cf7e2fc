//! Connections from private ports at a running server: their outside addresses, and who learns
//! them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A test may fail where it likes.

mod support;

use std::num::NonZeroU16;

use matou_actors::protocol::PortPair;
use matou_actors::protocol::v2::{
    Answer, Answered, Candidate, CandidateKind, Candidates, ClientFrame, DialReport, DialResult,
    Dialled, Endpoint, MeetingResult, PrivatePort, ServerFrame, SessionId, Ticket,
};
use matou_actors::trust::Identity;
use support::encrypted::Encrypted;
use support::{Server, claim};

const SESSION: SessionId = SessionId([3; 16]);

struct Pair {
    server: Server,
    ann: Encrypted,
    bob: Encrypted,
    ann_identity: Identity,
    bob_identity: Identity,
    ann_ticket: Ticket,
    bob_ticket: Ticket,
}

fn join(server: &Server, identity: &Identity, called: &str) -> Encrypted {
    let mut client = Encrypted::connect_as(server, identity);
    client.hello(called);
    while !matches!(client.receive(), ServerFrame::Joined { .. }) {}
    client
}

fn candidates(first: u16) -> Candidates {
    let [message, file] = [first, first + 1].map(|port| NonZeroU16::new(port).unwrap());
    let (address, ports) = ([127, 0, 0, 1].into(), PortPair { message, file });
    Candidates::new(vec![Candidate { address, ports, kind: CandidateKind::Interface }]).unwrap()
}

impl Pair {
    /// Ann has asked Bob, who has accepted.
    fn new() -> Self {
        let server = Server::start();
        let (ann_identity, bob_identity) =
            (Identity::generate().unwrap(), Identity::generate().unwrap());
        let mut ann = join(&server, &ann_identity, "ann");
        let mut bob = join(&server, &bob_identity, "bob");
        assert!(matches!(ann.receive(), ServerFrame::Joined { .. }));
        ann.send(&ClientFrame::Ask { session: SESSION, username: claim("bob") });
        assert!(matches!(bob.receive(), ServerFrame::Asked { .. }));
        let answer = Answer::Accepted(candidates(5000));
        bob.send(&ClientFrame::Answer { session: SESSION, answer });
        let answered = ann.receive();
        let ServerFrame::Answered { answer: Answered::Accepted { .. }, .. } = answered else {
            panic!("{answered:?}")
        };
        let (ann_ticket, bob_ticket) = (ticket(&mut ann), ticket(&mut bob));
        Self { server, ann, bob, ann_identity, bob_identity, ann_ticket, bob_ticket }
    }

    fn show(&self, identity: &Identity, ticket: Ticket, port: PrivatePort) -> Encrypted {
        let mut shown = Encrypted::connect_as(&self.server, identity);
        shown.send(&ClientFrame::Where { ticket, port });
        shown
    }
}

fn ticket(client: &mut Encrypted) -> Ticket {
    match client.receive() {
        ServerFrame::Where { session: SESSION, ticket } => ticket,
        other => panic!("{other:?}"),
    }
}

/// HERE, as the client itself sees the connection.
fn here(shown: &mut Encrypted) -> NonZeroU16 {
    let at = Endpoint::new(shown.stream.sock.local_addr().unwrap()).unwrap();
    assert_eq!(shown.receive(), ServerFrame::Here { seen: at });
    at.port
}

/// The first address of a CANDIDATES, and that GO follows it.
fn first_and_go(client: &mut Encrypted) -> Candidate {
    let frame = client.receive();
    let ServerFrame::Candidates { candidates, .. } = frame else { panic!("{frame:?}") };
    assert_eq!(client.receive(), ServerFrame::Go { session: SESSION });
    candidates.as_slice()[0]
}

#[test]
fn both_hear_where_the_server_sees_the_other_ones_ports_and_go() {
    let mut pair = Pair::new();
    let mut kept = Vec::new();
    for (identity, ticket) in
        [(&pair.ann_identity, pair.ann_ticket), (&pair.bob_identity, pair.bob_ticket)]
    {
        let ports = [PrivatePort::Messages, PrivatePort::Files].map(|port| {
            let mut shown = pair.show(identity, ticket, port);
            let seen = here(&mut shown);
            kept.push(shown);
            seen
        });
        if ticket == pair.ann_ticket {
            pair.ann
                .send(&ClientFrame::Candidates { session: SESSION, candidates: candidates(6000) });
            let given = pair.bob.receive();
            assert!(matches!(given, ServerFrame::Candidates { .. }), "{given:?}");
            let ServerFrame::Candidates { candidates, .. } = given else { unreachable!() };
            assert_eq!(candidates.as_slice()[0].ports.message.get(), 6000);
        } else {
            let to_ann = first_and_go(&mut pair.ann);
            assert_eq!([to_ann.ports.message, to_ann.ports.file], ports);
            assert_eq!(to_ann.kind, CandidateKind::SeenByServer);
            let to_bob = first_and_go(&mut pair.bob);
            assert_ne!(to_bob.ports.message.get(), 6000, "as seen, not as said");
        }
    }
    let to = Endpoint { address: [127, 0, 0, 1].into(), port: NonZeroU16::new(5000).unwrap() };
    let dialled = DialReport::new(vec![Dialled { to, result: DialResult::Refused }]);
    let result = MeetingResult::Failed;
    let failed = ClientFrame::Outcome { session: SESSION, result, dialled: dialled.clone() };
    pair.ann.send(&failed);
    let expected = ServerFrame::Outcome { session: SESSION, result, dialled };
    assert_eq!(pair.bob.receive(), expected);
    pair.bob.send(&failed);
    assert!(matches!(pair.ann.receive(), ServerFrame::Outcome { .. }));
    assert!(kept.iter_mut().all(Encrypted::is_closed), "the meeting is over");
}

#[test]
fn a_side_that_shows_nothing_is_not_waited_for_long() {
    let mut pair = Pair::new();
    let candidates = candidates(6000);
    pair.ann.send(&ClientFrame::Candidates { session: SESSION, candidates });
    assert_eq!(pair.ann.receive(), ServerFrame::Go { session: SESSION });
    assert!(matches!(pair.bob.receive(), ServerFrame::Candidates { .. }));
    assert_eq!(pair.bob.receive(), ServerFrame::Go { session: SESSION });
}

#[test]
fn a_ticket_of_another_user_shows_nothing() {
    let pair = Pair::new();
    let others = [
        (&pair.bob_identity, pair.ann_ticket),
        (&pair.ann_identity, Ticket([1; 16])),
        (&pair.ann_identity, pair.bob_ticket),
    ];
    for (identity, ticket) in others {
        assert!(pair.show(identity, ticket, PrivatePort::Messages).is_closed());
    }
    let mut own = pair.show(&pair.ann_identity, pair.ann_ticket, PrivatePort::Messages);
    here(&mut own);
    let mut again = pair.show(&pair.ann_identity, pair.ann_ticket, PrivatePort::Messages);
    assert!(again.is_closed(), "a ticket works once for each port");
}

#[test]
fn a_connection_from_a_private_port_never_joins() {
    let pair = Pair::new();
    let mut shown = pair.show(&pair.ann_identity, pair.ann_ticket, PrivatePort::Messages);
    here(&mut shown);
    shown.hello("carol");
    assert!(shown.is_closed());
}

#[test]
fn without_a_ticket_the_server_says_where_it_sees_the_connection_and_ends_it() {
    let server = Server::start();
    let mut stranger = Encrypted::connect(&server);
    stranger.send(&ClientFrame::Where { ticket: Ticket::NONE, port: PrivatePort::Messages });
    here(&mut stranger);
    assert!(stranger.is_closed());
}
