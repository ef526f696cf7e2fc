//! The files of known keys, which users may edit, and server names.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::client::ServerName;
use crate::protocol::Username;
use crate::protocol::v2::PublicKey;
use crate::trust::{Fingerprint, Identity, KnownPeople, KnownServers};

/// Their entries can be written and read again, with the same meaning.
pub fn key_lists(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let name = Username::parse("ann").unwrap();
    let mut people = KnownPeople::parse(text);
    for server in text.split_whitespace() {
        let again = KnownPeople::parse(&people.to_text());
        assert_eq!(people.get(server, &name.folded()), again.get(server, &name.folded()));
        assert_eq!(people.on(server).count(), again.on(server).count());
    }
    people.forget(&name.folded());
    assert!(text.split_whitespace().all(|at| people.get(at, &name.folded()).is_none()));
    let servers = KnownServers::parse(text);
    let again = KnownServers::parse(&servers.to_text());
    assert!(servers.iter().eq(again.iter()));
    if let Some(fingerprint) = Fingerprint::parse(text) {
        assert_eq!(Fingerprint::parse(&fingerprint.to_string()), Some(fingerprint));
    }
    if let Ok(server) = ServerName::parse(text) {
        let shown = server.to_string();
        assert!(!shown.contains(|c: char| c.is_whitespace() || c.is_control()), "{shown:?}");
        assert_eq!(ServerName::parse(&shown).map(|again| again.to_string()), Ok(shown));
    }
}

/// Files of private keys and lines of OpenSSH keys: what is read is a key that can be written and
/// read again. The bytes are tried as the text and as what is encoded in it.
pub fn key_files(bytes: &[u8]) {
    let encoded = BASE64_STANDARD.encode(bytes);
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----\n");
    for text in [text, &pem] {
        if let Ok(identity) = Identity::from_pem(text) {
            let again = Identity::from_pem(&identity.to_pem()).expect("what was written");
            assert_eq!(again.public_key(), identity.public_key());
        }
    }
    for encoded in text.split_whitespace().chain([&*encoded]) {
        if let Some(key) = PublicKey::from_openssh("ssh-ed25519", encoded) {
            let shown = Fingerprint::of(&key);
            assert_eq!(Fingerprint::parse(&shown.to_string()), Some(shown));
        }
    }
}
