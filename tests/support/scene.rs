//! A real server under faults, with an observer who checks that no one else is affected.

use std::io::Read;

use nix::sys::signal::Signal;

use crate::harness::server::Server;
use crate::harness::until;
use crate::harness::wire::{Peer, msg, msgbc};

/// A server, and one client of it that is never disturbed.
pub(crate) struct Scene {
    /// The server.
    pub(crate) server: Server,
    watcher: Peer,
    descriptors: usize,
}

impl Scene {
    /// A server with `settings` such as `("LIMITS__CLIENTS", "5")`, and the watcher in its room.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let server = Server::with("127.0.0.1:0", settings);
        let watcher = Peer::join(server.address, "Watcher", &[]);
        let descriptors = descriptors(server.process.0.id());
        Self { server, watcher, descriptors }
    }

    /// The watcher says something and reads it, after anything else that arrives before.
    pub(crate) fn still_works(&mut self) {
        let fence = format!("fence {}", unique());
        self.watcher.send(&msg(&fence));
        let (wanted, mut received) = (msgbc("Watcher", &fence), Vec::new());
        let mut piece = vec![0; 64 * 1024];
        // The fence may stand across two pieces: enough of the one before is kept.
        while !received.windows(wanted.len()).any(|part| part == wanted) {
            received.drain(..received.len().saturating_sub(wanted.len()));
            let read = self.watcher.stream.read(&mut piece).expect("the watcher is served");
            assert!(read > 0, "the watcher was disconnected");
            received.extend_from_slice(&piece[..read]);
        }
    }

    /// Afterwards: the others are served, no descriptor is left over, nothing panicked, and the
    /// server ends as it should.
    pub(crate) fn end(mut self) {
        self.still_works();
        let server = self.server.process.0.id();
        until("the server's descriptors are closed", || descriptors(server) <= self.descriptors);
        self.server.process.signal(Signal::SIGTERM);
        assert!(self.server.process.exit().success());
        let log = self.server.log.rest();
        let bad = log.iter().find(|line| line.contains("panicked") || line.contains("failed\""));
        assert_eq!(bad, None);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.server.process.0.kill();
            eprintln!("the server's log:\n{}", self.server.log.rest().join("\n"));
        }
    }
}

/// Open descriptors of a process.
pub(crate) fn descriptors(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count)
}

fn unique() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
