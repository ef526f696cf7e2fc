//! Several nodes and one stream, with pauses, cuts, stalls, duplicates and reordering, all from a
//! seed. Time is simulated: an hour of a cluster takes milliseconds.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;

use crate::protocol::{MessageText, Username};
use crate::server::cluster::node::Node;
use crate::server::cluster::output::{EntryKind, NodeOutput};
use crate::server::cluster::record::{Join, Record};
use crate::server::cluster::replica::{Effect, Replica};
use crate::server::ids::{Epoch, MemberId};
use crate::server::registry::names::NameForms;

const STEP: Duration = Duration::from_millis(50);
const NAMES: [&str; 5] = ["ann", "bea", "cid", "dan", "eve"];

/// Something on its way, to arrive at that time.
#[derive(Debug)]
enum InTransit {
    Publish { epoch: Epoch, number: u64, payload: Bytes },
    Acknowledge { node: usize, epoch: Epoch, number: u64, position: u64 },
    Fail { node: usize, epoch: Epoch, number: u64 },
    Entry { node: usize, position: u64 },
    Ask { node: usize, from: u64, until: u64 },
    Answered { node: usize },
}

/// A process and what its clients see.
struct Process {
    node: Node,
    /// Frozen until then, as by SIGSTOP; what comes meanwhile waits.
    frozen_until: Instant,
    /// Cut from the stream until then; what is on its way is lost.
    cut_until: Instant,
    /// What it has shown to its clients, by sequence.
    events: BTreeMap<u64, String>,
    /// Its members with names, as long as it has not read that they left.
    local: HashMap<MemberId, &'static str>,
    pending: HashMap<MemberId, &'static str>,
    next_member: u64,
    said: u64,
}

struct World {
    rng: Rng,
    start: Instant,
    now: Instant,
    stream: Vec<(EntryKind, Bytes)>,
    deduplicate: HashMap<(Epoch, u64), u64>,
    stalled_until: Instant,
    in_transit: BTreeMap<(Instant, u64), InTransit>,
    sent: u64,
    processes: Vec<Process>,
    /// What each node said, in its order, and what of it was acknowledged by coming back.
    own_order: HashMap<Epoch, u64>,
    faults: bool,
    clients_live: bool,
}

impl World {
    fn new(seed: u64, nodes: usize) -> Self {
        let start = Instant::now();
        let mut world = Self {
            rng: Rng::with_seed(seed),
            start,
            now: start,
            stream: Vec::new(),
            deduplicate: HashMap::new(),
            stalled_until: start,
            in_transit: BTreeMap::new(),
            sent: 0,
            processes: Vec::new(),
            own_order: HashMap::new(),
            faults: true,
            clients_live: true,
        };
        for index in 0..nodes {
            let epoch = Epoch(world.rng.u64(..));
            let node = Node::new(epoch, "node", Replica::default(), 0, start);
            let next_member = u64::try_from(index + 1).unwrap() << 40;
            world.processes.push(Process {
                node,
                frozen_until: start,
                cut_until: start,
                events: BTreeMap::new(),
                local: HashMap::new(),
                pending: HashMap::new(),
                next_member,
                said: 0,
            });
        }
        world
    }

    fn at(&self) -> i64 {
        i64::try_from(self.now.duration_since(self.start).as_millis()).unwrap()
    }

    fn send(&mut self, item: InTransit) {
        let delay = Duration::from_millis(self.rng.u64(1..40));
        self.sent += 1;
        self.in_transit.insert((self.now + delay, self.sent), item);
    }

    fn is_cut(&self, node: usize) -> bool {
        self.processes[node].cut_until > self.now
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            self.disturb();
            self.deliver();
            for index in 0..self.processes.len() {
                if self.processes[index].frozen_until <= self.now {
                    let at = self.at();
                    let now = self.now;
                    self.processes[index].node.tick(at, now);
                    self.live(index);
                    self.perform(index);
                }
            }
            self.check_names();
        }
    }

    fn disturb(&mut self) {
        if !self.faults {
            return;
        }
        let seconds = |rng: &mut Rng| Duration::from_millis(rng.u64(100..40_000));
        let index = self.rng.usize(..self.processes.len());
        match self.rng.u32(..4_000) {
            0..5 => self.processes[index].frozen_until = self.now + seconds(&mut self.rng),
            5..10 => self.processes[index].cut_until = self.now + seconds(&mut self.rng),
            10..12 => self.stalled_until = self.now + seconds(&mut self.rng),
            _ => {}
        }
    }

    /// Clients of that node join, say something, leave.
    fn live(&mut self, index: usize) {
        let (now, at) = (self.now, self.at());
        let process = &mut self.processes[index];
        if !process.node.is_serving() || !self.clients_live {
            return;
        }
        match self.rng.u32(..60) {
            0 => {
                let text = NAMES[self.rng.usize(..NAMES.len())];
                let member = MemberId(process.next_member);
                process.next_member += 1;
                process.pending.insert(member, text);
                let name = Username::parse(text).unwrap();
                let (forms, key) = (NameForms::of(&name), None);
                let join = Join { member, name, forms, key, at };
                process.node.propose(Record::Join(Box::new(join)), now);
            }
            1 => {
                let first = process.local.keys().min().copied();
                if let Some(member) = first {
                    // The client has gone, whatever becomes of the record.
                    process.local.remove(&member);
                    let reason = crate::protocol::v2::LeaveReason::SignedOut;
                    process.node.propose(Record::Leave { member, reason, at }, now);
                }
            }
            2..12 => {
                let speaker = process.local.iter().min().map(|(_, name)| *name);
                if let Some(name) = speaker {
                    process.said += 1;
                    let epoch = process.node.epoch().0;
                    let text = format!("{epoch:x} {}", process.said);
                    let texts = vec![MessageText::parse(&text).unwrap()];
                    let from = Username::parse(name).unwrap();
                    process.node.propose(Record::Say { from, texts, action: false, at }, now);
                }
            }
            _ => {}
        }
    }

    fn deliver(&mut self) {
        let mut later = Vec::new();
        while let Some(entry) = self.in_transit.first_entry().filter(|it| it.key().0 <= self.now) {
            let (key, item) = entry.remove_entry();
            match item {
                InTransit::Publish { .. } if self.stalled_until > self.now => {
                    later.push((key, item));
                }
                InTransit::Publish { epoch, number, payload } => {
                    self.append(epoch, number, payload);
                }
                InTransit::Acknowledge { node, .. }
                | InTransit::Fail { node, .. }
                | InTransit::Entry { node, .. }
                | InTransit::Ask { node, .. }
                | InTransit::Answered { node }
                    if self.processes[node].frozen_until > self.now =>
                {
                    later.push((key, item));
                }
                InTransit::Acknowledge { node, epoch, number, position } => {
                    let now = self.now;
                    self.processes[node].node.acknowledged(epoch, number, position, now);
                    self.perform(node);
                }
                InTransit::Fail { node, epoch, number } => {
                    self.processes[node].node.publish_failed(epoch, number);
                    self.perform(node);
                }
                InTransit::Entry { node, position } => self.entry(node, position),
                InTransit::Ask { node, from, until } => {
                    for position in from..=until {
                        if !self.is_cut(node) && position <= self.stream.len() as u64 {
                            self.send(InTransit::Entry { node, position });
                        }
                    }
                    self.send(InTransit::Answered { node });
                }
                InTransit::Answered { node } => {
                    let now = self.now;
                    self.processes[node].node.fetched(now);
                    self.perform(node);
                }
            }
        }
        self.in_transit.extend(later);
    }

    /// The stream takes a message, once whatever it is sent.
    fn append(&mut self, epoch: Epoch, number: u64, payload: Bytes) {
        let known = self.deduplicate.get(&(epoch, number)).copied();
        let position = known.unwrap_or_else(|| {
            self.stream.push((EntryKind::Message, payload));
            self.stream.len() as u64
        });
        self.deduplicate.insert((epoch, number), position);
        for node in 0..self.processes.len() {
            if self.processes[node].node.epoch() == epoch && !self.is_cut(node) {
                self.send(InTransit::Acknowledge { node, epoch, number, position });
            }
            if known.is_none() && !self.is_cut(node) && self.rng.u32(..50) != 0 {
                self.send(InTransit::Entry { node, position });
            }
        }
    }

    fn entry(&mut self, node: usize, position: u64) {
        let (kind, payload) = self.stream[usize::try_from(position).unwrap() - 1].clone();
        let now = self.now;
        self.processes[node].node.received(position, kind, payload, now);
        self.perform(node);
    }

    fn perform(&mut self, index: usize) {
        let mut outputs = VecDeque::new();
        while let Some(output) = self.processes[index].node.output() {
            outputs.push_back(output);
        }
        for output in outputs {
            match output {
                NodeOutput::Publish { epoch, number, payload } => {
                    if !self.is_cut(index) && self.rng.u32(..30) != 0 {
                        if self.rng.u32(..20) == 0 {
                            let payload = payload.clone();
                            self.send(InTransit::Publish { epoch, number, payload });
                        }
                        self.send(InTransit::Publish { epoch, number, payload });
                    }
                    // The message or the answer may be lost.
                    let fail = InTransit::Fail { node: index, epoch, number };
                    self.sent += 1;
                    self.in_transit.insert((self.now + Duration::from_secs(3), self.sent), fail);
                }
                NodeOutput::Fetch { from, until } => {
                    self.send(InTransit::Ask { node: index, from, until });
                }
                NodeOutput::Changes(changes) => self.show(index, changes),
                NodeOutput::Expelled => {
                    let epoch = Epoch(self.rng.u64(..));
                    let now = self.now;
                    let process = &mut self.processes[index];
                    process.local.clear();
                    process.pending.clear();
                    process.said = 0;
                    process.node.begin_again(epoch, now);
                    self.perform(index);
                }
                NodeOutput::Serving(_) | NodeOutput::Stopped | NodeOutput::Roster(..) => {}
                NodeOutput::Fatal(fatal) => panic!("{fatal}"),
            }
        }
    }

    fn show(&mut self, index: usize, changes: Vec<Effect>) {
        let own = self.processes[index].node.epoch();
        for change in changes {
            let process = &mut self.processes[index];
            let (sequence, event) = match &change {
                Effect::Joined { from, member, name, sequence, .. } => {
                    if *from == own {
                        let text = process.pending.remove(member).unwrap();
                        process.local.insert(*member, text);
                    }
                    (*sequence, format!("+{name}"))
                }
                Effect::Refused { member, .. } => {
                    process.pending.remove(member);
                    continue;
                }
                Effect::Left { member, sequence, .. } => {
                    process.local.remove(member);
                    (*sequence, format!("-{}", member.0))
                }
                Effect::Said { from, texts, sequence, .. } => {
                    let text = texts[0].as_str();
                    if index == 0 {
                        let number: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
                        let last = self.own_order.entry(*from).or_default();
                        assert!(number > *last, "{number} of {from:?} after {last}");
                        *last = number;
                    }
                    (*sequence, text.to_owned())
                }
                _ => continue,
            };
            let process = &mut self.processes[index];
            let before = process.events.insert(sequence, event);
            assert_eq!(before, None, "the sequence {sequence} was used twice");
        }
    }

    /// No name is served by two nodes at any moment.
    fn check_names(&self) {
        let mut served: HashMap<&str, usize> = HashMap::new();
        for (index, process) in self.processes.iter().enumerate() {
            // A frozen process serves no one, and looks at the clock before it does anything else.
            if process.node.is_serving() && process.frozen_until <= self.now {
                for name in process.local.values() {
                    let other = served.insert(name, index);
                    assert_eq!(other, None, "{name} at {:?}", self.now - self.start);
                }
            }
        }
    }
}

fn simulate(seed: u64) {
    let mut world = World::new(seed, 3);
    world.run_for(Duration::from_secs(180));
    world.faults = false;
    // The longest fault lasts 40 s, and a node that was gone has to enter again.
    world.run_for(Duration::from_secs(90));
    world.clients_live = false;
    world.run_for(Duration::from_secs(15));
    let all: Vec<&Node> = world.processes.iter().map(|process| &process.node).collect();
    for process in &world.processes {
        assert!(process.node.is_serving());
        assert!(!process.events.is_empty(), "nothing happened");
        assert_eq!(process.events, world.processes[0].events, "one order everywhere");
    }
    // An ALIVE of the last moment may be on its way.
    let position = |node: &Node| node.replica().position();
    assert!(all.iter().all(|node| position(node).abs_diff(position(all[0])) <= 3));
}

#[test]
fn nodes_agree_despite_any_faults_between_them() {
    for seed in 0..150 {
        simulate(seed);
    }
}

/// The long one, for changes to the rules: `cargo test --release -- --ignored a_thousand`.
#[test]
#[ignore = "takes minutes"]
fn a_thousand_simulated_clusters_agree() {
    for seed in 1_000..2_000 {
        simulate(seed);
    }
}
