//! One event loop: its connections, and the batches written to them.

pub(crate) mod actor;
pub(crate) mod liveness;
