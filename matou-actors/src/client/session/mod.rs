//! A private session: one actor for its two connections.
//!
//! - `running`: all of them.
//! - `private_session`: what both kinds do alike.
//! - `plain`: a session of revision 1; `encrypted`: one of revision 2.

pub(super) mod encrypted;
pub(super) mod plain;
#[cfg(test)]
mod plain_tests;
mod private_session;
pub(super) mod running;

use self::encrypted::MeetingSetup;
use self::plain::PlainRole;

/// How a session is established.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// By frames 7 to 12, and plain.
    Plain(PlainRole),
    /// By frames 25 to 29, and encrypted.
    Encrypted(Box<MeetingSetup>),
}
