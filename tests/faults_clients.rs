//! Network faults between two real clients. Each loses what it must and reports it; the other
//! connection of the session, the rooms and the next session work as before.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;
mod support;

use std::time::Duration;

use support::proxy::{Fault, Faults};
use support::two::{Two, file, reason, send, whole_files};

/// PVMSG "hello".
const MSG: usize = 13;
/// Of it, the low byte of the size: corrupted, the reader waits for a longer text, as it must.
const MSG_SIZE: usize = 7;
/// PVFILE.
const HEADER: usize = 12;

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
fn a_stalled_message_connection_blocks_no_file_and_can_be_closed() {
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
            assert!(whole_files(&two.bea).is_empty(), "{fault:?}");
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
    for at in [0, 3, 4, 5, 6] {
        two.faults(Faults::NONE, Faults::down(Fault::Flip(at)));
        send(&mut two.ada, "Bea", &path);
        if at >= 5 {
            let event = two.bea.any("file_failed");
            assert!(reason(&event).contains("bytes free"), "{event}");
        } else {
            assert!(!reason(&two.ada.any("file_failed")).is_empty(), "Ada is not left to wait");
        }
        two.talk("and talk goes on");
        two.close();
        assert!(whole_files(&two.bea).is_empty());
    }
    two.end();
}

#[test]
fn a_stalled_file_can_be_cancelled_and_messages_continue() {
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
        assert!(whole_files(&two.bea).is_empty());
    }
    two.end();
}
