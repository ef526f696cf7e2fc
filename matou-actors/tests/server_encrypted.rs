//! Encrypted clients of revision 2, beside plain ones of revision 1, at a running server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A test may fail where it likes.

mod support;

use std::io::{Read, Write};

use bytes::BytesMut;
use matou_actors::protocol::v2::{
    ClientFrame, LeaveReason, MemberRevision, NoticeCode, PasswordProof, ServerFrame, SignInRefusal,
};
use matou_actors::protocol::{self as v1, Encode};
use matou_actors::server::PlainClients;
use matou_actors::trust::Identity;
use rustls::StreamOwned;
use support::encrypted::{Encrypted, config, said, tcp, tls};
use support::{Client, Server, claim, joined, left, message, name, text};

#[test]
fn both_revisions_talk_in_one_room() {
    let server = Server::start();
    let mut old = Client::join(&server, "old");
    let mut first = Encrypted::connect(&server);
    first.hello("first");
    let welcome = first.receive();
    let ServerFrame::Welcome { username, sequence: 1, server: called, present: 1, .. } = welcome
    else {
        panic!("{welcome:?}")
    };
    assert_eq!((username, called.as_str()), (name("first"), "Server"));
    let present = ServerFrame::Present { username: name("old"), member: MemberRevision::Revision1 };
    assert_eq!(first.receive(), present);
    let own = first.receive();
    let ServerFrame::Joined { sequence: 2, username, member, .. } = own else { panic!("{own:?}") };
    assert_eq!((username, member), (name("first"), MemberRevision::Revision2(first.key)));
    assert_eq!(old.receive(), joined("first"));

    let mut second = Encrypted::connect(&server);
    second.hello("second");
    assert!(matches!(second.receive(), ServerFrame::Welcome { present: 2, sequence: 2, .. }));
    second.receive();
    let member = MemberRevision::Revision2(first.key);
    assert_eq!(second.receive(), ServerFrame::Present { username: name("first"), member });
    second.receive();
    assert!(matches!(first.receive(), ServerFrame::Joined { sequence: 3, .. }));
    old.receive();

    old.send(&v1::ClientFrame::Say(text("hello")));
    for client in [&mut first, &mut second] {
        let expected = (4, "old".into(), "hello".into(), 0);
        assert_eq!(said(client.receive()), expected);
    }
    first.say("waves", 2);
    first.say("to all", 0);
    for client in [&mut first, &mut second] {
        assert_eq!(said(client.receive()), (5, "first".into(), "waves".into(), 2));
        assert_eq!(said(client.receive()), (6, "first".into(), "to all".into(), 0));
    }
    assert_eq!(old.receive(), message("old", "hello"));
    assert_eq!(old.receive(), message("first", "* waves"));
    assert_eq!(old.receive(), message("first", "to all"));

    second.send(&ClientFrame::Revision1(v1::ClientFrame::Leave));
    assert!(second.is_closed());
    assert_eq!(old.receive(), left("second"));
    let gone = first.receive();
    assert!(
        matches!(gone, ServerFrame::Left { sequence: 7, reason: LeaveReason::SignedOut, .. }),
        "{gone:?}"
    );
    drop(old);
    let gone = first.receive();
    assert!(
        matches!(gone, ServerFrame::Left { reason: LeaveReason::ConnectionLost, .. }),
        "{gone:?}"
    );
}

#[test]
fn a_refused_name_says_why_and_another_can_be_asked_for() {
    let server = Server::start();
    let _old = Client::join(&server, "old");
    let _ann = Encrypted::join(&server, "ann");
    let mut client = Encrypted::connect(&server);
    for (wish, expected) in [
        ("Ann", SignInRefusal::OtherKey),
        ("old", SignInRefusal::Taken),
        ("two words", SignInRefusal::InvalidName),
        ("maτou", SignInRefusal::InvalidName),
    ] {
        client.hello(wish);
        let refused = client.receive();
        let ServerFrame::Refused { reason, text } = refused else { panic!("{refused:?}") };
        assert_eq!(reason, expected);
        assert!(!text.as_str().is_empty());
    }
    client.hello("bob");
    assert!(matches!(client.receive(), ServerFrame::Welcome { .. }));
}

#[test]
fn the_same_key_takes_a_name_over_unnoticed_by_the_others() {
    let server = Server::start();
    let (mut old, mut watcher) = (Client::join(&server, "old"), Encrypted::join(&server, "bob"));
    old.receive();
    let identity = Identity::generate().unwrap();
    let mut first = Encrypted::connect_as(&server, &identity);
    first.hello("ann");
    while !matches!(first.receive(), ServerFrame::Joined { .. }) {}
    let mut second = Encrypted::connect_as(&server, &identity);
    second.hello("ann");
    let welcome = second.receive();
    assert!(matches!(welcome, ServerFrame::Welcome { sequence: 3, present: 2, .. }), "{welcome:?}");
    second.receive();
    second.receive();
    let own = second.receive();
    assert!(matches!(own, ServerFrame::Joined { sequence: 3, .. }), "{own:?}");
    let ended = first.receive();
    assert!(matches!(ended, ServerFrame::Notice { code: NoticeCode::TakenOver, .. }), "{ended:?}");
    assert!(first.is_closed());
    second.say("still me", 0);
    assert_eq!(said(second.receive()), (4, "ann".into(), "still me".into(), 0));
    assert!(matches!(watcher.receive(), ServerFrame::Joined { sequence: 3, .. }));
    assert_eq!(said(watcher.receive()).0, 4);
    assert_eq!(old.receive(), joined("ann"));
    assert_eq!(old.receive(), message("ann", "still me"));

    let mut thief = Encrypted::connect(&server);
    thief.hello("ann");
    let refused = thief.receive();
    assert!(matches!(refused, ServerFrame::Refused { reason: SignInRefusal::OtherKey, .. }));
    drop(second);
    assert_eq!(old.receive(), left("ann"));
}

#[test]
fn a_name_belongs_to_its_key_although_its_user_is_away() {
    let server = Server::start();
    let (mut watcher, identity) = (Client::join(&server, "old"), Identity::generate().unwrap());
    let mut ann = Encrypted::connect_as(&server, &identity);
    ann.hello("ann");
    assert_eq!(watcher.receive(), joined("ann"));
    drop(ann);
    assert_eq!(watcher.receive(), left("ann"));
    let mut thief = Encrypted::connect(&server);
    thief.hello("Ann");
    let ServerFrame::Refused { reason, text } = thief.receive() else { panic!("let in") };
    assert_eq!(reason, SignInRefusal::OtherKey);
    assert!(text.as_str().contains("belongs to another key; choose another name"), "{text:?}");
    let mut plain = Client::connect(&server);
    plain.send(&v1::ClientFrame::Join(claim("ANN")));
    assert_eq!(plain.receive(), v1::ServerFrame::JoinAnswer { accepted: false });
    let mut ann = Encrypted::connect_as(&server, &identity);
    ann.hello("ann");
    assert!(matches!(ann.receive(), ServerFrame::Welcome { .. }));
}

#[test]
fn private_requests_reach_encrypted_clients() {
    let server = Server::start();
    let (mut ann, mut bob) = (Encrypted::join(&server, "ann"), Client::join(&server, "bob"));
    ann.receive();
    ann.send(&ClientFrame::Revision1(v1::ClientFrame::RequestPrivate { to: claim("bob") }));
    assert_eq!(bob.receive(), v1::ServerFrame::PrivateRequested { from: name("ann") });
    bob.send(&v1::ClientFrame::AcceptPrivate { from: claim("ann") });
    let accepted = ann.receive();
    assert!(
        matches!(accepted, ServerFrame::Revision1(v1::ServerFrame::PeerAccepted { .. })),
        "{accepted:?}"
    );
}

#[test]
fn the_message_of_the_day_is_a_notice() {
    let server = Server::with(|settings| settings.room.motd = "Be kind.".into());
    let mut client = Encrypted::join(&server, "ann");
    let notice = client.receive();
    let ServerFrame::Notice { code: NoticeCode::None, text, .. } = notice else {
        panic!("{notice:?}")
    };
    assert_eq!(text.as_str(), "Be kind.");
}

#[test]
fn a_client_without_the_protocol_s_name_is_closed() {
    let server = Server::start();
    let identity = Identity::generate().unwrap();
    let mut config = config(&server, &identity);
    config.alpn_protocols.clear();
    let mut stream = StreamOwned::new(tls(config), tcp(&server));
    // It believes that its handshake is done.
    stream.write_all(b"\0").unwrap();
    assert!(!matches!(stream.read(&mut [0; 1]), Ok(count) if count > 0));
    server.wait_for("counted as a fault", |counts| counts.ends["encryption"] == 1);
}

#[test]
fn only_hello_joins_an_encrypted_connection() {
    let server = Server::start();
    let mut client = Encrypted::connect(&server);
    client.send(&ClientFrame::Revision1(v1::ClientFrame::Join(claim("ann"))));
    assert!(!matches!(client.stream.read(&mut [0; 1]), Ok(count) if count > 0));
    server.wait_for("counted as a violation", |counts| counts.ends["violation"] == 1);
}

#[test]
fn a_stranger_makes_the_server_keep_no_large_frame() {
    let server = Server::start();
    let mut client = Encrypted::connect(&server);
    let large = [&[0, 0, 0, 63, 0, 0, 0xff, 0xff][..], &[0; 4096]].concat();
    client.stream.write_all(&large).unwrap();
    assert!(!matches!(client.stream.read(&mut [0; 1]), Ok(count) if count > 0));
    server.wait_for("counted as a violation", |counts| counts.ends["violation"] == 1);
}

#[test]
fn unknown_frames_of_a_member_are_skipped() {
    let server = Server::start();
    let mut client = Encrypted::join(&server, "ann");
    let unknown = [&[0, 0, 0, 99, 0, 0, 0xff, 0xff][..], &vec![7; 0xffff][..]].concat();
    // Both in one run of bytes: what follows a long frame is not taken for the front of another.
    let mut bytes = BytesMut::from(&unknown[..]);
    ClientFrame::Say { flags: 0, text: text("still here") }.encode(&mut bytes);
    client.stream.write_all(&bytes).unwrap();
    assert_eq!(said(client.receive()).2, "still here");
}

#[test]
fn a_handshake_in_single_bytes_works() {
    let server = Server::start();
    let mut client = Encrypted::connect(&server);
    client.stream.sock.set_nodelay(true).unwrap();
    let mut hello = Vec::new();
    client.stream.conn.write_tls(&mut hello).unwrap();
    for byte in hello {
        client.stream.sock.write_all(&[byte]).unwrap();
    }
    client.hello("ann");
    assert!(matches!(client.receive(), ServerFrame::Welcome { .. }));
}

#[test]
fn output_queued_for_a_slow_reader_arrives_whole_and_in_order() {
    const COUNT: u64 = 6000;
    let server = Server::with(|settings| {
        let limits = &mut settings.limits;
        limits.messages_per_second = 0;
        limits.bytes_per_second = 0;
        limits.room_bytes_per_second = 0;
        // However long it takes to say all of it.
        (limits.stall_seconds, limits.lag_seconds) = (600, 600);
    });
    let (mut slow, mut loud) = (Encrypted::join(&server, "slow"), Encrypted::join(&server, "loud"));
    let padding = "x".repeat(480);
    let reader = std::thread::spawn(move || {
        for number in 0..COUNT {
            loud.say(&format!("{number} {padding}"), 0);
            loud.receive();
        }
        loud
    });
    let _loud = reader.join().unwrap();
    slow.receive();
    for number in 0..COUNT {
        let (sequence, _, text, _) = said(slow.receive());
        assert_eq!(sequence, number + 3);
        assert!(text.starts_with(&format!("{number} ")), "{text}");
    }
}

#[test]
fn a_password_is_proved_on_the_connection_itself() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "pass wörd\n").unwrap();
    let server = Server::with(|settings| {
        settings.security.password_file = file.path().to_owned();
        settings.limits.name_attempts = 5;
    });
    let refusal = |client: &mut Encrypted| match client.receive() {
        ServerFrame::Refused { reason, text } => (reason, text.as_str().to_owned()),
        other => panic!("{other:?}"),
    };
    let asked = |text: &str| (SignInRefusal::Password, text.to_owned());
    let (mut ann, mut eve) = (Encrypted::connect(&server), Encrypted::connect(&server));
    ann.hello("ann");
    assert_eq!(refusal(&mut ann), asked("the password is missing"));
    let proof = ann.prove(&server, "pass wörd");
    eve.hello_with("eve", PasswordProof::Hmac([0; 32]));
    assert_eq!(refusal(&mut eve), asked("the password is wrong"));
    eve.hello_with("eve", PasswordProof::Hmac(proof));
    assert_eq!(refusal(&mut eve), asked("the password is wrong"), "of another connection");
    let wrong = eve.prove(&server, "password");
    eve.hello_with("two words", PasswordProof::Hmac(wrong));
    assert_eq!(refusal(&mut eve), asked("the password is wrong"), "before any word on names");
    ann.hello_with("ann", PasswordProof::Hmac(proof));
    assert!(matches!(ann.receive(), ServerFrame::Welcome { .. }));
    for _ in 0..2 {
        eve.hello("eve");
        refusal(&mut eve);
    }
    eve.hello("eve");
    assert!(eve.is_closed(), "it may try so often");
    let mut plain = Client::connect(&server);
    plain.send(&v1::ClientFrame::Join(claim("old")));
    assert!(plain.is_closed());
}

#[test]
fn plain_clients_are_refused_where_the_operator_wants_that() {
    let server = Server::with(|settings| settings.security.plain = PlainClients::Refuse);
    let mut plain = Client::connect(&server);
    plain.send(&v1::ClientFrame::Join(claim("ann")));
    assert!(plain.is_closed());
    server.wait_for("counted by its reason", |counts| counts.ends["plain_refused"] == 1);
    Encrypted::join(&server, "ann");
}

#[test]
fn an_invalid_hello_ends_with_an_alert() {
    let server = Server::start();
    let mut stream = tcp(&server);
    stream.write_all(&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]).unwrap();
    let mut answer = Vec::new();
    // The server may reset the connection behind it.
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(
        answer.first(),
        Some(&0x15),
        "an alert, so that no client takes this for an old server"
    );
    server.wait_for("counted as a fault", |counts| counts.ends["encryption"] == 1);
}

#[test]
fn a_hello_that_says_an_impossible_length_costs_its_connection_alone() {
    let server = Server::start();
    let mut ann = Encrypted::join(&server, "ann");
    for length in [[0xff, 0xff, 0xff], [1, 0, 0]] {
        let mut stream = tcp(&server);
        let hello = [&[0x16, 3, 1, 0, 6, 1][..], &length, &[3, 3]].concat();
        stream.write_all(&hello).unwrap();
        // More of it, as a record of its own.
        stream.write_all(&[0x16, 3, 3, 0, 1, 0]).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    ann.say("still here", 0);
    assert_eq!(said(ann.receive()).2, "still here");
    let mut bob = Encrypted::join(&server, "bob");
    bob.say("so am I", 0);
    assert_eq!(said(bob.receive()).2, "so am I");
    server.wait_for("counted as faults", |counts| counts.ends["encryption"] == 2);
}
