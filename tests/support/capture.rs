//! Everything that passes the interfaces of a network, as `tcpdump` sees it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size_force, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, recv, socket_with};

use super::network::Network;
use crate::harness;

/// `ETH_P_ALL`, in the order of the network.
const ALL: u32 = (3_u16.to_be()) as u32;
const ETHERNET: usize = 14;
const IPV4: [u8; 2] = [8, 0];
const TCP: u8 = 6;
/// More than the largest packet, as one that is segmented after the capture.
const LARGEST: usize = 128 * 1024;
/// How long no packet may arrive before everything sent counts as captured.
const QUIET: Duration = Duration::from_millis(300);

/// A running capture.
pub(crate) struct Capture {
    packets: Receiver<Vec<u8>>,
}

/// The captured packets.
pub(crate) struct Captured {
    packets: Vec<Vec<u8>>,
    /// The bytes in each direction of each TCP connection.
    pub(crate) streams: Vec<Vec<u8>>,
}

impl Capture {
    /// Where it cannot be made the test says that it is skipped.
    pub(crate) fn start(network: &Network) -> Option<Self> {
        let socket = network.within(open);
        let socket =
            socket.map_err(|error| harness::skipped(&format!("no capture: {error}"))).ok()?;
        let (sender, packets) = channel();
        thread::spawn(move || {
            let mut packet = vec![0; LARGEST];
            loop {
                match recv(&socket, &mut packet[..], RecvFlags::empty()) {
                    Ok((_, size)) if sender.send(packet[..size.min(LARGEST)].to_vec()).is_err() => {
                        return;
                    }
                    _ => {}
                }
            }
        });
        Some(Self { packets })
    }

    /// Ends once it is quiet.
    pub(crate) fn end(self) -> Captured {
        let (mut packets, begun) = (Vec::new(), Instant::now());
        while let Ok(packet) = self.packets.recv_timeout(QUIET) {
            packets.push(packet);
            assert!(begun.elapsed() < harness::DEADLINE, "the network is never quiet");
        }
        let streams = streams(&packets);
        Captured { packets, streams }
    }
}

impl Captured {
    /// Whether it holds these bytes, in one packet or in several.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        let mut all = self.packets.iter().chain(&self.streams);
        all.any(|run| run.windows(bytes.len()).any(|window| window == bytes))
    }
}

fn open() -> rustix::io::Result<OwnedFd> {
    let protocol = Protocol::from_raw(ALL.try_into().unwrap());
    let (family, flags) = (AddressFamily::PACKET, SocketFlags::CLOEXEC);
    let socket = socket_with(family, SocketType::RAW, flags, Some(protocol))?;
    set_socket_recv_buffer_size_force(&socket, 64 * 1024 * 1024)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(QUIET))?;
    Ok(socket)
}

/// Addresses and ports of both ends of a packet, where it begins in its stream, and its data.
fn segment(packet: &[u8]) -> Option<(Vec<u8>, u32, bool, &[u8])> {
    let ip = packet.get(ETHERNET..).filter(|_| packet[12..ETHERNET] == IPV4)?;
    let head = usize::from(*ip.first()? & 0xf) * 4;
    let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    // A packet that is segmented later has no size yet.
    let ip = ip.get(..total).filter(|_| total > 0).unwrap_or(ip);
    let tcp = ip.get(head..).filter(|_| ip[9] == TCP)?;
    let ends = [&ip[12..20], &tcp[..4]].concat();
    let sequence = u32::from_be_bytes(tcp[4..8].try_into().unwrap());
    let (data, is_first) = (usize::from(tcp[12] >> 4) * 4, tcp[13] & 2 != 0);
    Some((ends, sequence, is_first, &tcp[data..]))
}

fn streams(packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut firsts = BTreeMap::new();
    let mut segments: BTreeMap<_, BTreeMap<u32, &[u8]>> = BTreeMap::new();
    for (ends, sequence, is_first, data) in packets.iter().filter_map(|packet| segment(packet)) {
        let first = *firsts.entry(ends.clone()).or_insert(sequence);
        let first = if is_first { sequence } else { first };
        let kept = segments.entry(ends).or_default().entry(sequence.wrapping_sub(first));
        let kept = kept.or_default();
        if data.len() > kept.len() {
            *kept = data;
        }
    }
    segments.into_values().map(|segments| joined(&segments)).collect()
}

/// Segments may have been sent again in other pieces.
fn joined(segments: &BTreeMap<u32, &[u8]>) -> Vec<u8> {
    let (mut stream, mut next) = (Vec::new(), 0);
    for (at, data) in segments {
        let known = usize::try_from(next.max(*at) - at).unwrap().min(data.len());
        stream.extend_from_slice(&data[known..]);
        next = next.max(at + u32::try_from(data.len()).unwrap());
    }
    stream
}
