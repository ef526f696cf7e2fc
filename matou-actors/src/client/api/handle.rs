//! The two ends by which the outside drives a client.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::command::Command;
use super::event::Event;

/// How many events may wait before the client is slowed down.
const EVENTS: usize = 1024;
/// How many commands may wait before [`Handle::send`] waits: texts for which an send queue has room when
/// the user signs out.
const COMMANDS: usize = 1024;
/// The same for those that need no permit.
const URGENT: usize = 64;

/// Takes [`Command`]s. Clones drive the same client; when the last one is dropped the client
/// finishes as after [`Command::Finish`].
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::UnboundedSender<QueuedCommand>,
    room: Arc<Semaphore>,
    urgent: Arc<Semaphore>,
}

/// Yields [`Event`]s until the client has closed. A reader that falls behind slows down what the
/// client reads from the server; it loses nothing.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

/// The client has closed and accepts no more commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client has closed")]
pub struct Closed;

/// A command on its way, with its share of the room for commands.
#[derive(Debug)]
pub(crate) struct QueuedCommand {
    pub(crate) command: Command,
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// The client's own ends of the two channels.
pub(crate) struct Inside {
    pub(crate) commands: mpsc::UnboundedReceiver<QueuedCommand>,
    pub(crate) events: mpsc::Sender<Event>,
}

pub(crate) fn channels() -> (Handle, Events, Inside) {
    let (sender, commands) = mpsc::unbounded_channel();
    let (events, event_receiver) = mpsc::channel(EVENTS);
    let (room, urgent) = (Arc::new(Semaphore::new(COMMANDS)), Arc::new(Semaphore::new(URGENT)));
    (Handle { commands: sender, room, urgent }, Events(event_receiver), Inside { commands, events })
}

impl Handle {
    /// Hands over `command`, waiting while too many are queued. Signing out, closing a session and
    /// cancelling a file do not wait for texts.
    pub async fn send(&self, command: Command) -> Result<(), Closed> {
        let room = match command {
            Command::Quit | Command::Close(_) | Command::Cancel(_) => &self.urgent,
            _ => &self.room,
        };
        let permit = Arc::clone(room).acquire_owned().await.map_err(|_| Closed)?;
        self.queue(command, Some(permit))
    }

    /// Hands over `command` without a wait, however many are queued: for what a person types.
    pub fn send_now(&self, command: Command) -> Result<(), Closed> {
        self.queue(command, None)
    }

    fn queue(&self, command: Command, permit: Option<OwnedSemaphorePermit>) -> Result<(), Closed> {
        self.commands.send(QueuedCommand { command, permit }).map_err(|_| Closed)
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
