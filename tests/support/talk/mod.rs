//! Many clients of revision 1 that talk on all nodes, and a check of what each of them has read.

mod talker;
mod transcript;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::talker::{State, Talker};
use crate::harness::{DEADLINE, until};

pub(crate) use self::transcript::Transcript;

/// How often a thread looks after its clients.
const ROUND: Duration = Duration::from_millis(5);
/// A name that one client at each node wants, again and again.
const PRIZE: &str = "prize";

/// Clients that talk until [`Talk::end`].
pub(crate) struct Talk {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Group>>,
}

struct Shared {
    nodes: Vec<SocketAddr>,
    /// Own texts that were echoed, for the clients that began at each node.
    returned: Vec<AtomicU64>,
    ends: AtomicBool,
    /// Whether no client waits for anything after that, of those that began at each node.
    settled: Vec<AtomicBool>,
    /// Groups that have read everything.
    finished: AtomicU64,
}

/// What one connection has read.
pub(crate) struct Segment {
    pub(crate) name: String,
    /// The node to which it was connected.
    pub(crate) node: usize,
    /// The client, over all its connections.
    pub(crate) client: usize,
    pub(crate) joined: Instant,
    roster: HashSet<String>,
    /// From its own join on.
    events: Vec<(Instant, u64)>,
    is_open: bool,
}

/// The clients that began at one node.
struct Group {
    shared: Arc<Shared>,
    node: usize,
    clients: Vec<Talker>,
    segments: Vec<Segment>,
    frames: HashMap<u64, Vec<u8>>,
}

impl Talk {
    /// This many clients at each node; all of them have joined when this returns.
    pub(crate) fn start(nodes: &[SocketAddr], at_each: usize) -> Self {
        let returned = nodes.iter().map(|_| AtomicU64::new(0)).collect();
        let ends = AtomicBool::new(false);
        let settled = nodes.iter().map(|_| AtomicBool::new(false)).collect();
        let shared = Arc::new(Shared {
            nodes: nodes.to_vec(),
            returned,
            ends,
            settled,
            finished: AtomicU64::new(0),
        });
        let threads = (0..nodes.len())
            .map(|node| {
                let group = Group::new(Arc::clone(&shared), node, at_each);
                std::thread::spawn(|| group.run())
            })
            .collect();
        let talk = Self { shared, threads };
        talk.flows(at_each);
        talk
    }

    /// Waits until the clients that began at each node have read this many more of their own texts.
    pub(crate) fn flows(&self, texts: usize) {
        let now = || self.shared.returned.iter().map(|it| it.load(Ordering::Relaxed));
        let more = u64::try_from(texts).unwrap();
        let goals: Vec<_> = now().map(|count| count + more).collect();
        until("all talk", || now().zip(&goals).all(|(count, goal)| count >= *goal));
    }

    /// Ends the talk; checks the transcript.
    pub(crate) fn end(self) -> Transcript {
        self.shared.ends.store(true, Ordering::Relaxed);
        let mut received =
            Transcript { segments: Vec::new(), frames: HashMap::new(), order: Vec::new() };
        for thread in self.threads {
            let group = thread.join().unwrap();
            received.segments.extend(group.segments);
            received.frames.extend(group.frames);
        }
        received.find_order();
        received.check();
        received
    }
}

impl Group {
    fn new(shared: Arc<Shared>, node: usize, count: usize) -> Self {
        let clients = (0..=count).map(|number| Talker {
            number: node * (count + 1) + number,
            generation: 0,
            wants_prize: number == count,
            node,
            state: State::Away { since: Instant::now() },
            bytes: Vec::new(),
            next_text: 0,
        });
        let clients = clients.collect();
        Self { shared, node, clients, segments: Vec::new(), frames: HashMap::new() }
    }

    fn run(mut self) -> Self {
        let mut clients = std::mem::take(&mut self.clients);
        while !self.shared.ends.load(Ordering::Relaxed) {
            for client in &mut clients {
                client.step(&mut self, true);
            }
            std::thread::sleep(ROUND);
        }
        // Frames in flight still arrive; all is over when it is quiet.
        let (start, mut last) = (Instant::now(), Instant::now());
        let quiet = Duration::from_secs(2);
        loop {
            for client in &mut clients {
                if client.step(&mut self, false) {
                    last = Instant::now();
                }
            }
            let is_settled = clients.iter().all(Talker::is_settled);
            self.shared.settled[self.node].store(is_settled, Ordering::Relaxed);
            let all = self.shared.settled.iter().all(|it| it.load(Ordering::Relaxed));
            if all && last.elapsed() > quiet {
                break;
            }
            let left: Vec<_> = clients.iter().filter(|client| !client.is_settled()).collect();
            assert!(
                start.elapsed() < DEADLINE,
                "own texts of {:?} have not come back",
                left.iter().map(|client| client.name()).collect::<Vec<_>>()
            );
            std::thread::sleep(ROUND);
        }
        // Before that no client leaves, for which there would be more to read.
        let shared = Arc::clone(&self.shared);
        shared.finished.fetch_add(1, Ordering::Relaxed);
        let count = u64::try_from(shared.nodes.len()).unwrap();
        until("all have read everything", || shared.finished.load(Ordering::Relaxed) == count);
        for client in clients {
            if let State::In { segment, .. } = client.state {
                self.segments.push(segment);
            }
        }
        self
    }
}
