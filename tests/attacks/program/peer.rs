//! A peer: joins a real server, opens sessions, and sends the frames that it is commanded to.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::frames::{Body, Fields};
use super::link::{Key, Link};
use super::{commands, report};

const HELLO: i32 = 16;
const WELCOME: i32 = 17;
const ASK: i32 = 25;
const ANSWERED: i32 = 28;
const CANDIDATES: i32 = 29;
const SESSION: i32 = 40;
const USE: i32 = 41;
const TELL: i32 = 42;
const OFFER: i32 = 44;
const TAKE: i32 = 45;
const REFUSE: i32 = 46;
const CANCEL: i32 = 47;
const RECEIPT: i32 = 48;
const PROOF: i32 = 52;
const ENTRY: i32 = 60;
const DATA: i32 = 61;
const END: i32 = 62;
/// The most data of one frame.
const RUN: usize = 61_440;

/// The two connections of a session.
struct Session {
    messages: Link,
    files: Link,
}

struct Peer {
    key: Key,
    server: Link,
    session: Option<Session>,
    /// What the other side has proved of a partial file.
    proved: Vec<u8>,
}

/// Joins the server of the arguments under a name, with a new key.
pub(super) fn run(arguments: &Value) {
    let (server, key) = (arguments["server"].as_str().unwrap(), Key::generate());
    let socket = TcpStream::connect(server).unwrap();
    let mut server = Link::dial(socket, &key, "matou/2").unwrap();
    let hello = Body::default().string(arguments["name"].as_str().unwrap());
    server.send(&hello.string("hostile").string("").long(0).frame(HELLO)).unwrap();
    server.wait(WELCOME).unwrap();
    report("joined", &Value::Null);
    let mut peer = Peer { key, server, session: None, proved: Vec::new() };
    let commands = queue();
    loop {
        match commands.recv_timeout(Duration::from_millis(5)) {
            Ok((command, arguments)) => peer.obey(&command, &arguments),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
        }
        peer.look();
    }
}

fn queue() -> Receiver<(String, Value)> {
    let (sender, coming) = channel();
    thread::spawn(move || commands().try_for_each(|command| sender.send(command)));
    coming
}

impl Peer {
    fn obey(&mut self, command: &str, arguments: &Value) {
        if command == "ask" {
            let alpns = arguments["alpns"].as_array().unwrap();
            let alpns = [0, 1].map(|at| alpns[at].as_str().unwrap());
            return match self.open(arguments["name"].as_str().unwrap(), alpns) {
                Ok(session) => {
                    self.session = Some(session);
                    report("opened", &Value::Null);
                }
                Err(error) => report("not opened", &json!(error.to_string())),
            };
        }
        // A peer that was thrown out sends nothing more.
        let Some(session) = &mut self.session else { return };
        let transfer = arguments["transfer"].as_i64().unwrap_or(1);
        let body = Body::default().long(transfer);
        let text = |name: &str| arguments[name].as_str().unwrap();
        let long = |name: &str| arguments[name].as_i64().unwrap_or(0);
        let int = |name: &str| i32::try_from(long(name)).unwrap();
        let sent = match command {
            "tell" => {
                let tell = Body::default().long(long("number")).int(0).string(text("text"));
                session.messages.send(&tell.frame(TELL))
            }
            "unknown" => unknown(session),
            "offer" => {
                let offer = body.int(int("kind")).string(text("name")).long(long("size"));
                session.messages.send(&offer.int(int("files")).long(long("modified")).frame(OFFER))
            }
            "entry" => {
                let entry = body.string(text("path")).long(long("size")).long(long("modified"));
                session.files.send(&entry.int(int("flags")).long(long("offset")).frame(ENTRY))
            }
            "data" => data(&mut session.files, transfer, text("bytes").as_bytes()),
            "end" => {
                let hash = blake3::hash(text("of").as_bytes());
                session.files.send(&body.bytes(hash.as_bytes()).frame(END))
            }
            "prove" => {
                let hash = blake3::hash(text("of").as_bytes());
                let proof = body.long(long("have")).bytes(hash.as_bytes());
                session.messages.send(&proof.frame(PROOF))
            }
            // Claims to have what the other side has.
            "echo proof" => {
                let proof = Body::default().bytes(&self.proved);
                session.messages.send(&proof.frame(PROOF))
            }
            "raw" => {
                let bytes: Vec<u8> = serde_json::from_value(arguments["bytes"].clone()).unwrap();
                let on_files = arguments["on"] == "files";
                let link = if on_files { &mut session.files } else { &mut session.messages };
                link.send(&bytes)
            }
            "cut" => {
                session.messages.cut();
                session.files.cut();
                self.session = None;
                Ok(())
            }
            _ => panic!("{command}: no such command"),
        };
        if let Err(error) = sent {
            report("not sent", &json!(error.to_string()));
        }
    }

    /// Asks for a session, and makes both its connections.
    fn open(&mut self, name: &str, alpns: [&str; 2]) -> io::Result<Session> {
        let id: [u8; 16] = fastrand::u128(..).to_be_bytes();
        self.server.send(&Body::default().bytes(&id).string(name).frame(ASK))?;
        let answered = self.server.wait(ANSWERED)?;
        let mut fields = Fields(&answered);
        let (_, answer) = (fields.id(), fields.int());
        if answer != 0 {
            return Err(io::Error::other(format!("answer {answer}")));
        }
        let (_, key) = (fields.string(), fields.bytes(32).to_vec());
        let _count = fields.int();
        let size = usize::try_from(fields.int()).unwrap();
        fields.bytes(size);
        let ports = [fields.int(), fields.int()].map(|port| u16::try_from(port).unwrap());
        let local: IpAddr = [127, 0, 0, 1].into();
        let dial = |port, alpn| {
            let mut link = Link::dial(TcpStream::connect((local, port))?, &self.key, alpn)?;
            assert_eq!(link.key()[..], key);
            link.send(&Body::default().bytes(&id).int(0).frame(SESSION))?;
            let session = link.wait(SESSION)?;
            assert_eq!(session[..20], Body::default().bytes(&id).int(1).0);
            link.send(&Body::default().frame(USE))?;
            Ok::<_, io::Error>(link)
        };
        // Ends the request; there is no one at these ports.
        let nowhere = Body::default().int(1).int(4).bytes(&[127, 0, 0, 1]).int(1).int(1).int(1);
        let candidates = Body::default().bytes(&id).bytes(&nowhere.0).frame(CANDIDATES);
        self.server.send(&candidates)?;
        let messages = dial(ports[0], alpns[0])?;
        Ok(Session { messages, files: dial(ports[1], alpns[1])? })
    }

    /// Reports received frames.
    fn look(&mut self) {
        // The content of the room does not matter here, but it has to be read.
        while let Ok(Some(_)) = self.server.receive() {}
        let Some(session) = &mut self.session else { return };
        let end = loop {
            match session.messages.receive() {
                Ok(Some((PROOF, body))) => {
                    self.proved.clone_from(&body);
                    report("proved", &Value::Null);
                }
                Ok(Some((kind, body))) => report_frame(kind, &body),
                Ok(None) => break session.files.receive().err(),
                Err(error) => break Some(error),
            }
        };
        if let Some(error) = end {
            report("closed", &json!(error.to_string()));
            self.session = None;
        }
    }
}

fn report_frame(kind: i32, body: &[u8]) {
    let mut fields = Fields(body);
    match kind {
        TAKE => report("take", &json!([fields.long(), fields.long()])),
        REFUSE => report("refuse", &json!([fields.long(), fields.int()])),
        CANCEL => report("cancel", &json!([fields.long(), fields.int()])),
        RECEIPT => report("receipt", &json!([fields.long(), fields.bytes(32)])),
        _ => {}
    }
}

fn data(link: &mut Link, transfer: i64, bytes: &[u8]) -> io::Result<()> {
    bytes.chunks(RUN).try_for_each(|run| {
        let frame = Body::default().long(transfer).bytes(run).frame(DATA);
        link.send(&frame)
    })
}

/// Frames of types that there are not, of every size that there may be.
fn unknown(session: &mut Session) -> io::Result<()> {
    for kind in [53, 59, 64, 99, 1000, 1 << 16, i32::MAX] {
        for size in [0, 1, 3, 4, 7, 8, 4095, 4096, 65_535, 65_536] {
            let frame = Body(vec![0xff; size]).frame(kind);
            session.messages.send(&frame)?;
            session.files.send(&frame)?;
        }
    }
    Ok(())
}
