use super::state::{FileEffect, FileInput, TransferEnding, WatchFrom};
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
            0 => FileInput::Enqueue { id: number, resent: false },
            1 if self.watching => FileInput::HeaderSeen { id: number, size: 5 },
            2 => FileInput::ReceivingEnded { reason: "end".into() },
            3 => match self.offered {
                Some(id) => FileInput::Take { id, unattended: self.numbers.is_multiple_of(2) },
                None => return false,
            },
            4 | 5 => match self.offered {
                Some(id) => {
                    self.files.unread = if what == 4 { 5 } else { 0 };
                    FileInput::Refuse { id, reason: "no".into() }
                }
                None => return false,
            },
            6 => match self.owed.first() {
                Some(id) => FileInput::Cancel { id: *id },
                None => return false,
            },
            7..=9 => {
                let ending = match what {
                    7 => TransferEnding::Whole,
                    8 => TransferEnding::NotBegun("not".into()),
                    _ => broken("cut"),
                };
                match running(0) {
                    Some(id) => FileInput::Ended { id, ending },
                    None => return false,
                }
            }
            10 => FileInput::TalkOver { reason: "over".into() },
            11 => FileInput::Close { reason: "closed".into() },
            12 if self.files.state.deadline().is_some() => {
                self.files.now = self.files.state.deadline().unwrap();
                FileInput::Tick
            }
            _ => return false,
        };
        self.apply(&input);
        true
    }

    fn apply(&mut self, input: &FileInput) {
        match input {
            FileInput::Enqueue { id, .. } => {
                self.numbers = id.0;
                self.owed.push(*id);
            }
            FileInput::HeaderSeen { id, .. } => (self.numbers, self.watching) = (id.0, false),
            FileInput::ReceivingEnded { .. } => self.watching = false,
            FileInput::Take { .. } => self.offered = None,
            FileInput::Ended { id, ending } => {
                self.running.retain(|other| other != id);
                if *ending == TransferEnding::Whole {
                    self.over(*id);
                }
            }
            _ => {}
        }
        for effect in self.files.handle(input.clone()) {
            match effect {
                FileEffect::Send(id) | FileEffect::Receive { id, .. } => {
                    assert!(self.owed.contains(&id) && !self.running.contains(&id), "{input:?}");
                    self.running.push(id);
                }
                FileEffect::Stop { id, .. } | FileEffect::Orphan(id) => {
                    assert!(self.running.contains(&id), "{input:?}");
                }
                FileEffect::Offer { id, .. } => {
                    self.owed.push(id);
                    self.offered = Some(id);
                }
                FileEffect::Watch(from) => self.watching = !matches!(from, WatchFrom::Offer(_)),
                FileEffect::StopWatching => self.watching = false,
                FileEffect::NotTaken { id, .. } => self.offered = Some(id),
                FileEffect::Failed { id, .. } | FileEffect::GiveBack { id, .. } => self.over(id),
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

    /// Closing leaves nothing but running transfers, and those end.
    fn finish(&mut self) {
        self.apply(&FileInput::Close { reason: "closed".into() });
        assert!(self.files.state.is_done());
        for id in self.running.clone() {
            self.apply(&FileInput::Ended { id, ending: broken("closed") });
        }
        assert!(self.owed.is_empty() && self.running.is_empty(), "{:?}", self.owed);
    }
}
