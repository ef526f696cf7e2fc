//! The inner ends of the two channels that a [`crate::client::Handle`] and [`crate::client::Events`]
//! are the outer ends of.
//!
//! - `feed`: commands on their way to the hub; `pending_commands`: those that wait for the sign-in;
//!   `file_check`: whether the files to send can be read.
//! - `event_sender`: events on their way out.

pub(super) mod event_sender;
pub(super) mod feed;
pub(super) mod file_check;
pub(super) mod pending_commands;
