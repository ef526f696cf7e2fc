//! One room on several servers, with the order of a `JetStream` stream.
//!
//! Each server is a node. Everything that happens in the room is a record; nodes publish records to
//! one stream, and every node applies all of them in the order of the stream. So all nodes have the
//! same members, names and sequences without asking each other.
//!
//! Pure, with time as an argument: `record` (the content of the stream), `replica` (the state that
//! all nodes share), `liveness` (which nodes are gone), `node` (one node: what it publishes, what
//! it has read, when it is silent), `output` (what its actor has to do), `hash_log` (hashes of what
//! it has read, for comparison), `proposed` (proposals as records), `outcome` (consequences for
//! room and registry), `steps` (private steps between nodes), `held` (those that arrive too early).
//! `actor` performs it, through `nats`, with `delivery` (to and from other nodes) and `report` (for
//! operators).

pub(crate) mod actor;
mod delivery;
mod hash_log;
pub(crate) mod held;
pub(crate) mod liveness;
pub(crate) mod nats;
pub(crate) mod node;
pub(crate) mod outcome;
pub(crate) mod output;
mod proposed;
pub(crate) mod record;
pub(crate) mod replica;
mod report;
#[cfg(test)]
mod simulation;
pub(crate) mod steps;
