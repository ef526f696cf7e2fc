//! Why a connection ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::FrameError;
use crate::protocol::v2::LeaveReason;
use crate::server::room::event::Dialect;

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
    #[error("protocol violation: the first frame must be {}", join_frame(*.0))]
    NotJoined(Dialect),
    #[error("protocol violation: {} after acceptance", join_frame(*.0))]
    JoinedAlready(Dialect),
    #[error("encryption failed: {0}")]
    Encryption(io::Error),
    #[error("not encrypted, which {0} does not allow")]
    PlainRefused(&'static str),
    #[error("too many names tried")]
    TooManyNames,
    #[error("no name was accepted in time")]
    JoinTimeout,
    #[error("the TLS handshake was not completed in time")]
    HandshakeTimeout,
    #[error("a frame was not completed in time")]
    FrameTimeout,
    #[error("reads too slowly: {0} bytes queued")]
    QueueOverflow(usize),
    #[error("reads nothing: {0} bytes queued without progress")]
    Stalled(usize),
    #[error("reads too slowly: {queued} bytes queued, the oldest for {} s", .lag.as_secs())]
    Lagging { queued: usize, lag: Duration },
    #[error("timed out: no traffic for {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("the server is stopping")]
    Shutdown,
    #[error("the connection's actor failed")]
    Panicked,
    #[error("disconnected by an operator: {0}")]
    Kicked(Arc<str>),
    #[error("banned by an operator")]
    Banned,
    #[error("the same user joined on another connection")]
    TakenOver,
    #[error("where it comes from is known, and no longer needed")]
    Observed,
    #[error("its ticket is unknown, used or expired")]
    BadTicket,
    #[error("this server is cut off from the others of its cluster")]
    CutOff,
}

impl Reason {
    /// Why a read failed: the socket, or its content.
    pub(crate) fn of_read(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData {
            Self::Encryption(error)
        } else {
            Self::Io(error)
        }
    }

    /// The reason that the others in the room get.
    pub(crate) fn as_leave(&self) -> LeaveReason {
        match self {
            Self::SignedOut => LeaveReason::SignedOut,
            Self::EndOfStream | Self::Io(_) | Self::TimedOut(_) | Self::Panicked => {
                LeaveReason::ConnectionLost
            }
            Self::Shutdown => LeaveReason::ServerStops,
            _ => LeaveReason::Removed,
        }
    }

    /// The names under which ends are counted.
    pub(crate) const LABELS: [&'static str; 22] = [
        "signed_out",
        "end_of_stream",
        "io",
        "violation",
        "encryption",
        "plain_refused",
        "too_many_names",
        "join_timeout",
        "handshake_timeout",
        "frame_timeout",
        "queue_overflow",
        "stalled",
        "lagging",
        "timed_out",
        "shutdown",
        "panicked",
        "kicked",
        "banned",
        "taken_over",
        "observed",
        "bad_ticket",
        "cut_off",
    ];

    /// The one of [`Reason::LABELS`] that it is counted under.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::EndOfStream => "end_of_stream",
            Self::Io(_) => "io",
            Self::Frame(_) | Self::NotJoined(_) | Self::JoinedAlready(_) => "violation",
            Self::Encryption(_) => "encryption",
            Self::PlainRefused(_) => "plain_refused",
            Self::TooManyNames => "too_many_names",
            Self::JoinTimeout => "join_timeout",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::FrameTimeout => "frame_timeout",
            Self::QueueOverflow(_) => "queue_overflow",
            Self::Stalled(_) => "stalled",
            Self::Lagging { .. } => "lagging",
            Self::TimedOut(_) => "timed_out",
            Self::Shutdown => "shutdown",
            Self::Panicked => "panicked",
            Self::Kicked(_) => "kicked",
            Self::Banned => "banned",
            Self::TakenOver => "taken_over",
            Self::Observed => "observed",
            Self::BadTicket => "bad_ticket",
            Self::CutOff => "cut_off",
        }
    }

    /// Whether queued output should still be written: not to a client that does not read.
    pub(crate) fn drains(&self) -> bool {
        !matches!(
            self,
            Self::Io(_)
                | Self::Encryption(_)
                | Self::QueueOverflow(_)
                | Self::Stalled(_)
                | Self::Lagging { .. }
                | Self::TimedOut(_)
                | Self::Panicked
        )
    }

    /// Whether the client gets the time to read the output: not when its stream has ended, nor when
    /// it broke the rules.
    pub(crate) fn lingers(&self) -> bool {
        matches!(
            self,
            Self::SignedOut
                | Self::TooManyNames
                | Self::JoinTimeout
                | Self::Shutdown
                | Self::Kicked(_)
                | Self::Banned
                | Self::TakenOver
                | Self::Observed
                | Self::BadTicket
        )
    }

    /// Whether the client did something that it should not have done.
    pub(crate) fn is_fault(&self) -> bool {
        !matches!(
            self,
            Self::SignedOut
                | Self::EndOfStream
                | Self::Io(_)
                | Self::TimedOut(_)
                | Self::Shutdown
                | Self::Kicked(_)
                | Self::Banned
                | Self::TakenOver
                | Self::Observed
        )
    }
}

/// The frame that joins in that revision.
fn join_frame(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::V1 => "COREQ",
        Dialect::V2 => "HELLO",
    }
}
