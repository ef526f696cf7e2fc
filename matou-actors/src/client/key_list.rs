//! Reading a file of keys that were seen: of bounded size, and never one that blocks.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The largest file that is read.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The text of the file; none if there is no file.
pub(super) fn read(file: &Path) -> io::Result<Option<String>> {
    // Opening a named pipe would wait for its other end.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = match OpenOptions::new().read(true).custom_flags(flags).open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    let length = opened.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(io::Error::other("larger than 4 MiB"));
    }
    Ok(Some(text))
}
