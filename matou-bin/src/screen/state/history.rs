//! The input history: recalled by Up and Down, searched by Ctrl-R, kept between runs.

use std::collections::VecDeque;

use matou_actors::protocol::FoldedName;

/// Lines that are remembered.
const MAX_LINES: usize = 1000;

/// Lines typed so far, oldest first, and where recalling stands.
#[derive(Debug, Default)]
pub(crate) struct InputHistory {
    lines: VecDeque<HistoryLine>,
    recalled: Option<Recalled>,
}

/// In which tabs a line may be recalled: private words must not end up in the room by a slip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In every tab; only such lines are kept between runs.
    Anywhere,
    /// In every tab, and never written to disk: a command that holds private text.
    ThisRun,
    /// Only in the tab of this peer, and never written to disk.
    Private(FoldedName),
}

#[derive(Debug)]
struct HistoryLine {
    text: String,
    scope: Scope,
}

#[derive(Debug)]
struct Recalled {
    index: usize,
    draft: String,
}

impl InputHistory {
    /// Starts with the lines of earlier runs, oldest first.
    pub(crate) fn new(lines: impl IntoIterator<Item = String>) -> Self {
        let mut history = Self::default();
        for line in lines {
            history.add(line, Scope::Anywhere);
        }
        history
    }

    /// Remembers `text`; true when it is to be kept between runs as well.
    pub(crate) fn add(&mut self, text: String, scope: Scope) -> bool {
        self.recalled = None;
        let again = self.lines.back().is_some_and(|l| l.text == text && l.scope == scope);
        if text.trim().is_empty() || again {
            return false;
        }
        let keep = scope == Scope::Anywhere;
        self.lines.push_back(HistoryLine { text, scope });
        if self.lines.len() > MAX_LINES {
            self.lines.pop_front();
        }
        keep
    }

    /// The line before the one recalled last, in the tab of `peer`; `draft` is the current input
    /// and returns below the newest.
    pub(crate) fn older(&mut self, peer: Option<&FoldedName>, draft: &str) -> Option<&str> {
        let from = self.recalled.as_ref().map_or(self.lines.len(), |recalled| recalled.index);
        let index = (0..from).rev().find(|&index| self.is_open_to(index, peer))?;
        match &mut self.recalled {
            Some(recalled) => recalled.index = index,
            None => self.recalled = Some(Recalled { index, draft: draft.to_owned() }),
        }
        self.lines.get(index).map(|line| line.text.as_str())
    }

    /// The line after the one recalled last, at the end the draft.
    pub(crate) fn newer(&mut self, peer: Option<&FoldedName>) -> Option<String> {
        let from = self.recalled.as_ref()?.index + 1;
        if let Some(index) = (from..self.lines.len()).find(|&i| self.is_open_to(i, peer)) {
            if let Some(recalled) = &mut self.recalled {
                recalled.index = index;
            }
            return self.lines.get(index).map(|line| line.text.clone());
        }
        self.recalled.take().map(|recalled| recalled.draft)
    }

    /// Forgets where recalling stands.
    pub(crate) fn settle(&mut self) {
        self.recalled = None;
    }

    /// The newest line holding `needle` among those older than `before` (all when `None`).
    pub(crate) fn search(
        &self,
        needle: &str,
        before: Option<usize>,
        peer: Option<&FoldedName>,
    ) -> Option<(usize, &str)> {
        let end = before.unwrap_or(self.lines.len()).min(self.lines.len());
        let index = (0..end).rev().find(|&index| {
            self.is_open_to(index, peer)
                && self.lines.get(index).is_some_and(|line| line.text.contains(needle))
        })?;
        self.lines.get(index).map(|line| (index, line.text.as_str()))
    }

    fn is_open_to(&self, index: usize, peer: Option<&FoldedName>) -> bool {
        self.lines.get(index).is_some_and(|line| match &line.scope {
            Scope::Anywhere | Scope::ThisRun => true,
            Scope::Private(of) => peer == Some(of),
        })
    }
}

/// A line as it is stored in the file, where one line is one entry.
pub(crate) fn to_file(line: &str) -> String {
    line.replace('\\', "\\\\").replace('\n', "\\n")
}

/// The lines of the history file, newest `1000` only.
pub(crate) fn from_file(file: &str) -> Vec<String> {
    let lines: Vec<_> = file.lines().filter(|line| !line.is_empty()).collect();
    let skip = lines.len().saturating_sub(MAX_LINES);
    lines.into_iter().skip(skip).map(unescape).collect()
}

fn unescape(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(if chars.next() == Some('n') { '\n' } else { '\\' }),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use matou_actors::protocol::Username;

    use super::*;

    #[test]
    fn up_and_down_walk_the_lines_and_end_at_the_draft() {
        let mut history = InputHistory::new(["one".into(), "two".into()]);
        assert_eq!(history.older(None, "draft"), Some("two"));
        assert_eq!(history.older(None, "two"), Some("one"));
        assert_eq!(history.older(None, "one"), None);
        assert_eq!(history.newer(None).as_deref(), Some("two"));
        assert_eq!(history.newer(None).as_deref(), Some("draft"));
        assert_eq!(history.newer(None), None);
    }

    #[test]
    fn private_lines_are_recalled_only_where_they_were_typed_and_never_kept() {
        let bob = Username::parse("bob").unwrap().folded();
        let mut history = InputHistory::default();
        assert!(history.add("public".into(), Scope::Anywhere));
        assert!(!history.add("secret".into(), Scope::Private(bob.clone())));
        assert!(!history.add("/msg bob secret".into(), Scope::ThisRun));
        assert_eq!(history.older(None, ""), Some("/msg bob secret"));
        assert_eq!(history.older(None, ""), Some("public"));
        history.settle();
        assert_eq!(history.older(Some(&bob), ""), Some("/msg bob secret"));
        assert_eq!(history.older(Some(&bob), ""), Some("secret"));
        assert_eq!(history.search("sec", Some(2), None), None);
        assert_eq!(history.search("sec", Some(2), Some(&bob)), Some((1, "secret")));
    }

    #[test]
    fn repeats_and_blanks_are_not_remembered_and_old_lines_leave() {
        let mut history = InputHistory::default();
        assert!(history.add("x".into(), Scope::Anywhere));
        assert!(!history.add("x".into(), Scope::Anywhere));
        assert!(!history.add("  ".into(), Scope::Anywhere));
        for n in 0..2 * MAX_LINES {
            history.add(n.to_string(), Scope::Anywhere);
        }
        assert_eq!(history.lines.len(), MAX_LINES);
    }

    #[test]
    fn the_file_round_trips() {
        let lines = ["a\nb".to_owned(), "c\\nd".to_owned(), "é".to_owned()];
        let file: String = lines.iter().map(|line| to_file(line) + "\n").collect();
        assert_eq!(from_file(&file), lines);
    }
}
