//! Admission: listening sockets, limits per address, bans.

pub(crate) mod admission;
pub(crate) mod admitted_keys;
pub(crate) mod bans;
pub(crate) mod bans_file;
pub(crate) mod listener;
pub(crate) mod password_file;
pub(crate) mod socket;
