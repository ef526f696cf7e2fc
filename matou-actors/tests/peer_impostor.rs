//! A server of revision 2 that the test plays itself: it impersonates a peer, answers for others,
//! and sends a client to addresses that are none of its business.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A test may fail where it likes.

mod support;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::num::NonZeroU16;
use std::sync::Arc;

use bytes::BytesMut;
use matou_actors::client::{Command, Event};
use matou_actors::protocol::v2::{
    Answer, Answered, Candidate, CandidateKind, Candidates, ClientFrame, MemberRevision,
    MessageFrame, PublicKey, ServerFrame, SessionId, Text, UnixMillis,
};
use matou_actors::protocol::{Decode, Encode, PortPair};
use matou_actors::trust::{
    Alpn, ExpectedKey, Fingerprint, Identity, server_config, verification_words,
};
use rustls::{ServerConnection, StreamOwned};
use support::victim::Victim;
use support::{DEADLINE, name};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NOW: UnixMillis = UnixMillis(1_764_072_000_000);

/// One end of an encrypted connection that a client made.
struct Link {
    stream: StreamOwned<ServerConnection, TcpStream>,
    unread: Vec<u8>,
}

impl Link {
    fn accept(listener: &TcpListener, identity: &Identity, alpn: Alpn) -> Self {
        listener.set_nonblocking(false).unwrap();
        let (socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let config = server_config(identity, ExpectedKey::Any, alpn).unwrap();
        let tls = ServerConnection::new(Arc::new(config)).unwrap();
        Self { stream: StreamOwned::new(tls, socket), unread: Vec::new() }
    }

    fn send(&mut self, frame: &impl Encode) {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        self.stream.write_all(&out).unwrap();
    }

    fn receive<F: Decode>(&mut self) -> F {
        loop {
            if let Some((frame, taken)) = F::decode(&self.unread).unwrap() {
                self.unread.drain(..taken);
                return frame;
            }
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk).expect("a frame within the deadline");
            assert!(read > 0, "the client closed");
            self.unread.extend_from_slice(&chunk[..read]);
        }
    }
}

/// The server that lies, with ann as its client.
struct Liar {
    link: Link,
    identity: Identity,
    victim: Victim,
}

impl Liar {
    /// Ann joins, and reads that bob is present with this key.
    fn welcome(bob: PublicKey) -> Self {
        let identity = Identity::generate().unwrap();
        let listener = TcpListener::bind((LOCALHOST, 0)).unwrap();
        let (mut victim, resume) = Victim::start(listener.local_addr().unwrap());
        let mut link = Link::accept(&listener, &identity, Alpn::Server);
        assert!(matches!(link.receive(), ClientFrame::Hello { .. }));
        link.send(&ServerFrame::Welcome {
            username: name("ann"),
            now: NOW,
            sequence: 0,
            server: Text::new("Ship").unwrap(),
            topic: Text::default(),
            present: 1,
        });
        let member = MemberRevision::Revision2(bob);
        link.send(&ServerFrame::Present { username: name("bob"), member });
        let (username, member) = (name("ann"), MemberRevision::Revision2(victim.key));
        link.send(&ServerFrame::Joined { sequence: 1, time: NOW, username, member });
        victim.joined();
        drop(resume);
        victim.expect("bob", |event| matches!(event, Event::Joined { .. }));
        Self { link, identity, victim }
    }

    fn frame(&mut self, wanted: impl Fn(&ClientFrame) -> bool) -> ClientFrame {
        loop {
            let frame = self.link.receive();
            if wanted(&frame) {
                return frame;
            }
        }
    }

    /// Ann asks for a session with bob.
    fn asks(&mut self) -> SessionId {
        self.victim.send(Command::Open(name("bob")));
        let asked = self.frame(|frame| matches!(frame, ClientFrame::Ask { .. }));
        let ClientFrame::Ask { session, .. } = asked else { unreachable!() };
        session
    }

    fn answer(&mut self, session: SessionId, by: &str, key: PublicKey, candidates: &Candidates) {
        let candidates = candidates.clone();
        let answer = Answered::Accepted { by: name(by), key, candidates };
        self.link.send(&ServerFrame::Answered { session, answer });
    }

    /// Ann has handled everything sent before.
    fn settled(&mut self, words: &str) {
        self.link.send(&ServerFrame::Said {
            sequence: 0,
            time: NOW,
            username: name("bob"),
            text: support::text(words),
            flags: 0,
        });
        self.victim.expect(
            words,
            |event| matches!(event, Event::Message { text, .. } if text.to_string() == words),
        );
    }
}

/// Where a peer would listen.
struct Ports {
    messages: TcpListener,
    files: TcpListener,
}

impl Ports {
    fn open(at: IpAddr) -> Self {
        let [messages, files] = [(); 2].map(|()| {
            let listener = TcpListener::bind((at, 0)).unwrap();
            listener.set_nonblocking(true).unwrap();
            listener
        });
        Self { messages, files }
    }

    fn candidate(&self, kind: CandidateKind) -> Candidate {
        let address = self.messages.local_addr().unwrap().ip();
        let port = |listener: &TcpListener| {
            NonZeroU16::new(listener.local_addr().unwrap().port()).unwrap()
        };
        let ports = PortPair { message: port(&self.messages), file: port(&self.files) };
        Candidate { address, ports, kind }
    }

    fn candidates(&self) -> Candidates {
        Candidates::new(vec![self.candidate(CandidateKind::SeenByServer)]).unwrap()
    }

    /// Is the peer of a session.
    fn meet(&self, identity: &Identity, session: SessionId) -> [Link; 2] {
        [(&self.messages, Alpn::Message), (&self.files, Alpn::File)].map(|(listener, alpn)| {
            let mut link = Link::accept(listener, identity, alpn);
            link.send(&MessageFrame::Session { session, role: 1 });
            let other = MessageFrame::Session { session, role: 0 };
            assert_eq!(link.receive::<MessageFrame>(), other);
            assert_eq!(link.receive::<MessageFrame>(), MessageFrame::Use {});
            link
        })
    }

    fn saw_nothing(&self) {
        for listener in [&self.messages, &self.files] {
            listener.set_nonblocking(true).unwrap();
            let came = listener.accept().map(|(_, from)| from);
            assert_eq!(came.unwrap_err().kind(), ErrorKind::WouldBlock);
        }
    }
}

fn opened(victim: &mut Victim) -> String {
    let event = victim.expect("a session", |event| matches!(event, Event::PrivateOpened { .. }));
    let Event::PrivateOpened { security, .. } = event else { unreachable!() };
    format!("{security:?}")
}

#[test]
fn a_server_that_names_its_own_key_for_a_known_person_is_caught_before_any_connection() {
    let bob = Identity::generate().unwrap();
    let mut liar = Liar::welcome(bob.public_key());
    let at_bob = Ports::open(LOCALHOST);
    let session = liar.asks();
    liar.answer(session, "bob", bob.public_key(), &at_bob.candidates());
    let links = at_bob.meet(&bob, session);
    assert!(opened(&mut liar.victim).contains("New"));
    drop(links);
    liar.victim.closed_because("");

    let (own, trap) = (liar.identity.public_key(), Ports::open(LOCALHOST));
    let session = liar.asks();
    liar.answer(session, "bob", own, &trap.candidates());
    let is_key_error = |event: &Event| matches!(event, Event::Error { message, .. } if message.contains("a different key"));
    liar.victim.expect("a word about the key", is_key_error);

    liar.link.send(&ServerFrame::Asked {
        session: SessionId([7; 16]),
        username: name("bob"),
        key: own,
    });
    liar.victim.expect("a word about the key", is_key_error);
    let answer = liar.frame(|frame| matches!(frame, ClientFrame::Answer { .. }));
    let ClientFrame::Answer { answer, .. } = answer else { unreachable!() };
    assert!(matches!(answer, Answer::Declined(_)), "{answer:?}");
    liar.settled("behind it");
    trap.saw_nothing();
}

#[test]
fn a_server_that_names_its_own_key_for_a_new_person_shows_in_the_words_that_are_compared() {
    let bob = Identity::generate().unwrap();
    let mut liar = Liar::welcome(bob.public_key());
    let (own, trap) = (liar.identity.public_key(), Ports::open(LOCALHOST));
    let session = liar.asks();
    liar.answer(session, "bob", own, &trap.candidates());
    let _links = trap.meet(&liar.identity, session);
    let security = opened(&mut liar.victim);
    assert!(security.contains("New"), "{security}");
    assert!(security.contains(&Fingerprint::of(&own).to_string()), "{security}");
    liar.victim.send(Command::Verify(name("bob")));
    let event = liar.victim.expect("words", |event| matches!(event, Event::Verification { .. }));
    let shown = format!("{event:?}");
    let words = |key: &PublicKey| verification_words(key, &bob.public_key()).join(" ");
    // Bob's view, to whom the server gives its own key as well.
    let at_bob = words(&own);
    let at_ann = verification_words(&liar.victim.key, &own).join(" ");
    assert!(shown.contains(&at_ann) && at_ann != at_bob, "{shown}");
    assert!(!shown.contains(&words(&liar.victim.key)));
}

#[test]
fn a_peer_that_does_not_prove_the_key_that_was_named_is_not_met() {
    let (bob, eve) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let mut liar = Liar::welcome(bob.public_key());
    let trap = Ports::open(LOCALHOST);
    let session = liar.asks();
    liar.answer(session, "bob", bob.public_key(), &trap.candidates());
    let mut link = Link::accept(&trap.messages, &eve, Alpn::Message);
    let failure = link.stream.read(&mut [0; 16]).unwrap_err();
    assert!(link.stream.conn.peer_certificates().is_none(), "{failure}: ann showed no key");
    liar.victim.closed_because("is not the peer");
}

#[test]
fn answers_of_others_and_for_other_sessions_lead_nowhere() {
    let bob = Identity::generate().unwrap();
    let mut liar = Liar::welcome(bob.public_key());
    let trap = Ports::open(LOCALHOST);
    let session = liar.asks();
    liar.answer(SessionId([1; 16]), "bob", bob.public_key(), &trap.candidates());
    let candidates = trap.candidates();
    liar.link.send(&ServerFrame::Candidates { session: SessionId([1; 16]), candidates });
    // Before the session has begun.
    let candidates = trap.candidates();
    liar.link.send(&ServerFrame::Candidates { session, candidates });
    liar.settled("nothing yet");
    trap.saw_nothing();
    liar.answer(session, "carol", bob.public_key(), &trap.candidates());
    liar.victim.closed_because("another user answered");
    // The request is over: its answers are worth nothing any more.
    liar.answer(session, "bob", bob.public_key(), &trap.candidates());
    let candidates = trap.candidates();
    liar.link.send(&ServerFrame::Candidates { session, candidates });
    liar.settled("nothing at all");
    trap.saw_nothing();
}

#[test]
fn addresses_that_are_none_of_its_business_see_no_connection() {
    let bob = Identity::generate().unwrap();
    let mut liar = Liar::welcome(bob.public_key());
    let (canary, other) = (Ports::open(LOCALHOST), Ports::open([127, 0, 0, 9].into()));
    let ports = canary.candidate(CandidateKind::Interface).ports;
    let at = |address: [u8; 4], kind| Candidate { address: address.into(), ports, kind };
    let candidates = Candidates::new(vec![
        // The address of documentation, as that of a peer elsewhere.
        at([192, 0, 2, 1], CandidateKind::SeenByServer),
        canary.candidate(CandidateKind::Interface),
        other.candidate(CandidateKind::Configured),
        at([169, 254, 169, 254], CandidateKind::Interface),
        at([0, 0, 0, 0], CandidateKind::Interface),
        at([255, 255, 255, 255], CandidateKind::Interface),
    ])
    .unwrap();
    let session = liar.asks();
    liar.answer(session, "bob", bob.public_key(), &candidates);
    // The same again, once the session listens.
    liar.frame(|frame| matches!(frame, ClientFrame::Candidates { .. }));
    for _ in 0..50 {
        let candidates = candidates.clone();
        liar.link.send(&ServerFrame::Candidates { session, candidates });
    }
    let closed =
        liar.victim.expect("the end", |event| matches!(event, Event::PrivateClosed { .. }));
    let Event::PrivateClosed { reason, .. } = closed else { unreachable!() };
    assert!(reason.contains("192.0.2.1"), "the attempt was made: {reason}");
    for address in ["127.0.0.", "169.254", "0.0.0.0", "255.255"] {
        assert!(!reason.contains(address), "{reason}");
    }
    canary.saw_nothing();
    other.saw_nothing();
}
