//! Earlier messages, for newcomers and returning clients of a running server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A test may fail where it likes.

mod support;

use matou_actors::protocol as v1;
use matou_actors::protocol::v2::{ClientFrame, ServerFrame};
use matou_actors::trust::Identity;
use support::encrypted::{Encrypted, said};
use support::{Client, Server, claim, joined, message};

/// Says the numbers and reads them back; the sequence of the last one.
fn say(client: &mut Encrypted, numbers: std::ops::Range<u32>) -> u64 {
    let mut last = 0;
    for number in numbers {
        client.say(&number.to_string(), 0);
        last = said(client.receive()).0;
    }
    last
}

/// Past messages up to their end: the texts, each checked for its flag and order; and the oldest
/// sequence that the server has.
fn past(client: &mut Encrypted) -> (Vec<u32>, u64) {
    let (mut texts, mut before) = (Vec::new(), 0);
    loop {
        match client.receive() {
            ServerFrame::HistoryEnd { oldest } => return (texts, oldest),
            frame => {
                let (sequence, _, text, flags) = said(frame);
                assert!(flags == 1 && sequence > before, "{sequence} {flags}");
                before = sequence;
                texts.push(text.parse().unwrap());
            }
        }
    }
}

/// The frames after WELCOME and PRESENT.
fn welcome(client: &mut Encrypted, called: &str, last_sequence: u64) {
    client.hello_after(called, last_sequence);
    let ServerFrame::Welcome { present, .. } = client.receive() else { panic!("no WELCOME") };
    for _ in 0..present {
        assert!(matches!(client.receive(), ServerFrame::Present { .. }));
    }
}

#[test]
fn a_newcomer_reads_the_last_messages_and_then_the_live_ones() {
    let server = Server::with(|settings| settings.room.replay = 3);
    let mut ann = Encrypted::join(&server, "ann");
    say(&mut ann, 0..5);
    let mut bob = Encrypted::connect(&server);
    welcome(&mut bob, "bob", 0);
    assert_eq!(past(&mut bob), (vec![2, 3, 4], 2));
    assert!(matches!(bob.receive(), ServerFrame::Joined { sequence: 7, .. }));
    ann.receive();
    say(&mut ann, 5..6);
    assert_eq!(said(bob.receive()), (8, "ann".into(), "5".into(), 0));
}

#[test]
fn a_returning_client_reads_every_missed_message_once() {
    let server = Server::with(|settings| settings.room.replay = 1);
    let identity = Identity::generate().unwrap();
    let mut ann = Encrypted::join(&server, "ann");
    let mut bob = Encrypted::connect_as(&server, &identity);
    welcome(&mut bob, "bob", 0);
    assert!(matches!(bob.receive(), ServerFrame::Joined { sequence: 2, .. }));
    ann.receive();
    let seen = say(&mut ann, 0..2);
    assert_eq!([said(bob.receive()).0, said(bob.receive()).0], [3, seen]);
    drop(bob);
    assert!(matches!(ann.receive(), ServerFrame::Left { .. }));
    say(&mut ann, 2..20);
    let mut bob = Encrypted::connect_as(&server, &identity);
    welcome(&mut bob, "bob", seen);
    assert_eq!(past(&mut bob).0, (2..20).collect::<Vec<_>>());
    assert!(matches!(bob.receive(), ServerFrame::Joined { .. }));
    // A sequence that this server has not reached is that of another run of it.
    let mut cat = Encrypted::connect(&server);
    welcome(&mut cat, "cat", 1_000_000);
    assert_eq!(past(&mut cat).0, [19]);
}

#[test]
fn older_messages_are_asked_for() {
    let server = Server::with(|settings| settings.limits.messages_per_second = 0);
    let mut ann = Encrypted::join(&server, "ann");
    say(&mut ann, 0..600);
    ann.send(&ClientFrame::History { before: 601, count: 3 });
    assert_eq!(past(&mut ann), (vec![596, 597, 598], 102));
    ann.send(&ClientFrame::History { before: 602, count: u32::MAX });
    assert_eq!(past(&mut ann).0, (100..600).collect::<Vec<_>>());
    ann.send(&ClientFrame::History { before: 102, count: 1 });
    assert_eq!(past(&mut ann).0, [] as [u32; 0]);
    // The connection continues.
    say(&mut ann, 600..601);
}

#[test]
fn a_server_without_history_reports_it() {
    let server = Server::with(|settings| settings.history.messages = 0);
    let mut ann = Encrypted::join(&server, "ann");
    say(&mut ann, 0..2);
    let mut bob = Encrypted::connect(&server);
    welcome(&mut bob, "bob", 1);
    assert!(matches!(bob.receive(), ServerFrame::Joined { sequence: 4, .. }));
    bob.send(&ClientFrame::History { before: 4, count: 10 });
    assert_eq!(past(&mut bob), (vec![], 5));
}

#[test]
fn a_client_of_revision_1_gets_old_messages_only_where_the_operator_wants_that() {
    let server = Server::start();
    let mut ann = Encrypted::join(&server, "ann");
    say(&mut ann, 0..3);
    let mut old = Client::join(&server, "old");
    ann.receive();
    say(&mut ann, 3..4);
    // `join` reads up to its own arrival.
    assert_eq!(old.receive(), message("ann", "3"));

    let server = Server::with(|settings| settings.history.replay_plain = 2);
    let mut ann = Encrypted::join(&server, "ann");
    say(&mut ann, 0..3);
    let mut old = Client::connect(&server);
    old.send(&v1::ClientFrame::Join(claim("old")));
    let accepted = v1::ServerFrame::JoinAnswer { accepted: true };
    let expected =
        [accepted, joined("ann"), message("ann", "1"), message("ann", "2"), joined("old")];
    for frame in expected {
        assert_eq!(old.receive(), frame);
    }
}

#[test]
fn a_history_file_outlives_the_server_and_sequences_continue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let start = || Server::with(|settings| settings.history.file.clone_from(&path));
    let server = start();
    let identity = Identity::generate().unwrap();
    let mut ann = Encrypted::connect_as(&server, &identity);
    welcome(&mut ann, "ann", 0);
    ann.receive();
    let last = say(&mut ann, 0..3);
    server.stop();
    let server = start();
    let mut bob = Encrypted::connect(&server);
    welcome(&mut bob, "bob", 0);
    assert_eq!(past(&mut bob).0, [0, 1, 2]);
    let ServerFrame::Joined { sequence, .. } = bob.receive() else { panic!("no JOINED") };
    assert!(sequence > last);
    assert!(say(&mut bob, 3..5) > sequence);
    let mut ann = Encrypted::connect_as(&server, &identity);
    welcome(&mut ann, "ann", last);
    assert_eq!(past(&mut ann).0, [3, 4], "no gap, and nothing twice");
}

#[test]
fn a_file_that_cannot_be_written_costs_the_room_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not/there/history");
    let server = Server::with(|settings| settings.history.file = path);
    let mut ann = Encrypted::join(&server, "ann");
    say(&mut ann, 0..3);
    ann.send(&ClientFrame::History { before: 100, count: 100 });
    assert_eq!(past(&mut ann).0, [0, 1, 2]);
}
