//! Many clients of revision 1 that talk on all nodes, and a check of what each of them has read.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::harness::wire::{conotif, coreq, disconotif, frame_length, msg, msgbc};
use crate::harness::{DEADLINE, until};

/// From one text of a client to its next one, once that has come back.
const EVERY: Duration = Duration::from_secs(1);
/// How often a thread looks after its clients.
const ROUND: Duration = Duration::from_millis(5);
/// How long a client waits for its name before it tries the next node.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// After how long a client that found no node tries again.
const AGAIN: Duration = Duration::from_millis(200);
/// A name that one client at each node wants, again and again.
const PRIZE: &str = "prize";

/// Clients that talk until [`Talk::end`].
pub(crate) struct Talk {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Group>>,
}

struct Shared {
    nodes: Vec<SocketAddr>,
    /// Own texts that have come back, of the clients that began at each node.
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

/// What all clients have read, after it was checked.
pub(crate) struct Heard {
    pub(crate) segments: Vec<Segment>,
    frames: HashMap<u64, Vec<u8>>,
    /// Everything that happened, in the one order.
    order: Vec<u64>,
}

/// The clients that began at one node.
struct Group {
    shared: Arc<Shared>,
    node: usize,
    clients: Vec<Talker>,
    segments: Vec<Segment>,
    frames: HashMap<u64, Vec<u8>>,
}

struct Talker {
    number: usize,
    generation: usize,
    wants_prize: bool,
    node: usize,
    state: State,
    bytes: Vec<u8>,
    next_text: u64,
}

enum State {
    Away { since: Instant },
    Asked { stream: TcpStream, since: Instant },
    In { stream: TcpStream, segment: Segment, own: bool, said: Instant, is_waiting: bool },
}

fn identify(frame: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    frame.hash(&mut hasher);
    hasher.finish()
}

impl Talk {
    /// So many clients at each node; all of them are there when this returns.
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

    /// Waits until the clients that began at each node have read so many of their own texts more.
    pub(crate) fn flows(&self, texts: usize) {
        let now = || self.shared.returned.iter().map(|it| it.load(Ordering::Relaxed));
        let more = u64::try_from(texts).unwrap();
        let goals: Vec<_> = now().map(|count| count + more).collect();
        until("all talk", || now().zip(&goals).all(|(count, goal)| count >= *goal));
    }

    /// Ends the talk; checks what was read.
    pub(crate) fn end(self) -> Heard {
        self.shared.ends.store(true, Ordering::Relaxed);
        let mut heard = Heard { segments: Vec::new(), frames: HashMap::new(), order: Vec::new() };
        for thread in self.threads {
            let group = thread.join().unwrap();
            heard.segments.extend(group.segments);
            heard.frames.extend(group.frames);
        }
        heard.find_order();
        heard.check();
        heard
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
        // What is under way still comes; nothing comes any more when all is quiet.
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

impl Talker {
    fn name(&self) -> String {
        if self.wants_prize {
            PRIZE.to_owned()
        } else {
            format!("t{}g{}", self.number, self.generation)
        }
    }

    /// Whether it waits for nothing.
    fn is_settled(&self) -> bool {
        match &self.state {
            State::Away { .. } => true,
            State::Asked { .. } => self.wants_prize,
            State::In { own, is_waiting, .. } => *own && !*is_waiting,
        }
    }

    /// Does what it can; whether it has read anything.
    fn step(&mut self, group: &mut Group, may_begin: bool) -> bool {
        match &mut self.state {
            State::Away { since } if may_begin && since.elapsed() >= AGAIN => {
                self.connect(group);
                false
            }
            State::Away { .. } => false,
            State::Asked { .. } | State::In { .. } => {
                let has_read = self.read(group);
                if may_begin {
                    self.say();
                }
                has_read
            }
        }
    }

    fn connect(&mut self, group: &Group) {
        let node = group.shared.nodes[self.node];
        self.bytes.clear();
        self.next_text = 0;
        let stream = TcpStream::connect_timeout(&node, AGAIN).and_then(|mut stream| {
            stream.set_nodelay(true)?;
            stream.write_all(&coreq(&self.name()))?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        });
        match stream {
            Ok(stream) => self.state = State::Asked { stream, since: Instant::now() },
            Err(_) => self.move_on(group),
        }
    }

    /// To the next node, as another user.
    fn move_on(&mut self, group: &Group) {
        self.generation += 1;
        if !self.wants_prize {
            self.node = (self.node + 1) % group.shared.nodes.len();
        }
        self.state = State::Away { since: Instant::now() };
    }

    fn lost(&mut self, group: &mut Group) {
        let away = State::Away { since: Instant::now() };
        if let State::In { mut segment, .. } = std::mem::replace(&mut self.state, away) {
            segment.is_open = false;
            if !segment.events.is_empty() {
                group.segments.push(segment);
            }
        }
        self.move_on(group);
    }

    fn say(&mut self) {
        let wants_prize = self.wants_prize;
        if let State::In { stream, own: true, said, is_waiting, .. } = &mut self.state
            && !*is_waiting
            && !wants_prize
            && said.elapsed() >= EVERY
        {
            (*said, *is_waiting) = (Instant::now(), true);
            // An error shows when it is read.
            let _ = stream.write_all(&msg(&self.next_text.to_string()));
        }
    }

    fn read(&mut self, group: &mut Group) -> bool {
        let (State::Asked { stream, .. } | State::In { stream, .. }) = &mut self.state else {
            return false;
        };
        let mut part = [0; 16 * 1024];
        match stream.read(&mut part) {
            Ok(0) => self.lost(group),
            Ok(count) => {
                self.bytes.extend(&part[..count]);
                while let Some(length) = frame_length(&self.bytes) {
                    let frame: Vec<_> = self.bytes.drain(..length).collect();
                    self.take(&frame, group);
                }
                return true;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if let State::Asked { since, .. } = &self.state
                    && since.elapsed() > ANSWER_WITHIN
                {
                    self.lost(group);
                }
            }
            Err(_) => self.lost(group),
        }
        false
    }

    fn take(&mut self, frame: &[u8], group: &mut Group) {
        let (name, now) = (self.name(), Instant::now());
        match &mut self.state {
            State::Away { .. } => {}
            State::Asked { .. } => {
                let away = State::Away { since: now };
                let State::Asked { stream, .. } = std::mem::replace(&mut self.state, away) else {
                    return;
                };
                if *frame == [0, 0, 0, 1, 1] {
                    let (node, client) = (self.node, self.number);
                    let (roster, events) = (HashSet::new(), Vec::new());
                    let segment =
                        Segment { name, node, client, joined: now, roster, events, is_open: true };
                    let (own, is_waiting) = (false, false);
                    // Not all at once.
                    let early = u32::try_from(self.number % 100).unwrap();
                    let said = now.checked_sub(EVERY * early / 100).unwrap();
                    self.state = State::In { stream, segment, own, said, is_waiting };
                } else {
                    assert!(self.wants_prize, "{name} is its own");
                }
            }
            State::In { segment, own, is_waiting, .. } => {
                *own |= frame == conotif(&name);
                if *own {
                    let id = identify(frame);
                    group.frames.entry(id).or_insert_with(|| frame.to_vec());
                    segment.events.push((now, id));
                } else {
                    let names = texts(frame);
                    assert_eq!(frame[3], 2, "{name}: the roster is first");
                    segment.roster.insert(names[0].clone());
                }
                if *is_waiting && frame == msgbc(&name, &self.next_text.to_string()) {
                    *is_waiting = false;
                    self.next_text += 1;
                    group.shared.returned[group.node].fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// The texts that a frame consists of.
fn texts(frame: &[u8]) -> Vec<String> {
    let (mut rest, mut texts) = (&frame[4..], Vec::new());
    while let Some((size, after)) = rest.split_first_chunk() {
        let (text, after) = after.split_at(u32::from_be_bytes(*size).try_into().unwrap());
        texts.push(String::from_utf8(text.to_vec()).unwrap());
        rest = after;
    }
    texts
}

impl Heard {
    /// Puts what the clients have read together, and compares it on the way.
    fn find_order(&mut self) {
        self.segments.sort_by_key(|segment| segment.joined);
        // The one that has found the fewest is first in the order, whenever it has read so.
        let talkers = self.segments.iter().enumerate().filter(|(_, it)| it.name != PRIZE);
        let (first, _) = talkers.min_by_key(|(_, segment)| segment.roster.len()).unwrap();
        let first = self.segments.remove(first);
        self.segments.insert(0, first);
        let mut places: HashMap<u64, usize> = HashMap::new();
        let mut waiting: Vec<&Segment> =
            self.segments.iter().filter(|segment| segment.name != PRIZE).collect();
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut later = Vec::new();
            for segment in waiting {
                let first = segment.events[0].1;
                let at = if self.order.is_empty() { Some(0) } else { places.get(&first).copied() };
                let Some(at) = at else {
                    later.push(segment);
                    continue;
                };
                for (offset, (_, event)) in segment.events.iter().enumerate() {
                    if let Some(known) = self.order.get(at + offset) {
                        assert_eq!(
                            known,
                            event,
                            "{} on node {}: event {offset} is {:?} and not {:?}",
                            segment.name,
                            segment.node,
                            self.frames[event].escape_ascii().to_string(),
                            self.frames[known].escape_ascii().to_string()
                        );
                    } else {
                        places.entry(*event).or_insert(self.order.len());
                        self.order.push(*event);
                    }
                }
            }
            let names: Vec<_> = later.iter().map(|segment| &segment.name).collect();
            assert!(later.len() < before, "no other client has read the joins of {names:?}");
            waiting = later;
        }
    }

    /// Names, own order, rosters, and that all have read up to the end.
    fn check(&self) {
        let first = self.segments.iter().find(|segment| segment.name != PRIZE).unwrap();
        let mut present = first.roster.clone();
        let mut next: HashMap<String, u64> = HashMap::new();
        let rosters: HashMap<u64, &Segment> = (self.segments.iter())
            .filter(|segment| segment.name != PRIZE)
            .map(|segment| (segment.events[0].1, segment))
            .collect();
        for id in &self.order {
            let frame = &self.frames[id];
            let words = texts(frame);
            let name = &words[0];
            match frame[3] {
                2 => {
                    if let Some(segment) = rosters.get(id) {
                        assert_eq!(segment.roster, present, "what {name} has read at first");
                    }
                    assert!(present.insert(name.clone()), "{name} is held twice");
                    assert_eq!(*frame, conotif(name));
                }
                4 => {
                    assert!(present.contains(name), "{name} talks and is not there");
                    if name.starts_with('t') {
                        let number = next.entry(name.clone()).or_default();
                        assert_eq!(words[1], number.to_string(), "{name}: its own order");
                        *number += 1;
                    }
                }
                _ => {
                    assert!(present.remove(name), "{name} leaves and is not there");
                    assert_eq!(*frame, disconotif(name));
                }
            }
        }
        for segment in self.segments.iter().filter(|it| it.is_open) {
            let last = segment.events.last().unwrap().1;
            let at = self.order.iter().rposition(|id| *id == last).unwrap();
            let missing: Vec<_> = (self.order[at + 1..].iter())
                .map(|id| self.frames[id].escape_ascii().to_string())
                .collect();
            assert!(
                missing.is_empty(),
                "{} on node {} has not read {} events: {missing:?}",
                segment.name,
                segment.node,
                missing.len()
            );
        }
    }

    /// How many different events there were, and how many of them clients have read.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.order.len(), self.segments.iter().map(|segment| segment.events.len()).sum())
    }

    /// The longest time between two texts from `from` to `to`, for the client that waited longest of
    /// those that were connected all the time, and not to `except`.
    pub(crate) fn silence(&self, from: Instant, to: Instant, except: Option<usize>) -> Duration {
        let stayed = self.segments.iter().filter(|segment| {
            let last = segment.events.last().map_or(segment.joined, |(at, _)| *at);
            segment.joined < from && (segment.is_open || last > to) && Some(segment.node) != except
        });
        let silences = stayed.map(|segment| {
            let said = |id: &u64| self.frames[id][3] == 4;
            let times = segment.events.iter().filter(|(_, id)| said(id)).map(|(at, _)| *at);
            let near = from.checked_sub(Duration::from_secs(1)).unwrap();
            let times: Vec<_> = times.filter(|at| *at >= near && *at <= to).collect();
            times.windows(2).map(|two| two[1] - two[0]).max().unwrap_or(to - from)
        });
        silences.max().expect("no client stayed")
    }

    /// How long the clients that were on `node` at a time were away: the median and the longest.
    pub(crate) fn away(&self, node: usize, at: Instant) -> Option<(Duration, Duration)> {
        let lost = self.segments.iter().filter(|segment| {
            segment.node == node && segment.joined < at && !segment.is_open && segment.name != PRIZE
        });
        let mut away: Vec<_> = lost
            .filter_map(|lost| {
                let again = (self.segments.iter())
                    .filter(|segment| segment.client == lost.client && segment.joined > at)
                    .map(|segment| segment.joined)
                    .min()?;
                Some(again - at)
            })
            .collect();
        away.sort();
        Some((*away.get(away.len() / 2)?, *away.last()?))
    }
}
