use std::net::SocketAddr;
use std::time::{Duration, Instant};

use slog::{Discard, Logger, o};

use super::action::{Attempt, LinkAction, LinkWake};
use super::server_link::ServerLink;
use crate::client::api::event::{ErrorCode, Event, KeyStanding, LinkSecurity};
use crate::client::api::server_name::ServerName;
use crate::client::api::settings::ClientSettings;
use crate::client::messages::LinkCommand;
use crate::protocol::v2::SignInRefusal;
use crate::protocol::{ClientFrame, MessageText, ServerFrame, Username, v2};

const REASON: &str = "the server closed the connection";

/// A client of the server at `ship:7`, and its clock.
struct Client {
    link: ServerLink,
    now: Instant,
    /// The connections that it opened.
    generation: u64,
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn say(text: &str) -> MessageText {
    MessageText::parse(text).unwrap()
}

fn joined(who: &str) -> ServerFrame {
    ServerFrame::Joined(name(who))
}

fn message(from: &str, text: &str) -> ServerFrame {
    ServerFrame::Message { from: name(from), text: say(text) }
}

impl Client {
    fn start(username: Option<&str>) -> Self {
        Self::start_at(&["ship:7"], username)
    }

    fn start_at(servers: &[&str], username: Option<&str>) -> Self {
        let servers = servers.iter().map(|server| ServerName::parse(server).unwrap()).collect();
        let settings = ClientSettings { username: username.map(name), ..ClientSettings::default() };
        let logger = Logger::root(Discard, o!());
        let mut link = ServerLink::new(&settings, logger, fastrand::Rng::with_seed(1));
        link.start(servers);
        Self { link, now: Instant::now(), generation: 1 }
    }

    /// One that is in the room as ann, alone.
    fn signed_in() -> Self {
        let mut client = Self::start(Some("ann"));
        client.signs_in();
        client
    }

    fn signs_in(&mut self) {
        self.reached();
        self.frame(ServerFrame::JoinAnswer { accepted: true });
        self.frame(joined("ann"));
        assert!(self.link.is_ready());
        self.link.take_actions();
    }

    /// The server to which it is connecting now, by what it did last.
    fn connecting_to(&mut self) -> Option<String> {
        let actions = self.actions();
        let server = actions.iter().rev().find_map(|action| match action {
            LinkAction::Connect(Attempt { generation, server, .. }) => Some((*generation, server)),
            _ => None,
        })?;
        self.generation = server.0;
        Some(server.1.to_string())
    }

    fn reached(&mut self) {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let security = LinkSecurity::Plain;
        self.link.up(at("192.0.2.5:40000"), at("192.0.2.1:7"), security);
    }

    fn frame(&mut self, frame: impl Into<v2::ServerFrame>) {
        self.link.frame(self.generation, frame.into(), self.now);
    }

    fn lost(&mut self) {
        self.link.down(self.generation, REASON.into(), true, self.now);
    }

    fn actions(&mut self) -> Vec<LinkAction> {
        self.link.take_actions()
    }

    /// The events, but for what protects the connection.
    fn events(&mut self) -> Vec<Event> {
        let events = self.actions().into_iter().filter_map(|action| match action {
            LinkAction::Emit(Event::Security { .. }) => None,
            LinkAction::Emit(event) => Some(event),
            _ => None,
        });
        events.collect()
    }

    /// What was asked to be looked at later, and when.
    fn wakes(&mut self) -> Vec<(Duration, LinkWake)> {
        let wakes = self.actions().into_iter().filter_map(|action| match action {
            LinkAction::Wake(delay, wake) => Some((delay, wake)),
            _ => None,
        });
        wakes.collect()
    }

    fn wake(&mut self, wake: LinkWake) {
        self.link.wake(wake, self.now);
    }
}

/// The frames that are sent.
fn sent(actions: Vec<LinkAction>) -> Vec<v2::ClientFrame> {
    let frames = actions.into_iter().filter_map(|action| match action {
        LinkAction::Command(LinkCommand::Send(frame)) => Some(frame),
        LinkAction::Command(LinkCommand::Say { text, .. }) => Some(ClientFrame::Say(text).into()),
        _ => None,
    });
    frames.collect()
}

fn notice(message: &str) -> Event {
    Event::Notice { message: message.into() }
}

fn error(message: &str) -> Event {
    Event::Error { code: ErrorCode::NotSent, message: message.into() }
}

#[test]
fn a_name_is_asked_for_once_the_server_is_reached() {
    let mut client = Client::start(Some("ann"));
    let actions = client.actions();
    assert!(
        matches!(actions[0], LinkAction::Connect(Attempt { generation: 1, .. })),
        "{actions:?}"
    );
    client.reached();
    assert_eq!(sent(client.actions()), [ClientFrame::Join((&name("ann")).into()).into()]);
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    let connected = Event::Connected { server: "ship:7".into(), username: name("ann") };
    assert_eq!(client.events(), [connected]);
    assert!(client.link.is_signing_in(), "who is here is not known yet");
    client.frame(joined("bob"));
    client.frame(joined("ann"));
    let actions = client.actions();
    assert!(matches!(actions.last(), Some(LinkAction::Ready)), "{actions:?}");
    assert!(!client.link.is_signing_in());
}

#[test]
fn a_server_that_does_not_announce_the_arrival_is_not_waited_for_forever() {
    let mut client = Client::start(Some("ann"));
    client.reached();
    client.actions();
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    let wakes = client.wakes();
    let [(delay, wake)] = wakes[..] else { panic!("{wakes:?}") };
    assert_eq!(delay, Duration::from_secs(15), "as long as for any other answer");
    client.wake(wake);
    let actions = client.actions();
    assert!(matches!(actions[..], [LinkAction::Ready]), "{actions:?}");
    assert!(!client.link.is_signing_in());
    client.wake(wake);
    assert!(client.actions().is_empty(), "once");
}

#[test]
fn a_refused_name_is_reported_and_another_one_is_asked_for() {
    let mut client = Client::start(Some("ann"));
    client.reached();
    client.frame(ServerFrame::JoinAnswer { accepted: false });
    assert_eq!(client.events(), [Event::Refused { username: name("ann") }]);
    client.link.wish(name("eve"));
    assert_eq!(sent(client.actions()), [ClientFrame::Join((&name("eve")).into()).into()]);
}

#[test]
fn frames_before_the_sign_in_are_ignored() {
    let mut client = Client::start(None);
    client.reached();
    assert_eq!(client.events(), [Event::NameNeeded { server: "ship:7".into() }]);
    client.frame(message("bob", "hello"));
    client.frame(joined("bob"));
    assert!(client.actions().is_empty());
}

#[test]
fn another_server_can_be_used_until_the_user_has_a_name() {
    let mut client = Client::start(None);
    client.actions();
    client.reached();
    client.actions();
    client.link.use_servers(vec![ServerName::parse("boat:8").unwrap()]);
    let actions = client.actions();
    let [
        LinkAction::Command(LinkCommand::HangUp),
        LinkAction::Connect(Attempt { generation: 2, server, .. }),
        ..,
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(server.to_string(), "boat:8");
    client.link.down(1, REASON.into(), true, client.now);
    assert!(client.actions().is_empty(), "the end of the first connection changes nothing");

    let mut client = Client::signed_in();
    client.link.use_servers(vec![ServerName::parse("boat:8").unwrap()]);
    let events = client.events();
    assert!(matches!(&events[..], [Event::Error { code: ErrorCode::Server, .. }]), "{events:?}");
    assert!(client.link.is_joined());
}

#[test]
fn frames_and_ends_of_an_old_connection_change_nothing() {
    let mut client = Client::signed_in();
    client.generation = 0;
    client.frame(message("bob", "hello"));
    client.lost();
    client.link.unwritten(0, 5);
    assert!(client.actions().is_empty() && client.link.is_joined());
    assert_eq!(client.link.outstanding(), (0, 0));
}

#[test]
fn a_lost_server_is_tried_again_and_the_name_taken_back() {
    let mut client = Client::signed_in();
    client.now += Duration::from_secs(60);
    client.lost();
    let actions = client.actions();
    let [
        LinkAction::Emit(Event::Disconnected { .. }),
        LinkAction::Lost,
        LinkAction::Emit(Event::Reconnecting { attempt: 1, delay_ms, .. }),
        LinkAction::Wake(delay, retry @ LinkWake::Retry(_)),
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(u128::from(*delay_ms), delay.as_millis());
    assert!((500..=2000).contains(delay_ms), "{delay_ms}");
    client.wake(*retry);
    assert!(matches!(client.actions()[..], [LinkAction::Connect(Attempt { generation: 2, .. })]));
    client.generation = 2;
    client.reached();
    assert_eq!(sent(client.actions()), [ClientFrame::Join((&name("ann")).into()).into()]);
    client.frame(ServerFrame::JoinAnswer { accepted: false });
    let held = client.events();
    assert!(
        matches!(&held[..], [Event::Reconnecting { reason, .. }]
        if reason == "the name ann is still taken"),
        "{held:?}"
    );
}

/// What follows when the server refuses the own name for this reason after a loss.
fn refused_again(reason: SignInRefusal, text: &str) -> (Client, Vec<Event>) {
    let mut client = Client::signed_in();
    client.now += Duration::from_secs(60);
    client.lost();
    let [(_, retry)] = client.wakes()[..] else { panic!("no next attempt") };
    client.wake(retry);
    client.generation = 2;
    client.reached();
    client.actions();
    let text = v2::Text::new(text).unwrap();
    client.link.frame(2, v2::ServerFrame::Refused { reason, text }, client.now);
    let events = client.events();
    (client, events)
}

#[test]
fn a_name_that_another_key_has_now_is_not_asked_for_again() {
    let text = "ann belongs to another key; choose another name";
    let (mut client, events) = refused_again(SignInRefusal::OtherKey, text);
    let [Event::Error { code: ErrorCode::Name, message }, Event::Refused { username }] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (message.as_str(), username),
        (&*format!("ship:7 refused you: {text}"), &name("ann"))
    );
    client.link.wish(name("bob"));
    assert_eq!(sent(client.actions()), [ClientFrame::Join((&name("bob")).into()).into()]);
}

#[test]
fn a_key_that_is_not_admitted_any_more_ends_the_attempts() {
    let (client, events) = refused_again(SignInRefusal::NotListed, "your key is not admitted");
    let [Event::Disconnected { reason }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(reason, "ship:7 refused you: your key is not admitted");
    assert!(client.link.is_closed());
}

#[test]
fn a_full_room_is_tried_again_and_the_reason_said_once() {
    let (_, events) = refused_again(SignInRefusal::Full, "the room is full");
    let [Event::Reconnecting { reason, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(reason, "ship:7 refused you: the room is full");
}

#[test]
fn an_attempt_that_the_user_made_earlier_takes_the_place_of_the_next_one() {
    let mut client = Client::signed_in();
    client.lost();
    let [(_, retry)] = client.wakes()[..] else { panic!("no next attempt") };
    client.link.reconnect();
    assert!(matches!(client.actions()[..], [LinkAction::Connect(Attempt { generation: 2, .. })]));
    client.wake(retry);
    assert!(client.actions().is_empty(), "one attempt is enough");
}

#[test]
fn a_silent_server_is_mentioned_and_then_left() {
    let mut client = Client::start(Some("ann"));
    let [(_, reached)] = client.wakes()[..] else { panic!("not looked at later") };
    client.wake(reached);
    assert_eq!(client.events(), [notice("still waiting for ship:7 to answer")]);
    client.reached();
    let [(soon, silence), (later, answer)] = client.wakes()[..] else { panic!("no limit") };
    assert!(soon < later);
    client.wake(silence);
    assert_eq!(client.events(), [notice("still waiting for ship:7 to answer")]);
    client.wake(answer);
    let actions = client.actions();
    let LinkAction::Command(LinkCommand::HangUp) = actions[0] else { panic!("{actions:?}") };
    let LinkAction::Emit(Event::Error { message, .. }) = &actions[1] else { panic!("{actions:?}") };
    assert!(message.starts_with("ship:7 does not answer"), "{message}");
    assert!(client.link.is_closed());
}

#[test]
fn an_answer_in_time_ends_the_wait_for_it() {
    let mut client = Client::start(Some("ann"));
    client.actions();
    client.reached();
    let wakes = client.wakes();
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    client.actions();
    for (_, wake) in wakes {
        client.wake(wake);
    }
    assert!(client.actions().is_empty() && client.link.is_joined());
}

#[test]
fn messages_that_did_not_come_back_are_counted() {
    let mut client = Client::signed_in();
    for text in ["one", "two", "three"] {
        assert!(client.link.say(say(text), false).is_some());
    }
    assert_eq!(sent(client.actions()).len(), 3);
    client.frame(message("ann", "one"));
    client.link.not_said(1);
    assert_eq!(client.link.outstanding(), (1, 0));
    client.actions();
    client.lost();
    let lines = client.events();
    assert!(
        lines
            .iter()
            .any(|event| matches!(event, Event::Error { code: ErrorCode::NotSent, message }
        if message.starts_with("1 message may not have reached the room"))),
        "{lines:?}"
    );
    assert!(client.link.say(say("four"), false).is_none());
    let offline = "not connected to the server, so your message was not sent; /reconnect";
    assert_eq!(client.events(), [error(offline)]);
}

#[test]
fn leaving_says_so_and_closes_behind_it() {
    let mut client = Client::signed_in();
    client.link.leave();
    let actions = client.actions();
    let [
        LinkAction::Command(LinkCommand::Send(v2::ClientFrame::Revision1(ClientFrame::Leave))),
        LinkAction::Command(LinkCommand::Close),
    ] = actions[..]
    else {
        panic!("{actions:?}")
    };
    client.link.unwritten(1, 40);
    assert_eq!(client.link.outstanding(), (0, 40));
    assert!(!client.link.is_closed());
    client.lost();
    assert!(client.link.is_closed() && client.actions().is_empty(), "nothing is tried again");
}

#[test]
fn leaving_before_the_server_is_reached_waits_for_nothing() {
    let mut client = Client::start(Some("ann"));
    client.actions();
    client.link.leave();
    let actions = client.actions();
    assert!(matches!(actions[..], [LinkAction::Command(LinkCommand::HangUp)]), "{actions:?}");
    assert!(client.link.is_closed());
}

#[test]
fn a_user_whom_an_operator_disconnected_does_not_come_back_by_itself() {
    for (speaker, stays_away) in [("Server", true), ("bob", false)] {
        let mut client = Client::signed_in();
        client.frame(joined("bob"));
        client.frame(message(speaker, "You were disconnected by an operator: spam"));
        client.actions();
        client.lost();
        assert_eq!(client.wakes().is_empty(), stays_away, "{speaker}");
    }
}

#[test]
fn a_server_that_breaks_the_protocol_is_left() {
    let mut client = Client::signed_in();
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    let actions = client.actions();
    assert!(matches!(actions[0], LinkAction::Command(LinkCommand::HangUp)), "{actions:?}");
    client.frame(message("bob", "hello"));
    assert!(client.actions().is_empty(), "what came behind it is ignored");
}

#[test]
fn what_was_missed_is_asked_for_and_is_no_new_message() {
    let welcome = |sequence| v2::ServerFrame::Welcome {
        username: name("ann"),
        now: v2::UnixMillis(0),
        sequence,
        server: v2::Text::default(),
        topic: v2::Text::default(),
        present: 0,
    };
    let joined = |sequence| v2::ServerFrame::Joined {
        sequence,
        time: v2::UnixMillis(0),
        username: name("ann"),
        member: v2::Member::Revision1,
    };
    let mut client = Client::start(Some("ann"));
    client.reached();
    client.frame(welcome(4));
    client.frame(joined(5));
    client.actions();
    client.lost();
    client.link.reconnect();
    let actions = client.actions();
    let asks = |action: &LinkAction| {
        matches!(action, LinkAction::Connect(Attempt { last_sequence: 5, .. }))
    };
    assert!(actions.iter().any(asks), "{actions:?}");
    client.generation = 2;
    client.reached();
    client.frame(welcome(7));
    client.actions();
    client.frame(v2::ServerFrame::Said {
        sequence: 6,
        time: v2::UnixMillis(1000),
        username: name("ann"),
        text: say("hi"),
        flags: 1,
    });
    let shown = client.actions();
    assert!(
        matches!(&shown[..], [LinkAction::Emit(Event::HistoryMessage { missed: true, .. })]),
        "{shown:?}"
    );
    client.frame(v2::ServerFrame::HistoryEnd { oldest: 1 });
    assert_eq!(client.events(), [Event::HistoryEnd { messages: 1, more: true }]);
    client.frame(joined(8));
    client.actions();
    client.link.fetch_history();
    let asked = client.actions();
    let recall = LinkCommand::Recall { before: 5, count: 100 };
    assert!(
        matches!(&asked[..], [LinkAction::Command(command)] if format!("{command:?}") == format!("{recall:?}")),
        "{asked:?}"
    );
}

#[test]
fn without_a_server_it_waits_for_the_user_to_choose_one() {
    let settings = ClientSettings { username: Some(name("ann")), ..ClientSettings::default() };
    let logger = Logger::root(Discard, o!());
    let mut link = ServerLink::new(&settings, logger, fastrand::Rng::with_seed(1));
    link.start(vec![]);
    assert!(link.take_actions().is_empty());
    link.use_servers(vec![ServerName::parse("ship:7").unwrap()]);
    let actions = link.take_actions();
    assert!(
        matches!(actions[0], LinkAction::Connect(Attempt { generation: 1, .. })),
        "{actions:?}"
    );
}

#[test]
fn the_next_server_is_tried_at_once_and_all_of_them_again_after_a_while() {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    assert_eq!(client.connecting_to().as_deref(), Some("ship:7"));
    client.lost();
    let actions = client.actions();
    let [
        LinkAction::Emit(Event::Failover { from, server, reason }),
        LinkAction::Connect(Attempt { generation: 2, server: at, last_sequence: 0, .. }),
        ..,
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!((from.as_str(), server.as_str(), reason.as_str()), ("ship:7", "boat:8", REASON));
    assert_eq!(at.to_string(), "boat:8");
    client.generation = 2;
    client.lost();
    let [(delay, retry)] = client.wakes()[..] else { panic!("no next round") };
    assert!(delay >= Duration::from_millis(500), "{delay:?}");
    client.wake(retry);
    assert_eq!(client.connecting_to().as_deref(), Some("ship:7"));
}

#[test]
fn a_lost_server_is_replaced_at_once_with_name_and_last_event() {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    client.actions();
    client.signs_in();
    client.frame(v2::ServerFrame::Said {
        sequence: 9,
        time: v2::UnixMillis(0),
        username: name("ann"),
        text: say("hi"),
        flags: 0,
    });
    client.actions();
    client.now += Duration::from_secs(60);
    client.lost();
    let actions = client.actions();
    let [
        LinkAction::Emit(Event::Disconnected { .. }),
        LinkAction::Lost,
        LinkAction::Emit(Event::Failover { .. }),
        LinkAction::Connect(Attempt { generation: 2, server, last_sequence: 9, .. }),
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(server.to_string(), "boat:8");
    client.generation = 2;
    client.reached();
    assert_eq!(sent(client.actions()), [ClientFrame::Join((&name("ann")).into()).into()]);
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    let connected = Event::Connected { server: "boat:8".into(), username: name("ann") };
    assert_eq!(client.events(), [connected]);
}

#[test]
fn servers_that_accept_the_user_and_fail_at_once_are_not_tried_without_end() {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    client.actions();
    client.signs_in();
    client.lost();
    assert_eq!(client.connecting_to().as_deref(), Some("boat:8"));
    client.signs_in();
    client.lost();
    assert_eq!(client.connecting_to(), None, "not at once");
}

#[test]
fn a_server_with_another_key_is_left_for_one_that_is_known_and_not_tried_again() {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    client.actions();
    client.link.down(1, "another key".into(), false, client.now);
    assert_eq!(client.connecting_to().as_deref(), Some("boat:8"));
    client.lost();
    let [(_, retry)] = client.wakes()[..] else { panic!("no next round") };
    client.wake(retry);
    assert_eq!(client.connecting_to().as_deref(), Some("boat:8"));
    client.link.down(3, "another key, too".into(), false, client.now);
    let events = client.events();
    assert!(matches!(&events[..], [Event::Disconnected { .. }]), "{events:?}");
    client.link.reconnect();
    assert!(client.connecting_to().is_some(), "the user wants it");
}

#[test]
fn a_password_is_wrong_for_the_whole_room_and_who_was_sent_away_is_so_everywhere() {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    client.actions();
    client.reached();
    let reason = SignInRefusal::Password;
    client.frame(v2::ServerFrame::Refused { reason, text: v2::Text::default() });
    assert_eq!(client.connecting_to(), None);

    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    client.actions();
    client.signs_in();
    client.frame(message("Server", "You were disconnected by an operator: spam"));
    client.lost();
    assert_eq!(client.connecting_to(), None);
}

#[test]
fn without_reconnecting_every_server_is_tried_until_one_has_accepted_the_user() {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    client.link.reconnect = false;
    client.actions();
    client.lost();
    assert_eq!(client.connecting_to().as_deref(), Some("boat:8"));
    client.signs_in();
    client.now += Duration::from_secs(60);
    client.lost();
    let events = client.events();
    assert!(matches!(&events[..], [Event::Disconnected { .. }]), "{events:?}");
}

/// A client of two servers of revision 2, in the room.
fn watching() -> (Client, LinkWake) {
    let mut client = Client::start_at(&["ship:7", "boat:8"], Some("ann"));
    let at = |text: &str| text.parse::<SocketAddr>().unwrap();
    let fingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".to_owned();
    let security = LinkSecurity::Encrypted { fingerprint, key: KeyStanding::Known };
    client.link.up(at("192.0.2.5:40000"), at("192.0.2.1:7"), security);
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    let wakes = client.wakes();
    let quiet = wakes.iter().find(|(_, wake)| matches!(wake, LinkWake::Quiet { .. }));
    let quiet = quiet.unwrap_or_else(|| panic!("{wakes:?}")).1;
    client.frame(joined("ann"));
    client.frame(v2::ServerFrame::HistoryEnd { oldest: 1 });
    client.actions();
    (client, quiet)
}

fn asks_something(client: &mut Client) -> bool {
    let actions = client.actions();
    let recall = |it: &LinkAction| matches!(it, LinkAction::Command(LinkCommand::Recall { .. }));
    actions.iter().any(recall)
}

#[test]
fn a_replaceable_server_that_says_nothing_is_asked_something_and_left_if_it_does_not_answer() {
    let (mut client, quiet) = watching();
    client.wake(quiet);
    assert!(!asks_something(&mut client), "it spoke a moment ago");
    client.wake(quiet);
    assert!(asks_something(&mut client));
    client.wake(quiet);
    assert_eq!(client.connecting_to().as_deref(), Some("boat:8"));
}

#[test]
fn the_answer_to_the_question_whether_it_is_there_is_not_shown() {
    let (mut client, quiet) = watching();
    for _ in 0..3 {
        client.wake(quiet);
        client.wake(quiet);
        assert!(asks_something(&mut client));
        client.frame(v2::ServerFrame::HistoryEnd { oldest: 1 });
        assert!(client.events().is_empty());
    }
    assert!(client.link.is_joined());
}

#[test]
fn an_only_server_may_say_nothing_for_ever() {
    let mut client = Client::start(Some("ann"));
    client.reached();
    client.frame(ServerFrame::JoinAnswer { accepted: true });
    let wakes = client.wakes();
    assert!(!wakes.iter().any(|(_, wake)| matches!(wake, LinkWake::Quiet { .. })), "{wakes:?}");
}
