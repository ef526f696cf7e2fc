//! The server's limits, and changing them while it runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

use matou_actors::protocol::{ClientFrame, ServerFrame};
use matou_actors::server::{Counts, ServerSettings};
use support::{Client, Server, claim, joined, left, message, text};

fn settings(change: impl FnOnce(&mut ServerSettings)) -> ServerSettings {
    let mut settings = ServerSettings::default();
    settings.network.arbiters = 2;
    change(&mut settings);
    settings
}

fn count(counts: &Counts, label: &str) -> u64 {
    counts.get(label).copied().unwrap_or_default()
}

#[test]
fn a_client_refused_for_lack_of_room_gets_an_orderly_end() {
    let server = Server::with(|settings| settings.limits.clients = 1);
    let mut alice = Client::join(&server, "alice");
    let mut bob = Client::connect(&server);
    assert!(bob.is_closed());
    server.wait_for("one refusal", |counts| count(&counts.refusals, "full") == 1);
    alice.send(&ClientFrame::Leave);
    assert!(alice.is_closed());
    server.wait_for("the place is free", |counts| counts.connections == 0);
    Client::join(&server, "bob");
}

#[test]
fn one_address_cannot_hold_all_the_places_of_those_who_have_not_joined() {
    let server = Server::with(|settings| settings.limits.unjoined_per_address = 2);
    let mut waiting = [Client::connect(&server), Client::connect(&server)];
    server.wait_for("two are in", |counts| counts.connections == 2);
    assert!(Client::connect(&server).is_closed());
    server.wait_for("one refusal", |counts| count(&counts.refusals, "unjoined_from_address") == 1);
    waiting[0].send(&ClientFrame::Join(claim("alice")));
    assert_eq!(waiting[0].receive(), ServerFrame::JoinAnswer { accepted: true });
    waiting[0].wait_until_joined("alice");
    Client::join(&server, "bob");
}

#[test]
fn an_unanswered_private_request_expires() {
    let server = Server::with(|settings| settings.private.request_seconds = 1);
    let mut alice = Client::join(&server, "alice");
    let mut bob = Client::join(&server, "bob");
    assert_eq!(alice.receive(), joined("bob"));
    bob.send(&ClientFrame::RequestPrivate { to: claim("alice") });
    alice.receive();
    server.wait_for("it to wait", |counts| count(&counts.private_pending, "answer") == 1);
    server.wait_for("it to be over", |counts| count(&counts.private_pending, "answer") == 0);
    bob.send(&ClientFrame::RequestPrivate { to: claim("alice") });
    assert_eq!(alice.receive(), ServerFrame::PrivateRequested { from: support::name("bob") });
}

#[test]
fn new_limits_apply_to_newcomers_and_present_users() {
    let server = Server::start();
    let mut alice = Client::join(&server, "alice");
    let tight = settings(|settings| {
        settings.limits.clients = 2;
        settings.limits.name_attempts = 1;
    });
    assert_eq!(server.reload(tight), Ok(vec![]));
    server.wait_for("applied", |_| true);
    let mut bob = Client::connect(&server);
    bob.send(&ClientFrame::Join(claim("alice")));
    assert_eq!(bob.receive(), ServerFrame::JoinAnswer { accepted: false });
    assert!(Client::connect(&server).is_closed(), "a third one");
    bob.send(&ClientFrame::Join(claim("bob")));
    assert!(bob.is_closed(), "a second name");
    alice.send(&ClientFrame::Say(text("still here")));
    assert_eq!(alice.receive(), message("alice", "still here"));
}

#[test]
fn a_new_message_of_the_day_and_roster_hold_for_the_next_newcomer() {
    let server = Server::start();
    let _alice = Client::join(&server, "alice");
    let quiet = settings(|settings| {
        settings.room.replay_roster = false;
        settings.room.motd = "Welcome.\nBe kind.".into();
    });
    assert_eq!(server.reload(quiet), Ok(vec![]));
    let mut bob = Client::connect(&server);
    bob.send(&ClientFrame::Join(claim("bob")));
    let answer = ServerFrame::JoinAnswer { accepted: true };
    let got: Vec<_> = (0..4).map(|_| bob.receive()).collect();
    let expected =
        [answer, joined("bob"), message("Server", "Welcome."), message("Server", "Be kind.")];
    assert_eq!(got, expected);
    assert_eq!(count(&server.monitor.snapshot().frames_out, "MSGBC"), 2);
}

#[test]
fn invalid_settings_change_nothing_and_those_that_need_a_restart_are_named() {
    let server = Server::start();
    let impossible = settings(|settings| {
        settings.limits.clients = 1;
        settings.limits.queue_bytes = 1;
    });
    let error = server.reload(impossible).unwrap_err();
    assert!(error.to_string().starts_with("limits.queue_bytes"), "{error}");
    let _alice = Client::join(&server, "alice");
    let _bob = Client::join(&server, "bob");
    let moved = || {
        settings(|settings| {
            settings.network.listen = "[::1]:1".into();
            settings.room.motd_name = "Matou".into();
        })
    };
    let restart = Ok(vec!["network.listen", "room.motd_name"]);
    assert_eq!(server.reload(moved()), restart);
    assert_eq!(server.reload(moved()), restart, "named again as long as it differs");
}

#[test]
fn fast_typing_disconnects_no_one_and_all_of_it_arrives() {
    let server = Server::with(|settings| {
        settings.limits.messages_per_second = 100;
        settings.limits.message_burst = 10;
    });
    let mut alice = Client::join(&server, "alice");
    let began = std::time::Instant::now();
    let said: Vec<_> = (0..60).map(|i| ClientFrame::Say(text(&i.to_string()))).collect();
    alice.send_all(&said);
    for i in 0..60 {
        assert_eq!(alice.receive(), message("alice", &i.to_string()));
    }
    // 61 frames (with COREQ), 10 of them free, at 100 a second.
    assert!(began.elapsed().as_millis() >= 490, "{:?}", began.elapsed());
}

#[test]
fn clients_that_do_not_join_or_do_not_complete_a_frame_are_disconnected() {
    let server = Server::with(|settings| {
        settings.limits.join_seconds = 1;
        settings.limits.frame_seconds = 1;
    });
    let mut alice = Client::join(&server, "alice");
    let mut bob = Client::join(&server, "bob");
    assert_eq!(alice.receive(), joined("bob"));
    let mut silent = Client::connect(&server);
    bob.send_raw(&[0, 0, 0, 3, 0, 0]);
    assert!(silent.is_closed());
    assert_eq!(alice.receive(), left("bob"));
    assert!(bob.is_closed());
    server.wait_for("both counted", |counts| {
        count(&counts.ends, "join_timeout") == 1 && count(&counts.ends, "frame_timeout") == 1
    });
}

#[test]
fn the_counts_match_the_events() {
    let server = Server::start();
    let mut alice = Client::join(&server, "alice");
    let mut bob = Client::join(&server, "bob");
    assert_eq!(alice.receive(), joined("bob"));
    for said in ["one", "two"] {
        alice.send(&ClientFrame::Say(text(said)));
        assert_eq!(alice.receive(), message("alice", said));
        assert_eq!(bob.receive(), message("alice", said));
    }
    bob.send(&ClientFrame::RequestPrivate { to: claim("alice") });
    alice.receive();
    let mut carol = Client::connect(&server);
    carol.send(&ClientFrame::Join(claim("BOB")));
    carol.receive();
    drop(carol);
    server.wait_for("the connection to end", |counts| counts.connections == 2);
    let counts = server.monitor.snapshot();
    assert_eq!((counts.users, counts.accepted, counts.joins, counts.names_refused), (2, 3, 2, 1));
    let received = [("COREQ", 3), ("MSG", 2), ("PVCOREQ", 1)];
    assert_eq!(counts.frames_in, received.map(|(kind, frames)| (kind.into(), frames)).into());
    // CONOTIF: each newcomer's own, bob's roster, and bob's arrival for alice.
    let expected = [("CORES", 3), ("CONOTIF", 4), ("MSGBC", 4), ("PVCOREQNOTIF", 1)];
    let sent = |kind| count(&counts.frames_out, kind);
    assert_eq!(expected.map(|(kind, _)| (kind, sent(kind))), expected);
    assert_eq!(
        (count(&counts.private_pending, "answer"), count(&counts.private, "requested")),
        (1, 1)
    );
    assert_eq!(counts.bytes_in, 13 + 11 + 11 + 11 + 11 + 13);
    assert_eq!(count(&counts.ends, "end_of_stream"), 1);
}
