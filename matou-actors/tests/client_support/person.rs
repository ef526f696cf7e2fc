//! A user who drives a client.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::Duration;

use matou_actors::client::{
    self, ClientSettings, Command, Event, Events, Handle, Policy, TransferId,
};
use matou_actors::protocol::{MessageText, Username};
use tempfile::TempDir;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{FakeRoom, within};

pub struct Person {
    pub name: Username,
    pub handle: Handle,
    pub events: Events,
    pub folder: TempDir,
    log_lines: UnboundedReceiver<&'static str>,
}

/// Forwards the messages of the log, so that a test can wait for what causes no event.
struct Forward(AssertUnwindSafe<UnboundedSender<&'static str>>);

impl slog::Drain for Forward {
    type Ok = ();
    type Err = slog::Never;

    fn log(&self, record: &slog::Record<'_>, _: &slog::OwnedKVList) -> Result<(), slog::Never> {
        if let Some(message) = record.msg().as_str() {
            let _ = self.0.send(message);
        }
        Ok(())
    }
}

pub fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub fn text(text: &str) -> MessageText {
    MessageText::parse(text).unwrap()
}

pub fn settings(server: SocketAddr, folder: &Path) -> ClientSettings {
    ClientSettings {
        servers: vec![server.into()],
        downloads: folder.join("downloads"),
        disk_reserve: 0,
        connect_timeout: Duration::from_secs(5),
        ..ClientSettings::default()
    }
}

impl Person {
    /// Starts a client of that name, and does not wait for anything.
    pub fn start(who: &str, server: SocketAddr, change: impl FnOnce(&mut ClientSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(server, folder.path());
        settings.username = Some(name(who));
        change(&mut settings);
        let (forward, log_lines) = mpsc::unbounded_channel();
        let logger = slog::Logger::root(Forward(AssertUnwindSafe(forward)), slog::o!());
        let (handle, events) = client::start(settings, logger);
        Self { name: name(who), handle, events, folder, log_lines }
    }

    /// Signs in.
    pub async fn join(who: &str, room: &FakeRoom) -> Self {
        Self::join_with(who, room, |_| {}).await
    }

    /// Signs in with other settings than usual.
    pub async fn join_with(
        who: &str,
        room: &FakeRoom,
        change: impl FnOnce(&mut ClientSettings),
    ) -> Self {
        let mut person = Self::start(who, room.address, change);
        person.expect("connected", |event| matches!(event, Event::Connected { .. })).await;
        person
    }

    /// A user who accepts requests and files automatically.
    pub async fn join_open(who: &str, room: &FakeRoom) -> Self {
        Self::join_with(who, room, |settings| {
            settings.accept_private = Policy::Always;
            settings.accept_files = Policy::Always;
        })
        .await
    }

    pub async fn send(&self, command: Command) {
        within("room for a command", self.handle.send(command)).await.unwrap();
    }

    pub async fn whisper(&self, to: &Person, words: &str) {
        self.send(Command::Tell { to: to.name.clone(), text: text(words) }).await;
    }

    pub async fn send_file(&self, to: &Person, path: &Path) {
        self.send_file_to(&to.name, path).await;
    }

    pub async fn send_file_to(&self, to: &Username, path: &Path) {
        let (to, path) = (to.clone(), path.to_owned());
        self.send(Command::Send { to, path, or: Vec::new(), several: Vec::new() }).await;
    }

    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn downloads(&self) -> PathBuf {
        self.folder.path().join("downloads")
    }

    /// Waits until `other` is known to be here.
    pub async fn meet(&mut self, other: &Person) {
        let who = other.name.clone();
        self.expect(
            "a newcomer",
            |event| matches!(event, Event::Joined { username, .. } if *username == who),
        )
        .await;
    }

    /// The next event, except those about what protects the connection.
    pub async fn next(&mut self) -> Event {
        loop {
            let next = within("another event", self.events.recv()).await;
            match next.expect("the client closed early") {
                Event::Security { .. } => {}
                event => return event,
            }
        }
    }

    /// The next event that is `wanted`; those before it are passed over.
    pub async fn expect(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let mut passed = Vec::new();
        loop {
            let next = tokio::time::timeout(super::DEADLINE, self.events.recv()).await;
            match next {
                Ok(Some(event)) if wanted(&event) => return event,
                Ok(Some(event)) => passed.push(event),
                other => panic!("{}: no {what} but {other:?} after {passed:#?}", self.name),
            }
        }
    }

    /// Waits for a line of the log; those before it are passed over.
    pub async fn expect_log(&mut self, message: &str) {
        let line = async { while self.log_lines.recv().await.expect("a log") != message {} };
        within(message, line).await;
    }

    pub async fn expect_error(&mut self, part: &str) -> String {
        let event = self
            .expect(
                part,
                |event| matches!(event, Event::Error { message, .. } if message.contains(part)),
            )
            .await;
        let Event::Error { message, .. } = event else { unreachable!() };
        message
    }

    pub async fn expect_undelivered(&mut self, peer: &str) -> (Vec<MessageText>, String) {
        let who = name(peer);
        let event = self
            .expect(
                "what was not delivered",
                |event| matches!(event, Event::Undelivered { to, .. } if *to == who),
            )
            .await;
        let Event::Undelivered { texts, reason, .. } = event else { unreachable!() };
        (texts, reason)
    }

    pub async fn expect_text(&mut self, from: &Person, words: &str) {
        let (who, words) = (from.name.clone(), text(words));
        self.expect("a private message", |event| {
            matches!(event, Event::PrivateMessage { from, text, .. } if *from == who && *text == words)
        })
        .await;
    }

    pub async fn expect_opened(&mut self, other: &Person) {
        let who = other.name.clone();
        self.expect(
            "a session",
            |event| matches!(event, Event::PrivateOpened { with, .. } if *with == who),
        )
        .await;
    }

    pub async fn expect_closed(&mut self) -> String {
        let event = self
            .expect("the end of a session", |event| matches!(event, Event::PrivateClosed { .. }))
            .await;
        let Event::PrivateClosed { reason, .. } = event else { unreachable!() };
        reason
    }

    pub async fn expect_offer(&mut self) -> (TransferId, u64) {
        let event =
            self.expect("an offer", |event| matches!(event, Event::FileOffered { .. })).await;
        let Event::FileOffered { id, size, .. } = event else { unreachable!() };
        (id, size.unwrap())
    }

    pub async fn expect_received(&mut self) -> PathBuf {
        let event =
            self.expect("a whole file", |event| matches!(event, Event::FileReceived { .. })).await;
        let Event::FileReceived { path, .. } = event else { unreachable!() };
        path
    }

    pub async fn expect_sent(&mut self) {
        self.expect("a sent file", |event| matches!(event, Event::FileSent { .. })).await;
    }

    pub async fn expect_failed(&mut self) -> String {
        let event =
            self.expect("a failed file", |event| matches!(event, Event::FileFailed { .. })).await;
        let Event::FileFailed { reason, .. } = event else { unreachable!() };
        reason
    }

    /// Everything up to `Closed`, which is the last.
    pub async fn rest(&mut self) -> Vec<Event> {
        let mut rest = Vec::new();
        while let Some(event) = within("the end", self.events.recv()).await {
            rest.push(event);
        }
        assert_eq!(rest.last(), Some(&Event::Closed), "{rest:#?}");
        rest
    }
}

/// Two people with an open session between them.
pub async fn pair(room: &FakeRoom) -> (Person, Person) {
    let mut bob = Person::join_with("bob", room, |settings| {
        settings.accept_private = Policy::Always;
    })
    .await;
    let mut ann = Person::join("ann", room).await;
    ann.meet(&bob).await;
    ann.send(Command::Open(bob.name.clone())).await;
    ann.expect_opened(&bob).await;
    bob.expect_opened(&ann).await;
    (ann, bob)
}
