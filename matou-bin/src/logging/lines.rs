//! A writer of whole lines.

use std::io::{self, Write};

/// Collects a line until it is flushed, and writes it at once: what formats lines hands over each
/// of their words by itself, and a system call for every word was most of what a line cost. A line
/// that cannot be written whole is forgotten, so that no other one is glued to its beginning.
pub(super) struct Lines<W> {
    out: W,
    line: Vec<u8>,
    /// What to make of a line that is whole.
    finish: fn(&[u8]) -> Vec<u8>,
}

impl<W: Write> Lines<W> {
    /// Writes lines as they are.
    pub(super) fn plain(out: W) -> Self {
        Self::finished(out, <[u8]>::to_vec)
    }

    /// Writes what `finish` makes of each line.
    pub(super) fn finished(out: W, finish: fn(&[u8]) -> Vec<u8>) -> Self {
        Self { out, line: Vec::new(), finish }
    }
}

impl<W: Write> Write for Lines<W> {
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

    /// Takes so many bytes, and then no more until there is room again.
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
    fn a_full_disk_costs_the_lines_that_find_it_full_and_no_other() {
        let disk = Disk::default();
        let mut lines = Lines::plain(disk.clone());
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
