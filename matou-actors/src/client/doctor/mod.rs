//! What prevents a connection between two clients, in words. Pure, but for `network`.
//!
//! - `evidence`: what both sides saw. `findings`: what that means. `words`: the same for the user.
//! - `network`: what the server alone can show.

mod evidence;
mod findings;
mod network;
mod words;

pub(crate) use evidence::Evidence;
pub use network::{NetworkReport, ObservedPort, examine_network};
pub(crate) use words::{diagnose, verdict};
