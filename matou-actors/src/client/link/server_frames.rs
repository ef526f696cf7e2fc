//! What the server says.

use std::time::Instant;

use jiff::Timestamp;
use slog::{debug, warn};

use super::past::PastEnd;
use super::roster::Arrival;
use super::server_link::{SentAway, ServerLink};

use super::sign_in::SignInAnswer;
use crate::client::api::event::{Event, PastMessage};
use crate::client::messages::LinkEvent;
use crate::protocol::v2::{self, MemberRevision, NoticeCode, SignInRefusal, Text};
use crate::protocol::{DISCONNECTED_BY_OPERATOR, MessageText, ServerFrame, Username};

impl ServerLink {
    /// A frame was received on the connection of that generation.
    pub(super) fn frame(&mut self, generation: u64, frame: v2::ServerFrame, now: Instant) {
        if !self.is_current(generation) {
            return;
        }
        self.traffic_seen();
        if !self.is_joined() && !is_answer(&frame) {
            debug!(self.logger, "ignored a frame before signing in");
            return;
        }
        match frame {
            v2::ServerFrame::Revision1(frame) => self.frame_of_revision_1(frame, now),
            v2::ServerFrame::Welcome { sequence, topic, .. } => {
                self.past.welcomed(sequence);
                self.roster.welcomed();
                self.roster_changed = true;
                self.topic = printable(&topic);
                self.answered(true, now);
            }
            v2::ServerFrame::Refused { reason, text } => self.refused(reason, &text, now),
            v2::ServerFrame::Present { username, member } => self.arrived(username, member, now),
            v2::ServerFrame::Joined { sequence, username, member, .. } => {
                self.past.live(sequence);
                self.arrived(username, member, now);
            }
            v2::ServerFrame::Left { sequence, username, .. } => {
                self.past.live(sequence);
                self.left(username);
            }
            v2::ServerFrame::Said { sequence, time, username: from, text, flags } => {
                let action = flags & v2::ACTION != 0;
                if flags & v2::FROM_HISTORY == 0 {
                    self.past.live(sequence);
                    self.message(from, text, action);
                } else {
                    let sent = Timestamp::from_millisecond(time.0).unwrap_or_default();
                    let message = PastMessage { from, text, action, sent };
                    if let Some((message, missed)) = self.past.said(sequence, message) {
                        self.emit(Event::HistoryMessage { message, missed });
                    }
                }
            }
            v2::ServerFrame::HistoryEnd { oldest } => match self.past.end(oldest) {
                PastEnd::Fetched { messages, more } => {
                    self.emit(Event::History { messages, more });
                }
                PastEnd::Replayed { messages, more } => {
                    self.emit(Event::HistoryEnd { messages, more });
                }
                PastEnd::Probed => {}
            },
            v2::ServerFrame::Topic { sequence, topic, .. } => {
                self.past.live(sequence);
                self.topic = printable(&topic);
                self.show_topic(true);
            }
            v2::ServerFrame::Notice { code, text, .. } => self.notified(code, &text),
            v2::ServerFrame::Asked { .. }
            | v2::ServerFrame::Answered { .. }
            | v2::ServerFrame::Candidates { .. }
            | v2::ServerFrame::Where { .. }
            | v2::ServerFrame::Go { .. }
            | v2::ServerFrame::Outcome { .. } => self.report_event(LinkEvent::Private(frame)),
            // On connections from private ports only.
            v2::ServerFrame::Here { .. } | v2::ServerFrame::Unknown { .. } => {}
        }
    }

    fn frame_of_revision_1(&mut self, frame: ServerFrame, now: Instant) {
        match frame {
            ServerFrame::JoinAnswer { accepted } => self.answered(accepted, now),
            ServerFrame::Joined(who) => self.arrived(who, MemberRevision::Revision1, now),
            ServerFrame::Message { from, text } => self.message(from, text, false),
            ServerFrame::Left(who) => self.left(who),
            ServerFrame::PrivateRequested { .. }
            | ServerFrame::PeerAccepted { .. }
            | ServerFrame::PeerListening { .. } => {
                self.report_event(LinkEvent::Private(frame.into()));
            }
        }
    }

    /// REFUSED. Of a name that is taken or invalid the user reads in the same words as in revision 1.
    fn refused(&mut self, reason: SignInRefusal, text: &Text<512>, now: Instant) {
        let message = format!("{} refused you: {}", self.server_name(), printable(text));
        let had_name = self.me().is_some();
        match reason {
            SignInRefusal::Password => self.password_refused(now),
            SignInRefusal::Taken | SignInRefusal::InvalidName => self.answered(false, now),
            // The name is not the user's any more, however often it is asked for.
            SignInRefusal::OtherKey | SignInRefusal::Reserved => {
                let answer = self.sign_in.refused_for_good();
                self.sign_in_answered(answer, Some(message), now);
            }
            // Nor would another name do.
            SignInRefusal::NotListed | SignInRefusal::Banned if had_name => {
                self.cut_for_good(message, now);
            }
            _ => {
                let answer = self.sign_in.answered(false);
                self.sign_in_answered(answer, Some(message), now);
            }
        }
    }

    /// Another attempt would end in the same way until the user gives another password.
    fn password_refused(&mut self, now: Instant) {
        let (server, wrong) = (self.server_name(), self.password.is_some());
        let reason = if wrong {
            format!("{server} refused the password")
        } else {
            format!("{server} requires a password")
        };
        self.emit(Event::PasswordNeeded { server, wrong });
        self.cut_for_good(reason, now);
    }

    /// NOTICE. After these reasons the client does not reconnect by itself.
    fn notified(&mut self, code: NoticeCode, text: &Text<512>) {
        self.sent_away = match code {
            NoticeCode::Kicked | NoticeCode::Banned => Some(SentAway::ByOperator),
            NoticeCode::TakenOver => Some(SentAway::TakenOver),
            _ => None,
        };
        let text = printable(text);
        if !text.is_empty() {
            self.notice(text);
        }
    }

    fn answered(&mut self, accepted: bool, now: Instant) {
        let answer = self.sign_in.answered(accepted);
        self.sign_in_answered(answer, None, now);
    }

    /// Handles an answer; `reason` is why the server refuses the name, if it says so.
    fn sign_in_answered(&mut self, answer: SignInAnswer, reason: Option<String>, now: Instant) {
        match answer {
            SignInAnswer::Joined(username) => {
                if let Some(connection) = &mut self.connection {
                    connection.joined = Some(now);
                }
                self.servers.accept();
                let server = self.server_name();
                self.emit(Event::Connected { server, username });
                if !self.topic.is_empty() {
                    self.show_topic(false);
                }
                self.await_arrival();
                self.watch();
            }
            SignInAnswer::Refused(username) => self.emit(Event::Refused { username, reason }),
            SignInAnswer::Held => {
                let held = self.me().map(|name| format!("the name {name} is still taken"));
                self.try_later(reason.or(held).unwrap_or_default());
            }
            SignInAnswer::Unasked => self.distrust("an unsolicited answer", now),
        }
    }

    pub(super) fn show_topic(&mut self, changed: bool) {
        self.emit(Event::Topic { topic: self.topic.clone(), changed });
    }

    fn arrived(&mut self, who: Username, member: MemberRevision, now: Instant) {
        let Some(me) = self.me().cloned() else { return };
        let own = who.folded() == me.folded();
        self.roster_changed = true;
        match self.roster.arrived(&who, member, &me) {
            Arrival::Present => self.joined(who, true),
            Arrival::New => self.joined(who, false),
            Arrival::Known => {}
            Arrival::TooMany => self.distrust("more names than there can be", now),
        }
        if own {
            self.enter_room();
        }
    }

    fn joined(&mut self, username: Username, present: bool) {
        self.emit(Event::Joined { username: username.clone(), present });
        self.report_event(LinkEvent::Arrived(username));
    }

    fn message(&mut self, from: Username, text: MessageText, action: bool) {
        self.roster_changed |= self.roster.spoke(&from);
        let own = self.me() == Some(&from);
        // No user can speak for the server.
        let by_server = !self.roster.is_announced(&from);
        let is_last = by_server && text.as_str().starts_with(DISCONNECTED_BY_OPERATOR);
        self.sent_away = is_last.then_some(SentAway::ByOperator);
        if own {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
        self.emit(Event::Message { from, text, action });
    }

    fn left(&mut self, who: Username) {
        let was_here = self.roster.left(&who);
        self.roster_changed = true;
        self.report_event(LinkEvent::Left(who.clone()));
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

fn is_answer(frame: &v2::ServerFrame) -> bool {
    matches!(
        frame,
        v2::ServerFrame::Revision1(ServerFrame::JoinAnswer { .. })
            | v2::ServerFrame::Welcome { .. }
            | v2::ServerFrame::Refused { .. }
            | v2::ServerFrame::Notice { .. }
    )
}

fn printable(text: &Text<512>) -> String {
    text.as_str().chars().filter(|character| !character.is_control()).collect()
}
