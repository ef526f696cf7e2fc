//! Private sessions: requests, the two connections, and talk.

pub(super) mod actor;
#[cfg(test)]
mod actor_tests;
pub(super) mod conversation;
#[cfg(test)]
mod conversation_tests;
pub(super) mod further;
#[cfg(test)]
mod pair_tests;
pub(super) mod reachable;
