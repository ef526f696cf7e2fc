//! What is in the way between two clients, in words. Pure.
//!
//! - `evidence`: what both sides saw. `findings`: what that means. `words`: the same for the user.

mod evidence;
mod findings;
mod words;

pub(crate) use evidence::Evidence;
pub(crate) use words::{diagnose, verdict};
