//! A private session: one actor for its two connections.
//!
//! - `running`: all of them.
//! - `private_session`: what both kinds do alike.
//! - `actor`: a session of revision 1, plain.
//! - `encrypted`: one of revision 2, with `delivery`: which messages the peer has confirmed. Pure;
//!   `encrypted_talk`: its message connection; and `encrypted_files`: its files, which [`crate::exchange`] moves.

pub(super) mod actor;
#[cfg(test)]
mod actor_tests;
mod delivery;
pub(super) mod encrypted;
mod encrypted_files;
mod encrypted_talk;
mod private_session;
pub(super) mod running;

use self::actor::Role;
use self::encrypted::Meeting;

/// How a session comes about.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// By frames 7 to 12, and plain.
    Plain(Role),
    /// By frames 25 to 29, and encrypted.
    Encrypted(Box<Meeting>),
}
