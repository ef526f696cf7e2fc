//! A client of the library whose peers and servers are hostile.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use matou_actors::client::{self, ClientSettings, Command, Event, Policy};
use matou_actors::protocol::v2::PublicKey;
use matou_actors::trust::Identity;
use tempfile::TempDir;

use super::{DEADLINE, Server, name};

/// A client of the library, on a thread of its own.
pub struct Victim {
    pub key: PublicKey,
    pub commands: tokio::sync::mpsc::Sender<Command>,
    events: Receiver<Event>,
    /// Events that were passed over.
    pub passed: Vec<Event>,
    pub folder: TempDir,
    thread: Option<JoinHandle<()>>,
}

impl Victim {
    /// One who accepts everything.
    pub fn join(server: &Server) -> Self {
        let (victim, _) = Self::join_paused(server);
        victim
    }

    /// Until the sender is dropped no event after the one for joining is read.
    pub fn join_paused(server: &Server) -> (Self, Sender<()>) {
        let (mut victim, resume) = Self::start(server.address);
        victim.joined();
        (victim, resume)
    }

    pub fn joined(&mut self) {
        self.expect("connected", |event| matches!(event, Event::Connected { .. }));
    }

    /// Does not wait for the server.
    pub fn start(server: SocketAddr) -> (Self, Sender<()>) {
        let folder = tempfile::tempdir().unwrap();
        let identity = Arc::new(Identity::generate().unwrap());
        let key = identity.public_key();
        let settings = ClientSettings {
            servers: vec![server.into()],
            username: Some(name("ann")),
            downloads: folder.path().join("downloads"),
            accept_files: Policy::Always,
            accept_private: Policy::Always,
            disk_reserve: 0,
            identity: Some(identity),
            known_servers: Some(folder.path().join("servers")),
            known_people: Some(folder.path().join("people")),
            connect_timeout: Duration::from_secs(5),
            ..ClientSettings::default()
        };
        let (to_test, events) = channel();
        let (commands, mut ordered) = tokio::sync::mpsc::channel(10_000);
        let (resume, resumed) = channel::<()>();
        let thread = std::thread::spawn(move || {
            actix::System::new().block_on(async move {
                let logger = slog::Logger::root(slog::Discard, slog::o!());
                let (handle, mut events) = client::start(settings, logger);
                actix::spawn(async move {
                    while let Some(command) = ordered.recv().await {
                        let _ = handle.send_now(command);
                    }
                });
                while let Some(event) = events.recv().await {
                    let has_joined = matches!(event, Event::Connected { .. });
                    if to_test.send(event).is_err() {
                        return;
                    }
                    while has_joined
                        && matches!(resumed.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty))
                    {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            });
        });
        let passed = Vec::new();
        let victim = Self { key, commands, events, passed, folder, thread: Some(thread) };
        (victim, resume)
    }

    pub fn send(&self, command: Command) {
        self.commands.blocking_send(command).unwrap();
    }

    pub fn expect(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) if wanted(&event) => return event,
                Ok(event) => self.passed.push(event),
                Err(error) => panic!("no {what} ({error}) after {:#?}", self.passed),
            }
        }
    }

    pub fn reads(&mut self, words: &str) {
        self.expect(words, |event| {
            matches!(event, Event::PrivateMessage { text, .. } if text.to_string() == words)
        });
    }

    pub fn closed_because(&mut self, part: &str) {
        let closed = self.expect(part, |event| matches!(event, Event::PrivateClosed { .. }));
        let Event::PrivateClosed { reason, .. } = closed else { unreachable!() };
        assert!(reason.contains(part), "{reason}");
    }

    pub fn file_failed_because(&mut self, part: &str) {
        let failed = self.expect(part, |event| matches!(event, Event::FileFailed { .. }));
        let Event::FileFailed { reason, .. } = failed else { unreachable!() };
        assert!(reason.contains(part), "{reason}");
    }

    pub fn received(&mut self) -> PathBuf {
        let event = self.expect("a file", |event| matches!(event, Event::FileReceived { .. }));
        let Event::FileReceived { path, .. } = event else { unreachable!() };
        path
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.commands.try_send(Command::Quit);
        // A panic of the client is one of the test; while that fails already it is not waited for.
        if let Some(thread) = self.thread.take().filter(|_| !std::thread::panicking()) {
            while self.events.recv_timeout(DEADLINE).is_ok() {}
            thread.join().unwrap();
        }
    }
}
