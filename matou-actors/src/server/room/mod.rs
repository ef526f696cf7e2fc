//! One order of events for everybody, and their fan-out in batches.

pub(crate) mod actor;
pub(crate) mod batch;
pub(crate) mod event;
pub(crate) mod fanout;
pub(crate) mod log;
pub(crate) mod roster;
pub(crate) mod sequencer;
