//! What the user wants of the server.

use tokio::sync::oneshot;

use super::past::HistoryProgress;
use super::server_link::ServerLink;
use super::servers::Servers;
use super::sign_in::Wish;
use crate::client::api::event::{ErrorCode, Event};
use crate::client::api::password::Password;
use crate::client::api::server_name::ServerName;
use crate::client::messages::{ConnectionCommand, ServerCommand};
use crate::protocol::{MessageText, Username};

/// How many messages are fetched at a time.
const FETCHED: u32 = 100;

impl ServerLink {
    /// Does what the user wants of the server; `room` is dropped once the next command may follow.
    pub(super) fn run(&mut self, command: ServerCommand, room: oneshot::Sender<()>) {
        match command {
            ServerCommand::SignIn(name) => self.wish(name),
            ServerCommand::UsePassword(password) => self.use_password(password),
            ServerCommand::UseServers(servers) => self.use_servers(servers),
            ServerCommand::Reconnect => self.reconnect(),
            ServerCommand::Say { text, action } => self.say(text, action, room),
            ServerCommand::FetchHistory => self.fetch_history(),
            ServerCommand::ListPresent => {
                self.emit(Event::Present { usernames: self.roster.names() });
            }
            ServerCommand::ShowTopic => self.show_topic(false),
        }
    }

    /// The user wants a name.
    pub(super) fn wish(&mut self, name: Username) {
        match self.sign_in.wish(name) {
            Wish::Ask(name) => self.ask(&name),
            Wish::Later if self.connection.is_none() && self.retry.is_none() => {
                self.notice("not connected to the server; /reconnect tries again, with this name");
            }
            Wish::Later => {}
            Wish::Busy(asked) => {
                self.error(
                    ErrorCode::Name,
                    format!(
                        "the server has not yet accepted or refused the name {asked}; wait for \
                             its answer"
                    ),
                );
            }
            Wish::SignedIn(own) => {
                self.error(
                    ErrorCode::Name,
                    format!("you are already signed in as {own}; quit and start again to use another name"),
                );
            }
        }
    }

    /// The user wants another server, or others, which is possible until they have a name on one.
    pub(super) fn use_servers(&mut self, servers: Vec<ServerName>) {
        if let Some(me) = self.me() {
            let message = format!(
                "you are signed in as {me} on {}; to change servers, quit and start again with --server {}",
                self.server_name(),
                servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            );
            return self.error(ErrorCode::Server, message);
        }
        self.hang_up();
        self.sign_in.lost();
        self.retry = None;
        self.first = self.generation + 1;
        self.past = HistoryProgress::default();
        self.servers = Servers::new(servers);
        self.connect();
    }

    /// The user says something to the room, or says what they do.
    pub(super) fn say(&mut self, text: MessageText, action: bool, room: oneshot::Sender<()>) {
        if !self.sign_in.is_joined() {
            return self.error(
                ErrorCode::NotSent,
                "not connected to the server, so your message was not sent; /reconnect",
            );
        }
        self.unacknowledged += 1;
        self.command(ConnectionCommand::Say { text, action, room });
    }

    /// The user wants to read the messages before the oldest one shown.
    pub(super) fn fetch_history(&mut self) {
        let before = if self.sign_in.is_joined() { self.past.fetch() } else { None };
        match before {
            Some(before) => self.command(ConnectionCommand::Recall { before, count: FETCHED }),
            None => self.emit(Event::History { messages: Vec::new(), more: false }),
        }
    }

    /// The server gets another password.
    fn use_password(&mut self, password: Password) {
        self.password = Some(password);
        self.reconnect();
    }

    /// The user does not want to wait for the next attempt.
    pub(super) fn reconnect(&mut self) {
        if self.sign_in.is_joined() {
            return self.notice("already connected to the server");
        }
        self.retry = None;
        self.servers.reset();
        self.try_again();
    }
}
