//! Where events leave the client, with backpressure from their reader.

use std::collections::VecDeque;

use tokio::sync::mpsc::error::{SendError, TrySendError};
use tokio::sync::{mpsc, oneshot};

use crate::client::api::event::Event;

/// The outgoing events. What does not fit into the channel waits here, and the connection that
/// caused it waits too: one batch for each connection, so this is bounded by their number.
#[derive(Debug)]
pub(crate) struct EventSender {
    sender: mpsc::Sender<Event>,
    waiting: VecDeque<Event>,
    holding: Vec<oneshot::Sender<()>>,
    flushing: bool,
}

/// Room for one event in the channel.
pub(crate) type Permit = Result<mpsc::OwnedPermit<Event>, SendError<()>>;

impl EventSender {
    pub(crate) fn new(sender: mpsc::Sender<Event>) -> Self {
        Self { sender, waiting: VecDeque::new(), holding: Vec::new(), flushing: false }
    }

    /// Sends an event. Once the reader is gone it is dropped.
    pub(crate) fn emit(&mut self, event: Event) {
        let event = sanitize_reason(event);
        if !self.waiting.is_empty() {
            return self.waiting.push_back(event);
        }
        if let Err(TrySendError::Full(event)) = self.sender.try_send(event) {
            self.waiting.push_back(event);
        }
    }

    /// Whether events wait.
    pub(crate) fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many events wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Resolves once nothing waits any more: `None` when nothing does now.
    pub(crate) fn backpressure(&mut self) -> Option<oneshot::Receiver<()>> {
        self.is_full().then(|| {
            let (sender, receiver) = oneshot::channel();
            self.holding.push(sender);
            receiver
        })
    }

    /// What has to be awaited for [`EventSender::resume`]; `None` when nothing is queued or it is
    /// awaited already.
    pub(crate) fn permit(&mut self) -> Option<impl Future<Output = Permit> + use<>> {
        if self.flushing || !self.is_full() {
            return None;
        }
        self.flushing = true;
        Some(self.sender.clone().reserve_owned())
    }

    /// Sends queued events, now that there is room.
    pub(crate) fn resume(&mut self, permit: Permit) {
        self.flushing = false;
        match permit {
            Ok(permit) => {
                if let Some(event) = self.waiting.pop_front() {
                    permit.send(event);
                }
                while let Some(event) = self.waiting.pop_front() {
                    if let Err(TrySendError::Full(event)) = self.sender.try_send(event) {
                        self.waiting.push_front(event);
                        break;
                    }
                }
            }
            Err(_) => self.waiting.clear(),
        }
        if self.waiting.is_empty() {
            for holder in self.holding.drain(..) {
                // A receiver that is gone is not waited for.
                let _ = holder.send(());
            }
        }
    }
}

/// Texts for a person may quote paths and errors: no control character leaves here.
fn sanitize_reason(mut event: Event) -> Event {
    match &mut event {
        Event::Disconnected { reason }
        | Event::Failover { reason, .. }
        | Event::Reconnecting { reason, .. }
        | Event::PrivateRequestOver { reason, .. }
        | Event::PrivateClosed { reason, .. }
        | Event::Undelivered { reason, .. }
        | Event::FileFailed { reason, .. }
        | Event::Notice { message: reason }
        | Event::Error { message: reason, .. }
            if reason.contains(char::is_control) =>
        {
            *reason = reason.replace(char::is_control, "\u{fffd}");
        }
        _ => {}
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::api::event::ErrorCode;

    fn notice(message: &str) -> Event {
        Event::Notice { message: message.into() }
    }

    #[actix_rt::test]
    async fn a_slow_reader_holds_the_sources_and_loses_nothing() {
        let (sender, mut receiver) = mpsc::channel(2);
        let mut events = EventSender::new(sender);
        for text in ["1", "2"] {
            events.emit(notice(text));
        }
        assert!(events.backpressure().is_none());
        for text in ["3", "4"] {
            events.emit(notice(text));
        }
        let mut backpressure = events.backpressure().unwrap();
        let permit = events.permit().unwrap();
        assert!(events.permit().is_none(), "awaited once");
        assert_eq!(receiver.recv().await, Some(notice("1")));
        assert_eq!(receiver.recv().await, Some(notice("2")));
        events.resume(permit.await);
        backpressure.try_recv().unwrap();
        assert_eq!(receiver.recv().await, Some(notice("3")));
        assert_eq!(receiver.recv().await, Some(notice("4")));
    }

    #[actix_rt::test]
    async fn a_reader_that_is_gone_holds_up_no_sender() {
        let (sender, receiver) = mpsc::channel(1);
        let mut events = EventSender::new(sender);
        events.emit(notice("1"));
        events.emit(notice("2"));
        let mut backpressure = events.backpressure().unwrap();
        let permit = events.permit().unwrap();
        drop(receiver);
        events.resume(permit.await);
        backpressure.try_recv().unwrap();
        assert!(!events.is_full());
    }

    #[test]
    fn no_control_character_leaves() {
        let Event::Error { message, .. } =
            sanitize_reason(Event::Error { code: ErrorCode::Server, message: "a\u{1b}[m".into() })
        else {
            panic!("another event")
        };
        assert_eq!(message, "a\u{fffd}[m");
    }
}
