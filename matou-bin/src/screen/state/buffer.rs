//! The scrollback of one tab: bounded in lines and in bytes.

use std::collections::{BTreeMap, VecDeque};

use crate::screen::state::entry::{Body, Entry, Presence};
use crate::screen::text::width::width;
use jiff::civil::DateTime;
use matou_actors::protocol::Username;

/// The number of an entry: grows by one with each, never used twice in one buffer. Prepended
/// entries count downwards.
pub(crate) type EntryId = i64;

/// What a tab has shown so far. Old entries leave at the front when there are too many.
#[derive(Debug)]
pub(crate) struct Buffer {
    entries: VecDeque<Entry>,
    first: EntryId,
    bytes: usize,
    limits: BufferLimits,
    unread: Option<EntryId>,
    /// How many messages have an author whose name takes this many columns.
    name_widths: BTreeMap<usize, usize>,
}

/// How much one buffer may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BufferLimits {
    /// Entries.
    pub(crate) lines: usize,
    /// Bytes of memory, roughly.
    pub(crate) bytes: usize,
}

/// A user joined or left.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RosterMove {
    /// In.
    Joined,
    /// Out.
    Left,
}

impl Buffer {
    /// An empty one.
    pub(crate) fn new(limits: BufferLimits) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            bytes: 0,
            limits,
            unread: None,
            name_widths: BTreeMap::new(),
        }
    }

    /// Adds `entry` at the end.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.bytes += entry.size();
        if let Some(columns) = name_width(&entry) {
            *self.name_widths.entry(columns).or_default() += 1;
        }
        self.entries.push_back(entry);
        while self.entries.len() > self.limits.lines || self.bytes > self.limits.bytes {
            if !self.drop_oldest() {
                break;
            }
        }
    }

    /// Prepends `entries`, or the last of them if there is no room for all; returns whether all
    /// found room.
    pub(crate) fn prepend(&mut self, entries: Vec<Entry>) -> bool {
        for entry in entries.into_iter().rev() {
            let bytes = self.bytes + entry.size();
            let is_full = self.entries.len() >= self.limits.lines || bytes > self.limits.bytes;
            if is_full {
                return false;
            }
            self.bytes = bytes;
            if let Some(columns) = name_width(&entry) {
                *self.name_widths.entry(columns).or_default() += 1;
            }
            self.entries.push_front(entry);
            self.first -= 1;
        }
        true
    }

    /// Adds that `who` joined or left, into the last entry when that is of the same kind
    /// and day.
    pub(crate) fn moved(&mut self, at: DateTime, who: Username, how: RosterMove) {
        let fold = match self.entries.back_mut() {
            Some(Entry { at: last, body: Body::Presence(presence) })
                if last.date() == at.date() =>
            {
                *last = at;
                Some(presence)
            }
            _ => None,
        };
        if let Some(presence) = fold {
            note(presence, who, how);
            return;
        }
        let mut presence = Presence::default();
        note(&mut presence, who, how);
        self.push(Entry { at, body: Body::Presence(Box::new(presence)) });
    }

    /// Forgets the oldest entry; false when there is none, or only one.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        if self.entries.len() < 2 {
            return false;
        }
        if let Some(entry) = self.entries.pop_front() {
            self.bytes = self.bytes.saturating_sub(entry.size());
            self.first += 1;
            self.forget_name(&entry);
        }
        if self.entries.capacity() > 64 && self.entries.len() * 4 < self.entries.capacity() {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        true
    }

    /// The entry with this number, while it is still held.
    pub(crate) fn entry(&self, id: EntryId) -> Option<&Entry> {
        let index = usize::try_from(id.checked_sub(self.first)?).ok()?;
        self.entries.get(index)
    }

    /// The message with this number was delivered.
    pub(crate) fn delivered(&mut self, id: EntryId) {
        let index = id.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let entry = index.and_then(|index| self.entries.get_mut(index));
        if let Some(Entry { body: Body::Said { delivered, .. }, .. }) = entry {
            *delivered = Some(true);
        }
    }

    /// The number of the oldest entry that is held.
    pub(crate) fn first(&self) -> EntryId {
        self.first
    }

    /// The number that the next entry will have.
    pub(crate) fn end(&self) -> EntryId {
        self.first + EntryId::try_from(self.entries.len()).unwrap_or(0)
    }

    /// Columns of the widest name of an author.
    pub(crate) fn widest_name(&self) -> usize {
        self.name_widths.last_key_value().map_or(0, |(width, _)| *width)
    }

    /// Bytes of memory, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The first entry that the user has not seen, if there is one.
    pub(crate) fn unread(&self) -> Option<EntryId> {
        self.unread.map(|id| id.max(self.first))
    }

    /// Draws the unread line above the next entry, unless there is already one with entries below
    /// it.
    pub(crate) fn mark_unread(&mut self) {
        if self.unread.is_none_or(|id| id >= self.end()) {
            self.unread = Some(self.end());
        }
    }

    /// Takes the unread line away.
    pub(crate) fn mark_read(&mut self) {
        self.unread = None;
    }

    /// Whether a line with the date stands above entry `id`.
    pub(crate) fn begins_day(&self, id: EntryId) -> bool {
        let day = |id| self.entry(id).map(|entry| entry.at.date());
        match id.checked_sub(1).and_then(day) {
            Some(before) => Some(before) != day(id),
            None => true,
        }
    }
}

impl Buffer {
    fn forget_name(&mut self, entry: &Entry) {
        let Some(columns) = name_width(entry) else { return };
        if let Some(count) = self.name_widths.get_mut(&columns) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.name_widths.remove(&columns);
            }
        }
    }
}

fn name_width(entry: &Entry) -> Option<usize> {
    match &entry.body {
        Body::Said { from, .. } => Some(width(from.as_str())),
        _ => None,
    }
}

fn note(presence: &mut Presence, who: Username, how: RosterMove) {
    match how {
        RosterMove::Joined => presence.joined(who),
        RosterMove::Left => presence.left(who),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn at(day: i8) -> DateTime {
        date(2026, 11, day).at(12, 0, 0, 0)
    }

    fn notice(text: &str) -> Entry {
        Entry { at: at(1), body: Body::Notice(text.into()) }
    }

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    #[test]
    fn old_entries_leave_when_lines_or_bytes_run_out() {
        let mut buffer = Buffer::new(BufferLimits { lines: 3, bytes: 100_000 });
        for n in 0..10 {
            buffer.push(notice(&n.to_string()));
        }
        assert_eq!((buffer.first(), buffer.end()), (7, 10));
        assert!(buffer.entry(6).is_none() && buffer.entry(10).is_none());
        assert_eq!(buffer.entry(9).unwrap().body.text(), "9");

        let mut buffer = Buffer::new(BufferLimits { lines: 1000, bytes: 10_000 });
        for _ in 0..100 {
            buffer.push(notice(&"x".repeat(1000)));
        }
        assert!(buffer.bytes() <= 10_000 && buffer.end() - buffer.first() >= 8);
    }

    #[test]
    fn joins_and_leaves_fold_into_one_entry_a_day() {
        let mut buffer = Buffer::new(BufferLimits { lines: 100, bytes: 100_000 });
        for n in 0..20 {
            buffer.moved(at(1), name(&format!("n{n}")), RosterMove::Joined);
        }
        buffer.moved(at(1), name("n3"), RosterMove::Left);
        assert_eq!(buffer.end(), 1);
        assert_eq!(
            buffer.entry(0).unwrap().body.text(),
            "→ n0, n1, n2, n4, n5, n6, n7 and 12 more joined · ← n3 left"
        );
        buffer.push(notice("x"));
        buffer.moved(at(1), name("a"), RosterMove::Joined);
        buffer.moved(at(2), name("b"), RosterMove::Joined);
        assert_eq!(buffer.end(), 4);
    }

    #[test]
    fn the_last_move_of_a_person_is_the_one_that_is_shown() {
        use RosterMove::{Joined, Left};
        let shown = |moves: &[RosterMove]| {
            let mut buffer = Buffer::new(BufferLimits { lines: 100, bytes: 100_000 });
            for each in moves {
                buffer.moved(at(1), name("bea"), *each);
            }
            buffer.entry(0).unwrap().body.text().into_owned()
        };
        assert_eq!(shown(&[Left, Joined]), "→ bea rejoined");
        assert_eq!(shown(&[Joined, Left, Joined]), "→ bea rejoined");
        assert_eq!(shown(&[Left, Joined, Left]), "← bea left");
        assert_eq!(shown(&[Joined, Left]), "← bea left");
    }

    #[test]
    fn older_entries_go_before_the_others_as_long_as_there_is_room() {
        let mut buffer = Buffer::new(BufferLimits { lines: 4, bytes: 100_000 });
        buffer.push(notice("new"));
        let new = buffer.first();
        assert!(buffer.prepend(vec![notice("b"), notice("c")]));
        assert!(!buffer.prepend(vec![notice("0"), notice("a")]));
        let text = |id| buffer.entry(id).unwrap().body.text().into_owned();
        let all: Vec<_> = (buffer.first()..buffer.end()).map(text).collect();
        assert_eq!(all, ["a", "b", "c", "new"]);
        assert_eq!(text(new), "new", "numbers do not change");
    }

    #[test]
    fn the_unread_line_stays_where_reading_stopped() {
        let mut buffer = Buffer::new(BufferLimits { lines: 3, bytes: 100_000 });
        buffer.push(notice("seen"));
        buffer.mark_unread();
        buffer.push(notice("new"));
        buffer.mark_unread();
        buffer.push(notice("newer"));
        assert_eq!(buffer.unread(), Some(1));
        for _ in 0..5 {
            buffer.push(notice("flood"));
        }
        assert_eq!(buffer.unread(), Some(buffer.first()));
        buffer.mark_read();
        assert_eq!(buffer.unread(), None);
    }

    #[test]
    fn a_day_begins_where_the_date_changes() {
        let mut buffer = Buffer::new(BufferLimits { lines: 10, bytes: 100_000 });
        for day in [1, 1, 2, 2, 4] {
            buffer.push(Entry { at: at(day), body: Body::Notice("x".into()) });
        }
        let begins: Vec<_> = (0..5).filter(|&id| buffer.begins_day(id)).collect();
        assert_eq!(begins, [0, 2, 4]);
    }
}
