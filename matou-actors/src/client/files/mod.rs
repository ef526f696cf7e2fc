//! Files of private sessions. [`crate::transfer`] moves them.

pub(super) mod accept_rate;
pub(super) mod connection;
pub(super) mod transfers;
