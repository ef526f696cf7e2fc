//! Where events go out, and what makes a slow reader of them slow the client down.

use std::collections::VecDeque;

use tokio::sync::mpsc::error::{SendError, TrySendError};
use tokio::sync::{mpsc, oneshot};

use super::Event;

/// The events on their way out. What does not fit into the channel waits here, and whoever
/// brought it waits too: one batch for each connection, so this is bounded by their number.
#[derive(Debug)]
pub(super) struct Outlet {
    sender: mpsc::Sender<Event>,
    waiting: VecDeque<Event>,
    holding: Vec<oneshot::Sender<()>>,
    flushing: bool,
}

/// A place for one event.
pub(super) type Place = Result<mpsc::OwnedPermit<Event>, SendError<()>>;

impl Outlet {
    pub(super) fn new(sender: mpsc::Sender<Event>) -> Self {
        Self { sender, waiting: VecDeque::new(), holding: Vec::new(), flushing: false }
    }

    /// Tells an event. When nobody reads any more it is forgotten.
    pub(super) fn tell(&mut self, event: Event) {
        let event = harmless(event);
        if !self.waiting.is_empty() {
            return self.waiting.push_back(event);
        }
        if let Err(TrySendError::Full(event)) = self.sender.try_send(event) {
            self.waiting.push_back(event);
        }
    }

    /// Whether events wait.
    pub(super) fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many events wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Resolves once nothing waits any more: `None` when nothing does now.
    pub(super) fn credit(&mut self) -> Option<oneshot::Receiver<()>> {
        self.is_full().then(|| {
            let (sender, receiver) = oneshot::channel();
            self.holding.push(sender);
            receiver
        })
    }

    /// What has to be awaited for [`Outlet::refill`]; `None` when nothing waits or it is awaited
    /// already.
    pub(super) fn place(&mut self) -> Option<impl Future<Output = Place> + use<>> {
        if self.flushing || !self.is_full() {
            return None;
        }
        self.flushing = true;
        Some(self.sender.clone().reserve_owned())
    }

    /// Puts what waits where there is room now.
    pub(super) fn refill(&mut self, place: Place) {
        self.flushing = false;
        match place {
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
                // A receiver that is gone waits no more.
                let _ = holder.send(());
            }
        }
    }
}

/// Texts for a person may quote paths and errors: no control character leaves here.
fn harmless(mut event: Event) -> Event {
    match &mut event {
        Event::Disconnected { reason }
        | Event::Reconnecting { reason, .. }
        | Event::PrivateRequestOver { reason, .. }
        | Event::PrivateClosed { reason, .. }
        | Event::Undelivered { reason, .. }
        | Event::FileFailed { reason, .. }
        | Event::Notice { message: reason }
        | Event::Error { message: reason }
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

    fn notice(message: &str) -> Event {
        Event::Notice { message: message.into() }
    }

    #[actix_rt::test]
    async fn a_slow_reader_holds_the_sources_and_loses_nothing() {
        let (sender, mut receiver) = mpsc::channel(2);
        let mut outlet = Outlet::new(sender);
        for text in ["1", "2"] {
            outlet.tell(notice(text));
        }
        assert!(outlet.credit().is_none());
        for text in ["3", "4"] {
            outlet.tell(notice(text));
        }
        let mut credit = outlet.credit().unwrap();
        let place = outlet.place().unwrap();
        assert!(outlet.place().is_none(), "awaited once");
        assert_eq!(receiver.recv().await, Some(notice("1")));
        assert_eq!(receiver.recv().await, Some(notice("2")));
        outlet.refill(place.await);
        credit.try_recv().unwrap();
        assert_eq!(receiver.recv().await, Some(notice("3")));
        assert_eq!(receiver.recv().await, Some(notice("4")));
    }

    #[actix_rt::test]
    async fn a_reader_that_is_gone_holds_nobody() {
        let (sender, receiver) = mpsc::channel(1);
        let mut outlet = Outlet::new(sender);
        outlet.tell(notice("1"));
        outlet.tell(notice("2"));
        let mut credit = outlet.credit().unwrap();
        let place = outlet.place().unwrap();
        drop(receiver);
        outlet.refill(place.await);
        credit.try_recv().unwrap();
        assert!(!outlet.is_full());
    }

    #[test]
    fn no_control_character_leaves() {
        let Event::Error { message } = harmless(Event::Error { message: "a\u{1b}[m".into() })
        else {
            panic!("another event")
        };
        assert_eq!(message, "a\u{fffd}[m");
    }
}
