//! A man in the middle: forwards connections to their destination, records them, and does
//! to the next one what it is commanded to.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::OriginalDst};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{commands, report};

/// What is done to a connection.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Attack {
    #[default]
    Pass,
    /// Inverts the bits of one byte from the one that connected, of one to it, or of both.
    FlipUp(usize),
    FlipDown(usize),
    Flip(usize),
    /// Ends both sides after this many bytes from either.
    Cut(usize),
    /// Sends everything twice, after this many bytes.
    Repeat(usize),
    /// Echoes all input.
    Mirror,
    /// Ends the connection after the first bytes, without sending any.
    Strip,
    /// Answers what an earlier connection was answered.
    AnswerAs(usize),
    /// Sends what an earlier connection sent to where this one is going, before it.
    ReplayFirst(usize),
}

struct Recorded {
    target: SocketAddr,
    up: Vec<u8>,
    down: Vec<u8>,
}

#[derive(Default)]
struct State {
    attacks: VecDeque<Attack>,
    recorded: Vec<Recorded>,
}

type Shared = Arc<Mutex<State>>;

/// Listens where the arguments say. Connections go to the `target` of the arguments, or, without one,
/// to where they were going before a router diverted them.
pub(super) fn run(arguments: &Value) {
    let listener = TcpListener::bind(arguments["listen"].as_str().unwrap()).unwrap();
    let target = arguments["target"].as_str().map(|target| target.parse().unwrap());
    let state = Shared::default();
    report("listening", &json!(listener.local_addr().unwrap().to_string()));
    let shared = Arc::clone(&state);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (state, socket) = (Arc::clone(&shared), socket.unwrap());
            thread::spawn(move || connect(&state, socket, target));
        }
    });
    for (command, arguments) in commands() {
        let mut state = state.lock().unwrap();
        match &*command {
            "attack next" => state.attacks.push_back(serde_json::from_value(arguments).unwrap()),
            "replay" => {
                let number: usize = serde_json::from_value(arguments).unwrap();
                let Recorded { target, up, .. } = &state.recorded[number];
                report("answered", &json!(replay(*target, up)));
                continue;
            }
            "search" => {
                let word = arguments.as_str().unwrap().as_bytes();
                let holds = |bytes: &[u8]| bytes.windows(word.len()).any(|at| at == word);
                let found = state.recorded.iter().any(|it| holds(&it.up) || holds(&it.down));
                report("found", &json!(found));
                continue;
            }
            _ => panic!("{command}: no such command"),
        }
        report("done", &json!(command));
    }
}

fn connect(state: &Shared, near: TcpStream, target: Option<SocketAddr>) {
    let target = target.unwrap_or_else(|| original(&near));
    let (attack, number) = {
        let mut state = state.lock().unwrap();
        let attack = state.attacks.pop_front().unwrap_or_default();
        state.recorded.push(Recorded { target, up: Vec::new(), down: Vec::new() });
        (attack, state.recorded.len() - 1)
    };
    report("connection", &json!({ "number": number, "attack": format!("{attack:?}") }));
    let mut first = [0; 4096];
    match attack {
        Attack::Strip => {
            let _ = (&near).read(&mut first);
            let _ = near.shutdown(Shutdown::Write);
            let mut beyond = Vec::new();
            let _ = (&near).read_to_end(&mut beyond);
            return report("stripped", &json!({ "first": first[0], "beyond": beyond.len() }));
        }
        Attack::Mirror => {
            let copied = std::io::copy(&mut &near, &mut &near).unwrap_or(0);
            return report("mirrored", &json!(copied));
        }
        Attack::AnswerAs(earlier) => {
            let answer = state.lock().unwrap().recorded[earlier].down.clone();
            let _ = (&near).read(&mut first);
            let _ = (&near).write_all(&answer);
            let _ = (&near).read_to_end(&mut Vec::new());
            return report("closed", &json!(number));
        }
        Attack::ReplayFirst(earlier) => {
            let up = state.lock().unwrap().recorded[earlier].up.clone();
            report("answered", &json!(replay(target, &up)));
        }
        _ => {}
    }
    let Ok(far) = TcpStream::connect(target) else { return };
    let (near, far) = (Arc::new(near), Arc::new(far));
    for (from, to, is_up) in
        [(Arc::clone(&near), Arc::clone(&far), true), (Arc::clone(&far), Arc::clone(&near), false)]
    {
        let state = Arc::clone(state);
        thread::spawn(move || pump(&state, number, attack, [&from, &to], is_up));
    }
}

/// Where a connection was going.
fn original(socket: &TcpStream) -> SocketAddr {
    let address = getsockopt(socket, OriginalDst).unwrap();
    let port = u16::from_be(address.sin_port);
    SocketAddrV4::new(u32::from_be(address.sin_addr.s_addr).into(), port).into()
}

fn pump(state: &Shared, number: usize, attack: Attack, ends: [&TcpStream; 2], is_up: bool) {
    let [mut from, mut to] = ends;
    let (mut chunk, mut passed) = ([0; 4096], 0);
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        let bytes = &mut chunk[..count];
        {
            let recorded = &mut state.lock().unwrap().recorded[number];
            if is_up { &mut recorded.up } else { &mut recorded.down }.extend_from_slice(bytes);
        }
        match attack {
            Attack::FlipUp(at) if is_up => flip(bytes, at, passed),
            Attack::FlipDown(at) if !is_up => flip(bytes, at, passed),
            Attack::Flip(at) => flip(bytes, at, passed),
            Attack::Cut(after) if passed + count > after => {
                let _ = to.write_all(&bytes[..after.saturating_sub(passed)]);
                let _ = from.shutdown(Shutdown::Both);
                break;
            }
            Attack::Repeat(after) if passed + count > after => {
                let _ = to.write_all(bytes);
            }
            _ => {}
        }
        passed += count;
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn flip(bytes: &mut [u8], at: usize, passed: usize) {
    if let Some(byte) = at.checked_sub(passed).and_then(|at| bytes.get_mut(at)) {
        *byte = !*byte;
    }
}

/// Sends recorded bytes once more: how many bytes answer them.
fn replay(target: SocketAddr, bytes: &[u8]) -> usize {
    let Ok(mut socket) = TcpStream::connect(target) else { return 0 };
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = socket.write_all(bytes);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    answer.len()
}
