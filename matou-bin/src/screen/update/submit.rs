//! Handles the input when it is sent.

use std::path::PathBuf;
use std::time::Duration;

use matou_actors::client::Command;
use matou_actors::protocol::Username;

use crate::commands::COMMANDS;
use crate::input::{Input, InputContext, KnownUsers, begins_command, blank, parse};
use crate::screen::config::keymap::KeyAction;
use crate::screen::state::app::{App, ServerStatus};
use crate::screen::state::event::UiEffect;
use crate::screen::state::history::{Scope, to_file};
use crate::screen::state::modal::Modal;
use crate::screen::state::people::People;
use crate::screen::state::tab::{PrivateState, Tab, TabKind};
use crate::text::{lines_of, split_line};
use crate::typed_path::{dropped_paths, readings, several};

/// Those in the room, those who spoke, and those with a tab.
#[derive(Debug)]
struct Known<'a> {
    people: &'a People,
    tabs: &'a [Tab],
}

impl KnownUsers for Known<'_> {
    fn knows(&self, name: &Username) -> bool {
        let key = name.folded();
        let has_tab = |tab: &Tab| tab.peer().is_some_and(|peer| peer.folded() == key);
        self.people.has(name) || self.people.has_spoken(name) || self.tabs.iter().any(has_tab)
    }
}

/// How long the disk may take to say whether a line is the path of a file.
const FILE_PATIENCE: Duration = Duration::from_secs(2);

/// Why public text stays in the line.
pub(super) const NOT_CONNECTED: &str =
    "Not connected: kept here to send again; what you type now is a new line.";

impl App {
    /// Sends the line that was typed.
    pub(super) fn submit(&mut self) {
        if self.looks_for_file() {
            return;
        }
        let Some(line) = self.tab_mut().map(|tab| tab.input.take()) else {
            return;
        };
        self.submit_line(&line);
    }

    fn submit_line(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        let is_command = begins_command(line);
        if self.is_transfers() && !is_command {
            self.put_back(line);
            let key = self.keys.key(KeyAction::Tab(1));
            let room = key.map_or_else(String::new, |key| format!(", {key} is the room"));
            self.flash(format!("No chat in this tab: only commands work{room}."));
            return;
        }
        if !is_command && self.is_unheard() {
            if let Some(tab) = self.tab_mut() {
                tab.input.set_unsent(line);
            }
            // The next line takes its place.
            self.remember(line, false, &[]);
            self.flash(NOT_CONNECTED);
            return;
        }
        // A command may hold a text of several lines.
        let lines = if is_command { vec![line] } else { lines_of(line).collect() };
        if !is_command && lines.iter().any(|line| begins_command(line)) {
            self.put_back(line);
            self.flash("Nothing sent: a command must be the first line; // sends it as text.");
            return;
        }
        let peer = self.tab().and_then(|tab| tab.peer()).cloned();
        let known = Known { people: &self.people, tabs: &self.tabs };
        let context = InputContext {
            talking_to: peer.as_ref(),
            known: Some(&known),
            home: self.home.as_deref(),
        };
        let parsed: Result<Vec<_>, _> = lines
            .into_iter()
            .map(|line| if line.trim().is_empty() { blank(context) } else { parse(line, context) })
            .collect();
        match parsed.map(|lines| lines.into_iter().flatten().collect::<Vec<_>>()) {
            Ok(inputs) if self.leaving.is_some() && !inputs.iter().all(is_quit) => {
                // The status line says that it is signing out.
                self.put_back(line);
            }
            Ok(inputs) => {
                self.remember(line, is_command, &inputs);
                self.scroll_bottom();
                for input in inputs {
                    match input {
                        Input::Command(command) => self.perform_typed(command),
                        Input::Help(about) => self.help(about),
                    }
                }
            }
            Err(problem) => {
                self.history.add(line.to_owned(), Scope::ThisRun);
                self.error(&problem.to_string());
                self.put_back(line);
            }
        }
    }

    /// Whether the line may be the path of a file that was dropped here, and the disk is asked.
    fn looks_for_file(&mut self) -> bool {
        let Some(line) = self.tab().map(|tab| tab.input.text().to_owned()) else { return false };
        let looked_up = self.looked_up.take();
        if let Some((asked, since)) = looked_up.filter(|(asked, _)| *asked == line) {
            let waits = self.now.elapsed.saturating_sub(since) < FILE_PATIENCE;
            if waits {
                self.looked_up = Some((asked, since));
                self.flash("Checking whether that is a file…");
            }
            return waits;
        }
        let paths = dropped_paths(&line, self.home.as_deref());
        let asks = !paths.is_empty();
        if asks {
            self.looked_up = Some((line.clone(), self.now.elapsed));
            self.effects.push(UiEffect::FindFile { line, paths });
        }
        asks
    }

    /// The disk has been asked about a line: a file is asked about, other lines are sent.
    pub(super) fn file_found(&mut self, line: &str, found: Option<PathBuf>) {
        let asked = self.looked_up.as_ref().is_some_and(|(asked, _)| *asked == line);
        let unchanged = self.tab().is_some_and(|tab| tab.input.text() == line);
        if !asked || !unchanged || self.modal.is_some() {
            return;
        }
        self.looked_up = None;
        let Some(line) = self.tab_mut().map(|tab| tab.input.take()) else { return };
        match found {
            Some(path) if self.is_one_of_several(&line, &path) => self.address_files(&line),
            Some(path) => self.ask_about(line, Some(path)),
            None => self.submit_line(&line),
        }
    }

    /// Whether `path` is in `line`, which is not a single path.
    fn is_one_of_several(&self, line: &str, path: &PathBuf) -> bool {
        let home = self.home.as_deref();
        let is_all = readings(line.trim_start(), home).is_ok_and(|all| all.contains(path));
        !is_all && several(line, home).contains(path)
    }

    /// Makes a command of the paths of several files that were dropped here.
    fn address_files(&mut self, paths: &str) {
        if self.talking_to().is_none() {
            return self.address_file(paths.trim());
        }
        self.put_back(&format!("/send {}", paths.trim()));
        self.flash("These are files: press Enter again to send them.");
    }

    /// Begins a command that sends a file, with the cursor where the name goes.
    pub(super) fn address_file(&mut self, path: &str) {
        const COMMAND: &str = "/send ";
        self.put_back(&format!("{COMMAND} {path}"));
        if let Some(tab) = self.tab_mut() {
            tab.input.home();
            COMMAND.chars().for_each(|_| tab.input.right());
        }
        self.flash("Enter the name of the recipient.");
    }

    /// Performs the input, and shows where it went when that is another tab.
    fn perform_typed(&mut self, command: Command) {
        let sent = match &command {
            Command::Tell { to, .. } | Command::ActTo { to, .. } => Some((to.clone(), "message")),
            Command::Send { to, .. } => Some((to.clone(), "file")),
            _ => None,
        };
        self.perform(command);
        if let Some((to, what)) = sent
            && let Some(index) = self.peer_tab(&to)
            && index != self.active
        {
            self.notice_in(self.active, &format!("Your {what} for {to} is in their tab."));
        }
    }

    /// Whether text in the active tab is public while the server is not connected.
    pub(super) fn is_unheard(&self) -> bool {
        self.tab().is_some_and(|tab| tab.kind == TabKind::Room)
            && matches!(self.link, ServerStatus::Down { .. })
    }

    /// Says `lines` to whom the active tab belongs, whatever they begin with.
    pub(super) fn say<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        let peer = self.tab().and_then(|tab| tab.peer()).cloned();
        for text in lines.flat_map(split_line) {
            self.perform(match &peer {
                Some(peer) => Command::Tell { to: peer.clone(), text },
                None => Command::Say(text),
            });
        }
    }

    /// Hands `command` to the client, and shows what it means for the screen.
    pub(super) fn perform(&mut self, command: Command) {
        match &command {
            Command::Quit | Command::Finish => return self.leave(),
            Command::Tell { to, text } | Command::ActTo { to, text } => {
                if let Some(index) = self.tab_for_message(to)
                    && let Some(tab) = self.tabs.get_mut(index)
                    && tab.peer().is_some()
                    && !matches!(tab.session, PrivateState::Open(_))
                {
                    let is_action = matches!(command, Command::ActTo { .. });
                    tab.wait(if is_action { text.as_action() } else { text.clone() });
                }
            }
            Command::Open(peer) => {
                if let Some(index) = self.tab_for_message(peer) {
                    self.show(index);
                }
            }
            Command::Accept(peer) => {
                self.prompts.drop_request(peer);
                let index = self.ensure_tab(peer);
                self.show(index);
            }
            Command::Decline(peer) => {
                self.prompts.drop_request(peer);
                if let Some(index) = self.peer_tab(peer)
                    && self.tabs.get(index).is_some_and(|tab| tab.session == PrivateState::Asking)
                {
                    self.set_session(index, PrivateState::None);
                }
            }
            Command::Take(id) | Command::TakeTo { id, .. } | Command::Refuse(id) => {
                self.prompts.drop_file(*id);
            }
            Command::Ignore(peer) => {
                self.prompts.drop_from(peer);
                if !self.is_ignored(peer) {
                    self.ignored.push(peer.clone());
                }
            }
            Command::Unignore(peer) => self.ignored.retain(|other| other.folded() != peer.folded()),
            Command::ListTransfers => self.show(self.transfers_tab()),
            Command::Say(_) | Command::Act(_) => self.unacknowledged += 1,
            Command::SignIn(_)
            | Command::UsePassword(_)
            | Command::FetchHistory
            | Command::SetRate(_)
            | Command::ShowRate
            | Command::Diagnose(_)
            | Command::Whois(_)
            | Command::Verify(_)
            | Command::Compared(_)
            | Command::Trust(_)
            | Command::Resend(_)
            | Command::Send { .. }
            | Command::SendPipe { .. }
            | Command::Close(_)
            | Command::UseServers(_)
            | Command::Allow(_)
            | Command::Disallow(_)
            | Command::Cancel(_)
            | Command::SetDownloads { .. }
            | Command::ShowDownloads
            | Command::ListPresent
            | Command::ShowTopic
            | Command::Typing { .. }
            | Command::Reconnect => {}
        }
        self.effects.push(UiEffect::Send(command));
    }

    /// The tab of `peer`. A user who is not here gets none: the client reports them as unreachable.
    fn tab_for_message(&mut self, peer: &Username) -> Option<usize> {
        let is_here = self.people.has(peer) && !self.is_me(peer);
        self.peer_tab(peer).or_else(|| is_here.then(|| self.ensure_tab(peer)))
    }

    fn help(&mut self, about: Option<&'static str>) {
        match about.and_then(|name| COMMANDS.iter().find(|spec| spec.name == name)) {
            Some(spec) => {
                self.notice_in(self.active, &spec.details());
            }
            None => self.modal = Some(Modal::Help(0)),
        }
    }

    /// Commands and public text are kept between runs; private text never leaves its tab.
    fn remember(&mut self, line: &str, is_command: bool, inputs: &[Input]) {
        // Not only by what the first line says: it may be blank.
        let private = (!is_command && self.talking_to().is_some())
            || inputs.iter().any(|input| matches!(input, Input::Command(Command::Tell { .. })));
        let scope = match (private, is_command, self.talking_to()) {
            (true, false, Some(peer)) => Scope::Private(peer),
            (true, ..) => Scope::ThisRun,
            (false, ..) => Scope::Anywhere,
        };
        if self.history.add(line.to_owned(), scope) && self.keep_history {
            self.effects.push(UiEffect::Remember(to_file(line)));
        }
    }

    /// Nothing typed is lost: what could not be sent can be mended.
    fn put_back(&mut self, line: &str) {
        if let Some(tab) = self.tab_mut() {
            tab.input.set(line);
        }
    }
}

fn is_quit(input: &Input) -> bool {
    matches!(input, Input::Command(Command::Quit | Command::Finish))
}
