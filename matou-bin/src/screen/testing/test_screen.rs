//! A screen without a terminal, on which a test plays: for tests, pictures and measurements.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "plays fixed pieces, nothing from outside"
)]

use std::net::IpAddr;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
#[cfg(test)]
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use jiff::civil::date;
use matou_actors::client::{
    Command, Direction, Event, KeyStanding, LinkSecurity, TransferId, TransferInfo, TransferState,
};
use matou_actors::protocol::{MessageText, Username};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::screen::config::settings::ScreenSettings;
use crate::screen::config::theme::{TerminalHints, ThemeName};
use crate::screen::state::app::{App, AppStart};
use crate::screen::state::event::{Now, UiEffect, UiEvent};
use crate::screen::state::modal::ServerChoice;
use crate::screen::state::server_labels::ServerLabels;
use crate::screen::text::short_names::ShortNames;
use crate::screen::view;

/// A screen with its own clock, and all effects so far.
#[derive(Debug)]
pub struct TestScreen {
    /// The screen.
    pub(crate) app: App,
    /// What it wanted done.
    pub(crate) effects: Vec<UiEffect>,
    /// The recipients of typing notices, and whether typing continues: apart from the effects, since keys bring it about
    /// that are about something else.
    pub(crate) typing: Vec<(Username, bool)>,
    milliseconds: u64,
}

/// `text` as a name.
pub fn name(text: &str) -> Username {
    Username::parse(text).expect("a name")
}

/// `text` as a message.
pub fn text(text: &str) -> MessageText {
    MessageText::parse(text).expect("a message")
}

/// A screen in the room.
pub(crate) fn address() -> IpAddr {
    [192, 168, 1, 7].into()
}

impl TestScreen {
    /// Before anything has happened.
    pub(crate) fn new(size: (u16, u16), username: Option<&str>, settings: ScreenSettings) -> Self {
        Self::start(size, username, settings, "chat.example:6286", Vec::new())
    }

    /// Before anything has happened, in that theme: `dark`, `light` or `high-contrast`.
    pub fn themed(size: (u16, u16), username: &str, theme: &str) -> Self {
        let theme = match theme {
            "light" => ThemeName::Light,
            "high-contrast" => ThemeName::HighContrast,
            _ => ThemeName::Dark,
        };
        let settings = ScreenSettings { theme, ..ScreenSettings::default() };
        Self::new(size, Some(username), settings)
    }

    /// Before a server is chosen.
    #[cfg(test)]
    pub(crate) fn choosing(
        size: (u16, u16),
        username: Option<&str>,
        servers: Vec<ServerChoice>,
    ) -> Self {
        Self::start(size, username, ScreenSettings::default(), "", servers)
    }

    fn start(
        size: (u16, u16),
        username: Option<&str>,
        settings: ScreenSettings,
        server: &str,
        servers: Vec<ServerChoice>,
    ) -> Self {
        let mut named = ServerLabels::default();
        for choice in &servers {
            named.add(&choice.servers, &choice.name);
        }
        let app = App::new(AppStart {
            settings,
            hints: TerminalHints {
                term: "xterm-256color".into(),
                colorterm: "truecolor".into(),
                ..TerminalHints::default()
            },
            short_names: ShortNames::with_key(0),
            size,
            now: now(0),
            username: username.map(name),
            server: server.into(),
            servers,
            named,
            home: Some("/home/me".into()),
            history: Vec::new(),
        });
        Self {
            app: app.expect("possible settings"),
            effects: Vec::new(),
            typing: Vec::new(),
            milliseconds: 0,
        }
    }

    /// Signed in as bob, with some people.
    pub fn signed_in(size: (u16, u16)) -> Self {
        let mut screen = Self::new(size, Some("bob"), ScreenSettings::default());
        screen.sign_in();
        screen
    }

    /// The server accepts bob.
    pub fn sign_in(&mut self) -> &mut Self {
        let server = "chat.example:6286".into();
        self.chat(Event::Connected { server, username: name("bob") });
        for who in ["alice", "carol", "dave", "Élodie", "猫"] {
            self.chat(Event::Joined { username: name(who), present: true });
        }
        self
    }

    /// The client reports an event.
    pub fn chat(&mut self, event: Event) -> &mut Self {
        self.update(UiEvent::Chat(event))
    }

    /// `who` says something in public.
    pub fn says(&mut self, who: &str, what: &str) -> &mut Self {
        self.chat(Event::Message { from: name(who), text: text(what), action: false })
    }

    /// `from` says something in private.
    pub fn whispers(&mut self, from: &str, to: &str, what: &str) -> &mut Self {
        self.chat(Event::PrivateMessage {
            action: false,
            id: None,
            from: name(from),
            to: name(to),
            text: text(what),
        })
    }

    /// A private session opens.
    pub fn opens(&mut self, with: &str) -> &mut Self {
        self.chat(Event::PrivateOpened {
            with: name(with),
            address: address(),
            security: LinkSecurity::Encrypted {
                fingerprint: "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".into(),
                key: KeyStanding::Known,
            },
        })
    }

    /// alice offers a file.
    pub fn offers(&mut self, id: u64) -> &mut Self {
        self.chat(Event::FileOffered {
            id: TransferId(id),
            from: name("alice"),
            name: None,
            entries: None,
            size: Some(12_345_678),
            address: address(),
            free: Some(50_000_000_000),
        })
    }

    /// alice offers a file that has a name.
    pub fn offers_named(&mut self, id: u64, file: &str) -> &mut Self {
        self.chat(Event::FileOffered {
            id: TransferId(id),
            from: name("alice"),
            name: Some(file.into()),
            entries: None,
            size: Some(9),
            address: address(),
            free: None,
        })
    }

    /// A file of 700 MB from or to alice has got so far.
    pub fn moves(&mut self, id: u64, direction: Direction, bytes: u64, rate: u64) -> &mut Self {
        let path = Some(format!("/home/me/Downloads/file{id}.iso").into());
        let (with, size) = (name("alice"), Some(700_000_000));
        let (name, id) = (Some(format!("file{id}.iso")), TransferId(id));
        let state = TransferState::Waiting;
        self.chat(Event::FileStarted(TransferInfo {
            id,
            direction,
            state,
            with,
            name,
            bytes: 0,
            size,
            path,
        }));
        if bytes > 0 {
            let rate = Some(rate);
            self.chat(Event::FileProgress { id, bytes, size, rate });
        }
        self
    }

    /// Anything happens.
    pub(crate) fn update(&mut self, event: UiEvent) -> &mut Self {
        // Enter at the very moment of another key would be of a paste.
        if matches!(&event, UiEvent::Key(key) if key.code == KeyCode::Enter) {
            self.milliseconds += 60;
        }
        self.take(event);
        self
    }

    fn take(&mut self, event: UiEvent) {
        for effect in self.app.update(event, now(self.milliseconds)) {
            match effect {
                UiEffect::Send(Command::Typing { to, active }) => self.typing.push((to, active)),
                effect => self.effects.push(effect),
            }
        }
    }

    /// Lets this many seconds pass.
    pub fn wait(&mut self, seconds: u64) -> &mut Self {
        self.milliseconds += seconds * 1000;
        self.update(UiEvent::Tick)
    }

    /// Text arrives as keys without a pause, as a terminal pastes that does not mark a paste.
    #[cfg(test)]
    pub(crate) fn arrives_at_once(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
            let key = UiEvent::Key(KeyEvent::new(code, KeyModifiers::NONE));
            self.take(key);
        }
        self
    }

    /// Types a line without sending it.
    pub fn types(&mut self, line: &str) -> &mut Self {
        for c in line.chars() {
            self.update(UiEvent::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
        self
    }

    /// Types a line and sends it.
    pub fn enters(&mut self, line: &str) -> &mut Self {
        self.types(line).key(KeyCode::Enter)
    }

    /// Presses a key.
    pub fn key(&mut self, code: KeyCode) -> &mut Self {
        self.update(UiEvent::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    /// Presses a key with Alt.
    pub fn alt(&mut self, c: char) -> &mut Self {
        self.update(UiEvent::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::ALT)))
    }

    /// The screen, drawn.
    pub fn terminal(&self) -> Terminal<TestBackend> {
        let (columns, rows) = self.app.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal");
        let draw = |frame: &mut ratatui::Frame<'_>| {
            if let Some(cursor) = view::draw(&self.app, frame.buffer_mut()).cursor {
                frame.set_cursor_position(cursor);
            }
        };
        terminal.draw(draw).expect("drawn");
        terminal
    }
}

/// What only tests look at.
#[cfg(test)]
impl TestScreen {
    /// Lets the time pass in which a new question accepts no answer.
    pub(crate) fn reads(&mut self) -> &mut Self {
        self.wait(1)
    }

    /// Lets time pass without focus.
    pub(crate) fn passes(&mut self, seconds: u64) -> &mut Self {
        self.milliseconds += seconds * 1000;
        self
    }

    /// Presses a key with Ctrl.
    pub(crate) fn ctrl(&mut self, c: char) -> &mut Self {
        self.update(UiEvent::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)))
    }

    /// Turns the wheel of the mouse.
    pub(crate) fn wheel(&mut self, up: bool) -> &mut Self {
        let kind = if up { MouseEventKind::ScrollUp } else { MouseEventKind::ScrollDown };
        let modifiers = KeyModifiers::NONE;
        self.update(UiEvent::Mouse(MouseEvent { kind, column: 5, row: 5, modifiers }))
    }

    /// Clicks at this column and row.
    pub(crate) fn click(&mut self, column: u16, row: u16) -> &mut Self {
        let kind = MouseEventKind::Down(MouseButton::Left);
        let modifiers = KeyModifiers::NONE;
        self.update(UiEvent::Mouse(MouseEvent { kind, column, row, modifiers }))
    }

    /// The commands sent since this was asked last.
    pub(crate) fn sent(&mut self) -> Vec<Command> {
        let effects = std::mem::take(&mut self.effects);
        let sent = effects.into_iter().filter_map(|effect| match effect {
            UiEffect::Send(command) => Some(command),
            _ => None,
        });
        sent.collect()
    }

    /// The links on the screen.
    pub(crate) fn links(&self) -> crate::screen::text::links::Links {
        let (columns, rows) = self.app.size;
        let area = ratatui::layout::Rect::new(0, 0, columns, rows);
        view::draw(&self.app, &mut ratatui::buffer::Buffer::empty(area)).links
    }

    /// The screen as text.
    pub(crate) fn screen(&self) -> String {
        self.terminal().backend().to_string()
    }

    /// Whether `what` is on the screen.
    pub(crate) fn shows(&self, what: &str) -> bool {
        self.screen().contains(what)
    }
}

fn now(milliseconds: u64) -> Now {
    let noon = date(2026, 11, 23).at(12, 0, 0, 0);
    let elapsed = Duration::from_millis(milliseconds);
    Now { elapsed, wall: noon.checked_add(elapsed).expect("a time") }
}
