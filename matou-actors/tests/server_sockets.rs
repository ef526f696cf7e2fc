//! The whole server inside the test's process, spoken to over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

use matou_actors::protocol::{ClientFrame, ServerFrame};
use support::{Client, Server, claim, joined, left, message, text};

#[test]
fn a_newcomer_gets_the_answer_the_roster_its_own_name_and_then_the_room() {
    let server = Server::start();
    let mut alice = Client::join(&server, "alice");
    let mut bob = Client::connect(&server);
    bob.send(&ClientFrame::Join(claim("bob")));
    assert_eq!(bob.receive(), ServerFrame::JoinAnswer { accepted: true });
    assert_eq!(bob.receive(), joined("alice"));
    assert_eq!(bob.receive(), joined("bob"));
    assert_eq!(alice.receive(), joined("bob"));
    alice.send(&ClientFrame::Say(text("hello")));
    assert_eq!(alice.receive(), message("alice", "hello"));
    assert_eq!(bob.receive(), message("alice", "hello"));
    bob.send(&ClientFrame::Leave);
    assert_eq!(alice.receive(), left("bob"));
    assert!(bob.is_closed());
}

#[test]
fn messages_before_a_violation_are_delivered() {
    let server = Server::start();
    let mut alice = Client::join(&server, "alice");
    let mut bob = Client::join(&server, "bob");
    assert_eq!(alice.receive(), joined("bob"));
    bob.send_all(&[ClientFrame::Say(text("one")), ClientFrame::Join(claim("again"))]);
    assert_eq!(alice.receive(), message("bob", "one"));
    assert_eq!(alice.receive(), left("bob"));
}

#[test]
fn all_clients_read_everything_in_one_order() {
    const CLIENTS: usize = 20;
    const MESSAGES: usize = 200;
    let server = Server::start();
    let names: Vec<String> = (0..CLIENTS).map(|i| format!("user{i}")).collect();
    let mut clients: Vec<Client> = names.iter().map(|name| Client::join(&server, name)).collect();
    let last = clients.len() - 1;
    for client in &mut clients[..last] {
        client.wait_until_joined(&names[last]);
    }
    let talkers: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            std::thread::spawn(move || {
                let said: Vec<_> =
                    (0..MESSAGES).map(|i| ClientFrame::Say(text(&i.to_string()))).collect();
                client.send_all(&said);
                (0..CLIENTS * MESSAGES).map(|_| client.receive()).collect::<Vec<_>>()
            })
        })
        .collect();
    let received: Vec<_> = talkers.into_iter().map(|talker| talker.join().unwrap()).collect();
    assert!(
        received.iter().all(|other| *other == received[0]),
        "all hear the same in the same order"
    );
    for name in names {
        let own: Vec<String> = received[0]
            .iter()
            .filter_map(|frame| match frame {
                ServerFrame::Message { from, text } if from.as_str() == name => {
                    Some(text.to_string())
                }
                _ => None,
            })
            .collect();
        assert_eq!(own, (0..MESSAGES).map(|i| i.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn stopping_writes_pending_messages_and_closes() {
    let server = Server::start();
    let mut alice = Client::join(&server, "alice");
    alice.send(&ClientFrame::Say(text("last words")));
    assert_eq!(alice.receive(), message("alice", "last words"));
    server.stop();
    assert!(alice.is_closed());
}

#[test]
fn a_reader_that_never_reads_is_disconnected_and_costs_the_others_nothing() {
    let server = Server::with(|settings| {
        settings.limits.queue_bytes = 512 * 1024;
        settings.limits.messages_per_second = 0;
        settings.limits.bytes_per_second = 0;
        settings.limits.room_bytes_per_second = 0;
    });
    let mut alice = Client::join(&server, "alice");
    let stuck = Client::join(&server, "stuck");
    assert_eq!(alice.receive(), joined("stuck"));
    let long = text(&"x".repeat(512));
    let said = vec![ClientFrame::Say(long); 30];
    'said: loop {
        alice.send_all(&said);
        for _ in 0..said.len() {
            match alice.receive() {
                ServerFrame::Message { .. } => {}
                other => {
                    assert_eq!(other, left("stuck"));
                    break 'said;
                }
            }
        }
    }
    drop(stuck);
}
