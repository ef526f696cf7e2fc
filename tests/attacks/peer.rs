//! A hostile peer.

use std::fs;

use serde_json::Value;

use crate::scene::{Scene, all};

#[test]
fn frames_of_every_unknown_type_and_size_are_skipped() {
    let mut scene = Scene::open();
    scene.eve.0.command("unknown", &Value::Null);
    scene.eve.tells(1, "after all of them");
    scene.ada.wait_for_private("Eve", "Ada", "after all of them");
    scene.eve.is_taken(1, "gift", 4);
    scene.eve.begins(1, "gift", 4, 0);
    scene.eve.data(1, "four");
    scene.eve.ends(1, "four");
    assert_eq!(fs::read(scene.received()).unwrap(), b"four");
    scene.eve.0.report("receipt");
}

#[test]
fn a_peer_that_means_another_kind_of_connection_or_none_is_not_met() {
    let mut scene = Scene::open();
    scene.closes();
    for alpns in [
        ["", ""],
        ["matou-file/2", "matou-message/2"],
        ["matou/2", "matou/2"],
        ["matou-message/2", ""],
        ["matou-message/2", "matou-message/2"],
    ] {
        scene.another_joins(&format!("Eve{}", alpns.concat().len()));
        scene.eve.asks(alpns);
        scene.eve.0.report("not opened");
    }
    let seen = scene.ada.seen();
    assert_eq!(seen.matches("\"private_opened\"").count(), 1, "{seen}");
}

#[test]
fn a_name_of_three_hundred_bytes_ends_the_session_with_a_reason() {
    let mut scene = Scene::open();
    scene.eve.offers(1, &"x".repeat(300), 4);
    let closed = scene.ada.any("private_closed");
    assert!(closed["reason"].as_str().unwrap().contains("breaks the protocol"), "{closed}");
    scene.eve.0.report("closed");
    assert!(!scene.downloads().exists() || all(&scene.downloads()).is_empty());
}

#[test]
fn lies_about_size_and_hash_end_that_file_and_leave_nothing_that_looks_whole() {
    let mut scene = Scene::open();
    // Announced; sent; hashed.
    let lies = [(4, "fives", "fives"), (4, "four", "fore"), (4, "fo", "fo"), (4, "fo", "four")];
    for ((size, sent, hashed), transfer) in lies.into_iter().zip((1..).step_by(2)) {
        scene.eve.is_taken(transfer, "gift", size);
        scene.eve.begins(transfer, "gift", size, 0);
        scene.eve.data(transfer, sent);
        scene.eve.ends(transfer, hashed);
        let failed = scene.failed();
        assert!(!failed["reason"].as_str().unwrap().is_empty(), "{failed}");
        assert_eq!(scene.eve.0.report("cancel")[0], transfer);
    }
    scene.eve.is_taken(21, "gift", 4);
    scene.eve.begins(21, "gift", 1 << 40, 0);
    let failed = scene.failed();
    assert!(failed["reason"].as_str().unwrap().contains("the offer"), "{failed}");
    assert!(!scene.downloads().join("gift").exists());
    scene.eve.tells(1, "sorry");
    scene.ada.wait_for_private("Eve", "Ada", "sorry");
    assert!(scene.eve.0.reports("receipt").is_empty());
}

#[test]
fn a_cut_without_an_end_of_the_encryption_is_a_cut_and_a_repeated_message_a_violation() {
    let mut scene = Scene::open();
    scene.eve.tells(1, "hello");
    scene.ada.wait_for_private("Eve", "Ada", "hello");
    scene.eve.cuts();
    let closed = scene.ada.any("private_closed");
    assert!(closed["reason"].as_str().unwrap().contains("cut"), "{closed}");
    scene.eve.opens();
    scene.eve.tells(1, "once");
    scene.eve.tells(1, "once");
    let closed = scene.ada.any("private_closed");
    assert!(closed["reason"].as_str().unwrap().contains("breaks the protocol"), "{closed}");
    let texts = scene.ada.seen().matches("\"once\"").count();
    assert_eq!(texts, 1);
}
