//! Keys while a question, a search or the help page is open.

use std::iter;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use matou_actors::client::{Command, Password, ServerName};
use matou_actors::protocol::Username;

use crate::input::without_isolates;
use crate::screen::config::keymap::KeyAction;
use crate::screen::state::app::{App, ServerStatus};
use crate::screen::state::event::UiEffect;
use crate::screen::state::input_line::MAX_INPUT;
use crate::screen::state::modal::{
    HistorySearch, Modal, Paste, PasteChoice, Search, ServerMenu, SignInForm, server_names,
};
use crate::text::lines_of;

impl App {
    pub(super) fn modal_key(&mut self, key: KeyEvent, action: Option<KeyAction>) {
        match self.modal.take() {
            Some(Modal::Servers(form)) => self.servers_key(form, key, action),
            Some(Modal::SignIn(form)) => self.sign_in_key(form, key, action),
            Some(Modal::Help(offset)) => self.help_key(offset, key, action),
            Some(Modal::Search(search)) => self.search_key(search, key, action),
            Some(Modal::HistorySearch(search)) => self.history_key(search, key, action),
            Some(Modal::Paste(paste)) => self.paste_key(paste, key, action),
            Some(Modal::CloseTab { peer, armed }) => self.close_tab_key(peer, armed, key, action),
            // Only the key that leaves means yes; it is handled before.
            Some(Modal::Leave) => drop(self.type_text(key, action)),
            None => {}
        }
    }

    /// The search text has changed.
    pub(super) fn search_changed(&mut self) {
        if let (Some(Modal::Search(search)), Some(tab)) =
            (&mut self.modal, self.tabs.get(self.active))
        {
            search.restart(&tab.buffer);
        }
    }

    fn servers_key(&mut self, mut form: ServerMenu, key: KeyEvent, action: Option<KeyAction>) {
        let last = form.list.len().saturating_sub(1);
        match action {
            Some(KeyAction::Older) => form.selected = form.selected.saturating_sub(1),
            Some(KeyAction::Newer) => form.selected = (form.selected + 1).min(last),
            Some(KeyAction::Submit) => match form.chosen() {
                Ok(servers) => return self.choose_servers(servers),
                Err(problem) => form.problem = Some(problem),
            },
            action => edit_line(&mut form.input, key, action),
        }
        self.modal = Some(Modal::Servers(form));
    }

    fn choose_servers(&mut self, servers: Vec<ServerName>) {
        self.server = server_names(&servers);
        self.greet();
        self.modal = self.me.is_none().then(|| Modal::SignIn(SignInForm::default()));
        self.effects.push(UiEffect::Send(Command::UseServers(servers)));
    }

    fn sign_in_key(&mut self, mut form: SignInForm, key: KeyEvent, action: Option<KeyAction>) {
        match action {
            Some(KeyAction::Submit) if form.password && form.input.is_empty() => {}
            Some(KeyAction::Submit) if form.password => return self.submit_password(&mut form),
            Some(KeyAction::Submit) => self.submit_sign_in(&mut form),
            action => edit_line(&mut form.input, key, action),
        }
        self.modal = Some(Modal::SignIn(form));
    }

    /// The form is closed; it opens again if the password is wrong.
    fn submit_password(&mut self, form: &mut SignInForm) {
        let password = Password::new(form.input.take().into());
        self.link = ServerStatus::Connecting;
        self.effects.push(UiEffect::Send(Command::UsePassword(password)));
    }

    /// A name, or, before the server is reached and after `/server`, another server.
    fn submit_sign_in(&mut self, form: &mut SignInForm) {
        let typed = form.input.text().trim().to_owned();
        let server = typed.strip_prefix("/server").map(str::trim);
        let retries = typed.is_empty() && !form.reached;
        let server = server.or((!form.reached && form.asked.is_none()).then_some(&*typed));
        match server {
            _ if retries => self.effects.push(UiEffect::Send(Command::Reconnect)),
            Some(server) => match ServerName::parse_list(server) {
                Ok(servers) => {
                    self.server = server_names(&servers);
                    self.link = ServerStatus::Connecting;
                    *form = SignInForm::default();
                    self.effects.push(UiEffect::Send(Command::UseServers(servers)));
                }
                Err(problem) => form.problem = Some(problem),
            },
            None => self.submit_name(&typed, form),
        }
    }

    fn submit_name(&mut self, typed: &str, form: &mut SignInForm) {
        match Username::parse(without_isolates(typed)) {
            Ok(name) => {
                form.problem = None;
                form.asked = Some(name.clone());
                form.input.take();
                self.me = Some(name.clone());
                if matches!(self.link, ServerStatus::Down { next: None, .. }) {
                    // Nothing else does, and no command can be typed here.
                    self.effects.push(UiEffect::Send(Command::Reconnect));
                    self.link = ServerStatus::Connecting;
                }
                self.effects.push(UiEffect::Send(Command::SignIn(name)));
            }
            Err(problem) => form.problem = Some(format!("Invalid name: {problem}.")),
        }
    }

    fn help_key(&mut self, offset: usize, key: KeyEvent, action: Option<KeyAction>) {
        let page = usize::from(self.size.1).saturating_sub(4).max(1);
        let last = self.help_last();
        let offset = offset.min(last);
        let offset = match (action, key.code) {
            (Some(KeyAction::PageUp), _) => offset.saturating_sub(page),
            (Some(KeyAction::PageDown), _) | (None, KeyCode::Char(' ')) => offset + page,
            (Some(KeyAction::Older), _) => offset.saturating_sub(1),
            (Some(KeyAction::Newer), _) => offset + 1,
            (Some(KeyAction::Home | KeyAction::Top), _) => 0,
            (Some(KeyAction::End | KeyAction::Bottom), _) => last,
            _ => return,
        };
        self.modal = Some(Modal::Help(offset.min(last)));
    }

    fn search_key(&mut self, mut search: Search, key: KeyEvent, action: Option<KeyAction>) {
        if key.code == KeyCode::Esc {
            if let Some(tab) = self.tab_mut() {
                tab.scroll = search.origin;
            }
            return self.seen();
        }
        let Some(tab) = self.tabs.get(self.active) else {
            return;
        };
        match action {
            // The match may be the end.
            Some(KeyAction::Submit) => return self.seen(),
            Some(KeyAction::Search | KeyAction::Older) => search.next(&tab.buffer, false),
            Some(KeyAction::HistorySearch | KeyAction::Newer) => search.next(&tab.buffer, true),
            action => {
                let before = search.input.text().to_owned();
                edit_line(&mut search.input, key, action);
                if before != search.input.text() {
                    search.restart(&tab.buffer);
                }
            }
        }
        if search.input.is_empty()
            && let Some(tab) = self.tabs.get_mut(self.active)
        {
            tab.scroll = search.origin;
        }
        self.modal = Some(Modal::Search(search));
        self.search_on();
    }

    fn history_key(&mut self, mut search: HistorySearch, key: KeyEvent, action: Option<KeyAction>) {
        let before = match (action, key.code) {
            (Some(KeyAction::HistorySearch | KeyAction::Older), _) => {
                search.found.as_ref().map(|(index, _)| *index)
            }
            (Some(KeyAction::Backspace), _) => {
                search.needle.pop();
                None
            }
            (None, KeyCode::Char(c)) if is_typed(key) => {
                return self.narrow_history(search, c.encode_utf8(&mut [0; 4]));
            }
            (None, _) => return,
            (Some(action), _) => {
                // The match becomes the input, and the key has its usual effect.
                if let (Some((_, line)), Some(tab)) = (search.found, self.tab_mut()) {
                    tab.input.set(&line);
                }
                if action != KeyAction::Submit {
                    self.edit(action);
                }
                return;
            }
        };
        self.search_history(search, before);
    }

    /// Adds `text` to the search text of the history search.
    pub(super) fn narrow_history(&mut self, mut search: HistorySearch, text: &str) {
        let room = MAX_INPUT.saturating_sub(search.needle.len());
        search.needle.extend(text.chars().filter(|c| !c.is_control()).take(room / 4));
        let before = search.found.as_ref().map(|(index, _)| index + 1);
        self.search_history(search, before);
    }

    fn search_history(&mut self, mut search: HistorySearch, before: Option<usize>) {
        let peer = self.talking_to();
        if search.needle.is_empty() {
            (search.found, search.failed) = (None, false);
        } else {
            let found = self.history.search(&search.needle, before, peer.as_ref());
            search.failed = found.is_none();
            if let Some((index, line)) = found {
                search.found = Some((index, line.to_owned()));
            }
        }
        self.modal = Some(Modal::HistorySearch(search));
    }

    /// What can be done with a paste in the active tab, the likeliest first.
    pub(in crate::screen) fn paste_choices(&self, paste: &Paste) -> Vec<PasteChoice> {
        let small = paste.text.len() <= MAX_INPUT;
        let has_peer = self.tab().is_some_and(|tab| tab.peer().is_some());
        if paste.file.is_some() {
            let send = if has_peer { PasteChoice::Path } else { PasteChoice::Address };
            let says = (!self.is_transfers()).then_some(PasteChoice::Send);
            return iter::once(send).chain(says).collect();
        }
        let mut choices = Vec::new();
        if small && !self.is_transfers() {
            choices.push(PasteChoice::Send);
        }
        if small {
            choices.push(PasteChoice::Edit);
        }
        if has_peer {
            choices.push(PasteChoice::File);
        }
        choices
    }

    fn paste_key(&mut self, mut paste: Paste, key: KeyEvent, action: Option<KeyAction>) {
        if key.code == KeyCode::Esc {
            if paste.file.is_some() && self.has_empty_input() {
                // It was typed, or will be wanted in another way.
                self.insert(&paste.text);
            }
            return self.flash("Nothing sent.");
        }
        if action == Some(KeyAction::Submit) {
            return self.answer_paste(paste);
        }
        let choices = self.paste_choices(&paste);
        let back = matches!(key.code, KeyCode::BackTab | KeyCode::Left);
        if is_typed(key) && (back || matches!(key.code, KeyCode::Tab | KeyCode::Right)) {
            let at = choices.iter().position(|choice| Some(*choice) == paste.choice);
            let count = choices.len().max(1);
            let next = match at {
                Some(at) if back => (at + count - 1) % count,
                Some(at) => (at + 1) % count,
                None => 0,
            };
            paste.choice = choices.get(next).copied();
        } else if self.type_text(key, action) {
            paste.choice = None;
        }
        self.modal = Some(Modal::Paste(paste));
    }

    fn answer_paste(&mut self, paste: Paste) {
        if self.takes_answers() {
            match paste.choice {
                None if self.paste_choices(&paste).is_empty() => {
                    self.flash(
                        "Nothing sent: the text is too long. Press Esc to cancel the paste.",
                    );
                }
                None => self.flash("Press Tab to choose an answer, or Esc to cancel the paste."),
                Some(PasteChoice::Send) if self.is_unheard() || self.leaving.is_some() => {
                    self.flash("Not connected: nothing sent.");
                }
                Some(PasteChoice::Send) => {
                    self.scroll_bottom();
                    return self.say(lines_of(&paste.text));
                }
                Some(PasteChoice::Path) => {
                    if let (Some(to), Some(path)) =
                        (self.tab().and_then(|tab| tab.peer()).cloned(), paste.file)
                    {
                        self.perform(Command::Send {
                            to,
                            path,
                            or: Vec::new(),
                            several: Vec::new(),
                        });
                    }
                    return;
                }
                Some(PasteChoice::Address) => return self.address_file(&paste.text),
                Some(PasteChoice::Edit) => return self.insert(&paste.text),
                Some(PasteChoice::File) => {
                    if let Some(to) = self.tab().and_then(|tab| tab.peer()).cloned() {
                        self.effects.push(UiEffect::StorePaste { to, text: paste.text });
                        return;
                    }
                }
            }
        }
        self.modal = Some(Modal::Paste(paste));
    }

    fn close_tab_key(
        &mut self,
        peer: Username,
        armed: bool,
        key: KeyEvent,
        action: Option<KeyAction>,
    ) {
        if action == Some(KeyAction::Submit) && armed {
            if self.takes_answers() {
                self.close_peer(&peer);
            } else {
                self.modal = Some(Modal::CloseTab { peer, armed });
            }
            return;
        }
        // Any other key means no; text goes to the input.
        self.type_text(key, action);
    }

    /// Keeps text typed while a question is open; returns whether the key was text.
    fn type_text(&mut self, key: KeyEvent, action: Option<KeyAction>) -> bool {
        match (action, key.code) {
            (None, KeyCode::Char(_)) if is_typed(key) => self.type_key(key),
            (Some(KeyAction::Backspace), _) => self.edit(KeyAction::Backspace),
            _ => return false,
        }
        true
    }
}

/// Edits one line of a form.
fn edit_line(
    input: &mut crate::screen::state::input_line::InputLine,
    key: KeyEvent,
    action: Option<KeyAction>,
) {
    match action {
        Some(KeyAction::CharLeft) => input.left(),
        Some(KeyAction::CharRight) => input.right(),
        Some(KeyAction::WordLeft) => input.word_left(),
        Some(KeyAction::WordRight) => input.word_right(),
        Some(KeyAction::LineStart | KeyAction::Home) => input.home(),
        Some(KeyAction::LineEnd | KeyAction::End) => input.end(),
        Some(KeyAction::Backspace) => input.backspace(),
        Some(KeyAction::Delete) => input.delete(),
        Some(KeyAction::KillToStart) => drop(input.kill_to_start()),
        Some(KeyAction::KillToEnd) => drop(input.kill_to_end()),
        Some(KeyAction::KillBlankWord | KeyAction::KillWordLeft) => drop(input.kill_blank_word()),
        Some(_) => {}
        None => {
            if let (KeyCode::Char(c), true) = (key.code, is_typed(key)) {
                input.insert(c.encode_utf8(&mut [0; 4]));
            }
        }
    }
}

fn is_typed(key: KeyEvent) -> bool {
    !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
}
