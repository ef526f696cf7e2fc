//! Names in narrow columns, so that no two of them look the same.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};

use super::width::{prefix, shorten, width};

/// Characters of a mark: none of them is easily mistaken for another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Columns of a mark and the ellipsis before it.
const MARK: usize = 4;

/// Shortens names, each with a distinct mark. The marks depend on a key that others do not know, so
/// no one can choose a name that looks like another one when both are cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortNames {
    key: u64,
}

impl ShortNames {
    /// With a key for this run.
    pub(crate) fn random() -> Self {
        Self { key: RandomState::new().hash_one(0) }
    }

    /// With this key.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn with_key(key: u64) -> Self {
        Self { key }
    }

    /// `name` in at most `columns`: its beginning, `…` and three characters for the whole of it.
    pub(crate) fn shorten(self, name: &str, columns: usize) -> Cow<'_, str> {
        if width(name) <= columns {
            return Cow::Borrowed(name);
        }
        let Some(room) = columns.checked_sub(MARK).filter(|room| *room > 0) else {
            return shorten(name, columns);
        };
        Cow::Owned(format!("{}…{}", prefix(name, room), self.mark(name)))
    }

    fn mark(self, name: &str) -> String {
        // FNV-1a, finished so that every bit of the name reaches the low ones.
        let mut hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64 ^ self.key, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        hash ^= hash >> 32;
        let character = |shift: u32| {
            let index = usize::try_from(hash >> shift & 31).unwrap_or(0);
            ALPHABET.get(index).map_or('?', |byte| char::from(*byte))
        };
        [0, 5, 10].into_iter().map(character).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_their_cut_part_differ_when_shortened() {
        let names = ShortNames::with_key(1);
        let (one, other) = ("MaximilianOfHereOne", "MaximilianOfHereTwo");
        for columns in [8, 10, 13, 18] {
            let (one, other) = (names.shorten(one, columns), names.shorten(other, columns));
            assert_ne!(one, other);
            assert_eq!((width(&one), width(&other)), (columns, columns));
        }
        assert_eq!(names.shorten(one, 19), one);
        assert_eq!(names.shorten(one, 3), "Ma…");
    }

    #[test]
    fn marks_differ_from_run_to_run() {
        let mark = |key| ShortNames::with_key(key).shorten("MaximilianOfHere", 10).into_owned();
        assert_ne!(mark(1), mark(2));
    }
}
