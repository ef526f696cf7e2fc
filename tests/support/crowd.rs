//! Many clients that join and leave, talk, and set up private connections, as bare sockets.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::harness::wire::{DISCO, coreq, msg, pvcoacc, pvcoport, pvcoreq};

/// Threads that drive the crowd.
const DRIVERS: usize = 4;
/// A driver looks after each of its clients, and does one deed, this often.
const ROUND: Duration = Duration::from_millis(50);

/// Clients of one driver.
pub(crate) struct Crowd {
    server: SocketAddr,
    driver: usize,
    members: Vec<Member>,
    named: u64,
    deeds: Deeds,
    scratch: Vec<u8>,
}

struct Member {
    stream: TcpStream,
    name: String,
}

/// What a crowd did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deeds {
    /// Clients that joined.
    pub(crate) joins: u64,
    /// Public messages.
    pub(crate) messages: u64,
    /// Private set-ups, all three steps.
    pub(crate) set_ups: u64,
    /// Bytes received by all.
    pub(crate) received: u64,
}

impl Crowd {
    /// `clients` live for `time`, then all leave.
    pub(crate) fn live(server: SocketAddr, clients: usize, time: Duration) -> Deeds {
        std::thread::scope(|scope| {
            let drivers: Vec<_> = (0..DRIVERS)
                .map(|driver| scope.spawn(move || Self::new(server, driver).run(clients, time)))
                .collect();
            let mut all = Deeds::default();
            for driver in drivers {
                let deeds = driver.join().unwrap();
                all.joins += deeds.joins;
                all.messages += deeds.messages;
                all.set_ups += deeds.set_ups;
                all.received += deeds.received;
            }
            all
        })
    }

    fn new(server: SocketAddr, driver: usize) -> Self {
        let (members, deeds) = (Vec::new(), Deeds::default());
        Self { server, driver, members, named: 0, deeds, scratch: vec![0; 64 * 1024] }
    }

    fn run(mut self, clients: usize, time: Duration) -> Deeds {
        for _ in 0..(clients / DRIVERS).max(4) {
            self.join();
            self.listen();
        }
        let start = Instant::now();
        let mut round = 0_usize;
        while start.elapsed() < time {
            let count = self.members.len();
            let (one, other) = (round % count, (round + count / 2) % count);
            match round % 8 {
                0 | 4 => self.say(one),
                1 => self.send(one, &pvcoreq(&self.members[other].name)),
                // The same two as the round before, and the one before that.
                2 => {
                    let (src, dst) = ((round - 1) % count, (round - 1 + count / 2) % count);
                    self.send(dst, &pvcoacc(&self.members[src].name));
                }
                3 => {
                    let (src, dst) = ((round - 2) % count, (round - 2 + count / 2) % count);
                    self.send(src, &pvcoport(&self.members[dst].name, 40_000, 40_001));
                    self.deeds.set_ups += 1;
                }
                5 => self.leave_and_come(one, |member| member.stream.write_all(&DISCO)),
                6 => self.leave_and_come(one, |_| Ok(())),
                _ => self.leave_and_come(one, |member| {
                    socket2::SockRef::from(&member.stream).set_linger(Some(Duration::ZERO))
                }),
            }
            self.listen();
            round += 1;
            std::thread::sleep(ROUND);
        }
        self.deeds
    }

    fn join(&mut self) {
        self.named += 1;
        let name = format!("u{}x{}", self.driver, self.named);
        let mut stream = TcpStream::connect(self.server).unwrap();
        stream.write_all(&coreq(&name)).unwrap();
        stream.set_nonblocking(true).unwrap();
        self.members.push(Member { stream, name });
        self.deeds.joins += 1;
    }

    /// A member leaves in one of the possible ways, and another joins.
    fn leave_and_come(&mut self, who: usize, way: impl Fn(&mut Member) -> std::io::Result<()>) {
        let mut member = self.members.remove(who);
        way(&mut member).unwrap();
        drop(member);
        self.join();
    }

    fn say(&mut self, who: usize) {
        self.send(who, &msg("what one says in a crowd, neither short nor long"));
        self.deeds.messages += 1;
    }

    fn send(&mut self, who: usize, frame: &[u8]) {
        self.members[who].stream.write_all(frame).unwrap();
    }

    /// Takes whatever anybody hears.
    fn listen(&mut self) {
        for member in &mut self.members {
            loop {
                match member.stream.read(&mut self.scratch) {
                    Ok(0) => panic!("{} was disconnected", member.name),
                    Ok(received) => self.deeds.received += u64::try_from(received).unwrap(),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{}: {error}", member.name),
                }
            }
        }
    }
}

impl fmt::Display for Deeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { joins, messages, set_ups, received } = self;
        let megabytes = received / 1_000_000;
        write!(f, "{joins} joins, {messages} messages, {set_ups} set-ups, {megabytes} MB received")
    }
}
