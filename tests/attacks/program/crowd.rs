//! A crowd that connects to the ports on which a process listens.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream};

use serde_json::{Value, json};

use super::link::{Key, client_hello};
use super::{commands, report};

/// The state of a listening socket in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// Connects this often to each port of a process, in the manner that the command names, and stays.
pub(super) fn run(_: &Value) {
    let mut open = Vec::new();
    for (manner, arguments) in commands() {
        let ports = ports(&arguments["process"]);
        for port in &ports {
            for _ in 0..arguments["count"].as_u64().unwrap() {
                let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).unwrap();
                // A connection that is closed at once need not be read.
                let _ = socket.write_all(&greeting(&manner));
                open.push(socket);
            }
        }
        report("came", &json!(ports.len()));
    }
}

fn greeting(manner: &str) -> Vec<u8> {
    let hello = || client_hello(&Key::generate(), "matou-message/2");
    match manner {
        "silent" => Vec::new(),
        "garbage" => (0..2000).map(|_| fastrand::u8(..)).collect(),
        // As one of revision 1 speaks.
        "plain" => b"\0\0\0\x0d\0\0\0\x05hello".to_vec(),
        "half" => hello()[..100].to_vec(),
        "hello" => hello(),
        _ => panic!("{manner}: no such manner"),
    }
}

/// The ports on which a process listens.
fn ports(process: &Value) -> Vec<u16> {
    let folder = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let links = folder.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let sockets: Vec<_> = links.map(|link| link.display().to_string()).collect();
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap());
    let mut ports: Vec<_> = tables
        .iter()
        .flat_map(|table| table.lines().skip(1))
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields[3] == LISTENS)
        .filter(|fields| sockets.contains(&format!("socket:[{}]", fields[9])))
        .map(|fields| u16::from_str_radix(fields[1].rsplit(':').next().unwrap(), 16).unwrap())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}
