//! Servers and clients that find each other in the local network, by DNS-SD (RFC 6763).
//!
//! `announce` is the server's side, `search` the client's. Results are not trusted: the key of a
//! server is checked when it is reached, as with a typed address.

mod announce;
mod choice;
mod daemon;
mod found;
mod group;
mod loopback;
mod search;
mod words;

pub(crate) use announce::Announcement;
pub(crate) use choice::{SearchChoice, choose, pick};
pub(crate) use found::FoundServer;
pub(crate) use search::{reach, search};
pub(crate) use words::{NONE_FOUND, json, list, places};
