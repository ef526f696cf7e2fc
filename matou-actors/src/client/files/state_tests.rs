use std::time::{Duration, Instant};

use super::state::{Effect, Ending, FileState, Input, Moment, WatchFrom};
use crate::client::ids::TransferId;

const A: TransferId = TransferId(1);
const B: TransferId = TransferId(2);
const C: TransferId = TransferId(3);
const THEIRS: TransferId = TransferId(11);
const NEXT: TransferId = TransferId(12);

/// A connection and a clock.
struct Connection {
    state: FileState,
    now: Instant,
    unread: u64,
}

impl Connection {
    fn new() -> Self {
        Self { state: FileState::default(), now: Instant::now(), unread: 0 }
    }

    fn handle(&mut self, input: Input) -> Vec<Effect> {
        self.state.handle(input, Moment { now: self.now, unread: self.unread })
    }

    fn enqueue(&mut self, id: TransferId) -> Vec<Effect> {
        self.handle(Input::Enqueue { id, resent: false })
    }

    fn header(&mut self, id: TransferId, size: u64) -> Vec<Effect> {
        self.handle(Input::HeaderSeen { id, size })
    }

    fn take(&mut self, id: TransferId) -> Vec<Effect> {
        self.handle(Input::Take { id, unattended: false })
    }

    fn refuse(&mut self, id: TransferId) -> Vec<Effect> {
        self.handle(Input::Refuse { id, reason: "no".into() })
    }

    fn ended(&mut self, id: TransferId, ending: Ending) -> Vec<Effect> {
        self.handle(Input::Ended { id, ending })
    }

    fn close(&mut self) -> Vec<Effect> {
        self.handle(Input::Close { reason: "closed".into() })
    }

    /// Lets the time pass until the next deadline.
    fn tick(&mut self) -> Vec<Effect> {
        self.now = self.state.deadline().expect("nothing is waited for");
        self.handle(Input::Tick)
    }
}

fn failed(id: TransferId, reason: &str) -> Effect {
    Effect::Failed { id, reason: reason.into() }
}

fn stop(id: TransferId, reason: &str) -> Effect {
    Effect::Stop { id, reason: reason.into() }
}

fn give_back(id: TransferId) -> Effect {
    Effect::GiveBack { id, resent: false }
}

fn broken(reason: &str) -> Ending {
    Ending::Broken { reason: reason.into(), ended: false }
}

#[test]
fn one_file_at_a_time_in_each_direction() {
    let mut files = Connection::new();
    assert_eq!(files.enqueue(A), [Effect::Send(A)]);
    assert_eq!(files.enqueue(B), []);
    assert_eq!(files.enqueue(C), []);
    assert_eq!(files.header(THEIRS, 5), [Effect::Offer { id: THEIRS, size: 5 }]);
    let receive = Effect::Receive { id: THEIRS, size: 5 };
    assert_eq!(files.take(THEIRS), [Effect::StopWatching, receive]);
    assert_eq!(files.take(THEIRS), [], "taken already");
    assert_eq!(files.handle(Input::Cancel { id: B }), [failed(B, "you cancelled it")]);
    assert_eq!(files.ended(THEIRS, Ending::Whole), [Effect::Watch(WatchFrom::Header)]);
    assert_eq!(files.ended(A, Ending::Whole), [Effect::Send(C)]);
    assert_eq!(files.ended(A, Ending::Whole), [], "it is over");
    assert!(files.state.deadline().is_none() && !files.state.is_done());
}

#[test]
fn a_file_that_cannot_be_opened_does_not_hold_up_the_next() {
    let mut files = Connection::new();
    files.enqueue(A);
    files.enqueue(B);
    let ended = files.ended(A, Ending::NotBegun("it is gone".into()));
    assert_eq!(ended, [failed(A, "it is gone"), Effect::Send(B)]);
}

#[test]
fn an_offer_that_cannot_be_taken_stands_while_a_user_can_do_something_about_it() {
    let mut files = Connection::new();
    files.header(THEIRS, 5);
    files.take(THEIRS);
    let ended = files.ended(THEIRS, Ending::NotBegun("no room".into()));
    let not_taken = Effect::NotTaken { id: THEIRS, reason: "no room".into() };
    assert_eq!(ended, [Effect::Watch(WatchFrom::Offer(5)), not_taken]);
    assert_eq!(files.take(THEIRS).len(), 2, "again");

    let mut files = Connection::new();
    files.header(THEIRS, 5);
    files.handle(Input::Take { id: THEIRS, unattended: true });
    files.unread = 5;
    let ended = files.ended(THEIRS, Ending::NotBegun("no room".into()));
    let skipped = Effect::Watch(WatchFrom::Refused(5));
    assert_eq!(ended, [failed(THEIRS, "it cannot be taken: no room"), skipped]);
}

#[test]
fn a_refused_file_that_is_all_here_is_read_past() {
    let mut files = Connection::new();
    files.enqueue(A);
    files.header(THEIRS, 5);
    files.unread = 5;
    assert_eq!(files.refuse(NEXT), [], "it is not offered");
    let skipped = Effect::Watch(WatchFrom::Refused(5));
    assert_eq!(files.refuse(THEIRS), [failed(THEIRS, "no"), skipped]);
    assert_eq!(files.header(NEXT, 1), [Effect::Offer { id: NEXT, size: 1 }]);
    assert_eq!(files.enqueue(B), []);
}

#[test]
fn a_refused_file_that_is_not_all_here_ends_an_idle_connection() {
    let mut files = Connection::new();
    files.header(THEIRS, 5);
    files.unread = 4;
    let refused = files.refuse(THEIRS);
    assert_eq!(refused, [failed(THEIRS, "no"), Effect::StopWatching, Effect::Abort]);
    assert_eq!(files.header(NEXT, 1), [], "what comes is not understood");
    assert_eq!(files.enqueue(A), [give_back(A)]);
}

#[test]
fn a_refusal_lets_the_own_file_through_and_gives_the_others_back() {
    let mut files = Connection::new();
    for id in [A, B, C] {
        files.enqueue(id);
    }
    files.header(THEIRS, 5);
    let refused = files.refuse(THEIRS);
    let back = [failed(THEIRS, "no"), Effect::StopWatching, give_back(B), give_back(C)];
    assert_eq!(refused, back);
    files.handle(Input::Progress { id: A, bytes: 1 });
    assert_eq!(files.tick(), [], "it moves");
    assert_eq!(files.ended(A, Ending::Whole), []);
    let before = files.now;
    assert_eq!(files.tick(), [Effect::Abort]);
    assert!(files.now - before >= Duration::from_millis(500), "its end was seen by then");
}

#[test]
fn an_own_file_that_stands_still_behind_a_refusal_is_sent_again_once() {
    let mut files = Connection::new();
    files.enqueue(A);
    files.header(THEIRS, 5);
    files.refuse(THEIRS);
    let [Effect::Stop { id: A, .. }] = &files.tick()[..] else { panic!("it is not stopped") };
    let again = Effect::GiveBack { id: A, resent: true };
    assert_eq!(files.ended(A, broken("stopped")), [Effect::ShutdownWrite, again]);

    let mut files = Connection::new();
    files.handle(Input::Enqueue { id: A, resent: true });
    files.header(THEIRS, 5);
    files.refuse(THEIRS);
    assert_eq!(files.tick().len(), 1);
    let ended = files.ended(A, broken("stopped"));
    assert_eq!(ended, [failed(A, "stopped"), Effect::ShutdownWrite]);
}

#[test]
fn a_cancelled_own_file_ends_its_direction_and_the_connection_once_nothing_comes_in() {
    let mut files = Connection::new();
    files.enqueue(A);
    files.enqueue(B);
    files.header(THEIRS, 5);
    files.take(THEIRS);
    assert_eq!(files.handle(Input::Cancel { id: A }), [stop(A, "you cancelled it")]);
    let ended = files.ended(A, broken("you cancelled it"));
    let expected = [failed(A, "you cancelled it"), give_back(B), Effect::ShutdownWrite];
    assert_eq!(ended, expected);
    assert_eq!(files.tick(), [], "one comes in");
    assert_eq!(files.ended(THEIRS, Ending::Whole), [Effect::Watch(WatchFrom::Header)]);
    assert_eq!(files.tick(), [Effect::Abort, Effect::StopWatching]);
}

#[test]
fn an_own_file_that_the_other_side_broke_off_leaves_the_other_direction_alone() {
    let mut files = Connection::new();
    files.enqueue(A);
    let ending = Ending::Broken { reason: "gone".into(), ended: true };
    assert_eq!(files.ended(A, ending), [failed(A, "gone")]);
    assert_eq!(files.tick(), []);
    assert_eq!(files.header(THEIRS, 5), [Effect::Offer { id: THEIRS, size: 5 }]);
}

#[test]
fn an_incoming_file_that_breaks_off_closes_both_directions() {
    let mut files = Connection::new();
    files.enqueue(A);
    files.enqueue(B);
    files.header(THEIRS, 5);
    files.take(THEIRS);
    let ended = files.ended(THEIRS, broken("cut"));
    assert_eq!(ended, [failed(THEIRS, "cut"), Effect::StopWatching, give_back(B)]);
    assert_eq!(files.ended(A, Ending::Whole), []);
    assert_eq!(files.tick(), [Effect::Abort]);
}

#[test]
fn an_end_under_an_offer_fails_it_and_one_under_a_transfer_does_not() {
    let ended = || Input::ReceivingEnded { reason: "gone".into() };
    let mut files = Connection::new();
    files.header(THEIRS, 5);
    let effects = files.handle(ended());
    assert_eq!(effects, [failed(THEIRS, "gone"), Effect::StopWatching, Effect::Abort]);
    let mut files = Connection::new();
    files.header(THEIRS, 5);
    files.take(THEIRS);
    assert_eq!(files.handle(ended()), [Effect::StopWatching]);
    assert_eq!(files.ended(THEIRS, Ending::Whole), []);
    assert_eq!(files.tick(), [Effect::Abort]);
}

#[test]
fn a_session_that_ends_by_itself_leaves_what_was_sent_before_it_time_to_come() {
    let over = || Input::TalkOver { reason: "gone".into() };
    let mut files = Connection::new();
    files.enqueue(A);
    files.enqueue(B);
    assert_eq!(files.handle(over()), [Effect::Orphan(A), failed(B, "not sent: gone")]);
    assert_eq!(files.enqueue(C), [give_back(C)]);
    assert_eq!(files.header(THEIRS, 5), [Effect::Offer { id: THEIRS, size: 5 }]);
    assert_eq!(files.tick(), []);
    assert!(!files.state.is_done(), "an offer stands");
    files.unread = 5;
    files.refuse(THEIRS);
    files.ended(A, Ending::Whole);
    while files.state.deadline().is_some() {
        files.tick();
    }
    assert!(files.state.is_done());

    let mut files = Connection::new();
    files.handle(over());
    let ended = files.handle(Input::ReceivingEnded { reason: "gone".into() });
    assert_eq!(ended, [Effect::StopWatching], "its other side has closed it");
    assert!(files.state.is_done());
}

#[test]
fn closing_cuts_everything_and_nothing_follows() {
    let mut files = Connection::new();
    files.enqueue(A);
    files.enqueue(B);
    files.header(THEIRS, 5);
    let closed = [
        Effect::StopWatching,
        Effect::Shutdown,
        failed(THEIRS, "closed"),
        stop(A, "closed"),
        failed(B, "closed"),
        Effect::ShutdownWrite,
    ];
    assert_eq!(files.close(), closed);
    assert!(files.state.is_done());
    assert_eq!(files.header(NEXT, 1), []);
    assert_eq!(files.enqueue(C), [give_back(C)]);
    let ended = files.ended(A, broken("closed"));
    assert_eq!(ended, [failed(A, "closed"), Effect::ShutdownWrite]);

    let mut files = Connection::new();
    files.header(THEIRS, 5);
    files.take(THEIRS);
    let closed = [Effect::StopWatching, stop(THEIRS, "closed"), Effect::ShutdownWrite];
    assert_eq!(files.close(), closed);
    let ended = files.ended(THEIRS, Ending::NotBegun("no room".into()));
    assert_eq!(ended, [failed(THEIRS, "no room")], "no offer stands in a closed session");
}

/// Every order of five of the things that can happen: each file ends exactly once, nothing
/// is asked of a transfer that does not run, and nothing is sent once sending is over.
#[test]
fn in_every_order_each_file_ends_exactly_once() {
    let mut orders = 0;
    let inputs = 13_usize;
    for code in 0..inputs.pow(5) {
        let mut model = Model::new();
        let mut steps = (0..5).map(|at| code / inputs.pow(at) % inputs);
        if steps.all(|step| model.step(step)) {
            model.finish();
            orders += 1;
        }
    }
    assert!(orders > 1000, "{orders}");
}

/// What a session, its peer and its transfers may do, and what must hold.
struct Model {
    files: Connection,
    running: Vec<TransferId>,
    /// Files that the connection owes an end.
    owed: Vec<TransferId>,
    offered: Option<TransferId>,
    /// A header can be seen.
    watching: bool,
    numbers: u64,
}

impl Model {
    fn new() -> Self {
        let (running, owed) = (Vec::new(), Vec::new());
        Self { files: Connection::new(), running, owed, offered: None, watching: true, numbers: 0 }
    }

    /// Whether this can happen now; if so it does.
    fn step(&mut self, what: usize) -> bool {
        let number = TransferId(self.numbers + 1);
        let running = |at: usize| self.running.get(at).copied();
        let input = match what {
            0 => Input::Enqueue { id: number, resent: false },
            1 if self.watching => Input::HeaderSeen { id: number, size: 5 },
            2 => Input::ReceivingEnded { reason: "end".into() },
            3 => match self.offered {
                Some(id) => Input::Take { id, unattended: self.numbers.is_multiple_of(2) },
                None => return false,
            },
            4 | 5 => match self.offered {
                Some(id) => {
                    self.files.unread = if what == 4 { 5 } else { 0 };
                    Input::Refuse { id, reason: "no".into() }
                }
                None => return false,
            },
            6 => match self.owed.first() {
                Some(id) => Input::Cancel { id: *id },
                None => return false,
            },
            7..=9 => {
                let ending = match what {
                    7 => Ending::Whole,
                    8 => Ending::NotBegun("not".into()),
                    _ => broken("cut"),
                };
                match running(0) {
                    Some(id) => Input::Ended { id, ending },
                    None => return false,
                }
            }
            10 => Input::TalkOver { reason: "over".into() },
            11 => Input::Close { reason: "closed".into() },
            12 if self.files.state.deadline().is_some() => {
                self.files.now = self.files.state.deadline().unwrap();
                Input::Tick
            }
            _ => return false,
        };
        self.apply(&input);
        true
    }

    fn apply(&mut self, input: &Input) {
        match input {
            Input::Enqueue { id, .. } => {
                self.numbers = id.0;
                self.owed.push(*id);
            }
            Input::HeaderSeen { id, .. } => (self.numbers, self.watching) = (id.0, false),
            Input::ReceivingEnded { .. } => self.watching = false,
            Input::Take { .. } => self.offered = None,
            Input::Ended { id, ending } => {
                self.running.retain(|other| other != id);
                if *ending == Ending::Whole {
                    self.over(*id);
                }
            }
            _ => {}
        }
        for effect in self.files.handle(input.clone()) {
            match effect {
                Effect::Send(id) | Effect::Receive { id, .. } => {
                    assert!(self.owed.contains(&id) && !self.running.contains(&id), "{input:?}");
                    self.running.push(id);
                }
                Effect::Stop { id, .. } | Effect::Orphan(id) => {
                    assert!(self.running.contains(&id), "{input:?}");
                }
                Effect::Offer { id, .. } => {
                    self.owed.push(id);
                    self.offered = Some(id);
                }
                Effect::Watch(from) => self.watching = !matches!(from, WatchFrom::Offer(_)),
                Effect::StopWatching => self.watching = false,
                Effect::NotTaken { id, .. } => self.offered = Some(id),
                Effect::Failed { id, .. } | Effect::GiveBack { id, .. } => self.over(id),
                _ => {}
            }
        }
    }

    fn over(&mut self, id: TransferId) {
        assert!(self.owed.contains(&id), "{id} has ended before");
        assert!(!self.running.contains(&id), "{id} still runs");
        self.owed.retain(|other| *other != id);
        self.offered.take_if(|offered| *offered == id);
    }

    /// Closing leaves nothing behind but transfers that run, and those end.
    fn finish(&mut self) {
        self.apply(&Input::Close { reason: "closed".into() });
        assert!(self.files.state.is_done());
        for id in self.running.clone() {
            self.apply(&Input::Ended { id, ending: broken("closed") });
        }
        assert!(self.owed.is_empty() && self.running.is_empty(), "{:?}", self.owed);
    }
}
