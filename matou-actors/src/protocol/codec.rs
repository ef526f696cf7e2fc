//! The frames as `tokio_util` codecs, to be read and written through `Framed`.

use std::io;
use std::marker::PhantomData;

use bytes::{Buf, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::error::FrameError;

/// A frame that can be read from the front of some bytes.
pub trait Decode: Sized {
    /// The first frame of `input` and its length in bytes; `Ok(None)` when it is incomplete. A
    /// violation is reported as soon as the byte that causes it is there.
    fn decode(input: &[u8]) -> Result<Option<(Self, usize)>, FrameError>;
}

/// A frame that can be written.
pub trait Encode {
    /// Appends the frame's bytes to `out`.
    fn encode(&self, out: &mut BytesMut);
}

/// A codec that reads `In` and writes `Out`.
#[derive(Debug)]
pub struct Codec<In, Out>(PhantomData<fn(Out) -> In>);

impl<In, Out> Default for Codec<In, Out> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// What can end a stream of frames.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The stream broke, or ended inside a frame.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The other side broke the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl<In: Decode, Out> Decoder for Codec<In, Out> {
    type Item = In;
    type Error = CodecError;

    fn decode(&mut self, input: &mut BytesMut) -> Result<Option<In>, CodecError> {
        let Some((frame, length)) = In::decode(input)? else { return Ok(None) };
        input.advance(length);
        Ok(Some(frame))
    }
}

impl<In, Out: Encode> Encoder<Out> for Codec<In, Out> {
    type Error = CodecError;

    fn encode(&mut self, frame: Out, out: &mut BytesMut) -> Result<(), CodecError> {
        frame.encode(out);
        Ok(())
    }
}
