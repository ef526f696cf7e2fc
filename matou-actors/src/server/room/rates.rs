//! The rates at which the room accepts messages, per address and in all.

use std::time::Duration;

use crate::server::settings::Limits;
use crate::server::token_bucket::Rate;

/// The rates that are set; by default none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoomRates {
    /// Messages of one address.
    pub(crate) address_messages: Option<Rate>,
    /// Bytes of one address.
    pub(crate) address_bytes: Option<Rate>,
    /// Bytes of all.
    pub(crate) room_bytes: Option<Rate>,
}

/// Which rate is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub(crate) enum Limit {
    #[error("limits.rates_per_address is reached")]
    Address,
    #[error("limits.room_bytes_per_second is reached")]
    Room,
}

impl RoomRates {
    pub(crate) fn new(limits: &Limits) -> Self {
        let second = Duration::from_secs(1);
        let of_address = |count: u32, burst: u32| {
            let clients = limits.rates_per_address;
            Rate::new(count.saturating_mul(clients), second, burst.saturating_mul(clients))
        };
        Self {
            address_messages: of_address(limits.messages_per_second, limits.message_burst),
            address_bytes: of_address(limits.bytes_per_second, limits.byte_burst),
            room_bytes: Rate::new(limits.room_bytes_per_second, second, limits.room_byte_burst),
        }
    }

    /// Whether nothing ever waits.
    pub(super) fn are_unlimited(&self) -> bool {
        self.address_messages.or(self.address_bytes).or(self.room_bytes).is_none()
    }
}

impl Limit {
    pub(crate) const ALL: [Self; 2] = [Self::Address, Self::Room];

    /// The name that counts of it have.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Room => "room",
        }
    }
}
