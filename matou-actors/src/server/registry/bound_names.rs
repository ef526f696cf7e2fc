//! Names that belong to keys: who may use a name, and until when.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use super::names::Names;
use crate::protocol::v2::PublicKey;
use crate::protocol::{FoldedName, Username};
use crate::server::accept::bans::Moment;
use crate::server::address_prefix::AddressPrefix;
use crate::server::settings;
use crate::server::shrink_sparse::ShrinkSparse as _;
use crate::server::token_bucket::{Rate, TokenBucket};

/// The most names that belong to keys.
pub(crate) const MOST: usize = 100_000;
/// How many names give way at once when there are too many: looking for them takes a while.
const GIVE_WAY: usize = MOST / 100;
/// How long a name is kept that was used on one day only.
const ONE_DAY_NAME: i64 = DAY;
const DAY: i64 = 24 * 60 * 60;
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A name and the key that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    /// As it was first written.
    pub(crate) name: Username,
    pub(crate) key: PublicKey,
    pub(crate) first_use: Timestamp,
    pub(crate) last_use: Timestamp,
}

/// How names are bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BindingRules {
    /// Seconds after the last use; 0 turns it off.
    keep: i64,
    /// New names for each address.
    new_names: Option<Rate>,
}

/// The names that belong to keys. Time is what the caller says that it is.
#[derive(Debug, Default)]
pub(crate) struct BoundNames {
    rules: BindingRules,
    names: Names<Binding>,
    new_names: HashMap<AddressPrefix, TokenBucket>,
    changes: Vec<NameChange>,
}

/// What became of a name: it is to be kept like this, or forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameChange {
    pub(crate) name: FoldedName,
    pub(crate) binding: Option<Binding>,
}

/// The name, or one that looks like it, belongs to another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OtherKey;

/// The address has had too many new names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyNewNames;

impl BindingRules {
    pub(crate) fn new(settings: &settings::NamesSettings) -> Self {
        let new_names = Rate::new(settings.new_per_hour, HOUR, settings.new_per_hour);
        Self { keep: i64::from(settings.keep_days) * DAY, new_names }
    }

    fn are_off(&self) -> bool {
        self.keep == 0
    }
}

impl BoundNames {
    /// The names that were `kept`.
    pub(crate) fn new(rules: BindingRules, kept: impl IntoIterator<Item = Binding>) -> Self {
        let mut bound = Self { rules, ..Self::default() };
        for binding in kept {
            let name = binding.name.clone();
            // Names that look alike were not admitted together.
            let _ = bound.names.claim(binding, &name);
        }
        bound
    }

    pub(crate) fn set_rules(&mut self, rules: BindingRules) {
        self.rules = rules;
    }

    /// Whether the user with that key, or without one, may have `name`.
    pub(crate) fn check(
        &mut self,
        name: &Username,
        key: Option<&PublicKey>,
        now: Moment,
    ) -> Result<(), OtherKey> {
        if self.rules.are_off() {
            return Ok(());
        }
        match self.names.holder(name) {
            Some(binding) if Some(&binding.key) == key => return Ok(()),
            Some(binding) if !self.has_expired(binding, now) => return Err(OtherKey),
            Some(binding) => self.remove(&binding.name.clone()),
            None => {}
        }
        if self.names.looks_taken(name) { Err(OtherKey) } else { Ok(()) }
    }

    /// Binds `name`, which [`Self::check`] allows, to `key`, or notes that it is used again.
    pub(crate) fn bind(
        &mut self,
        name: &Username,
        key: &PublicKey,
        from: IpAddr,
        now: Moment,
    ) -> Result<(), TooManyNewNames> {
        if self.rules.are_off() || self.note_use(name, key, now) {
            return Ok(());
        }
        self.count_new_name(from, now)?;
        if self.names.len() >= MOST {
            self.make_room(now);
        }
        if self.names.len() >= MOST {
            // Joining matters more than owning the name.
            return Ok(());
        }
        let (key, at) = (*key, now.wall);
        let binding = Binding { name: name.clone(), key, first_use: at, last_use: at };
        if self.names.claim(binding.clone(), name).is_ok() {
            self.changes.push(NameChange { name: name.folded(), binding: Some(binding) });
        }
        Ok(())
    }

    /// Notes that `name` is used at `now`; whether it belongs to `key`.
    pub(crate) fn note_use(&mut self, name: &Username, key: &PublicKey, now: Moment) -> bool {
        let Some(binding) = self.names.holder_mut(name).filter(|binding| binding.key == *key)
        else {
            return false;
        };
        // A clock that is set back frees no name.
        binding.last_use = binding.last_use.max(now.wall);
        self.changes.push(NameChange { name: name.folded(), binding: Some(binding.clone()) });
        true
    }

    /// Forgets expired names. Members present have recorded their use before.
    pub(crate) fn expire(&mut self, now: Moment) {
        self.new_names.retain(|_, used| !used.is_full(now.steady));
        self.new_names.shrink_sparse();
        if self.rules.are_off() {
            return;
        }
        let expired: Vec<Username> = self
            .names
            .holders()
            .filter(|binding| self.has_expired(binding, now))
            .map(|binding| binding.name.clone())
            .collect();
        for name in expired {
            self.remove(&name);
        }
    }

    /// Frees `name`; returns its binding.
    pub(crate) fn forget(&mut self, name: &Username) -> Option<Binding> {
        let binding = self.names.holder(name)?.clone();
        self.remove(&binding.name);
        Some(binding)
    }

    /// All names, in no order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Binding> {
        self.names.holders()
    }

    /// The changes since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<NameChange> {
        std::mem::take(&mut self.changes)
    }

    fn has_expired(&self, binding: &Binding, now: Moment) -> bool {
        let keep = if binding.is_of_one_day() { ONE_DAY_NAME } else { self.rules.keep };
        let since = now.wall.as_second().saturating_sub(binding.last_use.as_second());
        since >= keep.min(self.rules.keep)
    }

    /// Frees `name`, spelled as it is bound.
    fn remove(&mut self, name: &Username) {
        self.names.release(name);
        self.changes.push(NameChange { name: name.folded(), binding: None });
    }

    /// The server's own machine has no limit: its users are known.
    fn count_new_name(&mut self, from: IpAddr, now: Moment) -> Result<(), TooManyNewNames> {
        let Some(rate) = self.rules.new_names.filter(|_| !from.to_canonical().is_loopback()) else {
            return Ok(());
        };
        if self.new_names.len() >= MOST {
            self.new_names.retain(|_, used| !used.is_full(now.steady));
        }
        let prefix = AddressPrefix::from(from);
        if self.new_names.len() >= MOST && !self.new_names.contains_key(&prefix) {
            return Err(TooManyNewNames);
        }
        let used = self.new_names.entry(prefix).or_default();
        if used.try_take(rate, now.steady) { Ok(()) } else { Err(TooManyNewNames) }
    }

    /// Forgets expired names; if there are none, then among the names used on one day only those
    /// unused for longest.
    fn make_room(&mut self, now: Moment) {
        self.expire(now);
        if self.names.len() < MOST {
            return;
        }
        let short_lived = self.names.holders().filter(|binding| binding.is_of_one_day());
        let mut oldest: Vec<(Timestamp, Username)> =
            short_lived.map(|binding| (binding.last_use, binding.name.clone())).collect();
        oldest.sort_unstable();
        for (_, name) in oldest.into_iter().take(GIVE_WAY) {
            self.remove(&name);
        }
    }
}

impl Binding {
    /// Whether the name was used on one day only, by UTC.
    fn is_of_one_day(&self) -> bool {
        let day = |at: Timestamp| at.as_second().div_euclid(DAY);
        day(self.first_use) == day(self.last_use)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: PublicKey = PublicKey([1; 32]);
    const EVE: PublicKey = PublicKey([2; 32]);
    const HOME: [u8; 4] = [192, 0, 2, 7];

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    fn at(second: i64) -> Moment {
        Moment::at(second)
    }

    fn rules(keep_days: u32, new_per_hour: u32) -> BindingRules {
        BindingRules::new(&settings::NamesSettings {
            keep_days,
            new_per_hour,
            ..settings::NamesSettings::default()
        })
    }

    fn bound() -> BoundNames {
        BoundNames::new(rules(90, 3), [])
    }

    impl BoundNames {
        fn joins(&mut self, text: &str, key: &PublicKey, now: i64) -> Result<(), OtherKey> {
            self.check(&name(text), Some(key), at(now))?;
            self.bind(&name(text), key, [127, 0, 0, 1].into(), at(now)).unwrap();
            Ok(())
        }
    }

    #[test]
    fn a_name_belongs_to_the_key_that_used_it_first() {
        let mut bound = bound();
        bound.joins("Ann", &ANN, 0).unwrap();
        for spelling in ["Ann", "ann", "ANN", "Аnn", "Ａｎｎ"] {
            assert_eq!(bound.joins(spelling, &EVE, 1), Err(OtherKey), "{spelling}");
            assert_eq!(bound.check(&name(spelling), None, at(1)), Err(OtherKey), "{spelling}");
        }
        assert_eq!(bound.joins("ann", &ANN, 1), Ok(()));
        assert_eq!(bound.joins("Anna", &EVE, 1), Ok(()));
    }

    #[test]
    fn a_name_is_kept_for_some_days_after_its_last_use() {
        let mut bound = bound();
        bound.joins("Ann", &ANN, 0).unwrap();
        bound.joins("Ann", &ANN, DAY).unwrap();
        assert_eq!(bound.joins("Ann", &EVE, 91 * DAY - 1), Err(OtherKey));
        assert_eq!(bound.joins("ANN", &EVE, 91 * DAY), Ok(()));
        assert_eq!(bound.joins("Ann", &ANN, 91 * DAY), Err(OtherKey));
    }

    #[test]
    fn a_name_that_was_used_on_one_day_only_is_kept_for_a_day() {
        let mut bound = bound();
        bound.joins("Ann", &ANN, 0).unwrap();
        assert!(bound.note_use(&name("Ann"), &ANN, at(DAY - 1)));
        assert_eq!(bound.joins("Ann", &EVE, 2 * DAY - 2), Err(OtherKey));
        assert_eq!(bound.joins("Ann", &EVE, 2 * DAY - 1), Ok(()));
    }

    #[test]
    fn an_expired_name_also_frees_its_lookalikes() {
        let mut bound = bound();
        bound.joins("coco", &ANN, 0).unwrap();
        bound.take_changes();
        bound.expire(at(DAY - 1));
        assert_eq!(bound.joins("сосо", &EVE, DAY), Err(OtherKey), "Cyrillic letters");
        bound.expire(at(DAY));
        let gone = NameChange { name: name("coco").folded(), binding: None };
        assert_eq!(bound.take_changes(), [gone]);
        assert_eq!(bound.joins("сосо", &EVE, DAY), Ok(()));
    }

    #[test]
    fn no_days_turn_it_off_and_lose_nothing() {
        let mut bound = bound();
        bound.joins("Ann", &ANN, 0).unwrap();
        bound.set_rules(rules(0, 3));
        bound.expire(at(DAY * 1000));
        assert_eq!(bound.joins("Ann", &EVE, 1), Ok(()));
        bound.set_rules(rules(90, 3));
        assert_eq!(bound.joins("Ann", &EVE, 1), Err(OtherKey));
    }

    #[test]
    fn an_address_gets_three_new_names_an_hour() {
        let mut bound = bound();
        let mut new =
            |text: &str, from: IpAddr, now| bound.bind(&name(text), &ANN, from, at(now)).is_ok();
        let home = IpAddr::from(HOME);
        assert!(new("a", home, 0) && new("b", home, 0) && new("c", home, 0));
        assert!(!new("d", home, 0) && new("a", home, 0), "only new names count");
        let in_ipv6 = |host: &str| format!("2001:db8::{host}").parse::<IpAddr>().unwrap();
        assert!(
            new("e", in_ipv6("1"), 0) && new("f", in_ipv6("2"), 0) && new("g", in_ipv6("3"), 0)
        );
        assert!(!new("h", in_ipv6("4"), 0), "a /64 is one address");
        assert!(!new("d", home, 1199) && new("d", home, 1200) && !new("i", home, 1200));
        let here = IpAddr::from([127, 0, 0, 1]);
        assert!(('j'..='z').all(|letter| new(&letter.to_string(), here, 0)));
    }

    #[test]
    fn a_name_that_was_forgotten_is_free() {
        let mut bound = bound();
        bound.joins("\u{212a}arl", &ANN, 0).unwrap();
        assert_eq!(bound.forget(&name("karl")).map(|binding| binding.key), Some(ANN));
        assert_eq!(bound.forget(&name("karl")), None);
        assert_eq!(bound.joins("karl", &EVE, 0), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_use_older() {
        let mut bound = bound();
        bound.joins("Ann", &ANN, 100 * DAY).unwrap();
        bound.joins("Ann", &ANN, 0).unwrap();
        assert_eq!(bound.all().next().unwrap().last_use, at(100 * DAY).wall);
        assert_eq!(bound.joins("Ann", &EVE, 0), Err(OtherKey));
    }

    fn binding(number: usize, first: i64, last: i64) -> Binding {
        let (first_use, last_use) = (at(first).wall, at(last).wall);
        Binding { name: name(&format!("user{number}")), key: EVE, first_use, last_use }
    }

    #[test]
    fn the_oldest_names_used_on_one_day_only_are_evicted_first() {
        let kept = (0..MOST).map(|number| match number {
            0 => binding(0, 0, DAY),
            1 => binding(1, DAY, DAY),
            _ => binding(number, DAY, DAY + 1),
        });
        let mut bound = BoundNames::new(rules(90, 3), kept);
        bound.joins("Ann", &ANN, DAY + 2).unwrap();
        assert_eq!(bound.names.len(), MOST - GIVE_WAY + 1);
        assert!(bound.names.holder(&name("user0")).is_some());
        assert!(bound.names.holder(&name("user1")).is_none());
        assert_eq!(bound.joins("ann", &EVE, DAY + 2), Err(OtherKey));
    }

    #[test]
    fn without_a_place_a_name_can_be_used_and_belongs_to_no_one() {
        let kept = (0..MOST).map(|number| binding(number, 0, DAY));
        let mut bound = BoundNames::new(rules(90, 3), kept);
        bound.joins("Ann", &ANN, DAY).unwrap();
        assert_eq!(bound.joins("Ann", &EVE, DAY), Ok(()));
        assert_eq!(bound.take_changes(), []);
    }
}
