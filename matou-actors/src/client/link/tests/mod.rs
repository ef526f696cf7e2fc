//! The state of the link, with a clock: what it decides.

mod messages;
mod reconnect;
mod roster;
mod servers;
mod sign_in;
mod silence;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use slog::{Discard, Logger, o};
use tokio::sync::oneshot;

use crate::client::api::event::{ErrorCode, Event, LinkSecurity};
use crate::client::api::server_name::ServerName;
use crate::client::api::settings::ClientSettings;
use crate::client::link::action::{ConnectionAttempt, LinkAction, LinkWake};
use crate::client::link::server_link::ServerLink;
use crate::client::messages::{ConnectionCommand, LinkEvent};
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
        assert!(self.link.ready);
        self.link.take_actions();
    }

    /// The server to which it is connecting now, by what it did last.
    fn connecting_to(&mut self) -> Option<String> {
        let actions = self.actions();
        let server = actions.iter().rev().find_map(|action| match action {
            LinkAction::Connect(ConnectionAttempt { generation, server, .. }) => {
                Some((*generation, server))
            }
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

    /// Loses a server that has lasted, and returns what follows.
    fn lost_after_a_minute(&mut self) -> Vec<LinkAction> {
        self.now += Duration::from_secs(60);
        self.lost();
        self.actions()
    }

    fn actions(&mut self) -> Vec<LinkAction> {
        self.link.take_actions()
    }

    /// The events, except those about what protects the connection.
    fn events(&mut self) -> Vec<Event> {
        let events = self.actions().into_iter().filter_map(|action| match action {
            LinkAction::Report(LinkEvent::Emit(Event::Security { .. })) => None,
            LinkAction::Report(LinkEvent::Emit(event)) => Some(event),
            _ => None,
        });
        events.collect()
    }

    /// Says something; returns whether the next text has to wait.
    fn says(&mut self, text: &str) -> bool {
        let (room, mut wait) = oneshot::channel();
        self.link.say(say(text), false, room);
        matches!(wait.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    /// The requested timers.
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
        LinkAction::Command(ConnectionCommand::Send(frame)) => Some(frame),
        LinkAction::Command(ConnectionCommand::Say { text, .. }) => {
            Some(ClientFrame::Say(text).into())
        }
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
