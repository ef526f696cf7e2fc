//! Starting, reloading, watching and stopping the server.

pub(crate) mod critical;
pub(crate) mod monitor;
pub(crate) mod reload;
pub(crate) mod start;
pub(crate) mod wiring;
