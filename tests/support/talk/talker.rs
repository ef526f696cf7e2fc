//! One client that talks, and moves to the next node when its own is gone.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::transcript::texts;
use super::{Group, PRIZE, Segment};
use crate::harness::wire::{conotif, coreq, frame_length, msg, msgbc};

/// From the echo of one text of a client to its next one.
const EVERY: Duration = Duration::from_secs(1);
/// How long a client waits for its name before it tries the next node.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// After how long a client that found no node tries again.
const AGAIN: Duration = Duration::from_millis(200);

pub(super) struct Talker {
    pub(super) number: usize,
    pub(super) generation: usize,
    pub(super) wants_prize: bool,
    pub(super) node: usize,
    pub(super) state: State,
    pub(super) bytes: Vec<u8>,
    pub(super) next_text: u64,
}

pub(super) enum State {
    Away { since: Instant },
    Asked { stream: TcpStream, since: Instant },
    In { stream: TcpStream, segment: Segment, own: bool, said: Instant, is_waiting: bool },
}

fn identify(frame: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    frame.hash(&mut hasher);
    hasher.finish()
}

impl Talker {
    pub(super) fn name(&self) -> String {
        if self.wants_prize {
            PRIZE.to_owned()
        } else {
            format!("t{}g{}", self.number, self.generation)
        }
    }

    /// Whether it waits for nothing.
    pub(super) fn is_settled(&self) -> bool {
        match &self.state {
            State::Away { .. } => true,
            State::Asked { .. } => self.wants_prize,
            State::In { own, is_waiting, .. } => *own && !*is_waiting,
        }
    }

    /// Does what it can; whether it has read anything.
    pub(super) fn step(&mut self, group: &mut Group, may_begin: bool) -> bool {
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
