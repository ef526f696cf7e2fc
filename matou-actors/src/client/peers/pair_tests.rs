//! Two users, a server between them and a clock, through every order in which a private session can
//! be set up.

use std::collections::VecDeque;
use std::time::Instant;

use super::conversation::Conversation;
use super::outcome::{Pursuit, Requested};
use crate::client::ids::{RequestId, SessionNumber};
use crate::protocol::Username;

/// Frames of a set-up, without names: there are two people only.
#[derive(Clone, Copy, Debug)]
enum Frame {
    Request,
    Accept,
    Ports,
}

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Wants(usize),
    Accepts(usize),
    ToServer(usize),
    ToClient(usize),
    Opens(usize),
    Expires(usize),
}

/// How far the server is with the request of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    #[default]
    No,
    Waiting,
    Accepted,
}

struct Side {
    with: Conversation,
    numbers: u64,
    requests: Vec<RequestId>,
    wants: bool,
    expires: bool,
    listening: Option<SessionNumber>,
    opening: VecDeque<SessionNumber>,
    to_server: VecDeque<Frame>,
    to_client: VecDeque<Frame>,
    asked: Asked,
}

impl Side {
    fn new(wants: bool, expires: bool) -> Self {
        Self {
            with: Conversation::new(Username::parse("peer").unwrap()),
            numbers: 0,
            requests: Vec::new(),
            wants,
            expires,
            listening: None,
            opening: VecDeque::new(),
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            asked: Asked::No,
        }
    }

    fn request(&mut self) -> RequestId {
        self.numbers += 1;
        self.requests.push(RequestId(self.numbers));
        RequestId(self.numbers)
    }

    fn session(&mut self) -> SessionNumber {
        self.numbers += 1;
        SessionNumber(self.numbers)
    }
}

struct Pair {
    sides: [Side; 2],
    /// Sessions that exist, by their number on either side.
    connected: Vec<[SessionNumber; 2]>,
    now: Instant,
}

impl Pair {
    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (at, side) in self.sides.iter().enumerate() {
            let expires = side.expires && !side.requests.is_empty();
            let enabled = [
                (side.wants, Step::Wants(at)),
                (side.with.is_asked(), Step::Accepts(at)),
                (!side.to_server.is_empty(), Step::ToServer(at)),
                (!side.to_client.is_empty(), Step::ToClient(at)),
                (!side.opening.is_empty(), Step::Opens(at)),
                (expires, Step::Expires(at)),
            ];
            steps.extend(enabled.into_iter().filter_map(|(on, step)| on.then_some(step)));
        }
        steps
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Wants(at) => {
                let side = &mut self.sides[at];
                side.wants = false;
                let request = side.request();
                match side.with.pursue(request) {
                    Pursuit::Ask => side.to_server.push_back(Frame::Request),
                    Pursuit::Accept => side.to_server.push_back(Frame::Accept),
                    Pursuit::Open | Pursuit::Pending => {}
                }
            }
            Step::Accepts(at) => {
                let side = &mut self.sides[at];
                let request = side.request();
                assert!(side.with.accept(request));
                side.to_server.push_back(Frame::Accept);
            }
            Step::ToServer(at) => self.serve(at),
            Step::ToClient(at) => self.deliver(at),
            Step::Opens(at) => {
                let side = &mut self.sides[at];
                if let Some(session) = side.opening.pop_front() {
                    side.with.opened(session);
                }
            }
            Step::Expires(at) => {
                let side = &mut self.sides[at];
                side.expires = false;
                for request in side.requests.clone() {
                    side.with.expired(request);
                }
            }
        }
    }

    /// The server handles the next frame of one side.
    fn serve(&mut self, at: usize) {
        let other = 1 - at;
        let frame = self.sides[at].to_server.pop_front();
        match frame {
            Some(Frame::Request) if self.sides[at].asked == Asked::No => {
                self.sides[at].asked = Asked::Waiting;
                self.sides[other].to_client.push_back(Frame::Request);
            }
            Some(Frame::Accept) if self.sides[other].asked == Asked::Waiting => {
                self.sides[other].asked = Asked::Accepted;
                self.sides[other].to_client.push_back(Frame::Accept);
            }
            Some(Frame::Ports) if self.sides[at].asked == Asked::Accepted => {
                self.sides[at].asked = Asked::No;
                self.sides[other].to_client.push_back(Frame::Ports);
            }
            _ => {}
        }
    }

    /// One side takes the next frame of the server.
    fn deliver(&mut self, at: usize) {
        let now = self.now;
        let side = &mut self.sides[at];
        match side.to_client.pop_front() {
            Some(Frame::Request) => {
                let request = side.request();
                if side.with.requested(request) == Requested::Wanted {
                    let deferred = !side.with.defer(request, now).is_zero();
                    if !deferred || side.with.is_due(request) {
                        side.to_server.push_back(Frame::Accept);
                    }
                }
            }
            Some(Frame::Accept) => {
                let session = side.session();
                if side.with.peer_accepted(session) {
                    side.listening = Some(session);
                    side.to_server.push_back(Frame::Ports);
                }
            }
            Some(Frame::Ports) => {
                let session = side.session();
                if !side.with.peer_listening(session) {
                    return;
                }
                let Some(theirs) = self.sides[1 - at].listening.take() else {
                    self.sides[at].with.ended(session);
                    return;
                };
                self.sides[at].opening.push_back(session);
                self.sides[1 - at].opening.push_back(theirs);
                self.connected.push(if at == 0 { [session, theirs] } else { [theirs, session] });
            }
            None => {}
        }
    }

    /// The last time limits expire: a side that still listens or waits gives up.
    fn give_up(&mut self) {
        for side in &mut self.sides {
            if let Some(session) = side.listening.take() {
                side.with.ended(session);
            }
            for request in side.requests.clone() {
                side.with.expired(request);
            }
        }
    }

    fn check(&self, what: &[Step]) {
        for (at, side) in self.sides.iter().enumerate() {
            assert!(!side.with.is_pending() && !side.with.is_asked(), "{at} still waits: {what:?}");
            let mut open = side.with.sessions().to_vec();
            let mut connected: Vec<_> = self.connected.iter().map(|both| both[at]).collect();
            open.sort_unstable();
            connected.sort_unstable();
            assert_eq!(open, connected, "{at}: {what:?}");
        }
    }
}

/// Goes through every order of what can happen; returns how many there are.
fn every_order(start: impl Fn() -> [Side; 2], check: impl Fn(&mut Pair, &[Step])) -> usize {
    let now = Instant::now();
    let (mut choices, mut orders) = (Vec::<(usize, usize)>::new(), 0);
    loop {
        let mut pair = Pair { sides: start(), connected: Vec::new(), now };
        let mut taken = Vec::new();
        loop {
            let steps = pair.steps();
            let depth = taken.len();
            if choices.len() == depth {
                choices.push((0, steps.len()));
            }
            let Some(step) = steps.get(choices[depth].0) else { break };
            taken.push(*step);
            pair.take(*step);
        }
        choices.truncate(taken.len());
        check(&mut pair, &taken);
        orders += 1;
        while let Some((choice, of)) = choices.pop() {
            if choice + 1 < of {
                choices.push((choice + 1, of));
                break;
            }
        }
        if choices.is_empty() {
            return orders;
        }
    }
}

#[test]
fn one_wish_opens_one_session_for_both() {
    let orders = every_order(
        || [Side::new(true, false), Side::new(false, false)],
        |pair, taken| {
            pair.check(taken);
            assert_eq!(pair.connected.len(), 1, "{taken:?}");
        },
    );
    assert!(orders > 1);
}

#[test]
fn two_wishes_open_a_session_for_both_in_every_order() {
    let orders = every_order(
        || [Side::new(true, false), Side::new(true, false)],
        |pair, taken| {
            pair.check(taken);
            assert!(!pair.connected.is_empty(), "{taken:?}");
        },
    );
    assert!(orders > 1000, "{orders}");
}

#[test]
fn a_time_limit_at_any_moment_leaves_neither_side_waiting() {
    for (first, second) in [(true, false), (false, true)] {
        every_order(
            || [Side::new(true, first), Side::new(false, second)],
            |pair, taken| {
                pair.give_up();
                pair.check(taken);
            },
        );
    }
}
