//! A server that is honest until it is commanded to be otherwise.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::frames::{Body, Fields};
use super::link::{Key, Link};
use super::{commands, report};

const HELLO: i32 = 16;
const WELCOME: i32 = 17;
const PRESENT: i32 = 19;
const JOINED: i32 = 20;
const SAID: i32 = 22;
const ASK: i32 = 25;
const ASKED: i32 = 26;
const ANSWER: i32 = 27;
const ANSWERED: i32 = 28;
const CANDIDATES: i32 = 29;
const SAY: i32 = 32;
const SESSION: i32 = 40;
const USE: i32 = 41;
const TELL: i32 = 42;
const TOLD: i32 = 43;
/// 2025-11-25.
const NOW: i64 = 1_764_072_000_000;

/// How it is hostile.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Honest,
    /// Ends encrypted connections as a server of revision 1 does, and is one.
    Strip,
    /// Answers for those who are asked, with its own key and ports.
    Impersonate,
    /// Names no protocol in its handshake.
    Nameless,
    /// Gives the answer of each session to the other one of two.
    Swap,
}

struct Member {
    name: String,
    key: [u8; 32],
    address: IpAddr,
    /// Frames to it; `None` cuts it off.
    out: Sender<Option<Vec<u8>>>,
}

/// A private session that was asked for.
#[derive(Clone)]
struct Asked {
    by: usize,
    of: usize,
}

struct Room {
    key: Key,
    mode: Mode,
    sequence: i64,
    members: HashMap<usize, Member>,
    sessions: HashMap<[u8; 16], Asked>,
    /// What each of two sessions waits for to be swapped with: type, session, sender, fields.
    held: HashMap<i32, ([u8; 16], Vec<u8>)>,
}

/// Listens where the arguments say, with a new key, and does as the commands say.
pub(super) fn run(arguments: &Value) {
    let listener = TcpListener::bind(arguments["listen"].as_str().unwrap()).unwrap();
    let room = Arc::new(Mutex::new(Room {
        key: Key::generate(),
        mode: mode(&arguments["mode"]),
        sequence: 0,
        members: HashMap::new(),
        sessions: HashMap::new(),
        held: HashMap::new(),
    }));
    report("listening", &json!(listener.local_addr().unwrap().to_string()));
    let shared = Arc::clone(&room);
    thread::spawn(move || {
        for number in 0.. {
            let (socket, _) = listener.accept().unwrap();
            let room = Arc::clone(&shared);
            thread::spawn(move || serve(&room, number, socket));
        }
    });
    for (command, arguments) in commands() {
        let mut room = room.lock().unwrap();
        match &*command {
            "mode" => room.mode = mode(&arguments),
            "cut" => {
                for member in room.members.values() {
                    let _ = member.out.send(None);
                }
            }
            _ => panic!("{command}: no such command"),
        }
        report("done", &json!(command));
    }
}

fn mode(word: &Value) -> Mode {
    match word.as_str().unwrap() {
        "honest" => Mode::Honest,
        "strip" => Mode::Strip,
        "impersonate" => Mode::Impersonate,
        "nameless" => Mode::Nameless,
        "swap" => Mode::Swap,
        word => panic!("{word}: no such mode"),
    }
}

fn serve(room: &Mutex<Room>, number: usize, socket: TcpStream) {
    let (key, mode) = {
        let room = room.lock().unwrap();
        (room.key.clone(), room.mode)
    };
    if mode == Mode::Strip {
        return strip(socket);
    }
    let address = socket.peer_addr().unwrap().ip();
    let alpn = if mode == Mode::Nameless { "" } else { "matou/2" };
    let Ok(mut link) = Link::accept(socket, &key, alpn) else {
        return report("refused", &Value::Null);
    };
    let (out, outgoing) = channel();
    let Ok(hello) = link.wait(HELLO) else { return report("left", &Value::Null) };
    let member = Member { name: Fields(&hello).string(), key: link.key(), address, out };
    room.lock().unwrap().join(number, member);
    converse(room, number, &mut link, &outgoing);
    link.cut();
    room.lock().unwrap().members.remove(&number);
}

/// Forwards frames until either side ends.
fn converse(
    room: &Mutex<Room>,
    number: usize,
    link: &mut Link,
    outgoing: &Receiver<Option<Vec<u8>>>,
) {
    loop {
        for frame in outgoing.try_iter() {
            let Some(frame) = frame else { return };
            if link.send(&frame).is_err() {
                return;
            }
        }
        match link.receive() {
            Ok(Some((kind, body))) => room.lock().unwrap().read(number, kind, &body),
            Ok(None) => {}
            Err(_) => return,
        }
    }
}

/// What a server of revision 1 does with a connection of each kind.
fn strip(mut socket: TcpStream) {
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut head = [0; 5];
    if socket.read_exact(&mut head).is_err() {
        return;
    }
    if head[0] == 0x16 {
        let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        socket.read_exact(&mut hello).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        let mut beyond = Vec::new();
        let _ = socket.read_to_end(&mut beyond);
        return report("stripped", &json!({ "hello": hello[0], "beyond": beyond.len() }));
    }
    report("plain", &json!(head));
    let mut unread = head.to_vec();
    let mut name = String::new();
    loop {
        while let Some((kind, body)) = super::frames::take(&mut unread) {
            let text = String::from_utf8(body.clone()).unwrap();
            let field = Body::default().string(&text).0;
            if kind == 0 {
                name = text;
                socket.write_all(&[&[0, 0, 0, 1, 1, 0, 0, 0, 2][..], &field].concat()).unwrap();
            } else if kind == 3 {
                report("read in plain", &json!(text));
                let who = Body::default().string(&name).0;
                socket.write_all(&[&[0, 0, 0, 4][..], &who, &field].concat()).unwrap();
            }
        }
        let mut chunk = [0; 4096];
        match socket.read(&mut chunk) {
            Ok(0) => return,
            Ok(count) => unread.extend(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

impl Room {
    fn send(&self, to: usize, frame: Vec<u8>) {
        if let Some(member) = self.members.get(&to) {
            let _ = member.out.send(Some(frame));
        }
    }

    fn send_all(&self, frame: &[u8]) {
        for number in self.members.keys() {
            self.send(*number, frame.to_vec());
        }
    }

    fn join(&mut self, number: usize, member: Member) {
        // A returning user takes the name over.
        self.members.retain(|_, other| other.name != member.name);
        let others = i32::try_from(self.members.len()).unwrap();
        let welcome = Body::default().string(&member.name).long(NOW).long(self.sequence);
        let welcome = welcome.string("Hostile").string("").int(others).frame(WELCOME);
        let joined = Body::default().string(&member.name).int(1).bytes(&member.key).0;
        self.members.insert(number, member);
        self.send(number, welcome);
        for (_, other) in self.members.iter().filter(|(other, _)| **other != number) {
            let present = Body::default().string(&other.name).int(1).bytes(&other.key);
            self.send(number, present.frame(PRESENT));
        }
        self.sequence += 1;
        let joined = Body::default().long(self.sequence).long(NOW).bytes(&joined).frame(JOINED);
        self.send_all(&joined);
    }

    fn read(&mut self, from: usize, kind: i32, body: &[u8]) {
        let mut fields = Fields(body);
        match kind {
            3 => self.said(from, 0, str::from_utf8(body).unwrap()),
            SAY => {
                let flags = fields.int();
                self.said(from, flags, &fields.string());
            }
            ASK => {
                let (session, name) = (fields.id(), fields.string());
                self.asked(session, from, &name);
            }
            ANSWER | CANDIDATES => {
                let session = fields.id();
                let rest = fields.0.to_vec();
                self.introduce(kind, session, from, rest);
            }
            _ => {}
        }
    }

    fn said(&mut self, from: usize, flags: i32, text: &str) {
        self.sequence += 1;
        let said = Body::default().long(self.sequence).long(NOW).string(&self.members[&from].name);
        self.send_all(&said.string(text).int(flags).frame(SAID));
    }

    fn asked(&mut self, session: [u8; 16], by: usize, name: &str) {
        if self.mode == Mode::Impersonate {
            let (key, address) = (self.key.clone(), self.members[&by].address);
            let answer = Body::default().bytes(&session).int(0).string(name).bytes(&key.public);
            let ports = answer_as(&key, session, address);
            let candidates = Body::default().int(1).bytes(&candidate(address, ports));
            return self.send(by, answer.bytes(&candidates.0).frame(ANSWERED));
        }
        let found = self.members.iter().find(|(_, member)| member.name == name);
        let of = *found.unwrap().0;
        self.sessions.insert(session, Asked { by, of });
        let Member { name, key, .. } = &self.members[&by];
        let frame = Body::default().bytes(&session).string(name).bytes(key).frame(ASKED);
        self.send(of, frame);
    }

    /// Passes on what one side of a session sends to the other one.
    fn introduce(&mut self, kind: i32, session: [u8; 16], from: usize, fields: Vec<u8>) {
        if self.mode != Mode::Swap {
            return self.pass_on(kind, session, from, &fields);
        }
        // Those of the two sessions change places.
        let Some((other, others)) = self.held.remove(&kind) else {
            self.held.insert(kind, (session, fields));
            return;
        };
        for (session, fields) in [(other, fields), (session, others)] {
            let Asked { by, of } = self.sessions[&session];
            self.pass_on(kind, session, if kind == ANSWER { of } else { by }, &fields);
        }
        report("swapped", &json!(kind));
    }

    fn pass_on(&self, kind: i32, session: [u8; 16], from: usize, fields: &[u8]) {
        let Some(Asked { by, of }) = self.sessions.get(&session).cloned() else { return };
        let Some(sender) = self.members.get(&from) else { return };
        let to = if from == by { of } else { by };
        let mut fields = Fields(fields);
        let mut body = Body::default().bytes(&session);
        if kind == ANSWER {
            let answer = fields.int();
            body = body.int(answer);
            if answer == 0 {
                body = body.string(&sender.name).bytes(&sender.key);
            }
        }
        if !fields.0.is_empty() {
            body = body.bytes(&with_seen(fields.0, sender.address).0);
        }
        self.send(to, body.frame(if kind == ANSWER { ANSWERED } else { kind }));
    }
}

/// These candidates, and the address that the server sees with the ports of the first one.
fn with_seen(candidates: &[u8], seen: IpAddr) -> Body {
    let mut fields = Fields(candidates);
    let count = fields.int();
    let all = fields.0;
    let size = usize::try_from(fields.int()).unwrap();
    fields.bytes(size);
    let ports = [fields.int(), fields.int()];
    Body::default().int(count + 1).bytes(all).bytes(&candidate(seen, ports))
}

fn candidate(address: IpAddr, ports: [i32; 2]) -> Vec<u8> {
    let body = match address {
        IpAddr::V4(address) => Body::default().int(4).bytes(&address.octets()),
        IpAddr::V6(address) => Body::default().int(16).bytes(&address.octets()),
    };
    body.int(ports[0]).int(ports[1]).int(2).0
}

/// Plays the asked user, with `key`: reads and confirms messages. Returns the two ports.
fn answer_as(key: &Key, session: [u8; 16], at: IpAddr) -> [i32; 2] {
    ["matou-message/2", "matou-file/2"].map(|alpn| {
        let listener = TcpListener::bind((at, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let key = key.clone();
        thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            report("dialled", &json!(alpn));
            let Ok(mut link) = Link::accept(socket, &key, alpn) else { return };
            link.send(&Body::default().bytes(&session).int(1).frame(SESSION)).unwrap();
            if link.wait(USE).is_err() {
                return;
            }
            while let Ok(tell) = link.wait(TELL) {
                let mut fields = Fields(&tell);
                let (number, _flags) = (fields.long(), fields.int());
                report("read in private", &json!(fields.string()));
                link.send(&Body::default().long(number).frame(TOLD)).unwrap();
            }
        });
        i32::from(port)
    })
}
