//! What a private session reveals outside its two clients: the order in which files reach the disk,
//! and what the network and the server see of it. By system calls, so only where `strace` is
//! installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::server::Server;
use harness::skipped;
use harness::user::{User, client};

/// A record of TLS with RECEIPT in it: type, size, number and hash; type, length, kind and seal.
const RECEIPT_RECORD: i64 = (4 + 4 + 8 + 32) + 5 + 1 + 16;
/// Of a file, of its name, of a folder and of messages; words that nothing else uses.
const PRIVATE: [&str; 5] = ["Quokka", "Numbat", "Bandicoot", "Potoroo", "Wombat"];
const PUBLIC: &str = "Pademelon";

/// A client under `strace`.
struct Traced {
    user: User,
    trace: PathBuf,
}

impl Traced {
    /// `None`, with a word, where there is no `strace` or it may not trace.
    fn start(home: &Path, server: SocketAddr, name: &str, options: &[&str]) -> Option<Self> {
        let works = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
        if !works.is_ok_and(|output| output.status.success()) {
            skipped("strace is missing or may not trace");
            return None;
        }
        let client = client(home, &server.to_string(), name, &[]);
        let trace = home.join("trace");
        let mut command = Command::new("strace");
        command.env_clear().args(["-f", "-yy", "-o"]).arg(&trace).args(options);
        command.arg(client.get_program()).args(client.get_args());
        for (key, value) in client.get_envs() {
            command.env(key, value.unwrap());
        }
        command.args(["--accept-private", "always", "--accept-files", "always"]);
        let mut user = User::run(command, name);
        user.event("connected");
        Some(Self { user, trace })
    }

    /// Signs out; the calls that were made.
    fn quit(mut self) -> Vec<Call> {
        self.user.say("/quit");
        self.user.event("closed");
        self.user.process.exit();
        calls(&fs::read_to_string(&self.trace).unwrap())
    }
}

/// A system call, and the lines at which it began and ended.
#[derive(Debug)]
struct Call {
    text: String,
    began: usize,
    ended: usize,
}

impl Call {
    fn name(&self) -> &str {
        self.text.split('(').next().unwrap()
    }

    fn result(&self) -> i64 {
        let result = self.text.rsplit(" = ").next().unwrap();
        result.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(-1)
    }

    fn is_to_tcp(&self) -> bool {
        self.text.contains("<TCP")
            && ["write", "writev", "sendto", "sendmsg"].contains(&self.name())
    }
}

/// Joins what `strace -f` splits when threads alternate.
fn calls(trace: &str) -> Vec<Call> {
    let mut unfinished: HashMap<&str, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (number, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(head) = rest.strip_suffix("<unfinished ...>") {
            unfinished.insert(thread, (number, head.to_owned()));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((began, head)) = unfinished.remove(thread) else { continue };
            let end = resumed.split_once("resumed>").unwrap().1;
            calls.push(Call { text: head + end, began, ended: number });
        } else {
            calls.push(Call { text: rest.to_owned(), began: number, ended: number });
        }
    }
    calls
}

#[test]
fn a_confirmed_file_was_synced_renamed_and_its_folder_synced() {
    let server = Server::start();
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let options = ["-e", "trace=fsync,fdatasync,syncfs,renameat2,write,writev,sendto,sendmsg"];
    let Some(mut ada) =
        Traced::start(homes[0].path(), server.address, "Ada", &["-e", "trace=exit"])
    else {
        return;
    };
    let Some(mut bea) = Traced::start(homes[1].path(), server.address, "Bea", &options) else {
        return;
    };
    ada.user.wait("joined", |event| event["username"] == "Bea");
    let file = homes[0].path().join("letter");
    fs::write(&file, vec![7; 300_000]).unwrap();
    let folder = homes[0].path().join("album");
    fs::create_dir_all(folder.join("below")).unwrap();
    for number in 0..20 {
        fs::write(folder.join(format!("below/{number}")), vec![number; 5000]).unwrap();
    }
    for path in [&file, &folder] {
        ada.user.say(&format!("/send Bea {}", path.display()));
        bea.user.event("file_received");
        ada.user.event("file_sent");
    }
    ada.quit();
    let calls = bea.quit();
    let mut from = 0;
    for (name, sync) in [("letter", "fdatasync"), ("album", "syncfs")] {
        let part = format!("{name}.part");
        let synced = calls.iter().find(|call| call.name() == sync && call.text.contains(&part));
        let synced = synced.unwrap_or_else(|| panic!("{name}: no {sync}"));
        let is_rename =
            |call: &&Call| call.name() == "renameat2" && call.text.contains(&format!("\"{part}\""));
        let renamed = calls.iter().find(is_rename).unwrap();
        let is_folder_sync = |call: &&Call| call.name() == "fsync" && call.began > renamed.ended;
        let folder_synced = calls.iter().find(is_folder_sync).unwrap();
        let is_receipt = |call: &&Call| {
            call.is_to_tcp() && call.result() == RECEIPT_RECORD && call.began >= from
        };
        let confirmed = calls.iter().find(is_receipt);
        let confirmed = confirmed.unwrap_or_else(|| panic!("{name}: no receipt"));
        for call in [synced, renamed, folder_synced] {
            assert_eq!(call.result(), 0, "{}", call.text);
        }
        assert!(synced.ended < renamed.began, "{name}: synced before it is renamed");
        assert!(renamed.ended < folder_synced.began);
        assert!(folder_synced.ended < confirmed.began, "{name}: confirmed behind all of it");
        from = confirmed.ended + 1;
    }
}

/// Every byte that went to a TCP connection; of calls that were traced with `-xx`.
fn sent(calls: &[Call]) -> Vec<u8> {
    let mut sent = Vec::new();
    for call in calls.iter().filter(|call| call.is_to_tcp()) {
        // What is hexadecimal and quoted is data; a count may be smaller than that, which only adds.
        for quoted in call.text.split('"').skip(1).step_by(2) {
            assert!(quoted.starts_with("\\x") || quoted.is_empty(), "{quoted}");
            let digits = quoted.split("\\x").skip(1);
            sent.extend(digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()));
        }
    }
    sent
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// All memory that a process may write to.
fn memory(process: u32) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut file = fs::File::open(format!("/proc/{process}/mem")).unwrap();
    let mut memory = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw-p ") && !line.contains("[vvar")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|digits| u64::from_str_radix(digits, 16).unwrap());
        file.seek(SeekFrom::Start(start)).unwrap();
        let mut range = vec![0; usize::try_from(end - start).unwrap()];
        if file.read_exact(&mut range).is_ok() {
            memory.append(&mut range);
        }
    }
    memory
}

#[test]
fn the_network_and_the_server_see_nothing_private() {
    let mut server = Server::start();
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let options =
        ["-xx", "-s", "200000", "-e", "trace=write,writev,sendto,sendmsg,sendfile,splice"];
    let Some(mut ada) = Traced::start(homes[0].path(), server.address, "Ada", &options) else {
        return;
    };
    let Some(mut bea) = Traced::start(homes[1].path(), server.address, "Bea", &options) else {
        return;
    };
    ada.user.wait("joined", |event| event["username"] == "Bea");
    let [word, file_name, file_word, folder_name, entry_name] = PRIVATE;
    ada.user.say(&format!("{PUBLIC} to all"));
    bea.user.event("message");
    ada.user.say(&format!("/msg Bea the {word} sleeps"));
    bea.user.event("private_message");
    bea.user.say(&format!("/msg Ada the {word} wakes"));
    ada.user.wait("private_message", |event| event["from"] == "Bea");
    let file = homes[0].path().join(format!("{file_name}.txt"));
    fs::write(&file, file_word.repeat(10_000)).unwrap();
    let folder = homes[0].path().join(folder_name);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(entry_name), file_word.repeat(1000)).unwrap();
    for path in [&file, &folder] {
        ada.user.say(&format!("/send Bea {}", path.display()));
        bea.user.event("file_received");
        ada.user.event("file_sent");
    }
    let memory = memory(server.process.0.id());
    let (ada, bea) = (sent(&ada.quit()), sent(&bea.quit()));
    assert!(ada.len() > file_word.len() * 11_000, "the recording is whole: {} bytes", ada.len());
    server.process.signal(nix::sys::signal::Signal::SIGTERM);
    let log = server.log.rest().join("\n");
    assert!(holds(&memory, PUBLIC), "the server knows what is public");
    for word in PRIVATE {
        assert!(!holds(&ada, word) && !holds(&bea, word), "{word} on the network");
        assert!(!holds(&memory, word), "{word} in the memory of the server");
        assert!(!log.contains(word), "{word} in the log of the server");
    }
    assert!(!holds(&ada, PUBLIC), "the connection to the server is encrypted too");
}
