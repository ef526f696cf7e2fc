//! Why a connection ends.

use std::io;

use crate::protocol::FrameError;

/// Why a connection ends; the text is what the log says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Reason {
    #[error("signed out")]
    SignedOut,
    #[error("end of stream")]
    EndOfStream,
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("protocol violation: {0}")]
    Frame(#[from] FrameError),
    #[error("protocol violation: the first frame must be COREQ")]
    NotJoined,
    #[error("protocol violation: COREQ after acceptance")]
    JoinedAlready,
    #[error("too many names tried")]
    TooManyNames,
    #[error("no accepted name in time")]
    JoinTimeout,
    #[error("a frame was begun and not finished in time")]
    FrameTimeout,
    #[error("reads too slowly: {0} bytes wait")]
    QueueOverflow(usize),
    #[error("reads nothing: {0} bytes wait without progress")]
    Stalled(usize),
    #[error("the server stops")]
    Shutdown,
    #[error("the connection's actor failed")]
    Panicked,
}

impl Reason {
    /// Whether what is queued should still be written: not to somebody who does not read.
    pub(crate) fn drains(&self) -> bool {
        !matches!(self, Self::Io(_) | Self::QueueOverflow(_) | Self::Stalled(_) | Self::Panicked)
    }

    /// Whether the client did something that it should not have done.
    pub(crate) fn is_fault(&self) -> bool {
        !matches!(self, Self::SignedOut | Self::EndOfStream | Self::Io(_) | Self::Shutdown)
    }
}
