//! Whole screens, driven by keys and events alone.

mod hostile;
mod snapshots;
mod talk;

use std::net::IpAddr;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::civil::date;
use matou_actors::client::{Command, Event};
use matou_actors::protocol::{MessageText, Username};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::app::{App, Start};
use super::event::{Effect, Now, UiEvent};
use super::settings::ScreenSettings;
use super::theme::TerminalHints;
use super::view;

/// A screen with a clock of its own, and all effects so far.
pub(super) struct Scene {
    pub(super) app: App,
    pub(super) effects: Vec<Effect>,
    seconds: u64,
}

pub(super) fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub(super) fn text(text: &str) -> MessageText {
    MessageText::parse(text).unwrap()
}

pub(super) fn address() -> IpAddr {
    [192, 168, 1, 7].into()
}

impl Scene {
    /// Before anything has happened.
    pub(super) fn new(size: (u16, u16), username: Option<&str>) -> Self {
        Self::with(size, username, ScreenSettings::default())
    }

    pub(super) fn with(size: (u16, u16), username: Option<&str>, settings: ScreenSettings) -> Self {
        let app = App::new(Start {
            settings,
            hints: TerminalHints::default(),
            size,
            now: now(0),
            username: username.map(name),
            server: "chat.example:6286".into(),
            home: Some("/home/me".into()),
            history: Vec::new(),
        });
        Self { app: app.unwrap(), effects: Vec::new(), seconds: 0 }
    }

    /// Signed in as bob, with some people.
    pub(super) fn signed_in(size: (u16, u16)) -> Self {
        let mut scene = Self::new(size, Some("bob"));
        scene.sign_in();
        scene
    }

    pub(super) fn sign_in(&mut self) {
        let server = "chat.example:6286".into();
        self.chat(Event::Connected { server, username: name("bob") });
        for who in ["alice", "carol", "dave", "Élodie", "猫"] {
            self.chat(Event::Joined { username: name(who), present: true });
        }
    }

    pub(super) fn chat(&mut self, event: Event) -> &mut Self {
        self.update(UiEvent::Chat(event))
    }

    pub(super) fn says(&mut self, who: &str, what: &str) -> &mut Self {
        self.chat(Event::Message { from: name(who), text: text(what) })
    }

    pub(super) fn whispers(&mut self, from: &str, to: &str, what: &str) -> &mut Self {
        self.chat(Event::PrivateMessage { from: name(from), to: name(to), text: text(what) })
    }

    pub(super) fn opens(&mut self, with: &str) -> &mut Self {
        self.chat(Event::PrivateOpened { with: name(with), address: address() })
    }

    pub(super) fn update(&mut self, event: UiEvent) -> &mut Self {
        let effects = self.app.update(event, now(self.seconds));
        self.effects.extend(effects);
        self
    }

    /// Lets time pass.
    pub(super) fn wait(&mut self, seconds: u64) -> &mut Self {
        self.seconds += seconds;
        self.update(UiEvent::Tick)
    }

    /// Types a line without sending it.
    pub(super) fn types(&mut self, line: &str) -> &mut Self {
        for c in line.chars() {
            self.update(UiEvent::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
        self
    }

    /// Types a line and sends it.
    pub(super) fn enters(&mut self, line: &str) -> &mut Self {
        self.types(line).key(KeyCode::Enter)
    }

    pub(super) fn key(&mut self, code: KeyCode) -> &mut Self {
        self.update(UiEvent::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    pub(super) fn ctrl(&mut self, c: char) -> &mut Self {
        self.update(UiEvent::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)))
    }

    pub(super) fn alt(&mut self, c: char) -> &mut Self {
        self.update(UiEvent::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::ALT)))
    }

    /// The commands sent since this was asked last.
    pub(super) fn sent(&mut self) -> Vec<Command> {
        let effects = std::mem::take(&mut self.effects);
        let sent = effects.into_iter().filter_map(|effect| match effect {
            Effect::Send(command) => Some(command),
            _ => None,
        });
        sent.collect()
    }

    /// The screen as text.
    pub(super) fn screen(&self) -> String {
        self.terminal().backend().to_string()
    }

    pub(super) fn terminal(&self) -> Terminal<TestBackend> {
        let (columns, rows) = self.app.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| view::draw(&self.app, frame)).unwrap();
        terminal
    }

    pub(super) fn shows(&self, what: &str) -> bool {
        self.screen().contains(what)
    }
}

fn now(seconds: u64) -> Now {
    let noon = date(2026, 11, 23).at(12, 0, 0, 0);
    let elapsed = Duration::from_secs(seconds);
    Now { elapsed, wall: noon.checked_add(elapsed).unwrap() }
}
