//! One connection in both directions, from its first frame to its end.

use std::io;
use std::time::Duration;

use tokio::time::timeout;

/// Reads and writes until the connection has ended: `reading` returns the reason, `writing` returns
/// `Ok` when everything is written and this side has closed.
///
/// The other side closes once it has read everything: closing first, with unread bytes, would cut
/// off what is still in flight. So after `Ok` it is waited for, up to `patience`.
pub(crate) async fn drive_connection(
    reading: impl Future<Output = String>,
    writing: impl Future<Output = io::Result<()>>,
    patience: Option<Duration>,
) -> String {
    tokio::pin!(reading);
    let written = tokio::select! {
        reason = &mut reading => return reason,
        written = writing => written,
    };
    match (written, patience) {
        (Ok(()), None) => reading.await,
        (Ok(()), Some(patience)) => {
            timeout(patience, reading).await.unwrap_or_else(|_| "closed".into())
        }
        (Err(error), _) => {
            // What was received before is still delivered. A connection that cannot be written to
            // will end.
            reading.await;
            format!("the connection broke: {error}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[actix_rt::test]
    async fn pending_input_is_read_after_the_peer_stops_reading() {
        let read = Cell::new(0);
        let reading = async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
                read.set(read.get() + 1);
            }
            "it is gone".to_owned()
        };
        let writing = async { Err(io::ErrorKind::BrokenPipe.into()) };
        let reason = drive_connection(reading, writing, None).await;
        assert!(read.get() == 10 && reason.contains("broke"), "{} {reason}", read.get());
    }

    #[actix_rt::test]
    async fn the_other_side_closes_first() {
        let reading = async {
            tokio::task::yield_now().await;
            "it has closed".to_owned()
        };
        let reason = drive_connection(reading, async { Ok(()) }, None).await;
        assert_eq!(reason, "it has closed");
        let silent = std::future::pending();
        assert_eq!(
            drive_connection(silent, async { Ok(()) }, Some(Duration::ZERO)).await,
            "closed"
        );
    }
}
