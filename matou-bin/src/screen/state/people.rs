//! Who is in the room, and who spoke last.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use matou_actors::protocol::{FoldedName, Username};

use crate::screen::text::width::width;

/// People that the roster holds; a server could announce people without end.
const MAX_PEOPLE: usize = 20_000;
/// Speakers that completion offers first.
const MAX_SPEAKERS: usize = 30;

/// The people in the room, by name.
#[derive(Debug, Default)]
pub(crate) struct People {
    present: BTreeMap<FoldedName, Username>,
    /// How many of them have a name of this many columns.
    widths: BTreeMap<usize, usize>,
    /// Who spoke last, newest first.
    speakers: VecDeque<Username>,
}

impl People {
    /// Forgets all users.
    pub(crate) fn clear(&mut self) {
        self.present.clear();
        self.widths.clear();
    }

    /// A user is here.
    pub(crate) fn add(&mut self, who: Username) {
        if self.present.len() < MAX_PEOPLE {
            *self.widths.entry(width(who.as_str())).or_default() += 1;
            let before = self.present.insert(who.folded(), who);
            self.forget_width(before);
        }
    }

    /// A user left.
    pub(crate) fn remove(&mut self, who: &Username) {
        let before = self.present.remove(&who.folded());
        self.forget_width(before);
    }

    /// Columns of the widest name.
    pub(crate) fn widest(&self) -> usize {
        self.widths.last_key_value().map_or(0, |(width, _)| *width)
    }

    /// A user sent a message.
    pub(crate) fn spoke(&mut self, who: &Username) {
        if self.speakers.front() == Some(who) {
            return;
        }
        self.speakers.retain(|speaker| speaker.folded() != who.folded());
        self.speakers.push_front(who.clone());
        self.speakers.truncate(MAX_SPEAKERS);
    }

    /// Whether a user of this name is among those who spoke last.
    pub(crate) fn has_spoken(&self, who: &Username) -> bool {
        self.speakers.iter().any(|speaker| speaker.folded() == who.folded())
    }

    /// How many are here.
    pub(crate) fn count(&self) -> usize {
        self.present.len()
    }

    /// Whether a user of this name is here.
    pub(crate) fn has(&self, who: &Username) -> bool {
        self.present.contains_key(&who.folded())
    }

    /// All users, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Username> {
        self.present.values()
    }

    /// All users but those, by name.
    pub(crate) fn except(&self, those: BTreeSet<FoldedName>) -> impl Iterator<Item = &Username> {
        let others = self.present.iter().filter(move |(key, _)| !those.contains(*key));
        others.map(|(_, who)| who)
    }

    /// The users whose name begins with `prefix` without regard to case: those who spoke last come
    /// first, the others follow by name.
    pub(crate) fn matching(&self, prefix: &str) -> Vec<Username> {
        let prefix = prefix.to_lowercase();
        let fits = |who: &&Username| who.as_str().to_lowercase().starts_with(&prefix);
        let mut found: Vec<Username> =
            self.speakers.iter().filter(|who| self.has(who)).filter(fits).cloned().collect();
        let spoken = found.clone();
        found.extend(self.all().filter(fits).filter(|who| !spoken.contains(who)).cloned());
        found
    }
}

impl People {
    fn forget_width(&mut self, who: Option<Username>) {
        let Some(columns) = who.map(|who| width(who.as_str())) else { return };
        if let Some(count) = self.widths.get_mut(&columns) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.widths.remove(&columns);
            }
        }
    }
}

/// `ann, bob and 3 more`: at most `limit` names.
pub(crate) fn list(names: &[Username], limit: usize) -> String {
    let listed: Vec<_> = names.iter().take(limit).map(Username::as_str).collect();
    let listed = listed.join(", ");
    match names.len().saturating_sub(limit) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

/// Whether `text` contains `name` as a whole word, without regard to case.
pub(crate) fn mentions(text: &str, name: &Username) -> bool {
    mention(text, name).is_some()
}

/// Where `text` has `name` in it first, in bytes.
pub(crate) fn mention(text: &str, name: &Username) -> Option<std::ops::Range<usize>> {
    let needle = name.as_str();
    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    for (start, _) in text.char_indices() {
        let before = text.get(..start)?.chars().next_back();
        if !ends(before) {
            continue;
        }
        let Some(length) = same_start(text.get(start..)?, needle) else { continue };
        if ends(text.get(start + length..)?.chars().next()) {
            return Some(start..start + length);
        }
    }
    None
}

/// How many bytes of the beginning of `text` spell `word` without regard to case.
fn same_start(text: &str, word: &str) -> Option<usize> {
    let mut rest = text.chars();
    for expected in word.chars() {
        let found = rest.next()?;
        if found != expected && !found.to_lowercase().eq(expected.to_lowercase()) {
            return None;
        }
    }
    Some(text.len() - rest.as_str().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    #[test]
    fn names_are_found_as_words_only() {
        let bob = name("Bob");
        for text in ["bob: hi", "hi BOB", "(bob)", "bobby bob!", "@bob"] {
            assert!(mentions(text, &bob), "{text}");
        }
        for text in ["bobby", "abob", "bob2", ""] {
            assert!(!mentions(text, &bob), "{text}");
        }
        assert!(mentions("hé élodie", &name("Élodie")));
        assert_eq!(mention("hi bob", &bob), Some(3..6));
    }

    #[test]
    fn the_last_speaker_is_completed_first() {
        let mut people = People::default();
        for who in ["alan", "alice", "Albert", "bob"] {
            people.add(name(who));
        }
        people.spoke(&name("alice"));
        people.spoke(&name("bob"));
        assert_eq!(people.matching("AL"), [name("alice"), name("alan"), name("Albert")]);
        people.remove(&name("ALICE"));
        assert_eq!(people.matching("ali"), []);
    }

    #[test]
    fn the_roster_has_an_end() {
        let mut people = People::default();
        for n in 0..MAX_PEOPLE + 10 {
            people.add(name(&format!("n{n}")));
        }
        assert_eq!(people.count(), MAX_PEOPLE);
    }
}
