use super::state::{Effect, Ending, Input, WatchFrom};
use super::state_tests::{Connection, broken};
use crate::client::ids::TransferId;

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
