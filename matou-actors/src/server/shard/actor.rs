//! The shard actor: the connections of one event loop.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context as Task;
use std::time::Instant;

use actix::prelude::{Actor, Addr, AsyncContext, Context, Handler, Recipient};
use bytes::Bytes;
use slab::Slab;
use slog::warn;
use tokio::sync::oneshot;

use crate::protocol::Username;
use crate::server::admin::wire::ClientReport;
use crate::server::after_mailbox::{AfterMailbox, run_after_mailbox};
use crate::server::connection::actor::Connection;
use crate::server::connection::context::{ShardContext, Uplinks};
use crate::server::connection::output::{Output, WriteProgress};
use crate::server::ids::ConnectionId;
use crate::server::lifecycle::critical::CriticalActor;
use crate::server::messages::{
    Accept, BatchWritten, CloseAll, CloseFrom, ConnectionOrder, FromRoom, Lifecycle, ListClients,
    QuiesceAll, SetLimits, ToConnection,
};
use crate::server::metrics::meters::ShardMeters;
use crate::server::reason::Reason;
use crate::server::room::batch::{Batch, Welcome};
use crate::server::room::event::{Dialect, PerDialect};
use crate::server::room::log::Span;
use crate::server::settings::Limits;
use crate::server::shard::liveness::LivenessSweep;
use crate::server::shrink_sparse::ShrinkSparse as _;
use crate::trust::Fingerprint;

/// How many sockets are written in a row before the event loop runs again.
const TURN: usize = 256;

/// Starts the connections of its event loop, writes the room's batches to them, and passes on
/// orders for single connections.
pub(crate) struct Shard {
    index: usize,
    shared: Option<Rc<ShardContext>>,
    uplinks: Uplinks,
    limits: Limits,
    written: Recipient<BatchWritten>,
    meters: Arc<ShardMeters>,
    /// Slots are stable while a batch is written, although connections start and end.
    seats: Slab<Seat>,
    by_id: HashMap<ConnectionId, usize>,
    /// How many connections have joined.
    joined: PerDialect<u64>,
    writing: Option<Writing>,
    closing: Option<oneshot::Sender<()>>,
    quiet: bool,
    sweep: LivenessSweep,
    _critical: Option<CriticalActor>,
}

struct Seat {
    connection: Addr<Connection>,
    output: Rc<RefCell<Output>>,
    peer: SocketAddr,
    accepted_at: Instant,
    /// The name, once joined, and the revision.
    name: Option<Username>,
    dialect: Dialect,
}

/// A batch and the next slot to write to.
struct Writing {
    span: Option<Span>,
    next: usize,
    relayed: Vec<(ConnectionId, Bytes)>,
    published: Vec<ConnectionId>,
    said_at: Option<Instant>,
}

impl Shard {
    pub(crate) fn new(
        index: usize,
        uplinks: Uplinks,
        written: Recipient<BatchWritten>,
        limits: Limits,
        critical: Option<CriticalActor>,
    ) -> Self {
        let meters = uplinks.meters.shard(index);
        Self {
            index,
            meters,
            shared: None,
            uplinks,
            limits,
            written,
            seats: Slab::new(),
            by_id: HashMap::new(),
            joined: PerDialect::default(),
            writing: None,
            closing: None,
            quiet: false,
            sweep: LivenessSweep::default(),
            _critical: critical,
        }
    }

    #[cfg(test)]
    pub(crate) fn with_sweep(self, sweep: LivenessSweep) -> Self {
        Self { sweep, ..self }
    }

    fn admit(&mut self, id: ConnectionId, name: Username, welcome: Welcome) {
        let seat = self.by_id.get(&id).and_then(|&slot| self.seats.get_mut(slot));
        let Some(seat) = seat else { return };
        seat.name = Some(name.clone());
        seat.dialect = welcome.dialect;
        *self.joined.of_mut(welcome.dialect) += 1;
        // Neither can flood: once for each connection. The listener is informed before the client, so
        // that its place is free for the next connection.
        if !seat.output.borrow().is_closed() {
            self.uplinks.listener.do_send(Lifecycle::Joined { peer: seat.peer });
        }
        seat.connection.do_send(ConnectionOrder::Welcome { name });
        let progress = seat.output.borrow_mut().welcome(welcome);
        seat.report(progress);
    }

    /// Writes the batch to the next sockets; returns whether it is finished.
    fn write_some(&mut self) -> bool {
        let Some(writing) = &mut self.writing else { return true };
        if let Some(span) = &writing.span {
            let end = self.seats.capacity().min(writing.next.saturating_add(TURN));
            for slot in writing.next..end {
                if let Some(seat) = self.seats.get(slot).filter(|seat| seat.name.is_some()) {
                    let progress = seat.output.borrow_mut().deliver(span);
                    seat.report(progress);
                }
            }
            writing.next = end;
            if end < self.seats.capacity() {
                return false;
            }
        }
        let Some(Writing { relayed, published, said_at, .. }) = self.writing.take() else {
            return true;
        };
        if let Some(said_at) = said_at {
            self.uplinks.meters.written_after(said_at.elapsed());
        }
        for (id, frame) in relayed {
            if let Some(seat) = self.by_id.get(&id).and_then(|&slot| self.seats.get(slot)) {
                let progress = seat.output.borrow_mut().send(frame);
                seat.report(progress);
            }
        }
        // Cannot flood: the room sends the next batch only after this.
        self.written.do_send(BatchWritten { shard: self.index });
        for id in published {
            self.order(id, ConnectionOrder::Resume);
        }
        true
    }

    /// Cannot flood: each order answers something that the connection forwarded, is a step of a private
    /// request, or is sent once.
    fn order(&self, id: ConnectionId, order: ConnectionOrder) {
        if let Some(seat) = self.by_id.get(&id).and_then(|&slot| self.seats.get(slot)) {
            seat.connection.do_send(order);
        }
    }

    /// Checks a part of the connections, and closes those whose clients are gone.
    fn look(&mut self) {
        self.sweep.advance();
        let sweep = self.sweep;
        for (_, seat) in self.seats.iter().filter(|(slot, _)| sweep.visits(*slot)) {
            let silence = seat.output.borrow().silence();
            if let Some(silence) = silence.filter(|&silence| sweep.is_gone(silence)) {
                // Cannot flood: once a round until the connection has ended.
                seat.connection.do_send(ConnectionOrder::Close(Reason::TimedOut(silence)));
            }
        }
    }

    fn say_when_closed(&mut self) {
        if self.seats.is_empty()
            && let Some(closed) = self.closing.take()
        {
            // The receiver may have given up at its deadline.
            let _ = closed.send(());
        }
    }
}

impl Seat {
    /// The name is already free, and the last bytes are being written.
    fn is_leaving(&self) -> bool {
        self.output.borrow().is_closed()
    }

    /// Has the connection deal with what the socket did not accept.
    fn report(&self, progress: WriteProgress) {
        match progress {
            WriteProgress::Done => {}
            // Neither can flood: sent once until the connection has handled it.
            WriteProgress::Blocked => self.connection.do_send(ConnectionOrder::AwaitWritable),
            WriteProgress::Failed(reason) => {
                self.connection.do_send(ConnectionOrder::Close(reason));
            }
        }
    }
}

impl Actor for Shard {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let ended = ctx.address().recipient();
        let shared =
            ShardContext::new(self.index, self.uplinks.clone(), ended, self.limits.clone());
        self.shared = Some(Rc::new(shared));
        run_after_mailbox(ctx);
        ctx.run_interval(self.sweep.step(), |shard, _| shard.look());
    }
}

impl AfterMailbox for Shard {
    /// Writes the current batch, [`TURN`] sockets at a time.
    fn after_mailbox(&mut self, _: &mut Context<Self>, task: &mut Task<'_>) {
        if !self.write_some() {
            task.waker().wake_by_ref();
        }
    }
}

impl Handler<Accept> for Shard {
    type Result = ();

    fn handle(&mut self, Accept { id, accepted, peer, hold }: Accept, _: &mut Context<Self>) {
        let Some(shared) = &self.shared else { return };
        if self.quiet {
            shared.ended_before_start(id, peer);
            return;
        }
        match Connection::start(Rc::clone(shared), id, accepted, peer, hold) {
            Ok((connection, output)) => {
                let (accepted_at, name, dialect) = (Instant::now(), None, Dialect::V1);
                let seat = Seat { connection, output, peer, accepted_at, name, dialect };
                let slot = self.seats.insert(seat);
                self.by_id.insert(id, slot);
            }
            Err(error) => {
                warn!(self.uplinks.logger, "connection not set up";
                    "peer" => %peer, "reason" => %error);
                shared.ended_before_start(id, peer);
            }
        }
    }
}

impl Handler<FromRoom> for Shard {
    type Result = ();

    fn handle(&mut self, message: FromRoom, _: &mut Context<Self>) {
        match message {
            FromRoom::Admit { id, name, welcome } => self.admit(id, name, welcome),
            FromRoom::Batch(Batch { span, relayed, published, said_at, frames: counts }) => {
                self.meters.batches.bump(1);
                for dialect in [Dialect::V1, Dialect::V2] {
                    let joined = *self.joined.of(dialect);
                    for (kind, frames) in counts.kinds(dialect) {
                        self.meters.sent(kind, frames.saturating_mul(joined));
                    }
                }
                // A shard without members would report latencies that no client experienced.
                let said_at = said_at.filter(|_| self.joined != PerDialect::default());
                self.writing = Some(Writing { span, next: 0, relayed, published, said_at });
            }
        }
    }
}

impl Handler<ToConnection> for Shard {
    type Result = ();

    fn handle(&mut self, ToConnection { id, order }: ToConnection, _: &mut Context<Self>) {
        self.order(id, order);
    }
}

impl Handler<Lifecycle> for Shard {
    type Result = ();

    fn handle(&mut self, message: Lifecycle, _: &mut Context<Self>) {
        if let Lifecycle::Ended { id, .. } = message {
            let seat = self.by_id.remove(&id).and_then(|slot| self.seats.try_remove(slot));
            if let Some(seat) = seat.filter(|seat| seat.name.is_some()) {
                let joined = self.joined.of_mut(seat.dialect);
                *joined = joined.saturating_sub(1);
            }
            self.seats.shrink_sparse();
            self.by_id.shrink_sparse();
            self.say_when_closed();
        }
    }
}

impl Handler<SetLimits> for Shard {
    type Result = ();

    fn handle(&mut self, SetLimits(limits): SetLimits, _: &mut Context<Self>) {
        if let Some(shared) = &self.shared {
            shared.set_limits(limits);
        }
        for (_, seat) in &self.seats {
            // Cannot flood: sent by an operator, now and then.
            seat.connection.do_send(ConnectionOrder::ApplyLimits);
        }
    }
}

impl Handler<ListClients> for Shard {
    type Result = Vec<ClientReport>;

    fn handle(&mut self, _: ListClients, _: &mut Context<Self>) -> Self::Result {
        let here = self.seats.iter().filter(|(_, seat)| !seat.is_leaving());
        let reports = here.map(|(_, seat)| ClientReport {
            name: seat.name.as_ref().map(ToString::to_string),
            address: seat.peer,
            age_seconds: seat.accepted_at.elapsed().as_secs(),
            queued_bytes: seat.output.borrow().queued(),
            fingerprint: seat.output.borrow().client_key().as_ref().map(Fingerprint::of),
        });
        reports.collect()
    }
}

impl Handler<CloseFrom> for Shard {
    type Result = usize;

    fn handle(
        &mut self,
        CloseFrom { network, last_message }: CloseFrom,
        _: &mut Context<Self>,
    ) -> usize {
        let mut closed = 0;
        let here = self.seats.iter().filter(|(_, seat)| !seat.is_leaving());
        for (_, seat) in here.filter(|(_, seat)| network.contains(&seat.peer.ip())) {
            // Cannot flood: sent by an operator, now and then.
            if seat.name.is_some() {
                seat.connection.do_send(ConnectionOrder::SendLast(last_message.clone()));
            }
            seat.connection.do_send(ConnectionOrder::Close(Reason::Banned));
            closed += 1;
        }
        closed
    }
}

impl Handler<QuiesceAll> for Shard {
    type Result = ();

    fn handle(&mut self, _: QuiesceAll, _: &mut Context<Self>) {
        self.quiet = true;
        for (_, seat) in &self.seats {
            // Cannot flood: sent once.
            seat.connection.do_send(ConnectionOrder::Quiesce);
        }
    }
}

impl Handler<CloseAll> for Shard {
    type Result = ();

    fn handle(&mut self, CloseAll(closed): CloseAll, _: &mut Context<Self>) {
        self.closing = Some(closed);
        for (_, seat) in &self.seats {
            // Cannot flood: sent once.
            seat.connection.do_send(ConnectionOrder::Close(Reason::Shutdown));
        }
        self.say_when_closed();
    }
}
