//! What protects a connection, in words.

use matou_actors::client::{KeyStanding, LinkSecurity};

/// A line about the connection to `server`, and whether it is a warning.
pub(crate) fn describe(server: &str, security: &LinkSecurity) -> (String, bool) {
    match security {
        LinkSecurity::Plain => (
            format!(
                "Not encrypted: anyone on the network between you and {server} can read and change \
                 what you send and receive."
            ),
            true,
        ),
        LinkSecurity::Encrypted { fingerprint, key: KeyStanding::New } => (
            format!(
                "Encrypted. First connection to {server}; its key is {fingerprint}. Compare it with \
                 the fingerprint that the server's operator sees, to rule out interception."
            ),
            false,
        ),
        LinkSecurity::Encrypted { key: KeyStanding::Known, .. } => {
            (format!("Encrypted; {server} presented the same key as before."), false)
        }
        LinkSecurity::Encrypted { key: KeyStanding::Named, .. } => {
            (format!("Encrypted; {server} presented the key given in its address."), false)
        }
    }
}
