//! What all connections of a shard share.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::Recipient;
use slog::Logger;

use super::encryption::RecordBuffer;
use super::handshakes::Handshakes;
use super::inbound::InboundLimits;
use super::read_buffer::ReadBuffer;
use super::security::Security;
use crate::protocol::v2;
use crate::server::ids::ConnectionId;
use crate::server::messages::{Lifecycle, Publish, Recall, ToBroker, ToRegistry};
use crate::server::metrics::meters::{Meters, ShardMeters};
use crate::server::settings::Limits;

/// The longest frame of either revision that a client may send.
const LONGEST_FRAME: usize = v2::MAX_FRAME;

/// The actors that connections send to.
#[derive(Clone)]
pub(crate) struct Uplinks {
    pub(crate) registry: Recipient<ToRegistry>,
    pub(crate) broker: Recipient<ToBroker>,
    pub(crate) room: Recipient<Publish>,
    pub(crate) recall: Recipient<Recall>,
    pub(crate) listener: Recipient<Lifecycle>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) security: Security,
    pub(crate) logger: Logger,
}

/// What all connections of a shard share.
pub(crate) struct ShardContext {
    pub(super) shard: usize,
    pub(super) uplinks: Uplinks,
    pub(super) ended: Recipient<Lifecycle>,
    pub(super) rules: RefCell<Rc<Rules>>,
    pub(super) meters: Arc<ShardMeters>,
    pub(super) read_buffer: RefCell<ReadBuffer>,
    pub(super) handshakes: Handshakes,
    pub(super) records: Rc<RefCell<RecordBuffer>>,
}

/// The limits as the connections need them.
pub(super) struct Rules {
    pub(super) limits: Limits,
    pub(super) inbound: InboundLimits,
}

impl ShardContext {
    pub(crate) fn new(
        shard: usize,
        uplinks: Uplinks,
        ended: Recipient<Lifecycle>,
        limits: Limits,
    ) -> Self {
        let rules = RefCell::new(Rc::new(Rules::new(limits)));
        let meters = uplinks.meters.shard(shard);
        let read_buffer = RefCell::new(ReadBuffer::new(LONGEST_FRAME));
        let handshakes = Handshakes::default();
        let mut uplinks = uplinks;
        uplinks.security = uplinks.security.for_event_loop();
        let records = Rc::default();
        Self { shard, uplinks, ended, rules, meters, read_buffer, handshakes, records }
    }

    /// Replaces the limits; deadlines that run already keep theirs.
    pub(crate) fn set_limits(&self, limits: Limits) {
        *self.rules.borrow_mut() = Rc::new(Rules::new(limits));
    }

    pub(super) fn rules(&self) -> Rc<Rules> {
        Rc::clone(&self.rules.borrow())
    }

    /// A connection ended before it began.
    pub(crate) fn ended_before_start(&self, id: ConnectionId, peer: SocketAddr) {
        // Cannot flood: once for each accepted connection.
        self.uplinks.listener.do_send(Lifecycle::Ended { id, peer, joined: false });
    }
}

impl Rules {
    fn new(limits: Limits) -> Self {
        Self { inbound: InboundLimits::new(&limits), limits }
    }
}
