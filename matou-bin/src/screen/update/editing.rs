//! Editing the input: keys, paste, completion, history.

use std::path::PathBuf;

use matou_actors::client::Command;
use matou_actors::protocol::{FoldedName, Username};

use crate::commands::Argument;
use crate::screen::config::keymap::KeyAction;
use crate::screen::state::app::{App, PasteFile};
use crate::screen::state::completion::{
    Completion, CompletionKind, commands, folder, paths, target,
};
use crate::screen::state::event::{Listing, UiEffect};
use crate::screen::state::input_line::MAX_INPUT;
use crate::screen::state::modal::{HistorySearch, Modal, Paste};
use crate::screen::state::tab::PrivateState;
use crate::screen::state::transfers::TransferStage;
use crate::text::split_text;

impl App {
    pub(super) fn edit(&mut self, action: KeyAction) {
        match action {
            KeyAction::Submit => return self.submit(),
            KeyAction::Complete => return self.complete(false),
            KeyAction::CompleteBack => return self.complete(true),
            KeyAction::Older => return self.older(),
            KeyAction::Newer => return self.newer(),
            KeyAction::HistorySearch => {
                self.modal = Some(Modal::HistorySearch(HistorySearch::default()));
                return;
            }
            KeyAction::Home if self.has_empty_input() => return self.scroll_top(),
            KeyAction::End if self.has_empty_input() => return self.scroll_bottom(),
            KeyAction::Yank => {
                let killed = self.killed.clone();
                return self.insert(&killed);
            }
            _ => {}
        }
        let Some(tab) = self.tab_mut() else {
            return;
        };
        let input = &mut tab.input;
        let mut killed = None;
        match action {
            KeyAction::CharLeft => input.left(),
            KeyAction::CharRight => input.right(),
            KeyAction::WordLeft => input.word_left(),
            KeyAction::WordRight => input.word_right(),
            KeyAction::LineStart | KeyAction::Home => input.home(),
            KeyAction::LineEnd | KeyAction::End => input.end(),
            KeyAction::Backspace => input.backspace(),
            KeyAction::Delete => input.delete(),
            KeyAction::Transpose => input.transpose(),
            KeyAction::KillToEnd => killed = Some(input.kill_to_end()),
            KeyAction::KillToStart => killed = Some(input.kill_to_start()),
            KeyAction::KillBlankWord => killed = Some(input.kill_blank_word()),
            KeyAction::KillWordLeft => killed = Some(input.kill_word_left()),
            KeyAction::KillWordRight => killed = Some(input.kill_word_right()),
            KeyAction::NewLine => drop(input.insert("\n")),
            _ => {}
        }
        if let Some(killed) = killed.filter(|killed| !killed.is_empty()) {
            self.killed = killed;
        }
    }

    pub(super) fn insert(&mut self, text: &str) {
        self.completion = None;
        if let Some(tab) = self.tab_mut()
            && !tab.input.insert(text)
        {
            self.flash(format!("Input line full: at most {MAX_INPUT} bytes."));
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        if self.copy_mode {
            return;
        }
        self.notifier.typed(self.now.elapsed);
        let one_line = text.split(['\r', '\n']).next().unwrap_or("");
        match &mut self.modal {
            Some(Modal::Servers(form)) => {
                form.input.insert(one_line.trim());
                return;
            }
            Some(Modal::SignIn(form)) => {
                form.input.insert(one_line.trim());
                return;
            }
            Some(Modal::Search(search)) => {
                search.input.insert(one_line);
                return self.search_changed();
            }
            Some(Modal::HistorySearch(search)) => {
                let search = std::mem::take(search);
                return self.narrow_history(search, one_line);
            }
            Some(Modal::Paste(_) | Modal::Leave | Modal::CloseTab { .. } | Modal::Help(_)) => {
                return self.flash("Paste ignored; close the dialog first.");
            }
            None => {}
        }
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let several = text.contains('\n') || split_text(text).len() > 1;
        if several || text.len() > MAX_INPUT {
            self.ask_about(text.to_owned(), None);
        } else {
            self.insert(text);
        }
    }

    /// Asks what to do with a pasted text, or with one that is the path of a `file`.
    pub(super) fn ask_about(&mut self, text: String, file: Option<PathBuf>) {
        let mut paste = Paste { text, file, choice: None };
        paste.choice = self.paste_choices(&paste).first().copied();
        self.modal = Some(Modal::Paste(paste));
    }

    /// The pasted text is in a file: sends it.
    pub(super) fn paste_stored(&mut self, to: Username, stored: Result<PathBuf, String>) {
        match stored {
            Ok(path) => {
                self.paste_files.push(PasteFile { path: path.clone(), id: None });
                self.perform(Command::Send { to, path, or: Vec::new(), several: Vec::new() });
            }
            Err(reason) => {
                self.error(&format!("Cannot save the pasted text to a file: {reason}"));
            }
        }
    }

    pub(super) fn talking_to(&self) -> Option<FoldedName> {
        self.tab().and_then(|tab| tab.peer()).map(Username::folded)
    }

    fn older(&mut self) {
        let peer = self.talking_to();
        let Some(tab) = self.tabs.get_mut(self.active) else {
            return;
        };
        if tab.input.up() {
            return;
        }
        let draft = tab.input.text().to_owned();
        if let Some(line) = self.history.older(peer.as_ref(), &draft) {
            tab.input.set(line);
        }
    }

    fn newer(&mut self) {
        let peer = self.talking_to();
        let Some(tab) = self.tabs.get_mut(self.active) else {
            return;
        };
        if tab.input.down() {
            return;
        }
        if let Some(line) = self.history.newer(peer.as_ref()) {
            tab.input.set(&line);
        }
    }

    fn complete(&mut self, back: bool) {
        let Some(tab) = self.tabs.get_mut(self.active) else {
            return;
        };
        if let Some(completion) = self.completion.as_mut().filter(|c| c.continues(&tab.input)) {
            completion.turn(&mut tab.input, back);
            return;
        }
        self.completion = None;
        let Some(target) = target(&tab.input) else {
            return;
        };
        let typed = tab.input.text().get(target.range.clone()).unwrap_or("").to_owned();
        let candidates = match target.kind {
            CompletionKind::Command { slash } => commands(&typed, slash),
            CompletionKind::Argument(Argument::Path | Argument::Paths) => {
                let folder = folder(&typed, self.home.as_deref());
                return self.effects.push(UiEffect::List(folder));
            }
            CompletionKind::Argument(argument) => self.arguments(argument, &typed),
            CompletionKind::Address if self.tab().is_some_and(|tab| tab.peer().is_some()) => {
                self.names(&typed, " ")
            }
            CompletionKind::Address => self.names(&typed, ": "),
        };
        if let Some(tab) = self.tabs.get_mut(self.active) {
            self.completion = Completion::start(&mut tab.input, target.range, candidates, back);
        }
    }

    /// The names in the folder that was asked for: completes the path, when it is still there.
    pub(super) fn listed(&mut self, listing: &Listing) {
        let home = self.home.clone();
        let Some(tab) = self.tabs.get_mut(self.active) else {
            return;
        };
        let Some(target) = target(&tab.input) else {
            return;
        };
        let typed = tab.input.text().get(target.range.clone()).unwrap_or("");
        if !matches!(target.kind, CompletionKind::Argument(Argument::Path | Argument::Paths))
            || folder(typed, home.as_deref()) != listing.folder
        {
            return;
        }
        let candidates = paths(typed, listing);
        if candidates.is_empty() {
            self.flash("No matching file.");
            return;
        }
        self.completion = Completion::start(&mut tab.input, target.range, candidates, false);
    }

    fn names(&self, typed: &str, behind: &str) -> Vec<String> {
        let matching = self.people.matching(typed);
        let others = matching.iter().filter(|who| !self.is_me(who));
        others.map(|who| format!("{who}{behind}")).collect()
    }

    fn arguments(&self, argument: Argument, typed: &str) -> Vec<String> {
        let lower = typed.to_lowercase();
        let starting = |words: Vec<String>| -> Vec<String> {
            let fits = |word: &String| word.to_lowercase().starts_with(&lower);
            words.into_iter().filter(fits).map(|word| word + " ").collect()
        };
        match argument {
            Argument::Peer => {
                let mut names = self.names(typed, " ");
                // Private sessions outlive the loss of the server.
                for name in starting(self.sessions()) {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
                names
            }
            Argument::Text => self.names(typed, " "),
            Argument::Session => starting(self.sessions()),
            Argument::Asking => {
                starting(self.prompts.requests().map(ToString::to_string).collect())
            }
            Argument::Ignored => starting(self.ignored.iter().map(ToString::to_string).collect()),
            Argument::Offer => {
                starting(self.numbers(|stage| matches!(stage, TransferStage::Offered { .. })))
            }
            Argument::Transfer => starting(self.numbers(|_| true)),
            Argument::Yes => starting(vec!["yes".into()]),
            Argument::Server
            | Argument::Path
            | Argument::Paths
            | Argument::Folder
            | Argument::Rate
            | Argument::Command => Vec::new(),
        }
    }

    fn sessions(&self) -> Vec<String> {
        let with = self.tabs.iter().filter(|tab| tab.session != PrivateState::None);
        with.filter_map(|tab| tab.peer()).map(ToString::to_string).collect()
    }

    fn numbers(&self, wanted: impl Fn(&TransferStage) -> bool) -> Vec<String> {
        let open = self.transfers.listed().filter(|transfer| !transfer.has_ended());
        open.filter(|transfer| wanted(&transfer.stage)).map(|t| t.id.to_string()).collect()
    }
}
