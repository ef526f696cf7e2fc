//! The shared log: bytes that all members read, each from its own cursor.

/// Bytes by their position since the beginning of time, the oldest of them forgotten.
#[derive(Debug, Default)]
pub(super) struct Log {
    base: u64,
    bytes: Vec<u8>,
}

impl Log {
    /// The position behind the last byte.
    pub(super) fn end(&self) -> u64 {
        self.base + wide(self.bytes.len())
    }

    /// Bytes kept.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What lies behind `cursor`; nothing when that is forgotten already.
    pub(super) fn since(&self, cursor: u64) -> &[u8] {
        let start = cursor.checked_sub(self.base).and_then(|start| usize::try_from(start).ok());
        start.and_then(|start| self.bytes.get(start..)).unwrap_or_default()
    }

    /// Where to add to the end.
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Forgets what lies before `cursor`.
    pub(super) fn forget(&mut self, cursor: u64) {
        let start = cursor.saturating_sub(self.base);
        let length = usize::try_from(start).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.drain(..length);
        self.base += wide(length);
    }
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_stay_when_the_beginning_is_forgotten() {
        let mut log = Log::default();
        log.tail().extend_from_slice(b"abcdef");
        log.forget(4);
        log.tail().extend_from_slice(b"g");
        assert_eq!((log.end(), log.len()), (7, 3));
        assert_eq!(log.since(5), b"fg");
        assert_eq!(log.since(2), b"");
    }
}
