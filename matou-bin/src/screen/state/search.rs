//! Looking for text in a scrollback, some entries at a time so that keys never wait.

use std::ops::Range;

use crate::screen::state::buffer::{Buffer, EntryId};
use crate::screen::state::modal::Search;

/// Bytes that are looked through at once: well below a millisecond.
const STEP_BYTES: usize = 512 * 1024;

/// Where `text` holds `needle` first, without regard to case.
pub(crate) fn find(text: &str, needle: &str) -> Option<Range<usize>> {
    if needle.is_empty() {
        return None;
    }
    if needle.is_ascii() {
        let wanted = needle.as_bytes();
        let at = text
            .as_bytes()
            .windows(wanted.len())
            .position(|window| window.eq_ignore_ascii_case(wanted))?;
        return Some(at..at + wanted.len());
    }
    text.char_indices().find_map(|(start, _)| {
        let mut rest = text.get(start..)?.chars();
        let fits = needle.chars().all(|wanted| {
            rest.next().is_some_and(|c| c == wanted || c.to_lowercase().eq(wanted.to_lowercase()))
        });
        fits.then(|| start..text.len() - rest.as_str().len())
    })
}

impl Search {
    /// Starts over from the newest entry, as the search text has changed.
    pub(crate) fn restart(&mut self, buffer: &Buffer) {
        self.found = None;
        self.forward = false;
        self.scan = if self.input.is_empty() { None } else { buffer.end().checked_sub(1) };
    }

    /// Looks for the next one, older or newer.
    pub(crate) fn next(&mut self, buffer: &Buffer, forward: bool) {
        if self.input.is_empty() {
            return;
        }
        self.forward = forward;
        self.scan = match (self.found, forward) {
            (Some(found), true) => Some(found + 1),
            (Some(found), false) => found.checked_sub(1),
            (None, _) => buffer.end().checked_sub(1),
        };
    }

    /// Looks on for a while. `Some` when it was found there.
    pub(crate) fn step(&mut self, buffer: &Buffer) -> Option<EntryId> {
        let mut left = STEP_BYTES;
        while let Some(id) = self.scan {
            let Some(entry) = buffer.entry(id) else {
                self.scan = None;
                return None;
            };
            let text = entry.body.text();
            if find(&text, self.input.text()).is_some() {
                self.scan = None;
                self.found = Some(id);
                return Some(id);
            }
            self.scan = if self.forward { Some(id + 1) } else { id.checked_sub(1) };
            left = left.saturating_sub(text.len() + 64);
            if left == 0 {
                break;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::screen::state::buffer::BufferLimits;
    use crate::screen::state::entry::{Body, Entry};
    use crate::screen::state::input_line::InputLine;
    use crate::screen::state::tab::Scroll;

    #[test]
    fn case_does_not_matter_in_any_script() {
        assert_eq!(find("Hello World", "WORLD"), Some(6..11));
        assert_eq!(find("été ÉTÉ", "ÉTÉ"), Some(0..5));
        assert_eq!(find("Привет", "привет"), Some(0..12));
        assert_eq!(find("abc", "x"), None);
        assert_eq!(find("ab", "abc"), None);
        assert_eq!(find("abc", ""), None);
    }

    #[test]
    fn a_large_scrollback_is_searched_in_steps() {
        let mut buffer = Buffer::new(BufferLimits { lines: 100_000, bytes: usize::MAX });
        let at = date(2026, 1, 1).at(0, 0, 0, 0);
        for n in 0..30_000 {
            let text = if n % 10_000 == 7 { "needle" } else { "some hay of the usual kind" };
            buffer.push(Entry { at, body: Body::Notice(text.into()) });
        }
        let mut input = InputLine::default();
        input.set("NEEDLE");
        let mut search =
            Search { input, found: None, scan: None, forward: false, origin: Scroll::Bottom };
        search.restart(&buffer);
        let mut run = |forward: Option<bool>| {
            if let Some(forward) = forward {
                search.next(&buffer, forward);
            }
            let mut steps = 0;
            while search.scan.is_some() {
                search.step(&buffer);
                steps += 1;
            }
            (search.found, steps)
        };
        let (found, steps) = run(None);
        assert_eq!(found, Some(20_007));
        assert!(steps > 1, "one step would block the keys");
        assert_eq!(run(Some(false)).0, Some(10_007));
        assert_eq!(run(Some(true)).0, Some(20_007));
        assert_eq!(run(Some(true)).0, Some(20_007), "nothing newer: stays");
    }
}
