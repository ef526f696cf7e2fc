//! Files of private sessions: whose turn it is, and what comes in. [`crate::transfer`] moves them.

pub(super) mod accept_rate;
pub(super) mod file_queue;
pub(super) mod header_watch;
pub(super) mod transfers;
