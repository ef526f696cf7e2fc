//! Proves knowledge of the server's password without revealing it.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use zeroize::Zeroizing;

use crate::protocol::v2::PublicKey;

/// The label of the exporter (RFC 8446, section 7.5) that the proof is made over; its context is
/// empty.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-matou-password";

/// The prefix of the password in the hash.
const PREFIX: &[u8] = b"matou password";

/// The password of one server, as the key of its proofs.
#[derive(Clone)]
pub struct PasswordKey(Key);

impl PasswordKey {
    /// The key for `password` on the server with the key `server`.
    pub fn new(password: &str, server: &PublicKey) -> Self {
        let hashed = Zeroizing::new([PREFIX, password.as_bytes(), &server.0].concat());
        Self(Key::new(HMAC_SHA256, digest(&SHA256, &hashed).as_ref()))
    }

    /// The proof on the connection with that exporter.
    pub fn prove(&self, exporter: &[u8; 32]) -> [u8; 32] {
        let mut proof = [0; 32];
        proof.copy_from_slice(sign(&self.0, exporter).as_ref());
        proof
    }

    /// Whether `proof` is the one on the connection with that exporter; takes the same time for
    /// each that is not.
    pub(crate) fn verify(&self, exporter: &[u8; 32], proof: &[u8; 32]) -> bool {
        verify(&self.0, exporter, proof).is_ok()
    }
}

impl fmt::Debug for PasswordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_what_the_protocol_says() {
        // By Python's hashlib and hmac.
        let key = PasswordKey::new("pass wörd", &PublicKey([7; 32]));
        let proof = key.prove(&[9; 32]);
        assert_eq!(
            proof,
            [
                0x84, 0xc5, 0x1d, 0x67, 0x07, 0xdc, 0xec, 0x7b, 0x38, 0x96, 0x22, 0x29, 0xfe, 0xb3,
                0x0c, 0x16, 0x20, 0x60, 0x5d, 0x78, 0x13, 0x67, 0x56, 0x3d, 0xa2, 0x47, 0xc0, 0xc9,
                0xde, 0x0d, 0xba, 0x32
            ]
        );
        assert!(key.verify(&[9; 32], &proof));
        assert!(!key.verify(&[8; 32], &proof), "another connection");
        assert!(!PasswordKey::new("password", &PublicKey([7; 32])).verify(&[9; 32], &proof));
        assert!(!PasswordKey::new("pass wörd", &PublicKey([6; 32])).verify(&[9; 32], &proof));
    }
}
