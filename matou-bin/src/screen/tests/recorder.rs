//! Scenes as the bytes that a terminal gets.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use crate::screen::runtime::hyperlinks::{self, HyperlinkBackend};
use crate::screen::testing::test_screen::TestScreen;

/// A screen that is written to memory.
pub(super) struct Recorder {
    terminal: Terminal<HyperlinkBackend<Out>>,
    out: Out,
}

impl Recorder {
    /// For scenes as large as `scene`.
    pub(super) fn new(scene: &TestScreen) -> Self {
        let (columns, rows) = scene.app.size;
        let out = Out::default();
        let viewport = Viewport::Fixed(Rect::new(0, 0, columns, rows));
        let options = TerminalOptions { viewport };
        let terminal = Terminal::with_options(HyperlinkBackend::new(out.clone()), options).unwrap();
        Self { terminal, out }
    }

    /// The bytes written to draw `scene` now.
    pub(super) fn draw(&mut self, scene: &TestScreen) -> String {
        hyperlinks::draw(&mut self.terminal, &scene.app).unwrap();
        String::from_utf8(std::mem::take(&mut *self.out.0.borrow_mut())).unwrap()
    }
}

/// Collects the bytes written to a terminal.
#[derive(Clone, Default)]
struct Out(Rc<RefCell<Vec<u8>>>);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
