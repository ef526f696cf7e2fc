//! Input from the terminal: keys, pastes, the mouse, the focus.
//!
//! A thread of its own reads it. In the middle of an escape sequence crossterm waits for the rest
//! of it, which must not delay drawing; and it does not report that a terminal is gone, which is
//! checked here.

use std::io;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::stdio::stdin;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Events that wait while the screen is busy; beyond, they wait in the terminal.
const WAITING: usize = 256;
/// How long an event is waited for once there is something to read. Not zero: crossterm does not
/// even hand out what it has read already then.
const MOMENT: Duration = Duration::from_millis(1);
/// The same where only crossterm can wait for the terminal.
const BLIND: Duration = Duration::from_millis(100);

/// The events of the terminal, read until this is dropped.
pub(in crate::screen) struct Keyboard {
    events: Receiver<io::Result<Event>>,
    /// Closed when dropped, which ends the thread.
    _stop: OwnedFd,
}

impl Keyboard {
    /// Reads standard input, a terminal, from now on.
    pub(in crate::screen) fn new() -> io::Result<Self> {
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let (sender, events) = channel(WAITING);
        thread::Builder::new().name("keyboard".into()).spawn(move || {
            if let Err(error) = read(&stopped, &sender) {
                // Not joined when the screen has ended.
                let _ = sender.blocking_send(Err(error));
            }
        })?;
        Ok(Self { events, _stop: stop })
    }

    /// The next event; an error when the terminal is gone. Nothing is lost when the future is
    /// dropped.
    pub(in crate::screen) async fn next(&mut self) -> io::Result<Event> {
        self.events.recv().await.unwrap_or_else(|| Err(gone()))
    }

    /// The next event if one is available.
    pub(in crate::screen) fn ready(&mut self) -> Option<io::Result<Event>> {
        self.events.try_recv().ok()
    }
}

/// Reads until the screen has ended or the terminal is gone.
fn read(stopped: &OwnedFd, sender: &Sender<io::Result<Event>>) -> io::Result<()> {
    let input = stdin();
    loop {
        let mut waiting =
            [PollFd::new(&input, PollFlags::IN), PollFd::new(stopped, PollFlags::empty())];
        match poll(&mut waiting, None) {
            Err(rustix::io::Errno::INTR) => continue,
            result => result?,
        };
        let [terminal, stop] = waiting.map(|file| file.revents());
        if !stop.is_empty() {
            return Ok(());
        }
        if terminal.intersects(PollFlags::HUP | PollFlags::ERR) {
            return Err(gone());
        }
        // Some systems cannot wait for a terminal with this call.
        let patience = if terminal.contains(PollFlags::NVAL) { BLIND } else { MOMENT };
        while event::poll(patience)? {
            if sender.blocking_send(event::read()).is_err() {
                return Ok(());
            }
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it was closed")
}
