//! How two clients of revision 2 meet: both listen and both dial, every connection is encrypted and
//! proves the expected key, and the side that asked for the session picks one for messages and one
//! for files.
//!
//! - `candidates`: the addresses that are offered, and which of a peer's are dialled. Pure.
//! - `interfaces`: the addresses of this machine.
//! - `listeners`: the two ports. `outside`: where the server sees them. `greeting`: one connection,
//!   from its first byte to its choice.
//! - `race`: all connections of one kind; `dials`: what became of each address. `meet`: both kinds,
//!   within a time limit.

mod candidates;
mod dials;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod greeting;
mod interfaces;
mod listeners;
mod meet;
mod outside;
mod race;
#[cfg(test)]
mod tests;

pub(crate) use candidates::{Surroundings, own_candidates};
pub(crate) use greeting::{MeetingSide, Secure};
#[cfg(test)]
pub(crate) use greeting::{read as read_frame, write as write_frame};
pub(crate) use interfaces::own_networks;
pub(crate) use listeners::MeetingPorts;
pub(crate) use meet::{MeetingPlan, MeetingReport, Met, News, meet};
pub(crate) use outside::{ServerAt, show};
