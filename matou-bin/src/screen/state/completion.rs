//! Completion of commands, names, numbers and paths.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::commands::{Argument, COMMANDS, find};
use crate::paths::expand_tilde;

use crate::screen::state::event::Listing;
use crate::screen::state::input_line::InputLine;

/// Candidates that one completion offers.
const MAX_CANDIDATES: usize = 500;

/// A completion that continues with the next Tab.
#[derive(Debug)]
pub(crate) struct Completion {
    /// Where the candidate at hand stands, in bytes of the line.
    range: Range<usize>,
    candidates: Vec<String>,
    index: usize,
    /// The line after the candidate was put in: when it differs, the completion is over.
    line: String,
}

/// The text to complete.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CompletionTarget {
    /// The part of the line that is replaced, up to the cursor.
    pub(crate) range: Range<usize>,
    /// What kind of thing it is.
    pub(crate) kind: CompletionKind,
}

/// What kind of thing is to be completed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CompletionKind {
    /// A command, with its slash or (as an argument of `/help`) without.
    Command {
        /// With its slash.
        slash: bool,
    },
    /// An argument of a command.
    Argument(Argument),
    /// A name at the start of a line, which becomes `name: `.
    Address,
}

impl Completion {
    /// Puts the first candidate (the last one, when `back`) into `line`.
    pub(crate) fn start(
        line: &mut InputLine,
        range: Range<usize>,
        mut candidates: Vec<String>,
        back: bool,
    ) -> Option<Self> {
        candidates.truncate(MAX_CANDIDATES);
        let index = if back { candidates.len().checked_sub(1)? } else { 0 };
        candidates.first()?;
        let mut completion = Self { range, candidates, index, line: String::new() };
        completion.put(line);
        Some(completion)
    }

    /// Whether `line` is still as the completion left it.
    pub(crate) fn continues(&self, line: &InputLine) -> bool {
        self.line == line.text() && self.range.end == line.cursor()
    }

    /// Puts the next candidate (the one before, when `back`) into `line`.
    pub(crate) fn turn(&mut self, line: &mut InputLine, back: bool) {
        let count = self.candidates.len();
        self.index = if back { self.index + count - 1 } else { self.index + 1 } % count.max(1);
        self.put(line);
    }

    /// The candidates and which one stands in the line, when there are several.
    pub(crate) fn choice(&self) -> Option<(&[String], usize)> {
        (self.candidates.len() > 1).then_some((self.candidates.as_slice(), self.index))
    }

    fn put(&mut self, line: &mut InputLine) {
        if let Some(candidate) = self.candidates.get(self.index) {
            line.replace(self.range.clone(), candidate);
            self.range.end = self.range.start + candidate.len();
            self.line = line.text().to_owned();
        }
    }
}

/// The text before the cursor of `line`, as something to complete.
pub(crate) fn target(line: &InputLine) -> Option<CompletionTarget> {
    let before = line.before_cursor();
    let end = before.len();
    let last_word = before.rfind(char::is_whitespace).map_or(0, |at| {
        at + before.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
    });
    let is_command = before.starts_with('/') && !before.starts_with("//");
    if !is_command {
        let kind = if last_word == 0 {
            CompletionKind::Address
        } else {
            CompletionKind::Argument(Argument::Peer)
        };
        return Some(CompletionTarget { range: last_word..end, kind });
    }
    if last_word == 0 {
        return Some(CompletionTarget {
            range: 0..end,
            kind: CompletionKind::Command { slash: true },
        });
    }
    let (spec, rest) = find(before.get(1..)?).ok()?;
    let mut start = end - rest.len();
    for (number, argument) in spec.arguments.iter().enumerate() {
        let is_last = number + 1 == spec.arguments.len();
        let takes_all = matches!(argument, Argument::Path | Argument::Paths | Argument::Folder);
        let here = before.get(start..)?;
        match here.find(char::is_whitespace).filter(|_| !takes_all) {
            Some(space) if !is_last => {
                start += space;
                let spaces = before.get(start..)?;
                start += spaces.len() - spaces.trim_start().len();
            }
            Some(_) if *argument == Argument::Text => {
                return Some(CompletionTarget {
                    range: last_word..end,
                    kind: CompletionKind::Argument(*argument),
                });
            }
            Some(_) => return None,
            None => {
                let kind = match argument {
                    Argument::Command => CompletionKind::Command { slash: false },
                    argument => CompletionKind::Argument(*argument),
                };
                return Some(CompletionTarget { range: start..end, kind });
            }
        }
    }
    None
}

/// The commands that begin with `typed`: names first, an alias where no name fits.
pub(crate) fn commands(typed: &str, slash: bool) -> Vec<String> {
    let word = typed.trim_start_matches('/').to_lowercase();
    let lead = if slash { "/" } else { "" };
    let full = |name: &str| format!("{lead}{name} ");
    let names = COMMANDS.iter().map(|spec| spec.name).filter(|name| name.starts_with(&word));
    let found: Vec<_> = names.map(full).collect();
    if !found.is_empty() {
        return found;
    }
    let aliases = COMMANDS.iter().flat_map(|spec| spec.aliases).copied();
    aliases.filter(|alias| alias.starts_with(&word)).map(full).collect()
}

/// The folder in which `typed` is to be completed; `~` is `home`.
pub(crate) fn folder(typed: &str, home: Option<&Path>) -> PathBuf {
    let (folder, _) = split(typed);
    if folder.is_empty() {
        return PathBuf::from(".");
    }
    expand_tilde(folder.as_ref(), home).unwrap_or_else(|_| folder.into())
}

/// The paths that `typed` may become, given the content of its folder.
pub(crate) fn paths(typed: &str, listing: &Listing) -> Vec<String> {
    let (folder, prefix) = split(typed);
    let mut names: Vec<_> = listing
        .names
        .iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .filter(|(name, _)| prefix.starts_with('.') || !name.starts_with('.'))
        .collect();
    names.sort();
    let full = |(name, is_folder): &(String, bool)| {
        format!("{folder}{name}{}", if *is_folder { "/" } else { "" })
    };
    names.into_iter().map(full).collect()
}

/// `~/pictures/ca` as `~/pictures/` and `ca`.
fn split(typed: &str) -> (&str, &str) {
    typed.split_at(typed.rfind('/').map_or(0, |slash| slash + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> InputLine {
        let mut line = InputLine::default();
        line.set(text);
        line
    }

    fn kind(text: &str) -> Option<(String, CompletionKind)> {
        target(&line(text)).map(|target| (text[target.range].to_owned(), target.kind))
    }

    #[test]
    fn completion_depends_on_the_cursor_position() {
        let some = |text: &str, kind| Some((text.to_owned(), kind));
        assert_eq!(kind("al"), some("al", CompletionKind::Address));
        assert_eq!(kind("hi al"), some("al", CompletionKind::Argument(Argument::Peer)));
        assert_eq!(kind("/op"), some("/op", CompletionKind::Command { slash: true }));
        assert_eq!(kind("/msg al"), some("al", CompletionKind::Argument(Argument::Peer)));
        assert_eq!(kind("/msg  "), some("", CompletionKind::Argument(Argument::Peer)));
        assert_eq!(kind("/msg al hello b"), some("b", CompletionKind::Argument(Argument::Text)));
        assert_eq!(
            kind("/send al my fi"),
            some("my fi", CompletionKind::Argument(Argument::Paths))
        );
        assert_eq!(
            kind("/dcc send al ~/x"),
            some("~/x", CompletionKind::Argument(Argument::Paths))
        );
        assert_eq!(kind("/take 1"), some("1", CompletionKind::Argument(Argument::Offer)));
        assert_eq!(kind("/help ms"), some("ms", CompletionKind::Command { slash: false }));
        assert_eq!(kind("/who x"), None);
        assert_eq!(kind("/nonsense x"), None);
        assert_eq!(kind("//al"), some("//al", CompletionKind::Address));
    }

    #[test]
    fn tab_goes_round_and_back() {
        let mut line = line("hi al");
        let found = vec!["alan ".to_owned(), "alice ".to_owned()];
        let mut completion = Completion::start(&mut line, 3..5, found, false).unwrap();
        assert_eq!(line.text(), "hi alan ");
        completion.turn(&mut line, false);
        assert_eq!(line.text(), "hi alice ");
        completion.turn(&mut line, false);
        assert_eq!(line.text(), "hi alan ");
        completion.turn(&mut line, true);
        assert_eq!(line.text(), "hi alice ");
        assert!(completion.continues(&line));
        line.insert("x");
        assert!(!completion.continues(&line));
        assert!(Completion::start(&mut line, 0..0, Vec::new(), true).is_none());
    }

    #[test]
    fn commands_come_before_aliases() {
        assert_eq!(commands("/o", true), ["/open "]);
        assert_eq!(commands("q", false), ["quit "]);
        assert_eq!(commands("/qu", true), ["/quit "]);
        assert_eq!(commands("/dcc", true), ["/dcc send "]);
        assert!(commands("/zz", true).is_empty());
    }

    #[test]
    fn completed_paths_keep_the_typed_part_and_hide_hidden_files() {
        let names = [("b file", false), ("bin", true), (".bashrc", false), ("c", false)];
        let names = names.map(|(name, folder)| (name.to_owned(), folder)).to_vec();
        let listing = Listing { folder: "/home/me".into(), names };
        assert_eq!(paths("~/b", &listing), ["~/b file", "~/bin/"]);
        assert_eq!(paths("~/.b", &listing), ["~/.bashrc"]);
        assert_eq!(paths("", &listing), ["b file", "bin/", "c"]);
        assert_eq!(folder("~/b", Some(Path::new("/home/me"))), Path::new("/home/me/"));
        assert_eq!(folder("b", None), Path::new("."));
    }
}
