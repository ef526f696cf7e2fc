//! One room on several servers, with the order of a `JetStream` stream.
//!
//! Each server is a node. Whatever happens in the room is a record; nodes publish records to one
//! stream, and every node applies all of them in the order of the stream. So all nodes have the
//! same members, names and sequences without asking each other.
//!
//! Pure, with time as an argument: `record` (what is in the stream), `replica` (what all nodes have
//! in common), `liveness` (who is gone), `node` (one node: what it publishes, what it has read, when
//! it is silent), `output` (what it makes its actor do), `hash_log` (what it has read, to compare),
//! `proposed` (proposals as records), `outcome` (what room and registry make of it), `steps` (private steps between nodes), `held` (those
//! that have come too early). `actor` performs it, through `nats`, with `delivery` (to and from
//! other nodes) and `report` (for operators).

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
