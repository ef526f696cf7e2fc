//! Private sessions: requests, the two connections, and talk.

pub(super) mod actor;
pub(super) mod conversation;
#[cfg(test)]
mod conversation_tests;
pub(super) mod further;
pub(super) mod reachable;
