use std::fs::File;
use std::time::Duration;

use actix::prelude::*;

use super::Hub;
use crate::client::api::command::Command;
use crate::client::api::event::Event;
use crate::client::api::handle::{self, Events, Handle};
use crate::client::api::settings::ClientSettings;
use crate::client::ids::{SessionNumber, TransferIds};
use crate::client::messages::{FileEvent, RunCommand, SessionEvent, SessionReport};
use crate::client::peers::PeerAction;
use crate::client::people_file::load;
use crate::protocol::Username;
use crate::trust::{Fingerprint, Identity, Person};

/// More than the channel of events holds.
const MANY: usize = 2_000;
const DEADLINE: Duration = Duration::from_secs(10);

/// Has the hub save the key of a person.
#[derive(Message)]
#[rtype(result = "()")]
struct SaveKey(Person);

impl Handler<SaveKey> for Hub {
    type Result = ();

    fn handle(&mut self, SaveKey(person): SaveKey, ctx: &mut Self::Context) {
        self.perform(PeerAction::Remember { server: "server".into(), person }, ctx);
    }
}

/// A client that has no server.
fn start() -> (Addr<Hub>, Handle, Events) {
    start_with(ClientSettings::default())
}

fn start_with(settings: ClientSettings) -> (Addr<Hub>, Handle, Events) {
    let settings = ClientSettings { servers: Vec::new(), ..settings };
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
    // A message that is answered at once: everything before it was handled.
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

#[actix_rt::test]
async fn a_client_has_not_closed_before_the_keys_that_it_has_seen_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people");
    let (hub, handle, mut events) =
        start_with(ClientSettings { known_people: Some(file.clone()), ..Default::default() });
    // Another client of this user is writing.
    let lock = File::open(folder.path()).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let name = Username::parse("Bea").unwrap();
    let key = Identity::generate().unwrap().public_key();
    let (fingerprint, since) = (Fingerprint::of(&key), "2026-01-01".to_owned());
    let person = Person { name: name.clone(), fingerprint, since, compared: None };
    hub.send(SaveKey(person.clone())).await.unwrap();
    handle.send(Command::Quit).await.unwrap();
    let seen = tokio::time::timeout(Duration::from_millis(500), events.recv()).await;
    assert!(seen.is_err(), "{seen:?}");
    drop(lock);
    assert_eq!(next(&mut events).await, Some(Event::Closed));
    let people = load(&file).unwrap();
    assert_eq!(people.get("server", &name.folded()), Some(&person));
}
