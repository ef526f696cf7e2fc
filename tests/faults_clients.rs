//! Network faults between two real clients. Each loses what it must and says so; the other
//! connection of the session, the rooms and the next session work as before.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::client::Client;
use support::interposer::Interposer;
use support::proxy::{Fault, Faults};
use support::scene::{Scene, descriptors, until};

/// PVMSG "hello".
const MSG: usize = 10;
/// Of it, the low byte of the size: corrupted, the reader waits for a longer text, as it must.
const MSG_SIZE: usize = 4;
/// PVFILE.
const HEADER: usize = 9;

/// Ada asks, Bea accepts whatever comes, and their connections go through proxies.
struct Two {
    ada: Client,
    bea: Client,
    between: Interposer,
    scene: Scene,
}

impl Two {
    fn meet() -> Self {
        let scene = Scene::with(&[
            ("PRIVATE__REQUESTS_PER_MINUTE", "0"),
            ("LIMITS__MESSAGES_PER_SECOND", "0"),
        ]);
        let between = Interposer::start(scene.server.address);
        let mut ada = Client::join_with(scene.server.address, "Ada", &["--accept-files", "always"]);
        let always = ["--accept-private", "always", "--accept-files", "always"];
        let bea = Client::join_with(between.address, "Bea", &always);
        ada.wait("joined", |event| event["username"] == "Bea");
        Self { ada, bea, between, scene }
    }

    /// What Ada sends next (down) or Bea (up) meets these faults.
    fn faults(&mut self, messages: Faults, files: Faults) {
        self.between.set(messages, files);
        self.ada.forget();
        self.bea.forget();
    }

    /// Both have been told, with a reason, that the session is over.
    fn session_is_over(&mut self) {
        for client in [&mut self.ada, &mut self.bea] {
            let event = client.any("private_closed");
            assert!(event["reason"].as_str().is_some_and(|why| !why.is_empty()), "{event}");
        }
    }

    fn close(&mut self) {
        self.ada.say("/close Bea");
        self.session_is_over();
    }

    fn talk(&mut self, text: &str) {
        self.ada.say(&format!("/msg Bea {text}"));
        self.bea.heard_in_private("Ada", "Bea", text);
        self.bea.say(&format!("/msg Ada re {text}"));
        self.ada.heard_in_private("Bea", "Ada", &format!("re {text}"));
    }

    /// A session without faults works, and so does the room; both end well, with nothing left
    /// open but what was open before.
    fn end(mut self) {
        self.faults(Faults::NONE, Faults::NONE);
        self.talk("in a session without faults");
        self.close();
        self.ada.say("in the room");
        self.bea.heard("Ada", "in the room");
        for client in [&mut self.ada, &mut self.bea] {
            let process = client.process.0.id();
            // Standard streams, event loop, signals, the server: far fewer than the sessions.
            until("a client's descriptors are closed", || descriptors(process) < 25);
            client.say("/quit");
            assert_eq!(client.ended().1, 0);
        }
        self.scene.end();
    }
}

fn file(client: &Client, size: usize) -> PathBuf {
    let path = client.home.path().join("source");
    let content: Vec<u8> = (0..size).map(|at| (at % 251).to_le_bytes()[0]).collect();
    std::fs::write(&path, content).unwrap();
    path
}

/// Received files that look whole.
fn whole_files(client: &Client) -> Vec<PathBuf> {
    let Ok(folder) = std::fs::read_dir(client.downloads()) else { return Vec::new() };
    let paths = folder.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_none_or(|extension| extension != "part")).collect()
}

fn send(client: &mut Client, to: &str, path: &Path) {
    client.say(&format!("/send {to} {}", path.display()));
}

fn reason(event: &serde_json::Value) -> &str {
    let reason = event["reason"].as_str().unwrap();
    assert!(!reason.is_empty(), "{event}");
    reason
}

#[test]
fn slow_or_torn_connections_only_take_longer() {
    let mut two = Two::meet();
    for fault in [Fault::Delay(Duration::from_millis(20)), Fault::Bytewise] {
        two.faults(Faults::both(fault), Faults::both(fault));
        two.talk("hello");
        let (there, back) = (file(&two.ada, 50_000), file(&two.bea, 4097));
        send(&mut two.ada, "Bea", &there);
        send(&mut two.bea, "Ada", &back);
        for (client, size, sent) in [(&mut two.bea, 50_000, &there), (&mut two.ada, 4097, &back)] {
            let event = client.wait("file_received", |event| event["size"] == size);
            let path = event["path"].as_str().unwrap();
            assert_eq!(std::fs::read(path).unwrap(), std::fs::read(sent).unwrap());
        }
        two.close();
    }
    two.end();
}

#[test]
fn a_message_connection_that_breaks_at_any_byte_ends_the_session_for_both() {
    let mut two = Two::meet();
    for after in 0..=MSG {
        for fault in [Fault::Cut(after), Fault::Reset(after), Fault::End(after)] {
            two.faults(Faults::down(fault), Faults::NONE);
            two.ada.say("/msg Bea hello");
            two.session_is_over();
        }
    }
    for fault in [Fault::Cut(3), Fault::Reset(3), Fault::End(3)] {
        two.faults(Faults::up(fault), Faults::NONE);
        two.ada.say("/msg Bea hello");
        two.bea.any("private_opened");
        two.bea.say("/msg Ada hello");
        two.session_is_over();
    }
    two.end();
}

#[test]
fn a_byte_of_a_message_corrupted_on_its_way_ends_the_session_and_says_why() {
    let mut two = Two::meet();
    for at in (0..MSG).filter(|at| *at != MSG_SIZE) {
        two.faults(Faults::down(Fault::Flip(at)), Faults::NONE);
        two.ada.say("/msg Bea hello");
        let event = two.bea.any("private_closed");
        assert!(reason(&event).contains("breaks the protocol"), "{event}");
        two.ada.any("private_closed");
    }
    two.end();
}

#[test]
fn messages_that_stall_keep_no_file_and_can_be_closed() {
    let mut two = Two::meet();
    two.faults(Faults::down(Fault::Stall(3)), Faults::NONE);
    two.ada.say("/msg Bea hello");
    two.ada.any("private_opened");
    let path = file(&two.ada, 100_000);
    send(&mut two.ada, "Bea", &path);
    two.bea.wait("file_received", |event| event["size"] == 100_000);
    two.ada.say("/close Bea");
    two.ada.any("private_closed");
    two.bea.say("/close Ada");
    two.bea.any("private_closed");
    two.end();
}

#[test]
fn a_file_connection_that_breaks_at_any_byte_fails_that_file_and_nothing_else() {
    let mut two = Two::meet();
    let path = file(&two.ada, 1_000_000);
    let offsets = (0..=HEADER).chain([HEADER + 1, HEADER + 4096, 700_000, HEADER + 999_999]);
    for after in offsets {
        for fault in [Fault::Cut(after), Fault::Reset(after), Fault::End(after)] {
            two.faults(Faults::NONE, Faults::down(fault));
            send(&mut two.ada, "Bea", &path);
            // Handed to the network, or not: the sender cannot know more.
            let event = two.ada.wait_for(&["file_sent", "file_failed"], |_| true);
            assert!(event["event"] == "file_sent" || !reason(&event).is_empty());
            if after > HEADER {
                let event = two.bea.any("file_failed");
                assert!(reason(&event).contains(".part"), "says what was kept: {event}");
            }
            assert_eq!(whole_files(&two.bea), [PathBuf::new(); 0], "{fault:?}");
            two.talk("and talk goes on");
            two.close();
        }
    }
    two.end();
}

#[test]
fn a_file_header_corrupted_on_its_way_makes_no_file() {
    let mut two = Two::meet();
    // More than the kernel's buffers take.
    let path = file(&two.ada, 20_000_000);
    // The type; the sign of the size; bytes that make it larger than any disk.
    for at in [0, 1, 2, 3] {
        two.faults(Faults::NONE, Faults::down(Fault::Flip(at)));
        send(&mut two.ada, "Bea", &path);
        if at >= 2 {
            let event = two.bea.any("error");
            assert!(event["message"].as_str().unwrap().contains("bytes free"), "{event}");
        } else {
            assert!(!reason(&two.ada.any("file_failed")).is_empty(), "Ada is not left to wait");
        }
        two.talk("and talk goes on");
        two.close();
        assert_eq!(whole_files(&two.bea), [PathBuf::new(); 0]);
    }
    two.end();
}

#[test]
fn a_file_that_stalls_can_be_cancelled_and_talk_goes_on() {
    let mut two = Two::meet();
    for by_receiver in [true, false] {
        two.faults(Faults::NONE, Faults::down(Fault::Stall(HEADER + 5000)));
        let path = file(&two.ada, 20_000_000);
        send(&mut two.ada, "Bea", &path);
        let started = two.bea.any("file_started");
        two.talk("while it stalls");
        if by_receiver {
            two.bea.say(&format!("/cancel {}", started["id"]));
            assert!(reason(&two.bea.any("file_failed")).contains(".part"));
        } else {
            let started = two.ada.any("file_started");
            two.ada.say(&format!("/cancel {}", started["id"]));
            assert!(!reason(&two.ada.any("file_failed")).is_empty());
        }
        two.talk("and after it");
        two.close();
        assert_eq!(whole_files(&two.bea), [PathBuf::new(); 0]);
    }
    two.end();
}
