//! What one client, one address and all together may use.

use serde::Deserialize;

use super::error::SettingError;
use crate::server::room::batch::MAX_BATCH;

/// A client whose socket is full for a moment has a batch waiting, and gets the next one after it:
/// with less room every client that is briefly behind would be cut off.
const LEAST_QUEUE: usize = 2 * MAX_BATCH;

/// Section `limits`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections in all.
    pub clients: usize,
    /// Connections that have not joined, in all; from half of it on, some are refused by chance.
    pub unjoined: usize,
    /// Connections that have not joined, for each address (each /64 in IPv6).
    pub unjoined_per_address: usize,
    /// Connections for each address (each /64 in IPv6).
    pub per_address: usize,
    /// New connections a minute for each address (each /64 in IPv6), on average; 0 means no limit.
    pub connects_per_minute: u32,
    /// New connections at once for each address (each /64 in IPv6).
    pub connect_burst: u32,
    /// Names that one connection may try.
    pub name_attempts: u32,
    /// Seconds from accept to an accepted name, not counting those that it is delayed.
    pub join_seconds: u64,
    /// Seconds for the rest of a frame once it has begun.
    pub frame_seconds: u64,
    /// Bytes that may wait for one client.
    pub queue_bytes: usize,
    /// Seconds without progress while bytes wait for a client.
    pub stall_seconds: u64,
    /// Seconds that the oldest byte may wait for a client.
    pub lag_seconds: u64,
    /// Messages a second for each client, on average; 0 means no limit.
    pub messages_per_second: u32,
    /// Messages at once for each client.
    pub message_burst: u32,
    /// Bytes a second for each client, on average; 0 means no limit.
    pub bytes_per_second: u32,
    /// Bytes at once for each client.
    pub byte_burst: u32,
    /// How many clients with full rates one address (one /64 in IPv6) may have; 0 means no limit.
    pub rates_per_address: u32,
    /// Bytes a second of all messages, 64 for each included; 0 means no limit.
    pub room_bytes_per_second: u32,
    /// Bytes at once of all messages.
    pub room_byte_burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 10_000,
            unjoined: 5_000,
            unjoined_per_address: 2_500,
            per_address: 5_000,
            connects_per_minute: 600,
            connect_burst: 5_000,
            name_attempts: 20,
            join_seconds: 120,
            frame_seconds: 10,
            queue_bytes: 16 * 1024 * 1024,
            stall_seconds: 10,
            lag_seconds: 60,
            messages_per_second: 20,
            message_burst: 200,
            bytes_per_second: 16 * 1024,
            byte_burst: 128 * 1024,
            rates_per_address: 10,
            room_bytes_per_second: 192 * 1024,
            room_byte_burst: 2 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// Checks what types cannot express, apart from numbers that must not be 0.
    pub(super) fn check(&self) -> Result<(), SettingError> {
        if self.connects_per_minute > 0 && self.connect_burst == 0 {
            return Err(SettingError {
                key: "limits.connect_burst",
                value: "0".into(),
                allowed: "1 or more while connects_per_minute is set",
            });
        }
        if self.queue_bytes < LEAST_QUEUE {
            return Err(SettingError {
                key: "limits.queue_bytes",
                value: self.queue_bytes.to_string(),
                allowed: "524288 (two batches of what is said) or more",
            });
        }
        if self.messages_per_second > 0 && self.message_burst == 0 {
            return Err(SettingError {
                key: "limits.message_burst",
                value: "0".into(),
                allowed: "1 or more while messages_per_second is set",
            });
        }
        if self.bytes_per_second > 0 && self.byte_burst < 1024 {
            return Err(SettingError {
                key: "limits.byte_burst",
                value: self.byte_burst.to_string(),
                allowed: "1024 or more while bytes_per_second is set",
            });
        }
        if self.room_bytes_per_second > 0 && self.room_byte_burst < 1024 {
            return Err(SettingError {
                key: "limits.room_byte_burst",
                value: self.room_byte_burst.to_string(),
                allowed: "1024 or more while room_bytes_per_second is set",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Limits)) -> Result<(), SettingError> {
        let mut limits = Limits::default();
        change(&mut limits);
        limits.check()
    }

    #[test]
    fn a_queue_holds_two_batches_at_least() {
        assert_eq!(check(|limits| limits.queue_bytes = LEAST_QUEUE), Ok(()));
        let error = check(|limits| limits.queue_bytes = LEAST_QUEUE - 1).unwrap_err();
        assert_eq!(error.key, "limits.queue_bytes");
        assert!(error.allowed.starts_with(&LEAST_QUEUE.to_string()), "{error}");
    }
}
