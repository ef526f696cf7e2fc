//! The limits that both revisions share.

/// The longest encoded username, in bytes.
pub const MAX_USERNAME: usize = 32;
/// The longest encoded message text, in bytes.
pub const MAX_MESSAGE: usize = 512;
/// A file travels in chunks of this many bytes, the last one may be smaller.
pub const FILE_CHUNK: usize = 4096;
/// The port that a server listens on by default.
pub const DEFAULT_PORT: u16 = 6286;
