//! What both sides of DNS-SD share.

use mdns_sd::{IfKind, IfPredicate, ServiceDaemon};

use crate::interfaces::is_virtual;

/// The type of the service, with its domain.
pub(super) const SERVICE: &str = "_matou._tcp.local.";

/// A DNS-SD daemon that uses all interfaces but virtual ones.
pub(super) fn daemon() -> mdns_sd::Result<ServiceDaemon> {
    let daemon = ServiceDaemon::new()?;
    let is_virtual = IfPredicate::new(|interface| is_virtual(&interface.name));
    daemon.disable_interface(IfKind::Predicate(is_virtual))?;
    Ok(daemon)
}
