//! What the server says.

use std::time::Instant;

use slog::{debug, warn};

use super::action::LinkAction;
use super::roster::Arrival;
use super::server_link::ServerLink;

use super::sign_in::Answer;
use crate::client::api::event::Event;
use crate::protocol::{DISCONNECTED_BY_OPERATOR, MessageText, ServerFrame, Username};

impl ServerLink {
    /// A frame came on the connection of that generation.
    pub(crate) fn frame(&mut self, generation: u64, frame: ServerFrame, now: Instant) {
        if !self.is_current(generation) {
            return;
        }
        if !self.is_joined() && !matches!(frame, ServerFrame::JoinAnswer { .. }) {
            debug!(self.logger, "ignored a frame before signing in"; "frame" => frame.kind().name());
            return;
        }
        match frame {
            ServerFrame::JoinAnswer { accepted } => self.answered(accepted, now),
            ServerFrame::Joined(who) => self.arrived(who, now),
            ServerFrame::Message { from, text } => self.message(from, text),
            ServerFrame::Left(who) => self.left(who),
            ServerFrame::PrivateRequested { .. }
            | ServerFrame::PeerAccepted { .. }
            | ServerFrame::PeerListening { .. } => self.actions.push(LinkAction::Private(frame)),
        }
    }

    fn answered(&mut self, accepted: bool, now: Instant) {
        match self.sign_in.answered(accepted) {
            Answer::Joined(username) => {
                if let Some(connection) = &mut self.connection {
                    connection.joined = Some(now);
                }
                let server = self.server_name();
                self.emit(Event::Connected { server, username });
                self.await_arrival();
            }
            Answer::Refused(username) => self.emit(Event::Refused { username }),
            Answer::Held(name) => self.try_later(format!("the name {name} is still taken")),
            Answer::Unasked => self.distrust("an unsolicited answer", now),
        }
    }

    fn arrived(&mut self, who: Username, now: Instant) {
        let Some(me) = self.me().cloned() else { return };
        let own = who.folded() == me.folded();
        match self.roster.arrived(&who, &me) {
            Arrival::Present => self.emit(Event::Joined { username: who, present: true }),
            Arrival::New => self.emit(Event::Joined { username: who, present: false }),
            Arrival::Known => {}
            Arrival::TooMany => self.distrust("more names than there can be", now),
        }
        if own {
            self.enter_room();
        }
    }

    fn message(&mut self, from: Username, text: MessageText) {
        self.roster.spoke(&from);
        let own = self.me() == Some(&from);
        // No user can speak for the server.
        let by_server = !self.roster.is_announced(&from);
        self.sent_away = by_server && text.as_str().starts_with(DISCONNECTED_BY_OPERATOR);
        if own {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
        self.actions.push(LinkAction::Show { from, text, own });
    }

    fn left(&mut self, who: Username) {
        let was_here = self.roster.left(&who);
        self.actions.push(LinkAction::Left(who.clone()));
        if was_here {
            self.emit(Event::Left { username: who });
        }
    }

    /// The server does what no server may: the connection ends.
    fn distrust(&mut self, what: &str, now: Instant) {
        warn!(self.logger, "the server breaks the protocol"; "reason" => what);
        self.cut(format!("the server breaks the protocol: {what}"), now);
    }
}
