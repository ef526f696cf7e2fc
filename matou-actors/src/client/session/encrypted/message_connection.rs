//! The message connection of a session of revision 2: reading, writing, and how it ends.

use std::io;

use actix::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::client::connection::frames::Frames;
use crate::client::connection::send_queue::SendQueue;
use crate::client::session::private_session::LINGER;
use crate::protocol::CodecError;
use crate::protocol::v2::MessageFrame;

/// Frames received on the message connection. Answered once the next ones may follow, with why the
/// peer's side is over, if it is: it ended the session, or broke the protocol.
#[derive(Debug, Message)]
#[rtype(result = "Option<String>")]
pub(super) struct ReceivedFrames(pub(super) Vec<MessageFrame>);

/// Hands frames to the session until either side ends; returns why.
pub(super) async fn read(
    mut input: Frames<impl AsyncRead + Unpin, MessageFrame>,
    session: Recipient<ReceivedFrames>,
) -> String {
    loop {
        let frames = match input.next().await {
            Ok(frames) if frames.is_empty() => return "the other side disconnected".into(),
            Ok(frames) => frames,
            // The end of the stream without the end that TLS wants.
            Err(CodecError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return "the connection was cut".into();
            }
            Err(CodecError::Io(error)) => return format!("the connection broke: {error}"),
            Err(CodecError::Frame(error)) => {
                return format!("the other side breaks the protocol: {error}");
            }
        };
        match session.send(ReceivedFrames(frames)).await {
            Ok(None) => {}
            Ok(Some(end)) => return end,
            Err(_) => return "the client has closed".into(),
        }
    }
}

/// Reads and writes until the connection has ended; returns why. After the end of either direction
/// the other one gets a moment: the last confirmations are still in flight.
pub(super) async fn drive(
    reading: impl Future<Output = String>,
    queue: &SendQueue,
    output: impl AsyncWrite + Unpin,
) -> String {
    let writing = queue.write_to(output);
    tokio::pin!(reading, writing);
    let written = tokio::select! {
        reason = &mut reading => {
            queue.close();
            // What the other side no longer reads is lost with it.
            let _ = timeout(LINGER, writing).await;
            return reason;
        }
        written = &mut writing => written,
    };
    match written {
        Ok(()) => timeout(LINGER, reading).await.unwrap_or_else(|_| "closed".into()),
        Err(error) => {
            // What was received before is still delivered.
            reading.await;
            format!("the connection broke: {error}")
        }
    }
}
