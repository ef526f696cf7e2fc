//! How the connections of clients are protected.

use std::sync::Arc;

use rustls::ServerConfig;

use crate::protocol::v2::PasswordProof;
use crate::server::registry::access::PasswordCheck;
use crate::trust::{ExporterSlot, PasswordKey};

/// Whether clients may be encrypted, and have to be, and what they have to prove.
#[derive(Clone, Debug, Default)]
pub(crate) struct Security {
    /// `None`: there is no key, revision 1 only.
    pub(crate) config: Option<Arc<ServerConfig>>,
    pub(crate) refuses_plain: bool,
    pub(crate) password: Option<PasswordKey>,
    /// With a password, where `config` leaves the exporters of handshakes.
    pub(crate) exporters: Option<Arc<ExporterSlot>>,
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
