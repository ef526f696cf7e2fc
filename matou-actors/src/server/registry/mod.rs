//! Unique names, and the way from a name to a connection.

pub(crate) mod access;
pub(crate) mod actor;
pub(crate) mod bound_names;
pub(crate) mod directory;
mod following;
pub(crate) mod names;
pub(crate) mod refused;
pub(crate) mod shared;
