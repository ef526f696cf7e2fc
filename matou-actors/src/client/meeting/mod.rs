//! How two clients of revision 2 meet: both listen and both dial, every connection is encrypted and
//! proves the expected key, and the side that asked for the session picks one for messages and one
//! for files.
//!
//! - `candidates`: the addresses that are offered, and which of a peer's are dialled. Pure.
//! - `interfaces`: the addresses of this machine.
//! - `listeners`: the two ports. `greeting`: one connection, from its first byte to its choice.
//! - `race`: all connections of one kind. `meet`: both kinds, within a time limit.

mod candidates;
mod greeting;
mod interfaces;
mod listeners;
mod meet;
mod race;
#[cfg(test)]
mod tests;

pub(crate) use candidates::{Surroundings, own_candidates};
pub(crate) use greeting::{Secure, Side};
pub(crate) use interfaces::own_networks;
pub(crate) use listeners::MeetingPorts;
pub(crate) use meet::{Met, meet};
