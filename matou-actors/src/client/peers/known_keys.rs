//! The keys of people, as far as they are known.

use crate::trust::KnownPeople;

/// The keys of people that were seen before.
#[derive(Debug, Default)]
pub(super) struct KnownKeys {
    pub(super) people: KnownPeople,
    /// Why they cannot be read: then no key can be judged.
    pub(super) unreadable: Option<String>,
}
