//! The only place that touches the terminal: takes it over, draws, and restores it.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste,
    EnableFocusChange, EnableMouseCapture,
};
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap,
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Terminal;

use crate::screen::config::settings::Notify;
use crate::screen::runtime::hyperlinks::{self, HyperlinkBackend};
use crate::screen::state::app::App;
use crate::screen::text::width::prefix;

/// Columns of text in a desktop notification.
const NOTICE: usize = 200;
/// How long a panic elsewhere waits for a frame that is being drawn.
const PATIENCE: Duration = Duration::from_millis(300);

/// Whether the terminal is taken. Global, as the terminal is, for the panic hook.
static TAKEN: Mutex<bool> = Mutex::new(false);

/// The terminal while the screen has it. Restored when dropped.
pub(in crate::screen) struct Screen {
    terminal: Terminal<HyperlinkBackend<BufWriter<Stdout>>>,
    mouse: bool,
}

/// Restores the terminal, if it is taken. For panic hooks: waits only briefly for a frame that
/// another thread is drawing.
pub(in crate::screen) fn restore() {
    let mut left = PATIENCE;
    let step = Duration::from_millis(5);
    let guard = loop {
        match TAKEN.try_lock() {
            Ok(guard) => break Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => break Some(poisoned.into_inner()),
            // This thread itself may be the one that draws.
            Err(TryLockError::WouldBlock) if left.is_zero() => break None,
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(step);
                left = left.saturating_sub(step);
            }
        }
    };
    if let Some(mut taken) = guard {
        if std::mem::take(&mut *taken) {
            give_back();
        }
    } else {
        give_back();
    }
}

impl Screen {
    /// Takes the terminal.
    pub(in crate::screen) fn take(mouse: bool) -> io::Result<Self> {
        let backend = HyperlinkBackend::new(BufWriter::with_capacity(64 * 1024, io::stdout()));
        let terminal = Terminal::new(backend)?;
        let mut screen = Self { terminal, mouse };
        screen.enter()?;
        Ok(screen)
    }

    /// Columns and rows.
    pub(in crate::screen) fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Draws `app`, as far as it differs from what is already drawn.
    pub(in crate::screen) fn draw(&mut self, app: &App) -> io::Result<()> {
        let taken = lock();
        if !*taken {
            return Ok(());
        }
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        hyperlinks::draw(&mut self.terminal, app)?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// Draws everything with the next [`Screen::draw`].
    pub(in crate::screen) fn redraw(&mut self) -> io::Result<()> {
        // Not `clear`, which asks the terminal where its cursor is and waits for an answer.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Captures the mouse, or releases it.
    pub(in crate::screen) fn mouse(&mut self, wanted: bool) -> io::Result<()> {
        self.mouse = wanted;
        if wanted {
            execute!(self.terminal.backend_mut(), EnableMouseCapture)
        } else {
            execute!(self.terminal.backend_mut(), DisableMouseCapture)
        }
    }

    /// Shows `lines` without anything around them, each wrapped by the terminal itself, so that it
    /// knows where lines and links continue.
    pub(in crate::screen) fn copy_mode(&mut self, lines: &[String]) -> io::Result<()> {
        let out = self.terminal.backend_mut();
        queue!(out, DisableMouseCapture, EnableLineWrap, SetAttribute(Attribute::Reset))?;
        queue!(out, Clear(ClearType::All), cursor::MoveTo(0, 0), cursor::Hide)?;
        for line in lines {
            queue!(out, Print(line), Print("\r\n"))?;
        }
        execute!(out, Print("-- press any key to return --"))
    }

    /// Ends [`Screen::copy_mode`].
    pub(in crate::screen) fn end_copy_mode(&mut self) -> io::Result<()> {
        self.mouse(self.mouse)?;
        execute!(self.terminal.backend_mut(), DisableLineWrap)?;
        self.redraw()
    }

    /// Calls the user.
    pub(in crate::screen) fn notify(&mut self, how: Notify, text: &str) -> io::Result<()> {
        // Nothing in it ends the sequence early: control characters are written out already.
        let text: String = prefix(text, NOTICE).chars().filter(|c| !c.is_control()).collect();
        let sequence = match how {
            Notify::Off => return Ok(()),
            Notify::Bell => "\u{7}".to_owned(),
            Notify::Osc9 => format!("\u{1b}]9;{text}\u{7}"),
            Notify::Osc777 => format!("\u{1b}]777;notify;Matou;{text}\u{7}"),
        };
        execute!(self.terminal.backend_mut(), Print(sequence))
    }

    /// Releases the terminal for a while.
    #[allow(
        clippy::unused_self,
        reason = "a method, so that only the owner of the terminal can restore it"
    )]
    pub(in crate::screen) fn leave(&mut self) {
        restore();
    }

    /// Takes the terminal again.
    pub(in crate::screen) fn enter(&mut self) -> io::Result<()> {
        let mut taken = lock();
        // A shell that got the terminal while this was stopped has reset it. crossterm does not
        // set what it believes to be set already.
        disable_raw_mode()?;
        enable_raw_mode()?;
        *taken = true;
        drop(taken);
        let out = self.terminal.backend_mut();
        queue!(out, EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
        // What a terminal draws wider than expected must not reach into the next row.
        queue!(out, DisableLineWrap)?;
        if self.mouse {
            queue!(out, EnableMouseCapture)?;
        }
        out.flush()?;
        self.redraw()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn lock() -> MutexGuard<'static, bool> {
    TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Errors are ignored: the terminal may be gone.
fn give_back() {
    let mut out = io::stdout();
    let _ = execute!(
        out,
        EndSynchronizedUpdate,
        EnableLineWrap,
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        SetAttribute(Attribute::Reset),
        cursor::Show,
        LeaveAlternateScreen,
    );
    let _ = disable_raw_mode();
}
