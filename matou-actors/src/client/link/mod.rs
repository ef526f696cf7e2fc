//! The connection to the server, and what the server says about names.

pub(super) mod actor;
#[cfg(test)]
mod actor_tests;
pub(super) mod backoff;
pub(super) mod roster;
pub(super) mod sign_in;
