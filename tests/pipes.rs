//! Standard input to standard output across two one-shot commands: memory, and where the bytes are
//! meanwhile.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStdout, Stdio};

use harness::lines::Lines;
use harness::server::Server;
use harness::{Process, matou, until};

const MIB: usize = 1024 * 1024;
/// Far more than either side may hold.
const SIZE: usize = 256 * MIB;
/// The most memory of either side; a part of it is the program itself.
const MOST_MEMORY: usize = 48 * MIB;

/// Blocks of a stream, no two alike.
fn blocks() -> impl Iterator<Item = Vec<u8>> {
    (0..SIZE / MIB).map(|number| {
        let mut block = vec![0; MIB];
        blake3::Hasher::new().update(&number.to_be_bytes()).finalize_xof().fill(&mut block);
        block
    })
}

/// The most memory that a process has had.
fn most_memory(process: &Process) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}

/// `receive --to -` as Bea, who has joined.
fn receive(home: &Path, server: SocketAddr) -> (Process, ChildStdout, Lines) {
    let mut command = matou(home);
    command.args(["receive", "--username", "Bea", "--to", "-", "--server", &server.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process(command.spawn().unwrap());
    let mut errors = Lines::new("receive", process.0.stderr.take().unwrap());
    errors.wait("waiting for files", |line| line.contains("waiting for files").then_some(()));
    let output = process.0.stdout.take().unwrap();
    (process, output, errors)
}

#[test]
fn a_stream_larger_than_the_memory_of_both_sides_is_collected_on_disk_and_written_once_checked() {
    let server = Server::start();
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (mut receive, mut output, _errors) = receive(homes[1].path(), server.address);
    let mut command = matou(homes[0].path());
    command.args(["send", "--username", "Ada", "--server", &server.address.to_string()]);
    command.args(["Bea", "-"]).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut send = Process(command.spawn().unwrap());
    let mut input = send.0.stdin.take().unwrap();
    let mut written = blake3::Hasher::new();
    for block in blocks() {
        written.update(&block);
        input.write_all(&block).unwrap();
    }
    let downloads = homes[1].path().join("Downloads");
    let collected = || {
        let files = fs::read_dir(&downloads).unwrap().map(|entry| entry.unwrap());
        let parts = files.filter(|entry| entry.path().extension().is_some_and(|it| it == "part"));
        parts.map(|entry| entry.metadata().unwrap().len()).sum::<u64>()
    };
    let almost_all = u64::try_from(SIZE - 2 * MIB).unwrap();
    until("the stream on the disk of the receiver", || collected() >= almost_all);
    let waiting = rustix::io::ioctl_fionread(&output).unwrap();
    assert_eq!(waiting, 0, "nothing is written before all of it is checked");
    let memory = most_memory(&send);
    assert!(memory < MOST_MEMORY, "send: {memory} bytes");
    drop(input);
    let mut received = blake3::Hasher::new();
    let (mut chunk, mut count) = (vec![0; MIB], 0);
    while count < SIZE - MIB {
        let read = output.read(&mut chunk).unwrap();
        assert!(read > 0, "it ended after {count} bytes");
        received.update(&chunk[..read]);
        count += read;
    }
    let memory = most_memory(&receive);
    assert!(memory < MOST_MEMORY, "receive: {memory} bytes");
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert_eq!(received.update(&rest).finalize(), written.finalize());
    assert!(receive.exit().success() && send.exit().success());
    assert_eq!(fs::read_dir(downloads).unwrap().count(), 0, "nothing is left");
}
