//! The shard actor: the connections of one event loop.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::{Actor, Addr, AsyncContext, Context, Handler, Recipient};
use slog::warn;
use tokio::sync::oneshot;

use super::ConnectionId;
use super::connection::{Connection, Shared, Uplinks};
use super::fanout::Batch;
use super::messages::{
    Accept, CloseAll, Deliver, FromRoom, InFlight, Lifecycle, Order, QuiesceAll, ToConnection,
    Written,
};
use super::reason::Reason;
use super::settings::Limits;
use super::vital::Vital;

/// Starts the connections of its event loop and hands them what is for them.
pub(crate) struct Shard {
    index: usize,
    shared: Option<Rc<Shared>>,
    uplinks: Uplinks,
    limits: Limits,
    written: Recipient<Written>,
    seats: HashMap<ConnectionId, Seat>,
    closing: Option<oneshot::Sender<()>>,
    quiet: bool,
    _vital: Option<Vital>,
}

struct Seat {
    connection: Addr<Connection>,
    joined: bool,
}

impl Shard {
    pub(crate) fn new(
        index: usize,
        uplinks: Uplinks,
        written: Recipient<Written>,
        limits: Limits,
        vital: Option<Vital>,
    ) -> Self {
        Self {
            index,
            shared: None,
            uplinks,
            limits,
            written,
            seats: HashMap::new(),
            closing: None,
            quiet: false,
            _vital: vital,
        }
    }

    fn write(&mut self, batch: Batch) {
        let room = self.written.clone();
        let in_flight = Arc::new(InFlight { shard: self.index, room });
        let deliver = Deliver { span: batch.span, in_flight };
        for seat in self.seats.values().filter(|seat| seat.joined) {
            // Cannot flood: one batch in flight for each shard, see `InFlight`.
            seat.connection.do_send(deliver.clone());
        }
        for id in batch.published {
            self.order(id, Order::Resume);
        }
    }

    /// Cannot flood: each order answers something that the connection forwarded, or is a step
    /// of a private request, or happens once.
    fn order(&self, id: ConnectionId, order: Order) {
        if let Some(seat) = self.seats.get(&id) {
            seat.connection.do_send(order);
        }
    }

    fn say_when_closed(&mut self) {
        if self.seats.is_empty() {
            if let Some(closed) = self.closing.take() {
                // Who asked may have given up at its deadline.
                let _ = closed.send(());
            }
        }
    }
}

impl Actor for Shard {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let ended = ctx.address().recipient();
        let shared = Shared::new(self.index, self.uplinks.clone(), ended, self.limits.clone());
        self.shared = Some(Rc::new(shared));
    }
}

impl Handler<Accept> for Shard {
    type Result = ();

    fn handle(&mut self, Accept { id, stream, peer }: Accept, _: &mut Context<Self>) {
        let Some(shared) = &self.shared else { return };
        if self.quiet {
            shared.turned_away(id, peer);
            return;
        }
        match Connection::start(Rc::clone(shared), id, stream, peer) {
            Ok(connection) => {
                self.seats.insert(id, Seat { connection, joined: false });
            }
            Err(error) => {
                warn!(self.uplinks.logger, "connection not set up";
                    "peer" => %peer, "reason" => %error);
                shared.turned_away(id, peer);
            }
        }
    }
}

impl Handler<FromRoom> for Shard {
    type Result = ();

    fn handle(&mut self, message: FromRoom, _: &mut Context<Self>) {
        match message {
            FromRoom::Batch(batch) => self.write(batch),
            FromRoom::Admit { id, name, welcome } => {
                if let Some(seat) = self.seats.get_mut(&id) {
                    seat.joined = true;
                    // Cannot flood: once for each connection.
                    seat.connection.do_send(Order::Welcome { name, welcome });
                }
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
            self.seats.remove(&id);
            self.say_when_closed();
        }
    }
}

impl Handler<QuiesceAll> for Shard {
    type Result = ();

    fn handle(&mut self, _: QuiesceAll, _: &mut Context<Self>) {
        self.quiet = true;
        for seat in self.seats.values() {
            // Cannot flood: sent once.
            seat.connection.do_send(Order::Quiesce);
        }
    }
}

impl Handler<CloseAll> for Shard {
    type Result = ();

    fn handle(&mut self, CloseAll(closed): CloseAll, _: &mut Context<Self>) {
        self.closing = Some(closed);
        for seat in self.seats.values() {
            // Cannot flood: sent once.
            seat.connection.do_send(Order::Close(Reason::Shutdown));
        }
        self.say_when_closed();
    }
}
