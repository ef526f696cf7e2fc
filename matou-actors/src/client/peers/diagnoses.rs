//! What prevented connections between the user and others when they last met.

use std::collections::{HashMap, HashSet};

use crate::client::api::diagnosis::Diagnosis;
use crate::protocol::FoldedName;

/// Meetings whose diagnosis is remembered.
const MOST: usize = 64;

/// What is known, and what the user waits for.
#[derive(Debug, Default)]
pub(super) struct Diagnoses {
    pub(super) wanted: HashSet<FoldedName>,
    last: HashMap<FoldedName, Diagnosis>,
}

impl Diagnoses {
    /// The meeting that is waited for has no further outcome.
    pub(super) fn give_up(&mut self, key: &FoldedName) {
        self.wanted.remove(key);
    }

    /// What was found at the last meeting with this user.
    pub(super) fn last(&self, key: &FoldedName) -> Option<&Diagnosis> {
        self.last.get(key)
    }

    /// Keeps what was found; whether the user waits for it.
    pub(super) fn note(&mut self, key: FoldedName, diagnosis: Diagnosis) -> bool {
        let is_wanted = self.wanted.remove(&key);
        if self.last.len() >= MOST {
            self.last.clear();
        }
        self.last.insert(key, diagnosis);
        is_wanted
    }
}
