//! The 64 bytes of every benchmark message: who sent it, and which one it is.

/// Bytes of a message's text.
pub(crate) const MESSAGE_BYTES: usize = 64;

/// Values that 30 bits hold: the numbers of messages are counted modulo this.
pub(crate) const SEQUENCE_SPAN: u32 = 1 << 30;

const DIGITS: u32 = 6;
const ZERO: u8 = b'0';

/// What a message says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The message's number, below [`SEQUENCE_SPAN`].
    pub(crate) sequence: u32,
    /// The client that sent it, below 2^18.
    pub(crate) sender: u32,
}

impl Stamp {
    /// The text: five digits of sequence and three of sender in base 64, the rest is filling.
    /// Digits are the characters from `0` to `o`, which every protocol lets through.
    pub(crate) fn encode(self) -> [u8; MESSAGE_BYTES] {
        let mut text = [b'x'; MESSAGE_BYTES];
        let digits = u64::from(self.sequence) | u64::from(self.sender) << (5 * DIGITS);
        for (place, byte) in (0..8).zip(text.iter_mut()) {
            let [low, ..] = (digits >> (place * DIGITS)).to_le_bytes();
            *byte = ZERO + (low & 0x3f);
        }
        text
    }

    /// The stamp at the front of a text; `None` when the text is too short for one.
    #[inline]
    pub(crate) fn decode(text: &[u8]) -> Option<Self> {
        let digits = u64::from_le_bytes(*text.first_chunk::<8>()?);
        let digits = digits.wrapping_sub(0x3030_3030_3030_3030);
        let mut value = 0;
        for place in 0..8 {
            value |= (digits >> (place * 8) & 0x3f) << (place * 6);
        }
        Some(Self {
            sequence: u32::try_from(value & 0x3fff_ffff).ok()?,
            sender: u32::try_from(value >> 30 & 0x3_ffff).ok()?,
        })
    }
}

/// When each message that may still be on its way was sent, by the end of its number.
#[derive(Debug)]
pub(crate) struct SendTimes(Vec<u64>);

/// Numbers that are kept apart: a power of two, far more than are ever on their way.
const SEND_TIMES: usize = 1 << 18;

impl SendTimes {
    /// Times of nothing yet.
    pub(crate) fn new() -> Self {
        Self(vec![0; SEND_TIMES])
    }

    /// A message is sent now.
    pub(crate) fn set(&mut self, sequence: u32, now: u64) {
        if let Some(time) = self.0.get_mut(slot(sequence)) {
            *time = now;
        }
    }

    /// How long ago a message was sent.
    #[inline]
    pub(crate) fn since(&self, sequence: u32, now: u64) -> u64 {
        now.saturating_sub(self.0.get(slot(sequence)).copied().unwrap_or(now))
    }
}

#[inline]
fn slot(sequence: u32) -> usize {
    usize::try_from(sequence).unwrap_or(0) & (SEND_TIMES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_its_text() {
        for (sequence, sender) in [(0, 0), (SEQUENCE_SPAN - 1, 0x3_ffff), (123_456_789, 1_999)] {
            let stamp = Stamp { sequence, sender };
            assert_eq!(Stamp::decode(&stamp.encode()), Some(stamp));
        }
        assert_eq!(Stamp::decode(b"short"), None);
    }
}
