//! The exporter of a server's connection (RFC 8446, section 7.5), which `rustls` does not offer for
//! connections without buffers: from the secret that it hands to the key log.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use rustls::KeyLog;
use zeroize::Zeroizing;

use super::password::EXPORTER_LABEL;

/// The name under which the secret is logged (draft-ietf-tls-keylogfile).
const SECRET: &str = "EXPORTER_SECRET";

/// The exporter output of one connection for a password.
pub(crate) type Exported = Zeroizing<[u8; 32]>;

/// Where the exporter of the handshake that was processed last is found. For one event loop: its
/// connections take turns.
#[derive(Debug, Default)]
pub(crate) struct ExporterSlot(Mutex<Option<Exported>>);

impl ExporterSlot {
    /// The exporter, if the handshake has got that far since the last call.
    pub(crate) fn take(&self) -> Option<Exported> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl KeyLog for ExporterSlot {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        if label == SECRET {
            let exported = export(secret);
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = exported;
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == SECRET
    }
}

/// The cipher suites that are spoken all hash by SHA-256.
fn export(secret: &[u8]) -> Option<Exported> {
    let empty = digest(&SHA256, b"");
    let derived = expand_label(secret, EXPORTER_LABEL, empty.as_ref())?;
    expand_label(&*derived, b"exporter", empty.as_ref())
}

/// HKDF-Expand-Label (RFC 8446, section 7.1) for 32 bytes.
fn expand_label(secret: &[u8], label: &[u8], context: &[u8]) -> Option<Exported> {
    const PREFIX: &[u8] = b"tls13 ";
    let label_length = [u8::try_from(PREFIX.len() + label.len()).ok()?];
    let context_length = [u8::try_from(context.len()).ok()?];
    let info = [&[0, 32], &label_length[..], PREFIX, label, &context_length, context];
    let mut expanded = Exported::default();
    let key = Prk::new_less_safe(HKDF_SHA256, secret);
    key.expand(&info, HKDF_SHA256).ok()?.fill(&mut *expanded).ok()?;
    Some(expanded)
}
