//! Hostile names of files and folders.

use std::fs;
use std::path::Path;

use crate::scene::{Scene, all};

/// What PROTOCOL.md says of the names of received files.
fn is_safe(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    let stem = name.split('.').next().unwrap().trim_end().to_lowercase();
    let is_bidi = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let reserved = |c: char| c.is_control() || is_bidi(c) || "<>:\"/\\|?*".contains(c);
    name.len() <= 255
        && !name.starts_with('.')
        && !name.ends_with(['.', ' '])
        && !name.contains(reserved)
        && !["con", "prn", "aux", "nul", "com1", "lpt9"].contains(&&*stem)
}

/// Names that lead elsewhere or deceive, with `{home}` for an absolute one.
const NAMES: [&str; 24] = [
    "../escaped",
    "../../escaped",
    "{home}/escaped",
    "a/../../escaped",
    "..",
    ".",
    "...",
    "/",
    "..\\escaped",
    "C:\\escaped",
    "con",
    "NUL.txt",
    "aux.tar.gz",
    "Com1",
    "LPT9.doc",
    ".bashrc",
    ".ssh/authorized_keys",
    "photo\u{202e}gpj.exe",
    "a\u{2067}b",
    "a\nb\u{1b}[2J",
    "a<b>c:d|e?f*g\"",
    "ends with a dot.",
    "ends with a space ",
    "film.part",
];

#[test]
fn no_name_of_a_file_leads_out_of_the_downloads_or_deceives() {
    let mut scene = Scene::open();
    let home = scene.ada.home.path().to_owned();
    let long = format!("{}.jpeg", "x".repeat(250));
    let names = NAMES.iter().map(|name| name.replace("{home}", home.to_str().unwrap()));
    let mut count = 0;
    for (name, transfer) in names.chain([long]).zip((1..).step_by(2)) {
        scene.eve.is_taken(transfer, &name, 4);
        scene.eve.begins(transfer, "anything", 4, 0);
        scene.eve.data(transfer, "four");
        scene.eve.ends(transfer, "four");
        let received = scene.received();
        let parent = received.parent().unwrap().canonicalize().unwrap();
        assert_eq!(parent, scene.downloads().canonicalize().unwrap(), "{name:?}");
        assert!(is_safe(&received), "{name:?}: {}", received.display());
        count += 1;
    }
    let there = all(&scene.downloads());
    assert_eq!(there.len(), count, "{there:?}");
    for outside in [home.join("escaped"), home.parent().unwrap().join("escaped")] {
        assert!(!outside.exists(), "{}", outside.display());
    }
    assert!(!home.join(".bashrc").exists() && !home.join(".ssh").exists());
}

#[test]
fn names_that_collide_are_numbered_and_nothing_is_overwritten() {
    let mut scene = Scene::open();
    fs::create_dir_all(scene.downloads()).unwrap();
    let own = scene.downloads().join("photo.jpg");
    fs::write(&own, "Ada's own").unwrap();
    let mut places = vec![own.clone()];
    for (transfer, name) in [(1, "photo.jpg"), (3, "PHOTO.jpg"), (5, "photo.jpg")] {
        scene.eve.is_taken(transfer, name, 4);
        scene.eve.begins(transfer, name, 4, 0);
        scene.eve.data(transfer, "four");
        scene.eve.ends(transfer, "four");
        let place = scene.received();
        assert!(!places.contains(&place), "{}", place.display());
        assert_eq!(fs::read(&place).unwrap(), b"four");
        places.push(place);
    }
    assert_eq!(fs::read(own).unwrap(), b"Ada's own");
}

#[test]
fn no_entry_of_a_folder_leads_out_of_it() {
    let mut scene = Scene::open();
    let home = scene.ada.home.path().to_owned();
    let deep = vec!["d"; 65].join("/");
    let long = "x".repeat(300);
    let others = ["a//b", "a/./b", "", "a/", &deep, &long, "A", "a", "a/b", "A/b", "con/nul"];
    let names = NAMES.iter().chain(&others);
    for (turn, name) in names.enumerate() {
        let (name, transfer) = (name.replace("{home}", home.to_str().unwrap()), 1);
        scene.eve.offers_folder(transfer, &format!("gift {turn}"), 4, 1);
        scene.eve.0.report("take");
        scene.eve.begins(transfer, &name, 4, 0);
        scene.eve.data(transfer, "four");
        scene.eve.ends(transfer, "four");
        // It is received under a safe name, or fails, or it ends the session.
        let ends = ["file_received", "file_failed"];
        scene.ada.wait_for(&ends, |_| true);
        scene.another(&format!("Eve{turn}"));
    }
    let downloads = scene.downloads();
    for path in all(&downloads) {
        assert!(is_safe(&path), "{}", path.display());
        assert!(!path.is_symlink(), "{}", path.display());
    }
    for entry in fs::read_dir(&downloads).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with("gift "), "{name}");
    }
    for outside in [home.join("escaped"), home.parent().unwrap().join("escaped")] {
        assert!(!outside.exists(), "{}", outside.display());
    }
}
