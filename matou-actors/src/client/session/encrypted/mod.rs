//! A private session of revision 2.
//!
//! - `setup`: what it is started with.
//! - `actor`: meets the peer, and owns both connections.
//! - `examination`: what is known of the ways to the peer. Pure.
//! - `incoming`: what a batch of frames comes to. Pure.
//! - `delivery`: which messages the peer has confirmed. Pure.
//! - `message_connection`: reads and writes it.
//! - `files`: what is on the file connection, which [`crate::exchange`] moves.

mod actor;
#[cfg(test)]
mod actor_tests;
mod delivery;
#[cfg(test)]
mod delivery_pair_tests;
mod examination;
mod files;
mod incoming;
mod message_connection;
mod setup;

pub(super) use self::actor::EncryptedSession;
pub(super) use self::files::SharedFiles;
pub(super) use self::setup::EncryptedSetup;
pub(crate) use self::setup::MeetingSetup;
