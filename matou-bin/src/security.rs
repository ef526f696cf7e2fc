//! What protects a connection, in words.

use matou_actors::client::{KeyStanding, LinkSecurity};

/// A line about the connection to `server`, and whether it is a warning.
pub(crate) fn describe(server: &str, security: &LinkSecurity) -> (String, bool) {
    match security {
        LinkSecurity::Plain => (
            format!(
                "Not encrypted: everyone on the network between you and {server} can read and \
                 change what is said."
            ),
            true,
        ),
        LinkSecurity::Encrypted { fingerprint, key: KeyStanding::New } => (
            format!(
                "Encrypted. First visit to {server}: its key is {fingerprint}. If its operator reads \
                 out the same, nobody is in between."
            ),
            false,
        ),
        LinkSecurity::Encrypted { key: KeyStanding::Known, .. } => {
            (format!("Encrypted; {server} has the same key as before."), false)
        }
        LinkSecurity::Encrypted { key: KeyStanding::Named, .. } => {
            (format!("Encrypted; {server} has the key that its address names."), false)
        }
    }
}
