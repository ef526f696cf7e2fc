//! The two ends by which the outside drives a client.

use tokio::sync::mpsc;

use super::command::Command;
use super::event::Event;

/// How many commands or events may wait before their sender is slowed down.
const CHANNEL_CAPACITY: usize = 1024;

/// Takes [`Command`]s. Clones drive the same client; when the last one is dropped the client
/// finishes as after [`Command::Finish`].
#[derive(Clone, Debug)]
pub struct Handle(mpsc::Sender<Command>);

/// Yields [`Event`]s until the client has closed. A reader that falls behind slows the client's
/// reading from the server down; it loses nothing.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

/// The client has closed and takes no commands any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client has closed")]
pub struct Closed;

/// The client's own ends of the two channels.
pub(crate) struct Inside {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) events: mpsc::Sender<Event>,
}

pub(crate) fn channels() -> (Handle, Events, Inside) {
    let (command_sender, commands) = mpsc::channel(CHANNEL_CAPACITY);
    let (events, event_receiver) = mpsc::channel(CHANNEL_CAPACITY);
    (Handle(command_sender), Events(event_receiver), Inside { commands, events })
}

impl Handle {
    /// Hands over `command`, waiting while too many are queued.
    pub async fn send(&self, command: Command) -> Result<(), Closed> {
        self.0.send(command).await.map_err(|_| Closed)
    }
}

impl Events {
    /// The next event; `None` once the client has closed and every event was read.
    pub async fn recv(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// The next event if one is there already.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.0.try_recv().ok()
    }
}
