//! Who holds which name, and which names are too similar to coexist.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use unicode_security::mixed_script::AugmentedScriptSet;

use crate::protocol::{FoldedName, Username};
use crate::server::shrink_sparse::ShrinkSparse as _;

/// Names, each with its holder. They are claimed and released; nothing here waits or expires.
#[derive(Debug)]
pub(crate) struct Names<H> {
    by_key: HashMap<FoldedName, H>,
    by_skeleton: HashMap<Box<str>, SkeletonUse>,
}

/// What decides whether two names may coexist. It depends on the Unicode tables of the program that
/// computed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NameForms {
    pub(crate) folded: FoldedName,
    skeletons: Vec<Box<str>>,
    is_ascii: bool,
}

/// A name cannot be given away: it, or one that looks like it, is in use or reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameTaken;

/// How many names have one skeleton (UTS 39). ASCII names may share it with each other (`l1` and
/// `II`), a name with other letters with none.
#[derive(Debug, Default)]
struct SkeletonUse {
    ascii: u32,
    other: u32,
}

impl<H> Names<H> {
    /// Claims `name` for `holder` unless it is taken.
    pub(crate) fn claim(&mut self, holder: H, name: &Username) -> Result<(), NameTaken> {
        self.claim_forms(holder, &NameForms::of(name))
    }

    /// As [`Names::claim`], with forms that another program may have computed.
    pub(crate) fn claim_forms(&mut self, holder: H, name: &NameForms) -> Result<(), NameTaken> {
        if self.are_taken(name) {
            return Err(NameTaken);
        }
        self.by_key.insert(name.folded.clone(), holder);
        for skeleton in &name.skeletons {
            *self.by_skeleton.entry(skeleton.clone()).or_default().of(name) += 1;
        }
        Ok(())
    }

    /// Whether `name` looks like one that is taken, or is one.
    pub(crate) fn looks_taken(&self, name: &Username) -> bool {
        self.are_taken(&NameForms::of(name))
    }

    fn are_taken(&self, name: &NameForms) -> bool {
        let mut held = name.skeletons.iter().filter_map(|skeleton| self.by_skeleton.get(skeleton));
        held.any(|used| used.other > 0 || (!name.is_ascii && used.ascii > 0))
            || self.by_key.contains_key(&name.folded)
    }

    /// Releases `name`, spelled as it was claimed, if it is taken.
    pub(crate) fn release(&mut self, name: &Username) {
        self.release_forms(&NameForms::of(name));
    }

    /// Frees the name that was claimed with these forms, if it is taken.
    pub(crate) fn release_forms(&mut self, name: &NameForms) {
        if self.by_key.remove(&name.folded).is_none() {
            return;
        }
        for skeleton in &name.skeletons {
            if let Some(held) = self.by_skeleton.get_mut(skeleton) {
                let count = held.of(name);
                *count = count.saturating_sub(1);
                if held.ascii + held.other == 0 {
                    self.by_skeleton.remove(skeleton);
                }
            }
        }
        self.by_key.shrink_sparse();
        self.by_skeleton.shrink_sparse();
    }

    /// Who holds `name`, without regard to case.
    pub(crate) fn holder(&self, name: &Username) -> Option<&H> {
        self.by_key.get(&name.folded())
    }

    /// Who holds the name with these forms.
    pub(crate) fn holder_of(&self, name: &NameForms) -> Option<&H> {
        self.by_key.get(&name.folded)
    }

    /// As [`Names::holder`], to be changed.
    pub(crate) fn holder_mut(&mut self, name: &Username) -> Option<&mut H> {
        self.by_key.get_mut(&name.folded())
    }

    /// All holders, in no order.
    pub(crate) fn holders(&self) -> impl Iterator<Item = &H> {
        self.by_key.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }
}

impl<H> Default for Names<H> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), by_skeleton: HashMap::new() }
    }
}

impl SkeletonUse {
    fn of(&mut self, name: &NameForms) -> &mut u32 {
        if name.is_ascii { &mut self.ascii } else { &mut self.other }
    }
}

impl NameForms {
    pub(crate) fn of(name: &Username) -> Self {
        let mut skeletons = Vec::from(name.skeletons());
        skeletons.dedup();
        Self { folded: name.folded(), skeletons, is_ascii: name.is_ascii() }
    }
}

/// Whether all letters of `name` are of one script, or of those that are written together in
/// Chinese, Japanese and Korean, with or without Latin ("highly restrictive", UTS 39, 5.2).
pub(super) fn is_of_one_script(name: &Username) -> bool {
    let meet = |mut one: AugmentedScriptSet, other| {
        one.intersect_with(other);
        one
    };
    let latin = AugmentedScriptSet::for_char('a');
    let letters = || name.as_str().chars().map(AugmentedScriptSet::for_char);
    if !letters().fold(AugmentedScriptSet::default(), meet).is_empty() {
        return true;
    }
    let others = letters().filter(|&set| meet(set, latin).is_empty());
    let others = others.fold(AugmentedScriptSet::default(), meet);
    others.hanb || others.jpan || others.kore
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::ids::MemberId;

    const ALICE: MemberId = MemberId(1);
    const BOB: MemberId = MemberId(2);

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    fn clash(held: &str, claimed: &str) -> bool {
        let mut names = Names::default();
        names.claim(ALICE, &name(held)).unwrap();
        names.claim(BOB, &name(claimed)).is_err()
    }

    #[test]
    fn a_name_is_taken_without_regard_to_case() {
        for (held, claimed) in [("Alice", "alice"), ("ÉLODIE", "élodie"), ("ИВАН", "иван")]
        {
            assert!(clash(held, claimed) && clash(claimed, held), "{held} {claimed}");
        }
        assert!(!clash("alice", "alice2"));
    }

    #[test]
    fn names_that_look_alike_clash_when_one_of_them_is_not_ascii() {
        let pairs = [
            ("alice", "аlice"),
            ("Harry", "Нarry"),
            ("omega", "οmega"),
            ("bob", "ｂｏｂ"),
            ("bob", "ＢＯＢ"),
            ("Ivan", "Іvan"),
            ("cat", "сat"),
            ("oо", "оo"),
        ];
        for (held, claimed) in pairs {
            assert!(clash(held, claimed) && clash(claimed, held), "{held} {claimed}");
        }
    }

    #[test]
    fn ascii_names_that_look_alike_may_stand_side_by_side() {
        for (held, claimed) in [("l1", "II"), ("O0", "OO"), ("modern", "rnodern")] {
            assert!(!clash(held, claimed), "{held} {claimed}");
        }
    }

    #[test]
    fn a_name_is_of_one_script() {
        for mixed in ["maτou", "ΒΟRIS", "аlice", "Bоb", "αб", "한б", "aб1"] {
            assert!(!is_of_one_script(&name(mixed)), "{mixed}");
        }
        for single in [
            "Boris",
            "Борис",
            "τα",
            "Élodie2",
            "渡辺ケン",
            "ケンken",
            "한글abc",
            "王wang",
            "42",
            "ｂｏｂ",
        ] {
            assert!(is_of_one_script(&name(single)), "{single}");
        }
    }

    #[test]
    fn a_released_name_is_free_at_once_and_so_are_those_that_look_like_it() {
        let mut names = Names::default();
        names.claim(ALICE, &name("Нarry")).unwrap();
        names.release(&name("Нarry"));
        assert_eq!(names.claim(BOB, &name("harry")), Ok(()));
        assert_eq!(names.holder(&name("HARRY")), Some(&BOB));
        names.release(&name("harry"));
        assert!(names.by_key.is_empty() && names.by_skeleton.is_empty());
    }

    #[test]
    fn releasing_a_free_name_changes_nothing() {
        let mut names = Names::default();
        names.claim(ALICE, &name("a")).unwrap();
        names.release(&name("b"));
        assert_eq!(names.claim(BOB, &name("A")), Err(NameTaken));
    }
}
