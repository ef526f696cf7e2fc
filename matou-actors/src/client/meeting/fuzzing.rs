//! The first frame of a connection between two clients, from an arbitrary sender.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test, which panics when a promise is broken"
)]

use bytes::BytesMut;

use super::greeting::read;
use crate::protocol::v2::MessageFrame;
use crate::protocol::{Decode as _, Encode as _};

/// Type and size of a frame.
const FRONT: usize = 8;

/// Reads the first frame and not a byte beyond it, and means by it what the codec means.
pub fn greeting(bytes: &[u8]) {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().build().unwrap();
    }
    let mut rest = bytes;
    let read = RUNTIME.with(|runtime| runtime.block_on(read::<MessageFrame>(&mut rest)));
    let Ok(frame) = read else { return };
    let taken = bytes.len() - rest.len();
    let size = i32::from_be_bytes(bytes[4..FRONT].try_into().unwrap());
    assert_eq!(taken, FRONT + usize::try_from(size).unwrap(), "not a byte beyond it");
    assert_eq!(MessageFrame::decode(&bytes[..taken]), Ok(Some((frame.clone(), taken))));
    let mut written = BytesMut::new();
    frame.encode(&mut written);
    assert!(written.len() <= taken);
}
