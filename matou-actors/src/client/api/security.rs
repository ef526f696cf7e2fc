//! What protects connections, and how far keys are known.

use serde::Serialize;

/// What protects a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "link", rename_all = "snake_case")]
pub enum LinkSecurity {
    /// Nothing: the other side speaks revision 1 only, or the user wants it so.
    Plain,
    /// TLS, with a key that the other side has proved.
    Encrypted {
        /// The fingerprint of the key, as OpenSSH prints it.
        fingerprint: String,
        /// How far the key is known.
        key: KeyStanding,
    },
}

/// How far a key is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStanding {
    /// It was seen for the first time now, and is expected from now on.
    New,
    /// It is the one that was seen before.
    Known,
    /// It is the one that the user named in the address.
    Named,
    /// The user has compared it with its owner.
    Compared,
}
