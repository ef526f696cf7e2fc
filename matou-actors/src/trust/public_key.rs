//! Public keys of others: their encoding, their fingerprints, and which of them prove nothing.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

use crate::protocol::v2::PublicKey;

/// The prefix of the 32 bytes in a `SubjectPublicKeyInfo` of Ed25519 (RFC 8410).
const SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The prefix of the 32 bytes in an OpenSSH public key: two strings, each preceded by its size.
const SSH_PREFIX: &[u8; 19] = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";

/// The y coordinates, low byte first and without the sign, of the points of order 1, 2, 4 and 8,
/// each in every encoding that fits 255 bits. Anyone can sign for such a key.
const SMALL_ORDER: [[u8; 32]; 7] = [
    // 0, order 4.
    [0; 32],
    // 1, order 1.
    first_byte(0x01, 0x00, 0x00),
    // Order 8, two of them.
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    // p - 1, order 2; p and p + 1, which are 0 and 1 again.
    first_byte(0xec, 0xff, 0x7f),
    first_byte(0xed, 0xff, 0x7f),
    first_byte(0xee, 0xff, 0x7f),
];

const fn first_byte(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// `SHA256:` and base64, as OpenSSH prints the fingerprint of the same key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of `key`.
    pub fn of(key: &PublicKey) -> Self {
        let mut blob = SSH_PREFIX.to_vec();
        blob.extend_from_slice(&key.0);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &blob).as_ref());
        Self(hash)
    }

    /// Reads what [`fmt::Display`] writes; `None` when `text` is not a fingerprint.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix("SHA256:")?;
        let mut hash = [0; 32];
        let length = BASE64.decode_slice(encoded, &mut hash).ok()?;
        (length == hash.len()).then_some(Self(hash))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", BASE64.encode(self.0))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a fingerprint is SHA256: and 43 characters")
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PublicKey {
    /// The key that OpenSSH writes as these two words; `None` when it is of another kind.
    pub(crate) fn from_openssh(kind: &str, encoded: &str) -> Option<Self> {
        let blob = BASE64.decode(encoded.trim_end_matches('=')).ok()?;
        let key = blob.strip_prefix(SSH_PREFIX)?.try_into().ok().map(Self);
        key.filter(|_| kind == "ssh-ed25519")
    }

    /// The key of a `SubjectPublicKeyInfo` (RFC 8410); `None` when it is of another kind.
    pub(super) fn from_spki(der: &[u8]) -> Option<Self> {
        der.strip_prefix(&SPKI_PREFIX)?.try_into().ok().map(Self)
    }

    /// The key as a `SubjectPublicKeyInfo`.
    pub(super) fn to_spki(self) -> Vec<u8> {
        [&SPKI_PREFIX[..], &self.0].concat()
    }

    /// Whether the point has an order of 1, 2, 4 or 8: anyone can sign for such a key.
    pub(super) fn has_small_order(&self) -> bool {
        let mut y = self.0;
        y[31] &= 0x7f;
        SMALL_ORDER.contains(&y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_small_order_are_known_with_either_sign() {
        for point in SMALL_ORDER {
            let mut negative = point;
            negative[31] |= 0x80;
            assert!(PublicKey(point).has_small_order() && PublicKey(negative).has_small_order());
        }
        // RFC 8032, section 7.1, test 1.
        let ordinary = [
            0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64,
            0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68,
            0xf7, 0x07, 0x51, 0x1a,
        ];
        assert!(!PublicKey(ordinary).has_small_order());
    }
}
