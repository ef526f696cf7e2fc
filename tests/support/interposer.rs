//! A proxy between a client and the server that leads the client's private connections through
//! proxies as well: it puts their ports into the PVCOESTADST frames that pass.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::proxy::{Faults, Proxy};

/// A client that connects to the server through this one reaches its peers through proxies.
pub(crate) struct Interposer {
    /// Where to connect to instead of the server.
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    messages: Faults,
    files: Faults,
    proxies: Vec<Proxy>,
}

impl Interposer {
    /// Between a client and `server`, with no faults yet.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { messages: Faults::NONE, files: Faults::NONE, proxies: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                let Ok(far) = TcpStream::connect(server) else { continue };
                let (to_server, to_client) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                thread::spawn(move || copy(near, to_server));
                let state = Arc::clone(&shared);
                thread::spawn(move || rewrite(far, to_client, &state));
            }
        });
        Self { address, state }
    }

    /// The private sessions from now on have these faults; up is from the client that accepted
    /// to the one that asked. What still went through earlier ones is cut.
    pub(crate) fn set(&self, messages: Faults, files: Faults) {
        *self.state.lock().unwrap() = State { messages, files, proxies: Vec::new() };
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    // The end of either one is the end of both.
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn rewrite(mut from: TcpStream, mut to: TcpStream, state: &Mutex<State>) {
    let (mut unread, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = from.read(&mut piece) {
        unread.extend_from_slice(&piece[..read]);
        while let Some(length) = length(&unread) {
            let mut frame: Vec<u8> = unread.drain(..length).collect();
            if frame[..4] == [0, 0, 0, 12] {
                lead_through_proxies(&mut frame, &mut state.lock().unwrap());
            }
            if to.write_all(&frame).is_err() {
                return;
            }
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// The length of the first frame of `bytes`, if it is complete.
fn length(bytes: &[u8]) -> Option<usize> {
    let int = |at: usize| {
        let raw = bytes.get(at..at + 4)?;
        usize::try_from(u32::from_be_bytes(raw.try_into().ok()?)).ok()
    };
    let name = |more: usize| Some(4 + 4 + int(4)? + more);
    let two = |more: usize| {
        let at = 4 + 4 + int(4)?;
        Some(at + 4 + int(at)? + more)
    };
    let length = match int(0)? {
        1 => 5,
        2 | 6 | 8 => name(0)?,
        4 | 11 => two(0)?,
        12 => two(8)?,
        other => panic!("the server sent a frame of type {other}"),
    };
    (bytes.len() >= length).then_some(length)
}

fn lead_through_proxies(frame: &mut [u8], state: &mut State) {
    let ports = frame.len() - 8;
    for (at, faults) in [(ports, state.messages), (ports + 4, state.files)] {
        let port = u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        let target = (IpAddr::from(Ipv4Addr::LOCALHOST), u16::try_from(port).unwrap());
        let proxy = Proxy::always(target.into(), faults);
        frame[at..at + 4].copy_from_slice(&u32::from(proxy.address.port()).to_be_bytes());
        state.proxies.push(proxy);
    }
}
