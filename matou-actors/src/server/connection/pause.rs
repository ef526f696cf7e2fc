//! For how long a client is not read.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

use super::handshakes::HandshakeTurn;

/// Why the client is not read for now.
pub(super) enum Pause {
    /// It, or its address, is over its rate.
    Time(Pin<Box<Sleep>>),
    /// Others begin their handshakes first.
    Queue(HandshakeTurn),
}

impl Pause {
    pub(super) fn for_time(time: Duration) -> Self {
        Self::Time(Box::pin(tokio::time::sleep(time)))
    }

    /// How long it will last, if that is known.
    pub(super) fn left(&self) -> Duration {
        match self {
            Self::Time(pause) => {
                pause.deadline().saturating_duration_since(tokio::time::Instant::now())
            }
            Self::Queue(_) => Duration::ZERO,
        }
    }
}
