//! Private requests: who asked whom, and the state of each.

pub(crate) mod actor;
mod friends;
pub(crate) mod meetings;
pub(crate) mod requests;
pub(super) mod session_request;
