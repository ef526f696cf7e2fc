//! Reading frames by the batch: one batch for each read of the socket.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::protocol::{CodecError, Decode};

/// Bytes taken from the socket at once; frames that arrive together are handled together.
const READ: usize = 32 * 1024;

/// Reads frames from a stream of bytes.
#[derive(Debug)]
pub(crate) struct Frames<R> {
    stream: R,
    input: BytesMut,
    failed: Option<CodecError>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream, input: BytesMut::new(), failed: None }
    }

    /// At least one frame, and as many as were there; none at the end of the stream. Frames
    /// before a violation come first.
    pub(crate) async fn next<F: Decode>(&mut self) -> Result<Vec<F>, CodecError> {
        loop {
            let mut batch = Vec::new();
            while self.failed.is_none() {
                match F::decode(&self.input) {
                    Ok(Some((frame, length))) => {
                        self.input.advance(length);
                        batch.push(frame);
                    }
                    Ok(None) => break,
                    Err(error) => self.failed = Some(error.into()),
                }
            }
            if !batch.is_empty() {
                return Ok(batch);
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.input.is_empty() {
                // An idle connection holds no buffer but this one.
                self.input.reserve(READ);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                if self.input.is_empty() {
                    return Ok(batch);
                }
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{FrameError, PeerFrame};

    #[actix_rt::test]
    async fn frames_before_a_violation_are_delivered_first() {
        let mut frames = Frames::new(&[0, 0, 0, 15, 0, 0, 0, 15, 0, 0, 0, 99, 0, 0, 0, 15][..]);
        assert_eq!(frames.next::<PeerFrame>().await.unwrap().len(), 2);
        let error = frames.next::<PeerFrame>().await.unwrap_err();
        assert!(matches!(error, CodecError::Frame(FrameError::UnknownType(99))));
    }

    #[actix_rt::test]
    async fn an_end_inside_a_frame_is_no_clean_end() {
        let mut frames = Frames::new(&[0, 0, 0, 15, 0, 0, 0, 13, 0][..]);
        assert_eq!(frames.next::<PeerFrame>().await.unwrap(), [PeerFrame::Close]);
        assert!(matches!(frames.next::<PeerFrame>().await, Err(CodecError::Io(_))));
        assert!(Frames::new(&[][..]).next::<PeerFrame>().await.unwrap().is_empty());
    }
}
