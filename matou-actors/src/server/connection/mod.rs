//! One client's connection: reading, deciding, writing, ending.

pub(crate) mod actor;
pub(crate) mod context;
pub(crate) mod deadlines;
mod encryption;
mod first_byte;
mod handshakes;
pub(crate) mod inbound;
pub(crate) mod lingering_close;
pub(crate) mod outbox;
pub(crate) mod output;
mod pause;
pub(crate) mod pump;
pub(crate) mod read_buffer;
mod request;
pub(crate) mod security;
pub(crate) mod socket;
