//! Reaching the server, signing in, and its frames.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use actix::prelude::*;
use slog::{debug, warn};

use super::{Hub, Leaving, LiveLink, Up};
use crate::client::api::event::Event;
use crate::client::connection::outbox::{Outbox, Pace};
use crate::client::link::actor::Link;
use crate::client::link::roster::Arrival;
use crate::client::link::sign_in::Answer;
use crate::client::messages::{HangUp, LinkEvent, LinkReport};
use crate::protocol::{ClientFrame, DISCONNECTED_BY_OPERATOR, ServerFrame, Username};

/// Bytes that may wait for the server.
const OUTBOX: usize = 1024 * 1024;

/// How long the server may be silent before the user is told that the client waits for it.
const SILENCE_NOTICE: Duration = Duration::from_secs(3);

impl Hub {
    /// Tries to reach the server now, unless that is under way.
    pub(super) fn connect(&mut self, ctx: &mut Context<Self>) {
        let Some(server) = self.server.clone().filter(|_| self.link.is_none()) else { return };
        self.generation += 1;
        let outbox = Outbox::new(OUTBOX, Pace::Progress);
        let link = Link {
            generation: self.generation,
            server,
            outbox: outbox.clone(),
            hub: ctx.address().recipient(),
        };
        self.link = Some(LiveLink { addr: link.start(), outbox, up: None });
        let generation = self.generation;
        Self::later(ctx, SILENCE_NOTICE, move |hub, _| {
            let connecting = hub.link.as_ref().is_some_and(|link| link.up.is_none());
            // Later attempts are announced with their reason.
            if connecting && generation == 1 && hub.generation == generation {
                hub.notice_silence();
            }
        });
    }

    /// The user does not want to wait.
    pub(super) fn reconnect(&mut self, ctx: &mut Context<Self>) {
        if self.sign_in.is_joined() {
            return self.notice("the server is connected");
        }
        if let Some(retry) = self.retry.take() {
            ctx.cancel_future(retry);
        }
        self.try_again(ctx);
    }

    /// Sends a frame that the set-up of something needs.
    pub(super) fn send(&mut self, frame: &ClientFrame) {
        let Some(link) = &self.link else { return };
        if link.outbox.push(frame).is_err() {
            warn!(self.logger, "the server takes no more frames"; "frame" => frame.kind().name());
        }
    }

    /// Waits, then tries to reach the server or to take the name back.
    fn try_later(&mut self, reason: String, ctx: &mut Context<Self>) {
        let (attempt, delay) = self.backoff.next(fastrand::f64());
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.emit(Event::Reconnecting { attempt, delay_ms, reason });
        self.retry = Some(Self::later(ctx, delay, |hub, ctx| {
            hub.retry = None;
            hub.try_again(ctx);
        }));
    }

    fn try_again(&mut self, ctx: &mut Context<Self>) {
        if self.link.is_none() {
            self.connect(ctx);
        } else if let Some(name) = self.sign_in.ask() {
            self.ask(&name, ctx);
        }
    }

    /// Asks for `name`. A server that does not answer is none.
    pub(super) fn ask(&mut self, name: &Username, ctx: &mut Context<Self>) {
        self.send(&ClientFrame::Join(name.into()));
        self.asked += 1;
        let (asked, generation) = (self.asked, self.generation);
        let waits = move |hub: &Self| {
            hub.asked == asked && hub.generation == generation && hub.sign_in.is_unanswered()
        };
        Self::later(ctx, SILENCE_NOTICE, move |hub, _| {
            if waits(hub) {
                hub.notice_silence();
            }
        });
        Self::later(ctx, self.settings.answer_timeout, move |hub, ctx| {
            if waits(hub) {
                let server = hub.server.as_ref().map(ToString::to_string).unwrap_or_default();
                let reason = format!("{server} does not answer: is it a server of Matou?");
                hub.cut_link(reason, ctx);
            }
        });
    }

    fn notice_silence(&mut self) {
        let server = self.server.as_ref().map(ToString::to_string).unwrap_or_default();
        self.notice(format!("still waiting for {server} to answer"));
    }

    /// Ends the connection to the server for `reason`.
    fn cut_link(&self, reason: String, ctx: &mut Context<Self>) {
        if let Some(link) = &self.link {
            // Once in its life.
            link.addr.do_send(HangUp);
            let event = LinkEvent::Down { reason, retry: true };
            ctx.notify(LinkReport { generation: self.generation, event });
        }
    }

    fn answered(&mut self, accepted: bool, ctx: &mut Context<Self>) {
        match self.sign_in.answered(accepted) {
            Answer::Joined(username) => {
                if let Some(up) = self.link.as_mut().and_then(|link| link.up.as_mut()) {
                    up.joined = Some(Instant::now());
                }
                let server = self.server.as_ref().map(ToString::to_string).unwrap_or_default();
                self.emit(Event::Connected { server, username });
            }
            Answer::Refused(username) => self.emit(Event::Refused { username }),
            Answer::Held(name) => {
                self.try_later(format!("the name {name} is still taken"), ctx);
            }
            Answer::Unasked => self.distrust("an unsolicited answer", ctx),
        }
    }

    fn arrived(&mut self, who: Username, ctx: &mut Context<Self>) {
        let Some(me) = self.sign_in.me().cloned() else { return };
        let own = who.folded() == me.folded();
        match self.roster.arrived(&who, &me) {
            Arrival::Present => self.emit(Event::Joined { username: who, present: true }),
            Arrival::New => self.emit(Event::Joined { username: who, present: false }),
            Arrival::Known => {}
            Arrival::TooMany => self.distrust("more names than there can be", ctx),
        }
        if own {
            // Only now it is known who is here, and so who can be written to.
            self.ready = true;
            self.run_pending(ctx);
        }
    }

    fn left(&mut self, who: Username, ctx: &mut Context<Self>) {
        let was_here = self.roster.left(&who);
        self.with_peers(ctx, |peers, _| {
            peers.peer_unreachable(&who.folded(), &format!("{who} left"));
        });
        if was_here {
            self.emit(Event::Left { username: who });
        }
    }

    pub(super) fn frame(&mut self, frame: ServerFrame, ctx: &mut Context<Self>) {
        if !self.sign_in.is_joined() && !matches!(frame, ServerFrame::JoinAnswer { .. }) {
            debug!(self.logger, "ignored a frame before signing in"; "frame" => frame.kind().name());
            return;
        }
        match frame {
            ServerFrame::JoinAnswer { accepted } => self.answered(accepted, ctx),
            ServerFrame::Joined(who) => self.arrived(who, ctx),
            ServerFrame::Message { from, text } => {
                self.roster.spoke(&from);
                let own = self.sign_in.me() == Some(&from);
                // Whoever is here cannot speak for the server.
                let by_server = !self.roster.is_announced(&from);
                self.sent_away = by_server && text.as_str().starts_with(DISCONNECTED_BY_OPERATOR);
                if own {
                    self.unacknowledged = self.unacknowledged.saturating_sub(1);
                }
                if own || !self.peers.ignores(&from) {
                    self.emit(Event::Message { from, text });
                }
            }
            ServerFrame::Left(who) => self.left(who, ctx),
            ServerFrame::PrivateRequested { from } => {
                self.with_peers(ctx, |peers, at| peers.requested(from, at));
            }
            ServerFrame::PeerAccepted { by, address } => {
                self.with_peers(ctx, |peers, at| peers.peer_accepted(&by, address, at));
            }
            ServerFrame::PeerListening { who, address, ports } => {
                self.with_peers(ctx, |peers, at| peers.peer_listening(&who, address, ports, at));
            }
        }
    }

    /// The server does what no server may: the connection ends.
    fn distrust(&self, what: &str, ctx: &mut Context<Self>) {
        warn!(self.logger, "the server breaks the protocol"; "reason" => what);
        self.cut_link(format!("the server breaks the protocol: {what}"), ctx);
    }
}

impl Hub {
    pub(super) fn link_up(
        &mut self,
        local: SocketAddr,
        server: SocketAddr,
        ctx: &mut Context<Self>,
    ) {
        let Some(link) = self.link.as_mut() else { return };
        debug!(self.logger, "reached the server"; "peer" => %server);
        let (local, server) = (local.ip(), server.ip().to_canonical());
        link.up = Some(Up { local, server, joined: None });
        if let Some(name) = self.sign_in.connected() {
            self.ask(&name, ctx);
        }
    }

    pub(super) fn link_down(&mut self, reason: String, retry: bool, ctx: &mut Context<Self>) {
        let Some(link) = self.link.take() else { return };
        let retry = retry && self.settings.reconnect;
        let was_joined = self.sign_in.lost();
        self.roster.clear();
        if self.leaving == Leaving::Now {
            self.report_unacknowledged();
            self.close_if_empty();
            return;
        }
        let joined = link.up.and_then(|up| up.joined);
        if let Some(since) = joined {
            self.backoff.lost(since.elapsed());
        }
        if was_joined {
            self.emit(Event::Disconnected { reason: reason.clone() });
            self.with_peers(ctx, |peers, _| peers.all_unreachable("the server is lost"));
            self.report_unacknowledged();
        } else if !retry {
            self.emit(Event::Disconnected { reason: reason.clone() });
        } else if !self.ready && self.generation == 1 {
            self.error(format!("{reason}; trying again"));
        }
        if let Some(retry) = self.retry.take() {
            ctx.cancel_future(retry);
        }
        if std::mem::take(&mut self.sent_away) {
            self.notice("an operator disconnected you; /reconnect tries to come back");
        } else if retry && self.leaving == Leaving::No {
            self.try_later(reason, ctx);
        }
    }

    /// Gives up the connection to the server at once.
    pub(super) fn drop_link(&mut self) {
        if let Some(link) = self.link.take() {
            // Once in its life.
            link.addr.do_send(HangUp);
        }
    }
}
