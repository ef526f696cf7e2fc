//! The front of a frame on the file connection, before it is complete.

use super::output::DATA_FRONT;
use crate::protocol::Kind;
use crate::protocol::v2::MAX_DATA;

/// Type and size of a frame.
const FRONT: usize = 8;

/// The length of the frame that `bytes` begin with, as far as its front says; of DATA only that of
/// its own front.
pub(super) fn frame_length(bytes: &[u8]) -> usize {
    let Some([t0, t1, t2, t3, s0, s1, s2, s3]) = bytes.first_chunk::<FRONT>() else {
        return FRONT;
    };
    if Kind::from_code(i32::from_be_bytes([*t0, *t1, *t2, *t3])) == Some(Kind::DATA)
        && bytes.len() < DATA_FRONT
    {
        return DATA_FRONT;
    }
    // The decoder has refused a size that is too large.
    let size = i32::from_be_bytes([*s0, *s1, *s2, *s3]);
    FRONT.saturating_add(usize::try_from(size).unwrap_or(0))
}

/// The transfer of DATA that `bytes` begin with, and how many bytes of a file it has.
pub(super) fn data_front(bytes: &[u8]) -> Option<(u64, usize)> {
    let [t0, t1, t2, t3, s0, s1, s2, s3, number @ ..] = *bytes.first_chunk::<DATA_FRONT>()?;
    if Kind::from_code(i32::from_be_bytes([t0, t1, t2, t3])) != Some(Kind::DATA) {
        return None;
    }
    let size = usize::try_from(i32::from_be_bytes([s0, s1, s2, s3])).ok()?;
    let count = size.checked_sub(DATA_FRONT - FRONT)?;
    (1..=MAX_DATA).contains(&count).then(|| (u64::from_be_bytes(number), count))
}
