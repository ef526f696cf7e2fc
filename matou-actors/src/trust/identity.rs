//! The own key pair.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::public_key::Fingerprint;
use crate::protocol::v2::PublicKey;

/// The label of a key in PEM (RFC 7468).
const LABEL: &str = "PRIVATE KEY";

/// An Ed25519 key pair, which is who a user or a server is.
pub struct Identity {
    /// PKCS#8, version 1 (RFC 5208, RFC 8410).
    private: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

/// Why there is no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The system gave no random bytes.
    #[error("cannot generate a key: the system provides no random bytes")]
    NoRandomBytes,
    /// The text holds no private key.
    #[error("no private key: expected one that begins with -----BEGIN PRIVATE KEY-----")]
    NotPem,
    /// The key is of another kind, or damaged.
    #[error("not an Ed25519 key in PKCS#8, or damaged")]
    NotEd25519,
}

impl Identity {
    /// Makes a new key pair.
    pub fn generate() -> Result<Self, IdentityError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| IdentityError::NoRandomBytes)?;
        Self::from_pair(&pair)
    }

    /// Reads a key pair from PKCS#8 PEM, as this program and OpenSSL write it.
    pub fn from_pem(text: &str) -> Result<Self, IdentityError> {
        let block = pem::parse(text).map_err(|_| IdentityError::NotPem)?;
        if block.tag() != LABEL {
            return Err(IdentityError::NotPem);
        }
        let contents = Zeroizing::new(block.into_contents());
        let pair = Ed25519KeyPair::from_pkcs8(&contents).map_err(|_| IdentityError::NotEd25519)?;
        Self::from_pair(&pair)
    }

    /// The key pair as PKCS#8 PEM, to be kept secret.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let block = pem::Pem::new(LABEL, self.private.as_slice());
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Zeroizing::new(pem::encode_config(&block, config))
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// The fingerprint of the public half.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.public)
    }

    /// The key as `rustls` wants it for a raw public key (RFC 7250).
    pub(super) fn certified(&self) -> Result<Arc<CertifiedKey>, IdentityError> {
        let private = PrivatePkcs8KeyDer::from(self.private.as_slice());
        let key = any_eddsa_type(&private).map_err(|_| IdentityError::NotEd25519)?;
        let public = CertificateDer::from(self.public.to_spki());
        Ok(Arc::new(CertifiedKey::new(vec![public], key)))
    }

    fn from_pair(pair: &Ed25519KeyPair) -> Result<Self, IdentityError> {
        let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| IdentityError::NotEd25519)?;
        let public = pair.public_key().as_ref().try_into();
        let public = PublicKey(public.map_err(|_| IdentityError::NotEd25519)?);
        Ok(Self { private: Zeroizing::new(private.as_ref().to_vec()), public })
    }
}

/// Shows the public half only.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.fingerprint())
    }
}
