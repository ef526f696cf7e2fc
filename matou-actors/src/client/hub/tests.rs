use std::time::Duration;

use actix::prelude::*;

use super::Hub;
use crate::client::api::command::Command;
use crate::client::api::event::Event;
use crate::client::api::handle::{self, Events, Handle};
use crate::client::api::settings::ClientSettings;
use crate::client::ids::{SessionNumber, TransferIds};
use crate::client::messages::{FileEvent, RunCommand, SessionEvent, SessionReport};

/// More than the channel of events holds.
const MANY: usize = 2_000;
const DEADLINE: Duration = Duration::from_secs(10);

/// A client that has no server.
fn start() -> (Addr<Hub>, Handle, Events) {
    let settings = ClientSettings { servers: Vec::new(), ..Default::default() };
    let (handle, events, inside) = handle::channels();
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    (Hub::new(settings, logger, inside).start(), handle, events)
}

async fn next(events: &mut Events) -> Option<Event> {
    tokio::time::timeout(DEADLINE, events.recv()).await.expect("no event in time")
}

#[actix_rt::test]
async fn a_session_waits_for_a_slow_reader_of_events_and_the_user_does_not() {
    let (hub, _handle, mut events) = start();
    for _ in 0..MANY {
        let run = hub.send(RunCommand { command: Command::ListPresent, checked: None });
        tokio::time::timeout(DEADLINE, run).await.expect("a command waits").unwrap();
    }
    let report = |event| Box::pin(hub.send(SessionReport { session: SessionNumber(1), event }));
    let offer = FileEvent::Offered {
        id: TransferIds::default().next(),
        size: Some(5),
        free: None,
        named: None,
    };
    let mut texts = report(SessionEvent::Texts(Vec::new()));
    let mut offer = report(SessionEvent::File(offer));
    // One that is answered at once: what came before it was handled.
    report(SessionEvent::Unwritten(0)).await.unwrap();
    assert!(futures::poll!(&mut texts).is_pending());
    assert!(futures::poll!(&mut offer).is_pending());
    for _ in 0..MANY {
        next(&mut events).await.unwrap();
    }
    for report in [texts, offer] {
        tokio::time::timeout(DEADLINE, report).await.expect("it waits for ever").unwrap();
    }
}

#[actix_rt::test]
async fn everything_is_read_before_closed_and_nothing_after_it() {
    let (hub, handle, mut events) = start();
    for _ in 0..MANY {
        hub.do_send(RunCommand { command: Command::ListPresent, checked: None });
    }
    handle.send(Command::Quit).await.unwrap();
    let event = SessionEvent::Over { reason: "late".into() };
    hub.send(SessionReport { session: SessionNumber(1), event }).await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = next(&mut events).await {
        seen.push(event);
    }
    assert_eq!(seen.len(), MANY + 1);
    assert_eq!(seen.last(), Some(&Event::Closed));
}
