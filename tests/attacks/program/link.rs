//! A TCP connection with TLS 1.3 and raw public keys, which takes any key.

use std::io::{self, ErrorKind, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, DistinguishedName, Error,
    ServerConfig, ServerConnection, SignatureScheme, version,
};

use super::frames;

/// The prefix of the 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo` (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// How long a look at a connection takes if nothing arrives.
const LOOK: Duration = Duration::from_millis(5);

/// A key pair.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) public: [u8; 32],
    certified: Arc<CertifiedKey>,
}

/// The connection, and the bytes read from it.
pub(super) struct Link {
    pub(super) socket: TcpStream,
    tls: Connection,
    unread: Vec<u8>,
}

#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl Key {
    pub(super) fn generate() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let public: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let private = PrivateKeyDer::Pkcs8(pkcs8.as_ref().to_vec().into());
        let signing = provider::sign::any_supported_type(&private).unwrap();
        let spki = CertificateDer::from([&SPKI[..], &public].concat());
        Self { public, certified: Arc::new(CertifiedKey::new(vec![spki], signing)) }
    }
}

impl Link {
    /// As TLS server.
    pub(super) fn accept(socket: TcpStream, key: &Key, alpn: &str) -> io::Result<Self> {
        let provider = Arc::new(provider::default_provider());
        let resolver = AlwaysResolvesServerRawPublicKeys::new(Arc::clone(&key.certified));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&version::TLS13])
            .unwrap()
            .with_client_cert_verifier(Arc::new(AnyKey(provider)))
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = protocols(alpn);
        config.send_tls13_tickets = 0;
        let tls = ServerConnection::new(Arc::new(config)).unwrap();
        Self::shake_hands(socket, tls.into())
    }

    /// As TLS client.
    pub(super) fn dial(socket: TcpStream, key: &Key, alpn: &str) -> io::Result<Self> {
        Self::shake_hands(socket, client(key, alpn).into())
    }
    fn shake_hands(mut socket: TcpStream, mut tls: Connection) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        socket.set_read_timeout(Some(LOOK))?;
        Ok(Self { socket, tls, unread: Vec::new() })
    }

    /// The key that the other side has proved.
    pub(super) fn key(&self) -> [u8; 32] {
        let spki = &self.tls.peer_certificates().unwrap()[0];
        spki[SPKI.len()..].try_into().unwrap()
    }

    pub(super) fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            bytes = &bytes[self.tls.writer().write(bytes)?..];
            while self.tls.wants_write() {
                self.tls.write_tls(&mut self.socket)?;
            }
        }
        Ok(())
    }

    /// The next frame, or `None` if there is none yet. An error is the end.
    pub(super) fn receive(&mut self) -> io::Result<Option<(i32, Vec<u8>)>> {
        loop {
            // The first frames may have arrived with the end of the handshake.
            let state = self.tls.process_new_packets().map_err(io::Error::other)?;
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            io::Read::read_exact(&mut self.tls.reader(), &mut plain)?;
            self.unread.extend(plain);
            if let Some(frame) = frames::take(&mut self.unread) {
                return Ok(Some(frame));
            }
            match self.tls.read_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// The next frame of this type; others are passed over.
    pub(super) fn wait(&mut self, kind: i32) -> io::Result<Vec<u8>> {
        loop {
            match self.receive()? {
                Some((found, body)) if found == kind => return Ok(body),
                _ => {}
            }
        }
    }

    /// Ends the connection without the end that TLS wants.
    pub(super) fn cut(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// The first bytes of a TLS client.
pub(super) fn client_hello(key: &Key, alpn: &str) -> Vec<u8> {
    let mut hello = Vec::new();
    client(key, alpn).write_tls(&mut hello).unwrap();
    hello
}

/// None without a name.
fn protocols(alpn: &str) -> Vec<Vec<u8>> {
    Some(alpn.into()).filter(|alpn: &Vec<u8>| !alpn.is_empty()).into_iter().collect()
}

fn client(key: &Key, alpn: &str) -> ClientConnection {
    let provider = Arc::new(provider::default_provider());
    let resolver = AlwaysResolvesClientRawPublicKeys::new(Arc::clone(&key.certified));
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey(provider)))
        .with_client_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = protocols(alpn);
    config.enable_sni = false;
    ClientConnection::new(Arc::new(config), ServerName::try_from("eve").unwrap()).unwrap()
}

impl AnyKey {
    fn verify(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
    }
}

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
