//! The connection actor: one client's TCP connection.
//!
//! Reading and writing happen in `pump`, what the bytes mean is decided in `inbound`. A
//! connection forwards one thing at a time and reads no further until that has been dealt with,
//! so a client that floods waits for itself and fills nobody's mailbox.

mod inbound;
mod pump;

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::{
    Actor, ActorContext, Addr, AsyncContext, Context, Handler, Recipient, SpawnHandle,
};
use bytes::{Bytes, BytesMut};
use slog::{Logger, info, warn};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use self::inbound::{Inbound, InboundLimits, Intent};
use self::pump::Pump;
use super::directory::Addresses;
use super::messages::{Deliver, Lifecycle, Order, Publish, ToRegistry};
use super::outbox::{Outbox, Overflow};
use super::reason::Reason;
use super::settings::Limits;
use super::{ConnectionId, Route};
use crate::protocol::{Encode, ServerFrame};

/// Bytes that one system call reads; one such buffer serves all connections of a shard.
const READ_BUFFER: usize = 16 * 1024;
/// How long a connection that ends may take to write what is queued.
const DRAIN_WITHIN: Duration = Duration::from_secs(2);

/// Whom the connections speak to.
#[derive(Clone)]
pub(crate) struct Uplinks {
    pub(crate) registry: Recipient<ToRegistry>,
    pub(crate) room: Recipient<Publish>,
    pub(crate) listener: Recipient<Lifecycle>,
    pub(crate) logger: Logger,
}

/// What all connections of a shard share.
pub(crate) struct Shared {
    shard: usize,
    uplinks: Uplinks,
    ended: Recipient<Lifecycle>,
    limits: Limits,
    inbound: InboundLimits,
    read_buffer: RefCell<Vec<u8>>,
}

/// One client.
pub(crate) struct Connection {
    shared: Rc<Shared>,
    id: ConnectionId,
    peer: SocketAddr,
    stream: TcpStream,
    inbound: Inbound,
    unread: Vec<u8>,
    outbox: Outbox,
    start: u64,
    written: u64,
    gate: Gate,
    state: State,
    /// No whole frame is in `unread`: the socket has to be read.
    starved: bool,
    /// The socket took less than it was given: wait until it is writable.
    blocked: bool,
    pace: Option<SpawnHandle>,
    frame_deadline: Option<SpawnHandle>,
    stall_deadline: Option<SpawnHandle>,
    join_deadline: Option<SpawnHandle>,
}

/// Whether the client is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    /// Until what was forwarded has been dealt with.
    Waiting,
    /// For good: the server stops.
    Quiet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Alive,
    /// The name is free, what is queued is still written.
    Draining,
    /// Nothing is left to do.
    Ended,
}

impl Shared {
    pub(crate) fn new(
        shard: usize,
        uplinks: Uplinks,
        ended: Recipient<Lifecycle>,
        limits: Limits,
    ) -> Self {
        let inbound = InboundLimits::new(&limits);
        let read_buffer = RefCell::new(vec![0; READ_BUFFER]);
        Self { shard, uplinks, ended, limits, inbound, read_buffer }
    }

    /// A connection ended before it began.
    pub(crate) fn turned_away(&self, id: ConnectionId, peer: SocketAddr) {
        // Cannot flood: once for each accepted connection.
        self.uplinks.listener.do_send(Lifecycle::Ended { id, peer, joined: false });
    }
}

impl Connection {
    /// Starts the actor for an accepted connection on the current event loop.
    pub(crate) fn start(
        shared: Rc<Shared>,
        id: ConnectionId,
        stream: std::net::TcpStream,
        peer: SocketAddr,
    ) -> io::Result<Addr<Self>> {
        tune(&stream)?;
        let stream = TcpStream::from_std(stream)?;
        let outbox = Outbox::new(shared.limits.queue_bytes);
        let connection = Self {
            shared,
            id,
            peer,
            stream,
            inbound: Inbound::new(),
            unread: Vec::new(),
            outbox,
            start: 0,
            written: 0,
            gate: Gate::Open,
            state: State::Alive,
            starved: true,
            blocked: false,
            pace: None,
            frame_deadline: None,
            stall_deadline: None,
            join_deadline: None,
        };
        Ok(Actor::start(connection))
    }

    fn route(&self) -> Route {
        Route { shard: self.shared.shard, id: self.id }
    }

    /// Forwards what the client wants. Nothing sent here can flood: the gate closes until it
    /// has been dealt with.
    fn forward(&mut self, intent: Intent, ctx: &mut Context<Self>) {
        let route = self.route();
        self.gate = Gate::Waiting;
        match intent {
            Intent::Join(claimed) => {
                let (peer, addresses) = (self.peer, self.addresses());
                let join = ToRegistry::Join { route, claimed, peer, addresses };
                self.shared.uplinks.registry.do_send(join);
            }
            Intent::Publish(frames) => {
                self.shared.uplinks.room.do_send(Publish { route, frames });
            }
            Intent::Private(step) => {
                self.shared.uplinks.registry.do_send(ToRegistry::Private { route, step });
            }
            Intent::Leave => self.close(&Reason::SignedOut, ctx),
        }
    }

    fn addresses(&self) -> Addresses {
        let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let local = self.stream.local_addr().map_or(unspecified, |local| local.ip());
        Addresses { peer: self.peer.ip(), local: local.to_canonical() }
    }

    fn send(&mut self, frame: Bytes, ctx: &mut Context<Self>) {
        let pushed = self.outbox.push_frame(frame);
        self.pushed(pushed, ctx);
    }

    fn pushed(&mut self, pushed: Result<(), Overflow>, ctx: &mut Context<Self>) {
        if !self.blocked {
            self.write(ctx);
        }
        if pushed.is_err() && self.blocked {
            self.close(&Reason::QueueOverflow(self.outbox.queued()), ctx);
        }
    }

    /// Frees the name at once, then ends: now, or when what is queued has been written.
    fn close(&mut self, reason: &Reason, ctx: &mut Context<Self>) {
        if self.state != State::Alive {
            return;
        }
        self.log_end(reason);
        self.leave();
        self.state = State::Draining;
        self.unread = Vec::new();
        if self.outbox.is_empty() || !reason.drains() {
            self.end(ctx);
        } else {
            ctx.run_later(DRAIN_WITHIN, |connection, ctx| connection.end(ctx));
        }
    }

    fn end(&mut self, ctx: &mut Context<Self>) {
        self.state = State::Ended;
        ctx.stop();
    }

    /// Tells the registry, which frees the name.
    fn leave(&self) {
        // Cannot flood: once for each connection.
        self.shared.uplinks.registry.do_send(ToRegistry::Leave { id: self.id });
    }

    fn log_end(&self, reason: &Reason) {
        let logger = &self.shared.uplinks.logger;
        let username = self.inbound.username().map_or("", |name| name.as_str());
        let event = if username.is_empty() { "connection ended" } else { "left" };
        let (peer, reason_text) = (self.peer, reason.to_string());
        if reason.is_fault() {
            warn!(logger, "{}", event;
                "peer" => %peer, "username" => username, "reason" => reason_text);
        } else {
            info!(logger, "{}", event;
                "peer" => %peer, "username" => username, "reason" => reason_text);
        }
    }

    fn cancel(ctx: &mut Context<Self>, deadline: &mut Option<SpawnHandle>) {
        if let Some(handle) = deadline.take() {
            ctx.cancel_future(handle);
        }
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let limit = Duration::from_secs(self.shared.limits.join_seconds);
        let expired = |connection: &mut Self, ctx: &mut Context<Self>| {
            connection.close(&Reason::JoinTimeout, ctx);
        };
        self.join_deadline = Some(ctx.run_later(limit, expired));
        ctx.spawn(Pump);
    }
}

impl Handler<Deliver> for Connection {
    type Result = ();

    fn handle(&mut self, Deliver { span, in_flight }: Deliver, ctx: &mut Context<Self>) {
        if self.state == State::Alive {
            let pushed = self.outbox.push_span(&span, self.start);
            self.pushed(pushed, ctx);
        }
        drop(in_flight);
    }
}

impl Handler<Order> for Connection {
    type Result = ();

    fn handle(&mut self, order: Order, ctx: &mut Context<Self>) {
        if self.state != State::Alive {
            return;
        }
        match order {
            Order::Refuse => {
                self.inbound.refused();
                let mut refused = BytesMut::new();
                ServerFrame::JoinAnswer { accepted: false }.encode(&mut refused);
                self.send(refused.freeze(), ctx);
                self.resume();
            }
            Order::Welcome { name, welcome } => {
                Self::cancel(ctx, &mut self.join_deadline);
                self.inbound.accepted(name);
                self.start = welcome.start;
                self.outbox.push_welcome(welcome.parts);
                // Cannot flood: once for each connection.
                self.shared.uplinks.listener.do_send(Lifecycle::Joined { peer: self.peer });
                self.pushed(Ok(()), ctx);
                self.resume();
            }
            Order::Send(frame) => self.send(frame, ctx),
            Order::Resume => self.resume(),
            Order::Quiesce => self.gate = Gate::Quiet,
            Order::Close(reason) => self.close(&reason, ctx),
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
/// given back, and nobody else notices.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.state == State::Alive {
            let reason = if std::thread::panicking() { Reason::Panicked } else { Reason::Shutdown };
            self.log_end(&reason);
            self.leave();
        }
        let joined = self.inbound.username().is_some();
        let ended = Lifecycle::Ended { id: self.id, peer: self.peer, joined };
        // Cannot flood: once for each connection.
        self.shared.uplinks.listener.do_send(ended);
        self.shared.ended.do_send(ended);
    }
}

/// Sends at once what is written, and notices within two minutes when the other end has been
/// unplugged: 60 s idle, then a probe each 10 s, six of them.
fn tune(stream: &std::net::TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let (idle, interval, probes) = (Duration::from_secs(60), Duration::from_secs(10), 6);
    let keepalive =
        TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(probes);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(idle + interval * probes))?;
    Ok(())
}
