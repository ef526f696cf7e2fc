//! Reading frames by the batch: those that arrive together are handled together.

use futures::stream::{ReadyChunks, StreamExt};
use tokio::io::AsyncRead;
use tokio_util::codec::FramedRead;

use crate::protocol::{Codec, CodecError, Decode};

/// Bytes taken from the socket at once.
const READ: usize = 32 * 1024;
/// Frames in one batch.
const BATCH: usize = 4096;

/// Reads frames from a stream of bytes.
pub(crate) struct Frames<R: AsyncRead, F: Decode> {
    batches: ReadyChunks<FramedRead<R, Codec<F, ()>>>,
    failed: Option<CodecError>,
}

impl<R: AsyncRead + Unpin, F: Decode> Frames<R, F> {
    pub(crate) fn new(stream: R) -> Self {
        let frames = FramedRead::with_capacity(stream, Codec::default(), READ);
        Self { batches: frames.ready_chunks(BATCH), failed: None }
    }

    /// At least one frame, and as many as are available; none at the end of the stream. Frames
    /// before a violation come first.
    pub(crate) async fn next(&mut self) -> Result<Vec<F>, CodecError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut batch = Vec::new();
        for frame in self.batches.next().await.unwrap_or_default() {
            match frame {
                Ok(frame) => batch.push(frame),
                Err(error) if batch.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::protocol::{Encode, FrameError, MessageText, PeerFrame};

    fn bytes(count: usize, rest: &[u8]) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        for _ in 0..count {
            PeerFrame::Close.encode(&mut bytes);
        }
        bytes.extend_from_slice(rest);
        bytes.to_vec()
    }

    #[actix_rt::test]
    async fn frames_before_a_violation_are_delivered_first() {
        let bytes = bytes(2, &[0, 0, 0, 99]);
        let mut frames = Frames::<_, PeerFrame>::new(&bytes[..]);
        assert_eq!(frames.next().await.unwrap().len(), 2);
        let error = frames.next().await.unwrap_err();
        assert!(matches!(error, CodecError::Frame(FrameError::UnknownType(99))));
    }

    #[actix_rt::test]
    async fn an_end_inside_a_frame_is_no_clean_end() {
        let mut message = BytesMut::new();
        PeerFrame::Message(MessageText::parse("a").unwrap()).encode(&mut message);
        let input = bytes(1, message.split_last().unwrap().1);
        let mut frames = Frames::<_, PeerFrame>::new(&input[..]);
        assert_eq!(frames.next().await.unwrap(), [PeerFrame::Close]);
        assert!(matches!(frames.next().await, Err(CodecError::Io(_))));
        assert!(Frames::<_, PeerFrame>::new(&[][..]).next().await.unwrap().is_empty());
    }
}
