//! One order of events for all clients, and their fan-out in batches.

pub(crate) mod actor;
pub(crate) mod batch;
pub(crate) mod event;
mod fair_queue;
pub(crate) mod fanout;
mod greeting;
pub(crate) mod history;
pub(crate) mod history_file;
pub(crate) mod log;
pub(crate) mod rates;
pub(crate) mod roster;
pub(crate) mod saving;
pub(crate) mod sequencer;
pub(crate) mod shaper;
mod shard_state;
