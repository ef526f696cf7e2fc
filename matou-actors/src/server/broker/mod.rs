//! Private requests: who asked whom, and how far they have come.

pub(crate) mod actor;
mod friends;
pub(crate) mod meetings;
pub(crate) mod requests;
pub(super) mod session_request;
