//! A server in the test's process and clients that speak the wire's bytes; every wait has a
//! deadline.
#![allow(dead_code, missing_docs, unreachable_pub)] // Each test file uses its own part of this.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

pub mod encrypted;
pub mod victim;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::pin::pin;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use matou_actors::protocol::v2::PublicKey;
use matou_actors::protocol::{
    ClaimedName, ClientFrame, Decode, Encode, MessageText, ServerFrame, Username,
};
use matou_actors::server::admin::ControlRequest;
use matou_actors::server::{self, Monitor, ReloadError, ServerSettings};
use matou_actors::trust::Identity;
use slog::{Discard, Logger, o};
use tokio::sync::{mpsc, oneshot};

pub const DEADLINE: Duration = Duration::from_secs(20);

pub struct Server {
    pub address: SocketAddr,
    /// The key that encrypted clients find.
    pub key: PublicKey,
    pub monitor: Monitor,
    changes: mpsc::Sender<Change>,
    failure: std::sync::mpsc::Receiver<server::CriticalFailure>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

type Reloaded = Result<Vec<&'static str>, ReloadError>;

struct Change {
    settings: ServerSettings,
    reloaded: std::sync::mpsc::Sender<Reloaded>,
}

pub struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut ServerSettings)) -> Self {
        Self::run(change, None)
    }

    /// With a operators for operators, who may make actors panic.
    pub fn with_operators(
        operators: UnixListener,
        change: impl FnOnce(&mut ServerSettings),
    ) -> Self {
        Self::run(change, Some(operators))
    }

    fn run(change: impl FnOnce(&mut ServerSettings), operators: Option<UnixListener>) -> Self {
        let mut settings = ServerSettings::default();
        settings.network.arbiters = 2;
        change(&mut settings);
        let identity = Identity::generate().unwrap();
        let key = identity.public_key();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (started, wait) = std::sync::mpsc::channel();
        let (failed, failure) = std::sync::mpsc::channel();
        let (changes, mut asked) = mpsc::channel::<Change>(1);
        let thread = std::thread::spawn(move || {
            actix::System::new().block_on(async move {
                let logger = Logger::root(Discard, o!());
                let mut running = server::start(&settings, Some(&identity), None, vec![listener], logger).unwrap();
                // For a server without operators, a channel that never yields anything.
                let (_errand, mut controls) = mpsc::channel(1);
                if let Some(operators) = operators {
                    controls = running.serve_operators(operators).unwrap();
                }
                started.send(running.monitor()).unwrap();
                let mut stopped = pin!(stopped);
                loop {
                    tokio::select! {
                        failure = running.failed() => {
                            let _ = failed.send(failure);
                            break;
                        }
                        request = controls.recv() => match request.unwrap() {
                            ControlRequest::Reload(answer) => answer.send(Ok(vec!["log.format"])).unwrap(),
                            ControlRequest::Shutdown => break,
                        },
                        _ = &mut stopped => break,
                        Some(Change { settings, reloaded }) = asked.recv() => {
                            reloaded.send(running.reload(&settings)).unwrap();
                        }
                    }
                }
                running.stop().await;
            });
        });
        let monitor = wait.recv_timeout(DEADLINE).unwrap();
        Self { address, key, monitor, changes, failure, stop: Some(stop), thread: Some(thread) }
    }

    /// Waits until a critical actor has failed.
    pub fn failed(&self) -> server::CriticalFailure {
        self.failure.recv_timeout(DEADLINE).unwrap()
    }

    /// Waits until the server has stopped by itself.
    pub fn join(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }

    /// Applies other settings to the running server.
    pub fn reload(&self, settings: ServerSettings) -> Reloaded {
        let (reloaded, wait) = std::sync::mpsc::channel();
        self.changes.blocking_send(Change { settings, reloaded }).ok().unwrap();
        wait.recv_timeout(DEADLINE).unwrap()
    }

    /// Waits until the counts are as they should be.
    pub fn wait_for(&self, what: &str, reached: impl Fn(&server::Snapshot) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !reached(&self.monitor.snapshot()) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.monitor.snapshot());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops in an orderly way and waits until everything is closed.
    pub fn stop(mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Client {
    pub fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    /// Joins and waits for its own CONOTIF.
    pub fn join(server: &Server, name: &str) -> Self {
        let mut client = Self::connect(server);
        client.send(&ClientFrame::Join(claim(name)));
        assert_eq!(client.receive(), ServerFrame::JoinAnswer { accepted: true });
        client.wait_until_joined(name);
        client
    }

    pub fn wait_until_joined(&mut self, name: &str) {
        while self.receive() != joined(name) {}
    }

    pub fn send(&mut self, frame: &ClientFrame) {
        self.send_all(std::slice::from_ref(frame));
    }

    pub fn send_all(&mut self, frames: &[ClientFrame]) {
        let mut out = BytesMut::new();
        for frame in frames {
            frame.encode(&mut out);
        }
        self.send_raw(&out);
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn receive(&mut self) -> ServerFrame {
        loop {
            if let Some((frame, taken)) = ServerFrame::decode(&self.unread).unwrap() {
                self.unread.drain(..taken);
                return frame;
            }
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk).expect("a frame within the deadline");
            assert!(read > 0, "the server closed the connection");
            self.unread.extend_from_slice(&chunk[..read]);
        }
    }

    /// Whether the server has closed the connection and sent nothing more before.
    pub fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(read) => read == 0 && self.unread.is_empty(),
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

pub fn claim(name: &str) -> ClaimedName {
    ClaimedName::unchecked(name).unwrap()
}

pub fn name(name: &str) -> Username {
    Username::parse(name).unwrap()
}

pub fn text(text: &str) -> MessageText {
    MessageText::parse(text).unwrap()
}

pub fn joined(who: &str) -> ServerFrame {
    ServerFrame::Joined(name(who))
}

pub fn left(who: &str) -> ServerFrame {
    ServerFrame::Left(name(who))
}

pub fn message(from: &str, said: &str) -> ServerFrame {
    ServerFrame::Message { from: name(from), text: text(said) }
}
