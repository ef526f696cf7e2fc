//! A line-buffered writer.

use std::io::{self, Write};

/// Buffers a line until it is flushed and writes it with one system call: formatters emit many small
/// pieces, and a call per piece dominated the cost of a line. A line that cannot be written is
/// discarded, so that the next one is not appended to its beginning.
pub(super) struct LogLines<W> {
    out: W,
    line: Vec<u8>,
    /// The transformation of a complete line.
    finish: fn(&[u8]) -> Vec<u8>,
}

impl<W: Write> LogLines<W> {
    /// Writes lines unchanged.
    pub(super) fn plain(out: W) -> Self {
        Self::finished(out, <[u8]>::to_vec)
    }

    /// Applies `finish` to each line before writing.
    pub(super) fn finished(out: W, finish: fn(&[u8]) -> Vec<u8>) -> Self {
        Self { out, line: Vec::new(), finish }
    }
}

impl<W: Write> Write for LogLines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.line.is_empty() {
            return Ok(());
        }
        let line = (self.finish)(&self.line);
        self.line.clear();
        self.out.write_all(&line)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// Accepts a limited number of bytes.
    #[derive(Clone, Default)]
    struct Disk(Rc<RefCell<(usize, Vec<u8>)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (room, written) = &mut *self.0.borrow_mut();
            let taken = bytes.get(..bytes.len().min(*room)).unwrap_or_default();
            if taken.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            *room -= taken.len();
            written.extend_from_slice(taken);
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_loses_only_the_lines_written_while_full() {
        let disk = Disk::default();
        let mut lines = LogLines::plain(disk.clone());
        for (line, room, fits) in [("one\n", 4, true), ("two\n", 0, false), ("three\n", 9, true)] {
            disk.0.borrow_mut().0 = room;
            for word in line.split_inclusive('e') {
                lines.write_all(word.as_bytes()).unwrap();
            }
            assert_eq!(lines.flush().is_ok(), fits, "{line}");
        }
        assert_eq!(disk.0.borrow().1, b"one\nthree\n");
    }
}
