//! Keys, fingerprints and TLS handshakes between two sides in memory, without a socket.
#![allow(clippy::unwrap_used)] // A test may fail where it likes.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use matou_actors::protocol::v2::PublicKey;
use matou_actors::trust::{
    Alpn, ExpectedKey, Fingerprint, Identity, IdentityError, KeyExchange, TlsError, client_config,
    peer_key, server_config,
};
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::pki_types::ServerName;
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{
    ClientConfig, ClientConnection, Error, NamedGroup, ServerConfig, ServerConnection,
    SignatureAlgorithm, SignatureScheme,
};

/// RFC 8410, section 10.3: the first example of a private key.
const RFC_8410_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
/// The public half of it, from the same section.
const RFC_8410_PUBLIC: PublicKey = PublicKey([
    0x19, 0xbf, 0x44, 0x09, 0x69, 0x84, 0xcd, 0xfe, 0x85, 0x41, 0xba, 0xc1, 0x67, 0xdc, 0x3b, 0x96,
    0xc8, 0x50, 0x86, 0xaa, 0x30, 0xb6, 0xb6, 0xcb, 0x0c, 0x5c, 0x38, 0xad, 0x70, 0x31, 0x66, 0xe1,
]);

fn name() -> ServerName<'static> {
    ServerName::try_from("matou").unwrap()
}

/// Moves what either side has to send until neither has anything, or one fails.
fn shake_hands(
    client: ClientConfig,
    server: ServerConfig,
) -> (Result<ClientConnection, Error>, Result<ServerConnection, Error>) {
    let mut client = ClientConnection::new(Arc::new(client), name()).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    loop {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let idle = bytes.is_empty();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            if let Err(error) = server.process_new_packets() {
                return (Ok(client), Err(error));
            }
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        if idle && bytes.is_empty() {
            return (Ok(client), Ok(server));
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            if let Err(error) = client.process_new_packets() {
                return (Err(error), Ok(server));
            }
        }
    }
}

fn configs(
    client: &Identity,
    server: &Identity,
    expected: ExpectedKey,
    exchange: KeyExchange,
) -> (ClientConfig, ServerConfig) {
    (
        client_config(client, expected, Alpn::Server, exchange).unwrap(),
        server_config(server, ExpectedKey::Any, Alpn::Server).unwrap(),
    )
}

#[test]
fn both_sides_learn_the_key_of_the_other_one() {
    let (ann, ship) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    for (exchange, group) in [
        (KeyExchange::Hybrid, NamedGroup::X25519MLKEM768),
        (KeyExchange::Classic, NamedGroup::X25519),
    ] {
        let expected = ExpectedKey::Exactly(ship.public_key());
        let (client, server) = configs(&ann, &ship, expected, exchange);
        let (client, server) = shake_hands(client, server);
        let (client, server) = (client.unwrap(), server.unwrap());
        assert_eq!(peer_key(&client, Alpn::Server).unwrap(), ship.public_key());
        assert_eq!(peer_key(&server, Alpn::Server).unwrap(), ann.public_key());
        assert_eq!(client.negotiated_key_exchange_group().unwrap().name(), group);
        assert!(server.server_name().is_none());
    }
}

#[test]
fn another_key_than_the_expected_one_never_sees_the_key_of_the_client() {
    let ids = [(); 3].map(|()| Identity::generate().unwrap());
    let [ann, ship, thief] = &ids;
    let expected = ExpectedKey::Exactly(ship.public_key());
    let (client, server) = configs(ann, thief, expected, KeyExchange::Hybrid);
    let (client, server) = shake_hands(client, server);
    assert!(matches!(client.unwrap_err(), Error::InvalidCertificate(_)));
    let server = server.unwrap();
    assert!(server.is_handshaking() && server.peer_certificates().is_none());
}

#[test]
fn a_server_can_expect_one_key_as_well() {
    let ids = [(); 3].map(|()| Identity::generate().unwrap());
    let [ann, bob, eve] = &ids;
    let server = || server_config(bob, ExpectedKey::Exactly(ann.public_key()), Alpn::File).unwrap();
    let client = |identity| {
        client_config(identity, ExpectedKey::Any, Alpn::File, KeyExchange::Hybrid).unwrap()
    };
    let (_, judged) = shake_hands(client(ann), server());
    assert_eq!(peer_key(&judged.unwrap(), Alpn::File).unwrap(), ann.public_key());
    let (_, judged) = shake_hands(client(eve), server());
    assert!(matches!(judged.unwrap_err(), Error::InvalidCertificate(_)));
}

#[test]
fn two_sides_agree_only_if_they_mean_the_same_connection() {
    let (ann, bob) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let all = [Alpn::Server, Alpn::Message, Alpn::File];
    for (ours, theirs) in all.iter().flat_map(|ours| all.iter().map(move |theirs| (*ours, *theirs)))
    {
        let client = client_config(&ann, ExpectedKey::Any, ours, KeyExchange::Classic).unwrap();
        let server = server_config(&bob, ExpectedKey::Any, theirs).unwrap();
        let (client, server) = shake_hands(client, server);
        if ours == theirs {
            assert_eq!(peer_key(&client.unwrap(), ours).unwrap(), bob.public_key());
            assert_eq!(peer_key(&server.unwrap(), theirs).unwrap(), ann.public_key());
        } else {
            assert_eq!(server.unwrap_err(), Error::NoApplicationProtocol);
        }
    }
}

/// A key of small order, the neutral element, under which anybody can sign.
const SMALL_ORDER: [u8; 32] = {
    let mut key = [0; 32];
    key[0] = 1;
    key
};

/// Signs everything with that key, of which there is no private half.
#[derive(Debug)]
struct Forger;

impl SigningKey for Forger {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Self))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for Forger {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
        Ok([SMALL_ORDER, [0; 32]].concat())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

fn forged() -> Arc<CertifiedKey> {
    let spki = [&SPKI[..], &SMALL_ORDER].concat();
    Arc::new(CertifiedKey::new(vec![spki.into()], Arc::new(Forger)))
}

/// RFC 8410, section 4: what stands before the bytes of a public key.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

#[test]
fn a_forged_signature_convinces_the_crypto_provider() {
    let signature = Forger.sign(b"anything").unwrap();
    let key = UnparsedPublicKey::new(&ED25519, SMALL_ORDER);
    key.verify(b"anything", &signature).unwrap();
}

#[test]
fn a_key_under_which_anyone_can_sign_is_refused_on_both_sides_even_if_expected() {
    let (ann, ship) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    for expected in [ExpectedKey::Any, ExpectedKey::Exactly(PublicKey(SMALL_ORDER))] {
        let (client, mut server) = configs(&ann, &ship, expected, KeyExchange::Classic);
        server.cert_resolver = Arc::new(AlwaysResolvesServerRawPublicKeys::new(forged()));
        let (client, server) = shake_hands(client, server);
        assert!(matches!(client.unwrap_err(), Error::InvalidCertificate(_)));
        assert!(server.unwrap().peer_certificates().is_none(), "it never sees whose client it is");

        let (mut client, _) = configs(&ann, &ship, ExpectedKey::Any, KeyExchange::Classic);
        let server = server_config(&ship, expected, Alpn::Server).unwrap();
        client.client_auth_cert_resolver =
            Arc::new(AlwaysResolvesClientRawPublicKeys::new(forged()));
        let (_, server) = shake_hands(client, server);
        assert!(matches!(server.unwrap_err(), Error::InvalidCertificate(_)));
    }
}

#[test]
fn a_side_without_a_protocol_is_noticed_after_the_handshake() {
    let (ann, ship) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let (mut client, server) = configs(&ann, &ship, ExpectedKey::Any, KeyExchange::Hybrid);
    client.alpn_protocols.clear();
    let (client, server) = shake_hands(client, server);
    assert_eq!(peer_key(&server.unwrap(), Alpn::Server), Err(TlsError::Alpn));
    let (client_before, mut server) = configs(&ann, &ship, ExpectedKey::Any, KeyExchange::Hybrid);
    server.alpn_protocols.clear();
    drop(client);
    let (client, _) = shake_hands(client_before, server);
    assert_eq!(peer_key(&client.unwrap(), Alpn::Server), Err(TlsError::Alpn));
}

#[test]
fn a_pair_of_keys_survives_its_pem() {
    let made = Identity::generate().unwrap();
    let read = Identity::from_pem(&made.to_pem()).unwrap();
    assert_eq!(read.public_key(), made.public_key());
    assert!(!format!("{made:?}").contains("PRIVATE"));
}

#[test]
fn the_key_of_rfc_8410_is_read_and_written_as_it_stands() {
    let identity = Identity::from_pem(RFC_8410_KEY).unwrap();
    assert_eq!(identity.public_key(), RFC_8410_PUBLIC);
    assert_eq!(&*identity.to_pem(), RFC_8410_KEY);
}

#[test]
fn text_that_is_not_a_key_is_described() {
    assert_eq!(Identity::from_pem("").unwrap_err(), IdentityError::NotPem);
    let public = RFC_8410_KEY.replace("PRIVATE", "PUBLIC");
    assert_eq!(Identity::from_pem(&public).unwrap_err(), IdentityError::NotPem);
    let damaged = RFC_8410_KEY.replace("MC4CAQAw", "MC4CAQAx");
    assert_eq!(Identity::from_pem(&damaged).unwrap_err(), IdentityError::NotEd25519);
}

#[test]
fn openssl_reads_a_key_that_was_made_here() {
    let made = Identity::generate().unwrap();
    let mut openssl = Command::new("openssl")
        .args(["pkey", "-pubout", "-outform", "DER"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(made.to_pem().as_bytes()).unwrap();
    let output = openssl.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout.ends_with(&made.public_key().0));
}

/// `ssh-keygen -lf` prints this for `ssh-ed25519` with the public key of RFC 8410.
#[test]
fn a_fingerprint_is_the_one_that_openssh_prints() {
    let expected = "SHA256:ebCT4wkJOqO5AIlHG03cHvn3Cr3ZZEEh8m81duHhR3Q";
    let fingerprint = Fingerprint::of(&RFC_8410_PUBLIC);
    assert_eq!(fingerprint.to_string(), expected);
    assert_eq!(Fingerprint::parse(expected), Some(fingerprint));
    let (short, long) = (&expected[..expected.len() - 1], format!("{expected}A"));
    for bad in ["", "SHA256:", "SHA256:abc", "MD5:00", short, &long] {
        assert_eq!(Fingerprint::parse(bad), None, "{bad}");
    }
}
