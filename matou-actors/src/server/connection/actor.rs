//! The connection actor: one client's TCP connection.
//!
//! `pump` reads, `output` writes, `inbound` decides what the bytes mean. A connection forwards one
//! thing at a time and reads no further until that is done, so a client that floods waits for
//! itself and fills no mailbox.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::{Actor, Addr, AsyncContext, Context, Handler};
use bytes::{Bytes, BytesMut};
use slog::{KV, Record, Serializer, info, warn};

use super::context::ShardContext;
use super::deadlines::{Deadline, Deadlines};
use super::inbound::{Inbound, Intent};
use super::output::{Output, WriteProgress};
use super::pause::Pause;
use super::socket::{Accepted, Socket};
use crate::protocol::v2::{self, Endpoint, NoticeCode, NoticeLevel, PrivatePort, Text, Ticket};
use crate::protocol::{Encode, Kind, ServerFrame};
use crate::server::after_mailbox::run_after_mailbox;
use crate::server::broker::meetings::MEETING_LIFETIME;
use crate::server::ids::{ConnectionId, Route};
use crate::server::messages::{
    ConnectionOrder, JoinRequest, Lifecycle, PresentedTicket, Publish, Recall, ToBroker, ToRegistry,
};
use crate::server::reason::Reason;
use crate::server::registry::directory::Addresses;
use crate::server::registry::refused::Refused;
use crate::server::room::event::Dialect;

/// One client.
pub(crate) struct Connection {
    pub(super) shared: Rc<ShardContext>,
    pub(super) id: ConnectionId,
    pub(super) peer: SocketAddr,
    pub(super) output: Rc<RefCell<Output>>,
    pub(super) inbound: Inbound,
    pub(super) unread: Vec<u8>,
    pub(super) gate: Gate,
    pub(super) state: ConnectionState,
    /// No whole frame is in `unread`: the socket has to be read.
    pub(super) starved: bool,
    /// Read on after this.
    pub(super) pause: Option<Box<Pause>>,
    /// It has had its turn to begin a handshake.
    pub(super) may_begin: bool,
    pub(super) deadlines: Deadlines,
    /// What may still be read and discarded while the connection closes.
    pub(super) discard: Option<usize>,
}

/// Whether the client is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// Until the forwarded request is done.
    Waiting,
    /// For good: the server is stopping.
    Quiet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionState {
    Alive,
    /// The name is free, what is queued is still written.
    Draining,
    /// Everything is written; the client may take its time to read it.
    Lingering,
    /// Nothing is left to do.
    Ended,
}

impl Connection {
    /// Starts the actor for an accepted connection on the current event loop, which reads it only
    /// after `hold`. Its output is the shard's to write batches to.
    pub(crate) fn start(
        shared: Rc<ShardContext>,
        id: ConnectionId,
        accepted: Accepted,
        peer: SocketAddr,
        hold: Duration,
    ) -> io::Result<(Addr<Self>, Rc<RefCell<Output>>)> {
        let socket = Socket::register(accepted)?;
        let (limit, meters) = (shared.rules().limits.queue_bytes, Arc::clone(&shared.meters));
        let output = Rc::new(RefCell::new(Output::new(socket, limit, meters)));
        let connection = Self {
            shared,
            id,
            peer,
            output: Rc::clone(&output),
            inbound: Inbound::new(),
            unread: Vec::new(),
            gate: Gate::Open,
            state: ConnectionState::Alive,
            starved: true,
            pause: (!hold.is_zero()).then(|| Box::new(Pause::for_time(hold))),
            may_begin: false,
            deadlines: Deadlines::default(),
            discard: None,
        };
        connection.shared.meters.actors.bump(1);
        Ok((Actor::start(connection), output))
    }

    fn route(&self) -> Route {
        Route { shard: self.shared.shard, id: self.id }
    }

    /// Forwards what the client wants. Nothing sent here can flood: the gate closes until it is
    /// done.
    pub(super) fn forward(&mut self, intent: Intent, ctx: &mut Context<Self>) {
        let route = self.route();
        self.gate = Gate::Waiting;
        match intent {
            Intent::Join { claimed, last_sequence, password } => {
                let (peer, addresses) = (self.peer, self.addresses());
                let key = self.output.borrow().socket().client_key().map(Arc::new);
                let security = &self.shared.uplinks.security;
                let password = security.check(password, self.output.borrow().socket().exporter());
                self.shared.uplinks.registry.do_send(ToRegistry::Join(JoinRequest {
                    route,
                    claimed,
                    peer,
                    addresses,
                    key,
                    last_sequence,
                    password,
                }));
            }
            Intent::Publish { texts, action } => {
                let Some(from) = self.inbound.username().cloned() else { return };
                let address = self.peer.ip().into();
                let at = Instant::now();
                let said = Publish { route, from, address, texts, action, at, resumes: true };
                self.shared.uplinks.room.do_send(said);
            }
            Intent::Private(step) => {
                self.shared.uplinks.registry.do_send(ToRegistry::Private { route, step });
            }
            Intent::History { before, count } => {
                self.shared.uplinks.recall.do_send(Recall { route, before, count });
            }
            Intent::Where { ticket, port } => self.show(ticket, port, ctx),
            Intent::Leave => self.close(&Reason::SignedOut, ctx),
        }
    }

    /// WHERE: without a ticket the client only learns where its connection comes from.
    fn show(&mut self, ticket: Ticket, port: PrivatePort, ctx: &mut Context<Self>) {
        let Some(seen) = Endpoint::new(self.peer) else {
            return self.close(&Reason::BadTicket, ctx);
        };
        if ticket == Ticket::NONE {
            self.report_outside_address(ctx);
            return self.close(&Reason::Observed, ctx);
        }
        let route = self.route();
        let key = self.output.borrow().socket().client_key().map(Arc::new);
        // The client's part of the handshake and this frame arrive together: one round trip.
        let round_trip = self.deadlines.handshake_begun().map_or(Duration::ZERO, |at| at.elapsed());
        let shown = PresentedTicket { route, ticket, port, seen, key, round_trip };
        self.shared.uplinks.broker.do_send(ToBroker::Show(shown));
    }

    /// HERE.
    fn report_outside_address(&mut self, ctx: &mut Context<Self>) {
        if let Some(seen) = Endpoint::new(self.peer) {
            self.shared.meters.sent(Kind::HERE, 1);
            self.send_frame(&v2::ServerFrame::Here { seen }, ctx);
        }
    }

    fn addresses(&self) -> Addresses {
        let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let local = self.output.borrow().socket().local_addr();
        let local = local.map_or(unspecified, |local| local.ip());
        Addresses { peer: self.peer.ip(), local: local.to_canonical() }
    }

    fn send(&mut self, frame: Bytes, ctx: &mut Context<Self>) {
        let progress = self.output.borrow_mut().send(frame);
        self.wrote(progress, ctx);
    }

    fn send_frame(&mut self, frame: &impl Encode, ctx: &mut Context<Self>) {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        self.send(out.freeze(), ctx);
    }

    fn refuse(&mut self, refused: Refused, ctx: &mut Context<Self>) {
        self.inbound.refused();
        match self.dialect() {
            Dialect::V1 => self.send_frame(&ServerFrame::JoinAnswer { accepted: false }, ctx),
            Dialect::V2 => {
                let text = Text::new(&refused.words()).unwrap_or_default();
                let reason = refused.code();
                self.send_frame(&v2::ServerFrame::Refused { reason, text }, ctx);
            }
        }
        self.resume();
    }

    fn dialect(&self) -> Dialect {
        self.inbound.dialect().unwrap_or(Dialect::V1)
    }

    pub(super) fn wrote(&mut self, progress: WriteProgress, ctx: &mut Context<Self>) {
        match progress {
            WriteProgress::Done => self.caught_up(ctx),
            WriteProgress::Blocked => self.watch_progress(ctx),
            WriteProgress::Failed(reason) => {
                self.close(&reason, ctx);
                self.end(ctx);
            }
        }
    }

    /// Makes the registry free the name.
    pub(super) fn leave(&self, reason: &Reason) {
        let reason = reason.as_leave();
        // Cannot flood: once for each connection.
        self.shared.uplinks.registry.do_send(ToRegistry::Leave { id: self.id, reason });
    }

    pub(super) fn log_end(&self, reason: &Reason) {
        self.shared.uplinks.meters.ended(reason);
        let logger = &self.shared.uplinks.logger;
        let username = self.inbound.called();
        let joined = self.inbound.username().is_some();
        let event = if joined { "left" } else { "connection ended" };
        let (peer, reason_text) = (self.peer, reason.to_string());
        if reason.is_fault() {
            warn!(logger, "{}", event;
                "peer" => %peer, Called(&username), "reason" => reason_text);
        } else {
            info!(logger, "{}", event;
                "peer" => %peer, Called(&username), "reason" => reason_text);
        }
    }
}

/// The name that a client has, or asked for last; not logged when there is none.
struct Called<'a>(&'a str);

impl KV for Called<'_> {
    fn serialize(&self, _record: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        if self.0.is_empty() { Ok(()) } else { serializer.emit_str("username", self.0) }
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let allowed = Duration::from_secs(self.shared.rules().limits.join_seconds);
        // A delayed client cannot join yet.
        let held = self.pause.as_ref().map_or(Duration::ZERO, |pause| pause.left());
        let limit = held + allowed;
        let expired = |connection: &mut Self, ctx: &mut Context<Self>| {
            connection.close(&Reason::JoinTimeout, ctx);
        };
        self.deadlines.set(Deadline::Join, ctx.run_later(limit, expired));
        run_after_mailbox(ctx);
    }
}

impl Handler<ConnectionOrder> for Connection {
    type Result = ();

    fn handle(&mut self, order: ConnectionOrder, ctx: &mut Context<Self>) {
        if self.state != ConnectionState::Alive {
            return;
        }
        match order {
            ConnectionOrder::Refuse(refused) => self.refuse(refused, ctx),
            ConnectionOrder::Welcome { name } => {
                self.deadlines.cancel(Deadline::Join, ctx);
                self.inbound.accepted(name);
                self.output.borrow_mut().socket_mut().forget_exporter();
                self.resume();
            }
            ConnectionOrder::AwaitWritable => self.watch_progress(ctx),
            ConnectionOrder::SendLast(message) => {
                let (frame, kind) = message.encode(self.dialect());
                self.shared.meters.sent(kind, 1);
                self.send(frame, ctx);
            }
            ConnectionOrder::TakenOver => {
                let text = Text::new("You joined from another client with the same key.")
                    .unwrap_or_default();
                let (level, code) = (NoticeLevel::End, NoticeCode::TakenOver);
                self.send_frame(&v2::ServerFrame::Notice { level, code, text }, ctx);
                self.close(&Reason::TakenOver, ctx);
            }
            ConnectionOrder::Resume => self.resume(),
            ConnectionOrder::Here => {
                self.deadlines.cancel(Deadline::Join, ctx);
                let over = |connection: &mut Self, ctx: &mut Context<Self>| {
                    connection.close(&Reason::Observed, ctx);
                };
                self.deadlines.set(Deadline::Join, ctx.run_later(MEETING_LIFETIME, over));
                self.report_outside_address(ctx);
                self.resume();
            }
            ConnectionOrder::ApplyLimits => {
                let limit = self.shared.rules().limits.queue_bytes;
                self.output.borrow_mut().set_limit(limit);
                // The rate that a member waits for may be another one now. A client that has not joined
                // waits because of its address.
                if self.inbound.username().is_some() {
                    self.pause = None;
                }
            }
            ConnectionOrder::Quiesce => self.gate = Gate::Quiet,
            ConnectionOrder::Close(reason) => self.close(&reason, ctx),
            #[cfg(feature = "testing")]
            #[allow(clippy::panic)]
            ConnectionOrder::Panic => panic!("a test asked for this panic"),
        }
    }
}

impl Connection {
    fn resume(&mut self) {
        if self.gate == Gate::Waiting {
            self.gate = Gate::Open;
        }
    }
}

/// Runs when the actor ends in whatever way, a panic included: the name is freed, the place is
/// given back, and no other connection notices.
impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.meters.actors.lower(1);
        if self.state == ConnectionState::Alive {
            let reason = if std::thread::panicking() { Reason::Panicked } else { Reason::Shutdown };
            self.log_end(&reason);
            self.leave(&reason);
        }
        let joined = match self.output.try_borrow_mut() {
            Ok(mut output) => {
                output.close();
                output.is_welcomed()
            }
            // This is a panic in the middle of a write.
            Err(_) => self.inbound.username().is_some(),
        };
        let ended = Lifecycle::Ended { id: self.id, peer: self.peer, joined };
        // Cannot flood: once for each connection.
        self.shared.uplinks.listener.do_send(ended);
        self.shared.ended.do_send(ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_stays_small() {
        // There are thousands, and the runtime rounds the size of one up to 128 bytes: a little
        // more in here may cost that much memory for each.
        let size = size_of::<Connection>();
        assert!(size <= 200, "{size} bytes: measure an idle client before this is raised");
    }
}
