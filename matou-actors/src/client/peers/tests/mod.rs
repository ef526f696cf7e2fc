mod world;

use std::time::{Duration, Instant};

use self::world::{World, name};
use crate::client::api::event::Event;
use crate::client::api::settings::{ClientSettings, Policy};
use crate::client::ids::TransferId;
use crate::client::link::roster::Roster;
use crate::client::peers::{Peers, Situation};
use crate::protocol::MessageText;
use crate::protocol::v2::PublicKey;
use crate::trust::Fingerprint;

const ADA: usize = 0;
const BEA: usize = 1;

fn accepting(files: Policy) -> ClientSettings {
    ClientSettings { accept_private: Policy::Always, accept_files: files, ..Default::default() }
}

/// Two users who accept private requests; Bea answers files so.
fn world(files: Policy) -> World {
    World::new([accepting(Policy::Ask), accepting(files)])
}

fn text(text: &str) -> MessageText {
    MessageText::parse(text).unwrap()
}

fn file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"content").unwrap();
    file
}

/// Events in a word each.
fn words(world: &mut World, user: usize) -> Vec<String> {
    let events = std::mem::take(&mut world.users[user].events);
    let shown = |event: Event| match event {
        Event::PrivateState { state, .. } => format!("{state:?}").to_lowercase(),
        Event::PrivateOpened { .. } => "opened".into(),
        Event::PrivateMessage { text, .. } => format!("text {}", text.as_str()),
        Event::PrivateClosed { reason, .. } => format!("closed: {reason}"),
        Event::FileStarted(info) => format!("started {}", info.id),
        Event::FileOffered { id, .. } => format!("offered {id}"),
        Event::FileSent { id, .. } => format!("sent {id}"),
        Event::FileReceived { id, .. } => format!("received {id}"),
        Event::FileFailed { id, reason, .. } => format!("failed {id}: {reason}"),
        Event::Undelivered { reason, .. } => format!("undelivered: {reason}"),
        Event::Notice { message } if message.contains("not told the names") => "name lost".into(),
        other => format!("{other:?}"),
    };
    events.into_iter().map(shown).collect()
}

fn say(world: &mut World, user: usize, to: &str, what: &str) {
    world.act(user, |peers, at| peers.deliver_text(&name(to), text(what).into(), at));
}

#[test]
fn texts_typed_before_the_session_are_sent_in_order_once_it_opens() {
    let (mut world, file) = (world(Policy::Always), file());
    say(&mut world, ADA, "bea", "one");
    assert_eq!(words(&mut world, ADA), ["asked", "connecting", "opened", "text one"]);
    assert_eq!(words(&mut world, BEA), ["connecting", "opened", "text one"]);
    world.send_file(ADA, "bea", file.path().into());
    say(&mut world, BEA, "ada", "two");
    assert_eq!(words(&mut world, ADA), ["name lost", "started 1", "sent 1", "text two"]);
    assert_eq!(words(&mut world, BEA), ["offered 1", "received 1", "text two"]);
}

#[test]
fn a_text_to_a_user_who_is_not_here_can_be_sent_again() {
    let mut world = world(Policy::Ask);
    say(&mut world, ADA, "zoe", "hello");
    let undelivered = words(&mut world, ADA);
    assert!(
        undelivered[0].starts_with("undelivered: no user here is called zoe"),
        "{undelivered:?}"
    );
    world.act(ADA, |peers, at| peers.resend(&name("zoe"), at));
    assert_eq!(words(&mut world, ADA), undelivered);
}

#[test]
fn the_own_key_is_not_one_to_compare_or_accept() {
    let mut world = world(Policy::Ask);
    world.act(ADA, |peers, at| peers.verify(&name("Ada"), at));
    world.act(ADA, |peers, at| peers.compared(&name("Ada"), at));
    world.act(ADA, |peers, at| peers.trust(&name("Ada"), at));
    world.act(ADA, |peers, at| peers.whois(&name("Ada"), at));
    for word in words(&mut world, ADA) {
        assert!(word.contains("Ada is you"), "{word}");
    }
}

#[test]
fn no_one_is_talked_with_in_plain_while_the_known_keys_cannot_be_read() {
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    let peers = Peers::new(ClientSettings::default(), logger, Instant::now());
    let peers = peers.with_people(Err("line 3 of known_people".into()));
    let (me, roster) = (name("ada"), Roster::default());
    let mut at = Situation {
        me: Some(&me),
        joined: true,
        route: None,
        server_key: Some(Fingerprint::of(&PublicKey([1; 32]))),
        roster: &roster,
        now: Instant::now(),
        today: jiff::civil::date(2026, 11, 26),
    };
    let refused = peers.may_be_plain(&name("bea"), &at).unwrap_err();
    assert!(refused.contains("line 3 of known_people"), "{refused}");
    // A plain server has no keys, and people on it none that could be known.
    at.server_key = None;
    assert_eq!(peers.may_be_plain(&name("bea"), &at), Ok(()));
}

#[test]
fn a_file_opens_a_session_and_waits_for_the_user_on_the_other_side() {
    let (mut world, file) = (world(Policy::Ask), file());
    for _ in 0..2 {
        world.send_file(ADA, "bea", file.path().into());
    }
    assert_eq!(words(&mut world, BEA), ["connecting", "opened", "offered 1"]);
    world.act(BEA, |peers, _| peers.take(TransferId(1), None));
    assert_eq!(words(&mut world, BEA), ["received 1", "offered 2"]);
    world.act(ADA, |peers, _| peers.cancel(TransferId(2)));
    world.pass(Duration::from_secs(10));
    let failed = words(&mut world, BEA);
    assert_eq!(failed, ["failed 2: the other side closed the file connection"]);
    let seen = words(&mut world, ADA);
    assert_eq!(seen[seen.len() - 2..], ["sent 1", "failed 2: you cancelled it"], "{seen:?}");
}

#[test]
fn files_after_a_refused_one_go_over_another_connection() {
    let (mut world, file) = (world(Policy::Ask), file());
    for _ in 0..3 {
        world.send_file(ADA, "bea", file.path().into());
    }
    world.act(BEA, |peers, _| peers.refuse(TransferId(1), "you refused it"));
    world.pass(Duration::from_secs(10));
    for id in [2, 3] {
        world.act(BEA, |peers, _| peers.take(TransferId(id), None));
    }
    let seen = words(&mut world, BEA);
    let files: Vec<_> = seen.iter().filter(|word| !word.starts_with("connecting")).collect();
    let expected = [
        "opened",
        "offered 1",
        "failed 1: you refused it",
        "offered 2",
        "received 2",
        "offered 3",
        "received 3",
    ];
    assert_eq!(files, expected.iter().collect::<Vec<_>>());
    let ended = words(&mut world, ADA);
    for sent in ["failed 1: the other side refused the file", "sent 2", "sent 3"] {
        assert_eq!(ended.iter().filter(|word| *word == sent).count(), 1, "{sent}: {ended:?}");
    }
    world.act(ADA, |peers, _| assert!(!peers.is_busy()));
}

#[test]
fn a_file_that_goes_the_other_way_survives_a_refusal() {
    let (mut world, file) = (world(Policy::Ask), file());
    world.send_file(ADA, "bea", file.path().into());
    world.send_file(BEA, "ada", file.path().into());
    world.act(BEA, |peers, _| peers.refuse(TransferId(1), "you refused it"));
    world.act(ADA, |peers, _| peers.take(TransferId(2), None));
    world.pass(Duration::from_secs(10));
    assert!(words(&mut world, ADA).contains(&"received 2".into()));
    assert!(words(&mut world, BEA).contains(&"sent 2".into()));
    world.act(ADA, |peers, _| assert!(!peers.is_busy(), "Ada learnt of the refusal"));
}

#[test]
fn an_own_file_that_stalls_after_a_refusal_is_offered_again() {
    let (mut world, file) = (world(Policy::Ask), file());
    world.send_file(ADA, "bea", file.path().into());
    world.send_file(BEA, "ada", file.path().into());
    world.act(BEA, |peers, _| peers.refuse(TransferId(1), "you refused it"));
    words(&mut world, ADA);
    world.pass(Duration::from_secs(10));
    let again = words(&mut world, ADA);
    let offered = again.iter().find_map(|word| word.strip_prefix("offered ")).expect("again");
    let offered = TransferId(offered.parse().unwrap());
    world.act(ADA, |peers, _| peers.take(offered, None));
    assert!(words(&mut world, BEA).contains(&"sent 2".into()));
}

#[test]
fn texts_typed_before_a_close_are_reported_before_it() {
    let (mut world, file) = (world(Policy::Ask), file());
    say(&mut world, ADA, "bea", "hi");
    for _ in 0..2 {
        world.send_file(ADA, "bea", file.path().into());
    }
    words(&mut world, ADA);
    words(&mut world, BEA);
    let mut reported = world
        .act(ADA, |peers, at| {
            peers.deliver_text(&name("bea"), text("last").into(), at);
            peers.close(&name("bea"))
        })
        .unwrap();
    assert_eq!(
        words(&mut world, ADA),
        [
            "text last",
            "failed 2: you closed the private session",
            "closed: you closed it",
            "failed 1: you closed the private session",
        ]
    );
    assert!(reported.try_recv().is_err(), "the next command may follow");
    world.pass(Duration::from_secs(10));
    let seen = words(&mut world, BEA);
    let closed = seen.iter().position(|word| word.starts_with("closed")).unwrap();
    assert_eq!(seen[0], "text last");
    assert!(closed > 0 && seen.iter().any(|word| word.starts_with("failed 1")), "{seen:?}");
}

#[test]
fn requests_of_an_ignored_user_are_hidden_until_unignored() {
    let (mut world, file) = (world(Policy::Ask), file());
    say(&mut world, ADA, "bea", "hi");
    world.act(BEA, |peers, at| peers.ignore(&name("ada"), at));
    words(&mut world, BEA);
    say(&mut world, ADA, "bea", "unseen");
    world.send_file(ADA, "bea", file.path().into());
    assert_eq!(words(&mut world, BEA), [""; 0]);
    world.act(BEA, |peers, at| peers.unignore(&name("ada"), at));
    assert_eq!(words(&mut world, BEA)[1], "offered 1");
}

#[test]
fn signing_out_waits_for_nothing_and_reports_everything() {
    let (mut world, file) = (world(Policy::Ask), file());
    world.send_file(ADA, "bea", file.path().into());
    world.act(ADA, |peers, _| {
        assert!(peers.is_busy());
        peers.leave();
    });
    let seen = words(&mut world, ADA);
    assert_eq!(seen[seen.len() - 2..], ["failed 1: you signed out", "closed: closed"]);
    world.act(ADA, |peers, _| assert!(peers.is_empty() && !peers.is_busy()));
}

#[test]
fn a_request_after_a_withdrawn_one_waits_until_the_server_counts_it_as_new() {
    let mut world = World::new([accepting(Policy::Ask), ClientSettings::default()]);
    world.act(ADA, |peers, at| peers.open(&name("bea"), at));
    world.act(BEA, |peers, _| peers.decline(&name("ada")));
    world.act(ADA, |peers, _| drop(peers.close(&name("bea"))));
    words(&mut world, ADA);
    words(&mut world, BEA);
    world.pass(Duration::from_secs(1));
    say(&mut world, ADA, "bea", "hi");
    let [notice] = &words(&mut world, ADA)[..] else { panic!("asked at once") };
    assert!(notice.contains("asking again in 5 s"), "{notice}");
    assert_eq!(words(&mut world, BEA), [""; 0]);
    world.pass(Duration::from_secs(6));
    assert_eq!(words(&mut world, ADA), ["asked"]);
    world.act(BEA, |peers, at| peers.accept(&name("ada"), at));
    assert_eq!(words(&mut world, ADA), ["connecting", "opened", "text hi"]);
}

#[test]
fn an_allowed_user_causes_no_question_until_they_leave() {
    let file = file();
    let mut world = World::new([accepting(Policy::Ask), ClientSettings::default()]);
    world.send_file(ADA, "bea", file.path().into());
    words(&mut world, BEA);
    world.act(BEA, |peers, at| peers.allow(&name("ada"), at));
    let seen = words(&mut world, BEA);
    assert_eq!(seen[1..], ["connecting", "opened", "offered 1", "received 1"], "{seen:?}");

    world.act(BEA, |peers, _| peers.peer_unreachable(&name("ada").folded(), "ada left"));
    let [notice] = &words(&mut world, BEA)[..] else { panic!("not said") };
    assert!(notice.contains("another person"), "{notice}");
    world.send_file(ADA, "bea", file.path().into());
    assert_eq!(words(&mut world, BEA), ["offered 2"]);
    world.act(BEA, |peers, at| peers.allow(&name("ada"), at));
    let [refused] = &words(&mut world, BEA)[..] else { panic!("allowed") };
    assert!(refused.contains("may belong to another person"), "{refused}");
}

/// What either user may do, in every order of four: afterwards each file has ended once, on
/// either side, and nothing waits any more.
#[test]
fn in_every_order_each_file_ends_once_and_nothing_waits_for_ever() {
    const ACTS: usize = 10;
    let file = file();
    for code in 0..ACTS.pow(4) {
        let acts: Vec<_> = (0..4).map(|at| code / ACTS.pow(at) % ACTS).collect();
        let mut world = World::new([accepting(Policy::Ask), accepting(Policy::Ask)]);
        let mut seen = [Vec::new(), Vec::new()];
        for act in &acts {
            do_something(&mut world, *act, &file, &mut seen);
        }
        // Each side takes the files that it is offered, until none is offered any more.
        for _ in 0..10 {
            world.pass(Duration::from_secs(30));
            for user in [ADA, BEA] {
                seen[user].extend(words(&mut world, user));
                for id in open(&seen[user], "offered ") {
                    world.act(user, |peers, _| peers.take(id, None));
                }
            }
        }
        for (user, seen) in seen.iter().enumerate() {
            let (started, offered) = (open(seen, "started "), open(seen, "offered "));
            assert!(started.is_empty() && offered.is_empty(), "{user} {acts:?}: {seen:?}");
            assert!(!world.act(user, |peers, _| peers.is_busy()), "{user} {acts:?}: {seen:?}");
        }
    }
}

fn do_something(
    world: &mut World,
    act: usize,
    file: &tempfile::NamedTempFile,
    seen: &mut [Vec<String>; 2],
) {
    let user = act % 2;
    seen[user].extend(words(world, user));
    let peer = ["bea", "ada"][user];
    let first = |begins: &str| open(&seen[user], begins).first().copied();
    match act / 2 {
        0 => world.send_file(user, peer, file.path().into()),
        1 => {
            if let Some(id) = first("offered ") {
                world.act(user, |peers, _| peers.take(id, None));
            }
        }
        2 => {
            if let Some(id) = first("offered ") {
                world.act(user, |peers, _| peers.refuse(id, "you refused it"));
            }
        }
        3 => {
            if let Some(id) = first("started ") {
                world.act(user, |peers, _| peers.cancel(id));
            }
        }
        _ => {
            world.act(user, |peers, _| drop(peers.close(&name(peer))));
        }
    }
}

/// The numbers of what began so and has not ended; each ends once.
fn open(seen: &[String], begins: &str) -> Vec<TransferId> {
    let number = |word: &str, begins: &str| {
        let rest = word.strip_prefix(begins)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(TransferId(digits.parse().ok()?))
    };
    let began = seen.iter().filter_map(|word| number(word, begins));
    let open = began.filter(|id| {
        let ends = seen.iter().filter(|word| {
            ["sent ", "received ", "failed "].iter().any(|ends| number(word, ends) == Some(*id))
        });
        let ends = ends.count();
        assert!(ends <= 1, "{id} ended twice: {seen:?}");
        ends == 0
    });
    open.collect()
}
