//! The loop that brings events to the state and effects to the world.

use std::io;
use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::{Event as TerminalEvent, MouseEvent, MouseEventKind};
use jiff::Zoned;
use matou_actors::client::{Events, Handle};
use tokio::sync::Notify as Wake;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::screen::runtime::disk::{Disk, DiskJob};
use crate::screen::runtime::error::ScreenError;
use crate::screen::runtime::keyboard::Keyboard;
use crate::screen::runtime::signals::{ScreenSignals, Signal};
use crate::screen::runtime::terminal::Screen;
use crate::screen::state::app::App;
use crate::screen::state::event::{Now, UiEffect, UiEvent};

/// At most 60 frames a second.
pub(in crate::screen) const FRAME: Duration = Duration::from_nanos(16_666_667);
/// Chat events that are taken in before keys are looked at again.
pub(in crate::screen) const BATCH: usize = 256;
#[cfg(feature = "testing")]
/// Set to `screen` or `thread`, it makes F12 panic there, to test that the terminal survives.
const PANIC_SWITCH: &str = "MATOU_TEST_PANIC";

/// What ends the loop, and the events if the client has not closed.
pub(in crate::screen) type Ended = (Result<Option<&'static str>, ScreenError>, Option<Events>);

/// The screen while it is shown.
pub(in crate::screen) struct EventLoop<'a> {
    pub(in crate::screen) app: App,
    pub(in crate::screen) screen: &'a mut Screen,
    pub(in crate::screen) disk: Disk,
    pub(in crate::screen) answers: UnboundedSender<UiEvent>,
    pub(in crate::screen) handle: Handle,
    pub(in crate::screen) started: Instant,
    /// The shell is to get the terminal.
    pub(in crate::screen) suspend: bool,
}

/// How the loop continues.
enum Flow {
    On,
    Exit(Option<String>),
}

impl EventLoop<'_> {
    /// Runs until the user leaves, or something ends it.
    pub(in crate::screen) async fn turn(
        &mut self,
        mut events: Events,
        mut disk_events: UnboundedReceiver<UiEvent>,
        mut signals: ScreenSignals,
        panicked: Arc<Wake>,
    ) -> Ended {
        let mut keyboard = match Keyboard::new() {
            Ok(keyboard) => keyboard,
            Err(error) => return (Err(error.into()), Some(events)),
        };
        let mut drawn = Instant::now().checked_sub(FRAME).unwrap_or_else(Instant::now);
        let mut pending = true;
        let mut open = true;
        loop {
            let since = drawn.elapsed();
            pending |= self.app.take_dirty();
            let due = pending && !self.app.in_copy_mode();
            if due && since >= FRAME {
                if let Err(error) = self.draw() {
                    return (Err(error.into()), open.then_some(events));
                }
                (pending, drawn) = (false, Instant::now());
                continue;
            }
            let idle = self.app.idle_for();
            let wait = if due { FRAME.saturating_sub(since).min(idle) } else { idle };
            let step = tokio::select! {
                biased;
                () = panicked.notified() => return (Err(ScreenError::Panicked), open.then_some(events)),
                signal = signals.next() => {
                    pending = true;
                    match signal {
                        Signal::End(name) => return (Ok(Some(name)), open.then_some(events)),
                        Signal::Stop => self.stop(&mut signals).await,
                        Signal::Continue => self.enter(),
                        Signal::Resize => self.resize(),
                    }
                }
                event = keyboard.next() => self.take_input(event, &mut keyboard),
                Some(event) = disk_events.recv() => self.update(event),
                event = events.recv(), if open => {
                    open = event.is_some();
                    let event = event.unwrap_or(matou_actors::client::Event::Closed);
                    self.take_chat(event, &mut events)
                }
                () = tokio::time::sleep(wait) => self.update(UiEvent::Tick),
            };
            match step {
                Ok(Flow::On) => {}
                Ok(Flow::Exit(None)) => return (Ok(None), open.then_some(events)),
                Ok(Flow::Exit(Some(reason))) => {
                    return (Err(ScreenError::Client(reason)), open.then_some(events));
                }
                Err(error) => return (Err(error.into()), open.then_some(events)),
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        // A resize may be visible here before its event arrives.
        let _ = self.resize()?;
        self.app.take_dirty();
        self.screen.draw(&self.app)
    }

    /// Takes over the size that the terminal has; copy mode is redrawn.
    fn resize(&mut self) -> io::Result<Flow> {
        let (columns, rows) = self.screen.size()?;
        self.update(UiEvent::Resize(columns, rows))
    }

    /// Takes the terminal again.
    fn enter(&mut self) -> io::Result<Flow> {
        self.screen.enter()?;
        self.resize()
    }

    /// Keys that are already available are handled together.
    fn take_input(
        &mut self,
        event: io::Result<TerminalEvent>,
        keyboard: &mut Keyboard,
    ) -> io::Result<Flow> {
        for event in batch(event, || keyboard.ready()) {
            let event = event?;
            #[cfg(feature = "testing")]
            force_panic(&event);
            if let Some(event) = translated(event)
                && let flow @ Flow::Exit(_) = self.update(event)?
            {
                return Ok(flow);
            }
            if self.suspend {
                break;
            }
        }
        if std::mem::take(&mut self.suspend) && !crate::screen::runtime::signals::stop_group() {
            self.app.no_shell();
        }
        Ok(Flow::On)
    }

    fn take_chat(
        &mut self,
        event: matou_actors::client::Event,
        events: &mut Events,
    ) -> io::Result<Flow> {
        for event in batch(event, || events.try_recv()) {
            if let flow @ Flow::Exit(_) = self.update(UiEvent::Chat(event))? {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn update(&mut self, event: UiEvent) -> io::Result<Flow> {
        for effect in self.app.update(event, now(self.started)) {
            match effect {
                // An error is the end of the client, which the events report.
                UiEffect::Send(command) => drop(self.handle.send_now(command)),
                UiEffect::Remember(line) => self.disk(DiskJob::Remember(line)),
                UiEffect::Log { file, line } => self.disk(DiskJob::Log(file, line)),
                UiEffect::List(folder) => self.disk(DiskJob::List(folder)),
                UiEffect::FindFile { line, paths } => self.disk(DiskJob::FindFile(line, paths)),
                UiEffect::StorePaste { to, text } => self.disk(DiskJob::StorePaste(to, text)),
                UiEffect::RemovePaste(path) => self.disk(DiskJob::RemovePaste(path)),
                UiEffect::Notify(how, text) => self.screen.notify(how, &text)?,
                UiEffect::Mouse(wanted) => self.screen.mouse(wanted)?,
                UiEffect::CopyMode(lines) => self.screen.copy_mode(&lines)?,
                UiEffect::EndCopyMode => self.screen.end_copy_mode()?,
                UiEffect::Redraw => self.screen.redraw()?,
                UiEffect::Suspend => self.suspend = true,
                UiEffect::Exit(reason) => return Ok(Flow::Exit(reason)),
            }
        }
        Ok(Flow::On)
    }

    fn disk(&mut self, job: DiskJob) {
        if let Some(event) = self.disk.add(job) {
            // The receiver lives as long as the loop.
            let _ = self.answers.send(event);
        }
    }

    /// Hands the terminal to the shell until the program is continued.
    async fn stop(&mut self, signals: &mut ScreenSignals) -> io::Result<Flow> {
        self.screen.leave();
        crate::screen::runtime::signals::stop_self()?;
        signals.continued().await;
        self.enter()
    }
}

/// `first` and what is already available, at most [`BATCH`]; takes no more than it returns.
fn batch<T>(first: T, more: impl FnMut() -> Option<T>) -> impl Iterator<Item = T> {
    iter::once(first).chain(iter::from_fn(more)).take(BATCH)
}

#[cfg(feature = "testing")]
fn force_panic(event: &TerminalEvent) {
    let is_f12 =
        matches!(event, TerminalEvent::Key(key) if key.code == crossterm::event::KeyCode::F(12));
    if !is_f12 {
        return;
    }
    match std::env::var(PANIC_SWITCH).as_deref() {
        Ok("screen") => panic!("forced by {PANIC_SWITCH}"),
        Ok("thread") => {
            // Not joined: the hook alone has to end the screen.
            drop(std::thread::spawn(|| panic!("forced by {PANIC_SWITCH}")));
        }
        _ => {}
    }
}

fn translated(event: TerminalEvent) -> Option<UiEvent> {
    Some(match event {
        TerminalEvent::Key(key) => UiEvent::Key(key),
        TerminalEvent::Paste(text) => UiEvent::Paste(text),
        // Nothing follows the mouse: only the wheel and clicks.
        TerminalEvent::Mouse(MouseEvent {
            kind: MouseEventKind::Moved | MouseEventKind::Drag(_) | MouseEventKind::Up(_),
            ..
        }) => return None,
        TerminalEvent::Mouse(mouse) => UiEvent::Mouse(mouse),
        TerminalEvent::Resize(columns, rows) => UiEvent::Resize(columns, rows),
        TerminalEvent::FocusGained => UiEvent::Focus(true),
        TerminalEvent::FocusLost => UiEvent::Focus(false),
    })
}

/// The time, `started` being when the screen was opened.
pub(in crate::screen) fn now(started: Instant) -> Now {
    Now { elapsed: started.elapsed(), wall: Zoned::now().datetime() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_beyond_a_batch_are_left_for_the_next() {
        let mut waiting = 1..;
        let taken: Vec<_> = batch(0, || waiting.next()).collect();
        assert_eq!(taken, (0..BATCH).collect::<Vec<_>>());
        assert_eq!(waiting.next(), Some(BATCH));
    }
}
