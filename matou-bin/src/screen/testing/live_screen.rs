//! A screen in real time, drawn as for a terminal and written to nowhere.

use std::io;
use std::time::Duration;

use crossterm::event::KeyEvent;
use jiff::Zoned;
use matou_actors::client::Event;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::test_screen::TestScreen;
use crate::screen::runtime::hyperlinks::{self, HyperlinkBackend};
use crate::screen::state::app::App;
use crate::screen::state::event::{Now, UiEvent};

/// The screen, and the terminal that it is drawn on.
pub struct LiveScreen {
    app: App,
    terminal: Terminal<HyperlinkBackend<io::Sink>>,
}

impl LiveScreen {
    /// Continues from what `screen` shows.
    pub fn new(screen: TestScreen) -> io::Result<Self> {
        let (columns, rows) = screen.app.size;
        let viewport = Viewport::Fixed(Rect::new(0, 0, columns, rows));
        let backend = HyperlinkBackend::new(io::sink());
        let terminal = Terminal::with_options(backend, TerminalOptions { viewport })?;
        Ok(Self { app: screen.app, terminal })
    }

    /// A key is pressed.
    pub fn press(&mut self, key: KeyEvent, elapsed: Duration) {
        self.update(UiEvent::Key(key), elapsed);
    }

    /// The client reports an event.
    pub fn chat(&mut self, event: Event, elapsed: Duration) {
        self.update(UiEvent::Chat(event), elapsed);
    }

    /// Time passes.
    pub fn tick(&mut self, elapsed: Duration) {
        self.update(UiEvent::Tick, elapsed);
    }

    /// Whether it has to be drawn again.
    pub fn take_dirty(&mut self) -> bool {
        self.app.take_dirty()
    }

    /// When it wants to know how late it is.
    pub fn idle_for(&self) -> Duration {
        self.app.idle_for()
    }

    /// Draws what has changed.
    pub fn draw(&mut self) -> io::Result<()> {
        hyperlinks::draw(&mut self.terminal, &self.app)
    }

    /// Entries of the room's scrollback.
    pub fn held(&self) -> u64 {
        self.app.tabs.first().map_or(0, |room| room.buffer.end().abs_diff(room.buffer.first()))
    }

    fn update(&mut self, event: UiEvent, elapsed: Duration) {
        let now = Now { elapsed, wall: Zoned::now().datetime() };
        drop(self.app.update(event, now));
    }
}

impl std::fmt::Debug for LiveScreen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveScreen").finish_non_exhaustive()
    }
}
