//! A private session: one actor for its two connections.

pub(super) mod actor;
#[cfg(test)]
mod actor_tests;
