//! Texts that did not arrive, kept so that the user can send them again.

use std::collections::{HashMap, VecDeque};

use crate::protocol::{FoldedName, MessageText, Username};

/// Texts kept for one user, the last ones.
const MOST: usize = 1_000;
/// Users for whom some are kept.
const MOST_USERS: usize = 100;

/// Texts that did not arrive, by whom they were for.
#[derive(Debug, Default)]
pub(super) struct Undelivered(HashMap<FoldedName, VecDeque<MessageText>>);

impl Undelivered {
    pub(super) fn keep(&mut self, to: &Username, texts: &[MessageText]) {
        let key = to.folded();
        if self.0.len() >= MOST_USERS && !self.0.contains_key(&key) {
            return;
        }
        let kept = self.0.entry(key).or_default();
        kept.extend(texts.iter().cloned());
        let surplus = kept.len().saturating_sub(MOST);
        kept.drain(..surplus);
    }

    pub(super) fn take(&mut self, to: &Username) -> Vec<MessageText> {
        self.0.remove(&to.folded()).unwrap_or_default().into()
    }
}
