//! The one table of what keys do: dispatch, the help page and the configuration read it.

use std::collections::{BTreeMap, HashMap};

use crossterm::event::KeyEvent;

use crate::screen::config::key_combination::KeyCombination;
use crate::screen::config::setting_error::WrongSetting;

/// What a key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub(crate) enum KeyAction {
    Submit,
    NewLine,
    Complete,
    CompleteBack,
    CharLeft,
    CharRight,
    WordLeft,
    WordRight,
    LineStart,
    LineEnd,
    Backspace,
    Delete,
    KillToEnd,
    KillToStart,
    KillBlankWord,
    KillWordLeft,
    KillWordRight,
    Yank,
    Transpose,
    Older,
    Newer,
    HistorySearch,
    Tab(usize),
    NextTab,
    PreviousTab,
    NextActive,
    CloseTab,
    PageUp,
    PageDown,
    Home,
    End,
    Top,
    Bottom,
    RosterUp,
    RosterDown,
    Search,
    Accept,
    Decline,
    Later,
    Mouse,
    CopyMode,
    Redraw,
    Help,
    Suspend,
    Quit,
}

/// An action, how the configuration calls it, the keys it has by default, and its help.
#[derive(Debug)]
pub(crate) struct KeySpec {
    /// What it does.
    pub(crate) action: KeyAction,
    /// Its name in the configuration.
    pub(crate) name: &'static str,
    /// Its keys unless configured.
    pub(crate) keys: &'static [&'static str],
    /// Its line on the help page.
    pub(crate) help: &'static str,
}

const fn spec(
    action: KeyAction,
    name: &'static str,
    keys: &'static [&'static str],
    help: &'static str,
) -> KeySpec {
    KeySpec { action, name, keys, help }
}

/// All actions, in the order in which the help page shows them.
pub(crate) const KEYS: &[KeySpec] = &[
    spec(KeyAction::Help, "help", &["f1"], "show or close this page"),
    spec(
        KeyAction::Quit,
        "quit",
        &["ctrl-c"],
        "close the dialog, else quit; asks first while transfers are running",
    ),
    spec(KeyAction::Accept, "accept", &["alt-y"], "accept the request or file shown"),
    spec(KeyAction::Decline, "decline", &["alt-n"], "decline it"),
    spec(KeyAction::Later, "later", &["alt-z"], "decide later"),
    spec(KeyAction::NextTab, "next_tab", &["ctrl-n"], "next tab"),
    spec(KeyAction::PreviousTab, "previous_tab", &["ctrl-p"], "previous tab"),
    spec(KeyAction::NextActive, "next_active", &["alt-a"], "next tab with unread messages"),
    spec(KeyAction::Tab(1), "tab_1", &["alt-1"], "first tab, and so on"),
    spec(KeyAction::Tab(2), "tab_2", &["alt-2"], ""),
    spec(KeyAction::Tab(3), "tab_3", &["alt-3"], ""),
    spec(KeyAction::Tab(4), "tab_4", &["alt-4"], ""),
    spec(KeyAction::Tab(5), "tab_5", &["alt-5"], ""),
    spec(KeyAction::Tab(6), "tab_6", &["alt-6"], ""),
    spec(KeyAction::Tab(7), "tab_7", &["alt-7"], ""),
    spec(KeyAction::Tab(8), "tab_8", &["alt-8"], ""),
    spec(KeyAction::Tab(9), "tab_9", &["alt-9"], "ninth tab"),
    spec(KeyAction::CloseTab, "close_tab", &["alt-w"], "close this private tab and its session"),
    spec(KeyAction::PageUp, "page_up", &["pageup"], "page up"),
    spec(KeyAction::PageDown, "page_down", &["pagedown"], "page down"),
    spec(KeyAction::Home, "home", &["home"], "start of the input, else of the scrollback"),
    spec(KeyAction::End, "end", &["end"], "end of the input, else of the scrollback"),
    spec(KeyAction::Top, "top", &["ctrl-home"], "start of the scrollback"),
    spec(KeyAction::Bottom, "bottom", &["ctrl-end"], "end of the scrollback"),
    spec(KeyAction::RosterUp, "roster_up", &["alt-pageup"], "page up in the user list"),
    spec(KeyAction::RosterDown, "roster_down", &["alt-pagedown"], "page down in the user list"),
    spec(
        KeyAction::Search,
        "search",
        &["ctrl-s"],
        "search in this tab; again for the previous match",
    ),
    spec(KeyAction::Submit, "submit", &["enter"], "send the input"),
    spec(KeyAction::NewLine, "new_line", &["alt-enter", "shift-enter"], "start a new line"),
    spec(KeyAction::Complete, "complete", &["tab"], "complete a command, a name or a path"),
    spec(KeyAction::CompleteBack, "complete_back", &["shift-tab"], "previous completion"),
    spec(KeyAction::Older, "older", &["up"], "line above, else previous input"),
    spec(KeyAction::Newer, "newer", &["down"], "line below, else next input"),
    spec(KeyAction::HistorySearch, "history_search", &["ctrl-r"], "search the input history"),
    spec(KeyAction::CharLeft, "char_left", &["left", "ctrl-b"], "one character left"),
    spec(KeyAction::CharRight, "char_right", &["right", "ctrl-f"], "one character right"),
    spec(KeyAction::WordLeft, "word_left", &["alt-b", "ctrl-left", "alt-left"], "one word left"),
    spec(
        KeyAction::WordRight,
        "word_right",
        &["alt-f", "ctrl-right", "alt-right"],
        "one word right",
    ),
    spec(KeyAction::LineStart, "line_start", &["ctrl-a"], "start of the line"),
    spec(KeyAction::LineEnd, "line_end", &["ctrl-e"], "end of the line"),
    spec(KeyAction::Backspace, "backspace", &["backspace", "ctrl-h"], "delete to the left"),
    spec(
        KeyAction::Delete,
        "delete",
        &["delete", "ctrl-d"],
        "delete to the right; in Transfers, cancel",
    ),
    spec(KeyAction::KillToEnd, "kill_to_end", &["ctrl-k"], "cut to the end of the line"),
    spec(KeyAction::KillToStart, "kill_to_start", &["ctrl-u"], "cut to the start of the line"),
    spec(KeyAction::KillBlankWord, "kill_blank_word", &["ctrl-w"], "cut back to the last blank"),
    spec(
        KeyAction::KillWordLeft,
        "kill_word_left",
        &["alt-backspace", "ctrl-backspace"],
        "cut the word to the left",
    ),
    spec(
        KeyAction::KillWordRight,
        "kill_word_right",
        &["alt-d", "ctrl-delete"],
        "cut the word to the right",
    ),
    spec(KeyAction::Yank, "yank", &["ctrl-y"], "insert what was cut last"),
    spec(KeyAction::Transpose, "transpose", &["ctrl-t"], "swap two characters"),
    spec(KeyAction::Mouse, "mouse", &["alt-m"], "mouse off, to select text, or on"),
    spec(KeyAction::CopyMode, "copy_mode", &["alt-l"], "plain lines to copy text and whole links"),
    spec(KeyAction::Redraw, "redraw", &["ctrl-l"], "redraw the screen"),
    spec(KeyAction::Suspend, "suspend", &["ctrl-z"], "suspend to the shell; fg resumes"),
];

/// Which key does what.
#[derive(Clone, Debug)]
pub(crate) struct KeyMap(HashMap<KeyCombination, KeyAction>);

impl KeyMap {
    /// The default keys, with those of `configured` in place of an action's own.
    pub(crate) fn new(configured: &BTreeMap<String, Vec<String>>) -> Result<Self, WrongSetting> {
        let mut given: HashMap<KeyCombination, (&KeySpec, &String)> = HashMap::new();
        for (name, keys) in configured {
            let setting = || format!("screen.keys.{name}");
            let Some(spec) = KEYS.iter().find(|spec| spec.name == name) else {
                let names: Vec<_> = KEYS.iter().map(|spec| spec.name).collect();
                return Err(WrongSetting::new(
                    setting(),
                    keys,
                    format!("unknown action; expected one of {}", names.join(", ")),
                ));
            };
            for key in keys {
                let Some(combination) = KeyCombination::parse(key) else {
                    let allowed = "expected keys such as ctrl-x, alt-enter, f5 or pageup";
                    return Err(WrongSetting::new(setting(), key, allowed));
                };
                if let Some((other, _)) = given.insert(combination, (spec, key)) {
                    let allowed = format!("already bound to screen.keys.{}", other.name);
                    return Err(WrongSetting::new(setting(), key, allowed));
                }
            }
        }
        let mut map = HashMap::new();
        for spec in KEYS.iter().filter(|spec| !configured.contains_key(spec.name)) {
            let combinations = spec.keys.iter().filter_map(|key| KeyCombination::parse(key));
            map.extend(combinations.map(|combination| (combination, spec.action)));
        }
        map.extend(given.into_iter().map(|(combination, (spec, _))| (combination, spec.action)));
        Ok(Self(map))
    }

    /// What this key does; `None` when it only types.
    pub(crate) fn action(&self, event: KeyEvent) -> Option<KeyAction> {
        self.0.get(&KeyCombination::of(event)).copied()
    }

    /// The shortest key of `action` as it is shown; nothing when it has none.
    pub(crate) fn key(&self, action: KeyAction) -> Option<String> {
        self.keys(action).into_iter().next()
    }

    /// The keys of `action` as they are shown: `Ctrl-N`.
    pub(crate) fn keys(&self, action: KeyAction) -> Vec<String> {
        let mut keys: Vec<String> = self
            .0
            .iter()
            .filter(|(_, of)| **of == action)
            .map(|(combination, _)| combination.shown())
            .collect();
        keys.sort_by_key(|key| (key.len(), key.clone()));
        keys
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyModifiers};

    use super::*;

    fn configured(entries: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        entries
            .iter()
            .map(|(name, keys)| {
                ((*name).to_owned(), keys.iter().map(|key| (*key).to_owned()).collect())
            })
            .collect()
    }

    #[test]
    fn every_default_key_is_a_key_and_has_one_meaning() {
        let mut seen = HashMap::new();
        for spec in KEYS {
            for key in spec.keys {
                let combination = KeyCombination::parse(key).unwrap_or_else(|| panic!("{key}"));
                assert_eq!(seen.insert(combination, spec.name), None, "{key}");
            }
        }
    }

    #[test]
    fn keys_are_found_in_whichever_form_they_arrive() {
        let map = KeyMap::new(&BTreeMap::new()).unwrap();
        let found = |code, modifiers| map.action(KeyEvent::new(code, modifiers));
        assert_eq!(found(KeyCode::BackTab, KeyModifiers::SHIFT), Some(KeyAction::CompleteBack));
        assert_eq!(found(KeyCode::BackTab, KeyModifiers::NONE), Some(KeyAction::CompleteBack));
        assert_eq!(found(KeyCode::Char('N'), KeyModifiers::CONTROL), Some(KeyAction::NextTab));
        assert_eq!(found(KeyCode::Char('x'), KeyModifiers::NONE), None);
        assert_eq!(found(KeyCode::Char('3'), KeyModifiers::ALT), Some(KeyAction::Tab(3)));
        assert_eq!(found(KeyCode::Char('Y'), KeyModifiers::ALT), Some(KeyAction::Accept));
        assert_eq!(
            KeyCombination::parse("Alt-Y"),
            KeyCombination::parse("alt-y"),
            "as it is shown"
        );
        assert_eq!(KeyCombination::parse("alt-É"), KeyCombination::parse("alt-é"));
    }

    #[test]
    fn configured_keys_replace_the_ones_of_their_action() {
        let map = KeyMap::new(&configured(&[("next_tab", &["f5", "ctrl-p"])])).unwrap();
        assert_eq!(map.keys(KeyAction::NextTab), ["F5", "Ctrl-P"]);
        assert!(map.keys(KeyAction::PreviousTab).is_empty());
        assert_eq!(map.keys(KeyAction::CompleteBack), ["Shift-Tab"]);
    }

    #[test]
    fn impossible_keys_are_errors_that_name_them() {
        let error = |entries| KeyMap::new(&configured(entries)).unwrap_err().to_string();
        assert!(error(&[("nxt_tab", &["f5"])]).contains("screen.keys.nxt_tab"));
        assert!(error(&[("next_tab", &["hyper-x"])]).contains("hyper-x"));
        assert!(error(&[("next_tab", &["x"])]).contains("\"x\""));
        assert!(error(&[("next_tab", &["f5"]), ("quit", &["f5"])]).contains("already"));
    }
}
