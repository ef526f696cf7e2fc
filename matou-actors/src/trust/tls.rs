//! TLS 1.3 with raw public keys on both sides (RFC 8446, RFC 7250), as revision 2 wants it.
//!
//! No certificate, no server name, no tickets, no resumption, no early data. A key that must not
//! be trusted is refused by the verifier, before the own key is shown to its holder.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, CommonState, DigitallySignedStruct, DistinguishedName, Error,
    PeerIncompatible, ServerConfig, SignatureScheme,
};

use super::identity::{Identity, IdentityError};
use super::public_key::Fingerprint;
use crate::protocol::v2::{ALPN_FILE, ALPN_MESSAGE, ALPN_SERVER, PublicKey};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// Client to server.
    Server,
    /// Messages of a private session.
    Message,
    /// Files of a private session.
    File,
}

/// Whose key is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedKey {
    /// Any: whose it is is judged afterwards.
    Any,
    /// This one only.
    Exactly(PublicKey),
    /// The one with this fingerprint only.
    Fingerprint(Fingerprint),
}

/// What a client offers for the key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchange {
    /// X25519MLKEM768, then X25519.
    Hybrid,
    /// X25519 alone, in a small hello: some networks drop large ones.
    Classic,
}

/// Why there is no encrypted link.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TlsError {
    /// The own key cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The provider cannot do what is needed.
    #[error("encryption cannot be set up: {0}")]
    Setup(Error),
    /// The handshake agreed on another protocol, or on none.
    #[error("the other side speaks another protocol")]
    Alpn,
    /// The handshake proved no key.
    #[error("the other side presented no key")]
    NoKey,
}

impl Alpn {
    /// The name on the wire.
    pub const fn name(self) -> &'static [u8] {
        match self {
            Self::Server => ALPN_SERVER,
            Self::Message => ALPN_MESSAGE,
            Self::File => ALPN_FILE,
        }
    }
}

/// The TLS client's side of a connection.
pub fn client_config(
    identity: &Identity,
    expected: ExpectedKey,
    alpn: Alpn,
    exchange: KeyExchange,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(provider(exchange));
    let verifier = Arc::new(RawKeyVerifier::new(expected, &provider));
    let key = AlwaysResolvesClientRawPublicKeys::new(identity.certified()?);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(key));
    config.alpn_protocols = vec![alpn.name().to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}

/// The TLS server's side of a connection.
pub fn server_config(
    identity: &Identity,
    expected: ExpectedKey,
    alpn: Alpn,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(provider(KeyExchange::Hybrid));
    let verifier = Arc::new(RawKeyVerifier::new(expected, &provider));
    let key = AlwaysResolvesServerRawPublicKeys::new(identity.certified()?);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Setup)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(key));
    config.alpn_protocols = vec![alpn.name().to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    // The server goes on with the keys itself once the handshake is done: see `records`.
    config.enable_secret_extraction = alpn == Alpn::Server;
    Ok(config)
}

/// The key that the other side of a finished handshake has proved. A handshake succeeds although
/// one side offered no protocol, so that is checked as well.
pub fn peer_key(connection: &CommonState, alpn: Alpn) -> Result<PublicKey, TlsError> {
    if connection.alpn_protocol() != Some(alpn.name()) {
        return Err(TlsError::Alpn);
    }
    let spki = connection.peer_certificates().and_then(<[_]>::first).ok_or(TlsError::NoKey)?;
    PublicKey::from_spki(spki).ok_or(TlsError::NoKey)
}

fn provider(exchange: KeyExchange) -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: match exchange {
            KeyExchange::Hybrid => vec![kx_group::X25519MLKEM768, kx_group::X25519],
            KeyExchange::Classic => vec![kx_group::X25519],
        },
        ..default_provider()
    }
}

/// Accepts raw Ed25519 keys: any, or one.
#[derive(Debug)]
struct RawKeyVerifier {
    expected: ExpectedKey,
    algorithms: WebPkiSupportedAlgorithms,
}

impl RawKeyVerifier {
    fn new(expected: ExpectedKey, provider: &CryptoProvider) -> Self {
        Self { expected, algorithms: provider.signature_verification_algorithms }
    }

    fn judge(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        let bad = |reason| Err(Error::InvalidCertificate(reason));
        let Some(key) = PublicKey::from_spki(shown) else {
            return bad(CertificateError::BadEncoding);
        };
        if key.has_small_order() {
            return bad(CertificateError::BadSignature);
        }
        let fits = match self.expected {
            ExpectedKey::Any => true,
            ExpectedKey::Exactly(expected) => expected == key,
            ExpectedKey::Fingerprint(expected) => expected == Fingerprint::of(&key),
        };
        if fits { Ok(()) } else { bad(CertificateError::ApplicationVerificationFailure) }
    }

    fn verify(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = SubjectPublicKeyInfoDer::from(shown.as_ref());
        verify_tls13_signature_with_raw_key(message, &spki, signature, &self.algorithms)
    }
}

/// TLS 1.2 is never offered.
fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOfferedOrEnabled))
}

/// What both traits of a verifier want in the same words.
macro_rules! raw_key_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _cert: &CertificateDer<'_>,
            _dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            no_tls12()
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.verify(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }

        fn requires_raw_public_keys(&self) -> bool {
            true
        }
    };
}

impl ServerCertVerifier for RawKeyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(end_entity).map(|()| ServerCertVerified::assertion())
    }

    raw_key_signatures!();
}

impl ClientCertVerifier for RawKeyVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(end_entity).map(|()| ClientCertVerified::assertion())
    }

    raw_key_signatures!();
}
