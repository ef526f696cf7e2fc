//! Sanitizes log records: they can neither control the terminal nor forge other lines.

use std::io::{self, Write};

use slog::{OwnedKVList, Record};
use slog_term::{Decorator, RecordDecorator};

use crate::sanitize::{json_escaped, sanitize};

/// Sanitizes messages, keys and values; keeps the colours and line breaks of the inner decorator.
pub(super) struct EscapingDecorator<D>(pub(super) D);

impl<D: Decorator> Decorator for EscapingDecorator<D> {
    fn with_record<F>(&self, record: &Record<'_>, values: &OwnedKVList, f: F) -> io::Result<()>
    where
        F: FnOnce(&mut dyn RecordDecorator) -> io::Result<()>,
    {
        self.0.with_record(record, values, |inner| f(&mut Escaping { inner, trusted: true }))
    }
}

struct Escaping<'a> {
    inner: &'a mut dyn RecordDecorator,
    /// Whether the current output is the format's own: blanks, commas, the line break.
    trusted: bool,
}

impl Write for Escaping<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.trusted {
            self.inner.write_all(bytes)?;
        } else {
            // Formatting passes whole strings, never partial characters.
            self.inner.write_all(sanitize(&String::from_utf8_lossy(bytes)).as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

macro_rules! parts {
    ($($name:ident $trusted:literal)*) => {$(
        fn $name(&mut self) -> io::Result<()> {
            self.trusted = $trusted;
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

/// Escapes control and hidden characters of a JSON line as `\uXXXX`. They occur only inside
/// strings, so the line stays equivalent.
pub(super) fn escape_json(line: &[u8]) -> Vec<u8> {
    json_escaped(&String::from_utf8_lossy(line)).into_owned().into_bytes()
}
