//! Bytes from a fuzzer, spent one decision at a time.

/// Decisions made by some bytes; when they are spent, so is the run.
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number below `limit`, which is at most 256.
    pub(crate) fn below(&mut self, limit: usize) -> Option<usize> {
        Some(usize::from(self.byte()?) % limit.max(1))
    }

    /// All that was not spent.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}
