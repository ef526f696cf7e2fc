//! Keys and encrypted links of revision 2: who a user is, and how two programs prove it.
//!
//! - `identity`: the own key pair; `public_key`: keys of others, fingerprints, and which keys
//!   are never accepted; `words`: what two people compare; `known_servers`, `known_people`: the keys that were seen, as text.
//! - `tls`: TLS 1.3 with raw public keys (RFC 7250) on both sides; `server_tls`: the server's side
//!   of one connection, without buffers, `records` that side behind the handshake, and `exporter` what
//!   it exports; `password`: the proof that a user knows the server's password.
//!
//! Nothing here knows a socket, a file or a clock.

mod exporter;
mod identity;
mod known_people;
mod known_servers;
mod password;
mod public_key;
mod records;
mod server_tls;
mod tls;
mod words;

pub(crate) use exporter::ExporterSlot;
pub use identity::{Identity, IdentityError};
pub use known_people::{KnownPeople, Person};
pub use known_servers::{KnownServers, UnreadableLine};
pub use password::{EXPORTER_LABEL, PasswordKey};
pub use public_key::Fingerprint;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use records::fuzzing;
pub(crate) use records::{MAX_RECORD, Sealing};
pub(crate) use server_tls::{RECORD_OVERHEAD, ServerTls};
pub use tls::{Alpn, ExpectedKey, KeyExchange, TlsError, client_config, peer_key, server_config};
pub use words::verification_words;
