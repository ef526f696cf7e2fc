use std::time::{Duration, Instant};

use super::state::{Circumstances, FileEffect, FileInput, FileState, TransferEnding, WatchFrom};
use crate::client::ids::TransferId;

pub(super) const A: TransferId = TransferId(1);
pub(super) const B: TransferId = TransferId(2);
pub(super) const C: TransferId = TransferId(3);
pub(super) const THEIRS: TransferId = TransferId(11);
pub(super) const NEXT: TransferId = TransferId(12);

/// A connection and a clock.
pub(super) struct Connection {
    pub(super) state: FileState,
    pub(super) now: Instant,
    pub(super) unread: u64,
}

impl Connection {
    pub(super) fn new() -> Self {
        Self { state: FileState::default(), now: Instant::now(), unread: 0 }
    }

    pub(super) fn handle(&mut self, input: FileInput) -> Vec<FileEffect> {
        self.state.handle(input, Circumstances { now: self.now, unread: self.unread })
    }

    pub(super) fn enqueue(&mut self, id: TransferId) -> Vec<FileEffect> {
        self.handle(FileInput::Enqueue { id, resent: false })
    }

    pub(super) fn header(&mut self, id: TransferId, size: u64) -> Vec<FileEffect> {
        self.handle(FileInput::HeaderSeen { id, size })
    }

    pub(super) fn take(&mut self, id: TransferId) -> Vec<FileEffect> {
        self.handle(FileInput::Take { id, unattended: false })
    }

    pub(super) fn refuse(&mut self, id: TransferId) -> Vec<FileEffect> {
        self.handle(FileInput::Refuse { id, reason: "no".into() })
    }

    pub(super) fn ended(&mut self, id: TransferId, ending: TransferEnding) -> Vec<FileEffect> {
        self.handle(FileInput::Ended { id, ending })
    }

    pub(super) fn close(&mut self) -> Vec<FileEffect> {
        self.handle(FileInput::Close { reason: "closed".into() })
    }

    /// Lets the time pass until the next deadline.
    pub(super) fn tick(&mut self) -> Vec<FileEffect> {
        self.now = self.state.deadline().expect("nothing is waited for");
        self.handle(FileInput::Tick)
    }
}

pub(super) fn failed(id: TransferId, reason: &str) -> FileEffect {
    FileEffect::Failed { id, reason: reason.into() }
}

pub(super) fn stop(id: TransferId, reason: &str) -> FileEffect {
    FileEffect::Stop { id, reason: reason.into() }
}

pub(super) fn give_back(id: TransferId) -> FileEffect {
    FileEffect::GiveBack { id, resent: false }
}

pub(super) fn broken(reason: &str) -> TransferEnding {
    TransferEnding::Broken { reason: reason.into(), ended: false }
}

#[test]
fn one_file_at_a_time_in_each_direction() {
    let mut files = Connection::new();
    assert_eq!(files.enqueue(A), [FileEffect::Send(A)]);
    assert_eq!(files.enqueue(B), []);
    assert_eq!(files.enqueue(C), []);
    assert_eq!(files.header(THEIRS, 5), [FileEffect::Offer { id: THEIRS, size: 5 }]);
    let receive = FileEffect::Receive { id: THEIRS, size: 5 };
    assert_eq!(files.take(THEIRS), [FileEffect::StopWatching, receive]);
    assert_eq!(files.take(THEIRS), [], "taken already");
    assert_eq!(files.handle(FileInput::Cancel { id: B }), [failed(B, "you cancelled it")]);
    assert_eq!(files.ended(THEIRS, TransferEnding::Whole), [FileEffect::Watch(WatchFrom::Header)]);
    assert_eq!(files.ended(A, TransferEnding::Whole), [FileEffect::Send(C)]);
    assert_eq!(files.ended(A, TransferEnding::Whole), [], "it is over");
    assert!(files.state.deadline().is_none() && !files.state.is_done());
}

#[test]
fn a_file_that_cannot_be_opened_does_not_hold_up_the_next() {
    let mut files = Connection::new();
    files.enqueue(A);
    files.enqueue(B);
    let ended = files.ended(A, TransferEnding::NotBegun("it is gone".into()));
    assert_eq!(ended, [failed(A, "it is gone"), FileEffect::Send(B)]);
}

#[test]
fn an_offer_that_cannot_be_taken_stands_while_a_user_can_do_something_about_it() {
    let mut files = Connection::new();
    files.header(THEIRS, 5);
    files.take(THEIRS);
    let ended = files.ended(THEIRS, TransferEnding::NotBegun("no room".into()));
    let not_taken = FileEffect::NotTaken { id: THEIRS, reason: "no room".into() };
    assert_eq!(ended, [FileEffect::Watch(WatchFrom::Offer(5)), not_taken]);
    assert_eq!(files.take(THEIRS).len(), 2, "again");

    let mut files = Connection::new();
    files.header(THEIRS, 5);
    files.handle(FileInput::Take { id: THEIRS, unattended: true });
    files.unread = 5;
    let ended = files.ended(THEIRS, TransferEnding::NotBegun("no room".into()));
    let skipped = FileEffect::Watch(WatchFrom::Refused(5));
    assert_eq!(ended, [failed(THEIRS, "it cannot be taken: no room"), skipped]);
}

#[test]
fn a_refused_file_that_is_all_here_is_read_past() {
    let mut files = Connection::new();
    files.enqueue(A);
    files.header(THEIRS, 5);
    files.unread = 5;
    assert_eq!(files.refuse(NEXT), [], "it is not offered");
    let skipped = FileEffect::Watch(WatchFrom::Refused(5));
    assert_eq!(files.refuse(THEIRS), [failed(THEIRS, "no"), skipped]);
    assert_eq!(files.header(NEXT, 1), [FileEffect::Offer { id: NEXT, size: 1 }]);
    assert_eq!(files.enqueue(B), []);
}

#[test]
fn a_refused_file_that_is_not_all_here_ends_an_idle_connection() {
    let mut files = Connection::new();
    files.header(THEIRS, 5);
    files.unread = 4;
    let refused = files.refuse(THEIRS);
    assert_eq!(refused, [failed(THEIRS, "no"), FileEffect::StopWatching, FileEffect::Abort]);
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
    let back = [failed(THEIRS, "no"), FileEffect::StopWatching, give_back(B), give_back(C)];
    assert_eq!(refused, back);
    files.handle(FileInput::Progress { id: A, bytes: 1 });
    assert_eq!(files.tick(), [], "it moves");
    assert_eq!(files.ended(A, TransferEnding::Whole), []);
    let before = files.now;
    assert_eq!(files.tick(), [FileEffect::Abort]);
    assert!(files.now - before >= Duration::from_millis(500), "its end was seen by then");
}

#[test]
fn an_own_file_that_stalls_after_a_refusal_is_sent_again_once() {
    let mut files = Connection::new();
    files.enqueue(A);
    files.header(THEIRS, 5);
    files.refuse(THEIRS);
    let [FileEffect::Stop { id: A, .. }] = &files.tick()[..] else { panic!("it is not stopped") };
    let again = FileEffect::GiveBack { id: A, resent: true };
    assert_eq!(files.ended(A, broken("stopped")), [FileEffect::ShutdownWrite, again]);

    let mut files = Connection::new();
    files.handle(FileInput::Enqueue { id: A, resent: true });
    files.header(THEIRS, 5);
    files.refuse(THEIRS);
    assert_eq!(files.tick().len(), 1);
    let ended = files.ended(A, broken("stopped"));
    assert_eq!(ended, [failed(A, "stopped"), FileEffect::ShutdownWrite]);
}

#[test]
fn a_cancelled_own_file_ends_its_direction_and_the_connection_once_nothing_is_received() {
    let mut files = Connection::new();
    files.enqueue(A);
    files.enqueue(B);
    files.header(THEIRS, 5);
    files.take(THEIRS);
    assert_eq!(files.handle(FileInput::Cancel { id: A }), [stop(A, "you cancelled it")]);
    let ended = files.ended(A, broken("you cancelled it"));
    let expected = [failed(A, "you cancelled it"), give_back(B), FileEffect::ShutdownWrite];
    assert_eq!(ended, expected);
    assert_eq!(files.tick(), [], "one comes in");
    assert_eq!(files.ended(THEIRS, TransferEnding::Whole), [FileEffect::Watch(WatchFrom::Header)]);
    assert_eq!(files.tick(), [FileEffect::Abort, FileEffect::StopWatching]);
}

#[test]
fn an_own_file_that_the_other_side_broke_off_leaves_the_other_direction_alone() {
    let mut files = Connection::new();
    files.enqueue(A);
    let ending = TransferEnding::Broken { reason: "gone".into(), ended: true };
    assert_eq!(files.ended(A, ending), [failed(A, "gone")]);
    assert_eq!(files.tick(), []);
    assert_eq!(files.header(THEIRS, 5), [FileEffect::Offer { id: THEIRS, size: 5 }]);
}

#[test]
fn an_incoming_file_that_breaks_off_closes_both_directions() {
    let mut files = Connection::new();
    files.enqueue(A);
    files.enqueue(B);
    files.header(THEIRS, 5);
    files.take(THEIRS);
    let ended = files.ended(THEIRS, broken("cut"));
    assert_eq!(ended, [failed(THEIRS, "cut"), FileEffect::StopWatching, give_back(B)]);
    assert_eq!(files.ended(A, TransferEnding::Whole), []);
    assert_eq!(files.tick(), [FileEffect::Abort]);
}

#[test]
fn an_end_under_an_offer_fails_it_and_one_under_a_transfer_does_not() {
    let ended = || FileInput::ReceivingEnded { reason: "gone".into() };
    let mut files = Connection::new();
    files.header(THEIRS, 5);
    let effects = files.handle(ended());
    assert_eq!(effects, [failed(THEIRS, "gone"), FileEffect::StopWatching, FileEffect::Abort]);
    let mut files = Connection::new();
    files.header(THEIRS, 5);
    files.take(THEIRS);
    assert_eq!(files.handle(ended()), [FileEffect::StopWatching]);
    assert_eq!(files.ended(THEIRS, TransferEnding::Whole), []);
    assert_eq!(files.tick(), [FileEffect::Abort]);
}

#[test]
fn a_session_that_ends_by_itself_leaves_earlier_files_time_to_arrive() {
    let over = || FileInput::TalkOver { reason: "gone".into() };
    let mut files = Connection::new();
    files.enqueue(A);
    files.enqueue(B);
    assert_eq!(files.handle(over()), [FileEffect::Orphan(A), failed(B, "not sent: gone")]);
    assert_eq!(files.enqueue(C), [give_back(C)]);
    assert_eq!(files.header(THEIRS, 5), [FileEffect::Offer { id: THEIRS, size: 5 }]);
    assert_eq!(files.tick(), []);
    assert!(!files.state.is_done(), "an offer stands");
    files.unread = 5;
    files.refuse(THEIRS);
    files.ended(A, TransferEnding::Whole);
    while files.state.deadline().is_some() {
        files.tick();
    }
    assert!(files.state.is_done());

    let mut files = Connection::new();
    files.handle(over());
    let ended = files.handle(FileInput::ReceivingEnded { reason: "gone".into() });
    assert_eq!(ended, [FileEffect::StopWatching], "its other side has closed it");
    assert!(files.state.is_done());
}

#[test]
fn closing_cuts_everything_and_nothing_follows() {
    let mut files = Connection::new();
    files.enqueue(A);
    files.enqueue(B);
    files.header(THEIRS, 5);
    let closed = [
        FileEffect::StopWatching,
        FileEffect::Shutdown,
        failed(THEIRS, "closed"),
        stop(A, "closed"),
        failed(B, "closed"),
        FileEffect::ShutdownWrite,
    ];
    assert_eq!(files.close(), closed);
    assert!(files.state.is_done());
    assert_eq!(files.header(NEXT, 1), []);
    assert_eq!(files.enqueue(C), [give_back(C)]);
    let ended = files.ended(A, broken("closed"));
    assert_eq!(ended, [failed(A, "closed"), FileEffect::ShutdownWrite]);

    let mut files = Connection::new();
    files.header(THEIRS, 5);
    files.take(THEIRS);
    let closed = [FileEffect::StopWatching, stop(THEIRS, "closed"), FileEffect::ShutdownWrite];
    assert_eq!(files.close(), closed);
    let ended = files.ended(THEIRS, TransferEnding::NotBegun("no room".into()));
    assert_eq!(ended, [failed(THEIRS, "no room")], "no offer stands in a closed session");
}
