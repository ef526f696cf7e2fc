//! How the connections of clients are protected.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;

use crate::protocol::v2::{PasswordProof, PublicKey};
use crate::server::registry::access::PasswordCheck;
use crate::trust::{ExporterSlot, PasswordKey};

/// The password of this server, which a reload may change.
#[derive(Debug)]
pub(crate) struct ServerPassword {
    server: PublicKey,
    /// Locked for the time of a copy or a proof only.
    key: RwLock<PasswordKey>,
}

/// Whether clients may be encrypted, and have to be, and what they have to prove.
#[derive(Clone, Debug, Default)]
pub(crate) struct Security {
    /// `None`: there is no key, revision 1 only.
    pub(crate) config: Option<Arc<ServerConfig>>,
    /// The setting because of which clients have to be encrypted.
    pub(crate) plain_refused_by: Option<&'static str>,
    pub(crate) password: Option<Arc<ServerPassword>>,
    /// With a password, where `config` leaves the exporters of handshakes.
    pub(crate) exporters: Option<Arc<ExporterSlot>>,
}

impl ServerPassword {
    pub(crate) fn new(password: &str, server: PublicKey) -> Self {
        let key = RwLock::new(PasswordKey::new(password, &server));
        Self { server, key }
    }

    /// From now on this password is asked for.
    pub(crate) fn change(&self, password: &str) {
        let key = PasswordKey::new(password, &self.server);
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    fn verify(&self, exporter: &[u8; 32], proof: &[u8; 32]) -> bool {
        self.key.read().unwrap_or_else(PoisonError::into_inner).verify(exporter, proof)
    }
}

impl Security {
    /// The same for one event loop, which has its exporters for itself.
    pub(super) fn for_event_loop(mut self) -> Self {
        if let (Some(config), Some(_)) = (&self.config, &self.password) {
            let exporters = Arc::<ExporterSlot>::default();
            let mut config = ServerConfig::clone(config);
            config.key_log = exporters.clone();
            (self.config, self.exporters) = (Some(Arc::new(config)), Some(exporters));
        }
        self
    }

    /// What `proof` is worth on the connection with that exporter.
    pub(super) fn check(&self, proof: PasswordProof, exporter: Option<&[u8; 32]>) -> PasswordCheck {
        match (&self.password, proof, exporter) {
            (None, ..) => PasswordCheck::Passed,
            (_, PasswordProof::None, _) => PasswordCheck::Missing,
            (Some(password), PasswordProof::Hmac(proof), Some(exporter))
                if password.verify(exporter, &proof) =>
            {
                PasswordCheck::Passed
            }
            _ => PasswordCheck::Wrong,
        }
    }
}
