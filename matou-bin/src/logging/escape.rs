//! What is logged cannot act on the terminal that shows it, nor pass for another line.

use std::io::{self, Write};

use slog::{OwnedKVList, Record};
use slog_term::{Decorator, RecordDecorator};

use crate::sanitize::{json_escaped, sanitize};

/// Writes messages, keys and values through [`sanitize`]; colours and line ends of the decorator
/// within stay.
pub(super) struct EscapingDecorator<D>(pub(super) D);

impl<D: Decorator> Decorator for EscapingDecorator<D> {
    fn with_record<F>(&self, record: &Record<'_>, values: &OwnedKVList, f: F) -> io::Result<()>
    where
        F: FnOnce(&mut dyn RecordDecorator) -> io::Result<()>,
    {
        self.0.with_record(record, values, |inner| f(&mut Escaping { inner, own: true }))
    }
}

struct Escaping<'a> {
    inner: &'a mut dyn RecordDecorator,
    /// What is being written is the format's own: blanks, commas, the line end.
    own: bool,
}

impl Write for Escaping<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.own {
            self.inner.write_all(bytes)?;
        } else {
            // Formatting hands over whole pieces of text, never half a character.
            self.inner.write_all(sanitize(&String::from_utf8_lossy(bytes)).as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

macro_rules! parts {
    ($($name:ident $own:literal)*) => {$(
        fn $name(&mut self) -> io::Result<()> {
            self.own = $own;
            self.inner.$name()
        }
    )*};
}

impl RecordDecorator for Escaping<'_> {
    parts! {
        reset true
        start_whitespace true
        start_timestamp true
        start_level true
        start_comma true
        start_separator true
        start_location true
        start_msg false
        start_key false
        start_value false
    }
}

/// A JSON line with the characters that act or hide as `\uXXXX`. Such characters can only stand
/// inside strings, so the line says the same as before.
pub(super) fn escape_json(line: &[u8]) -> Vec<u8> {
    json_escaped(&String::from_utf8_lossy(line)).into_owned().into_bytes()
}
