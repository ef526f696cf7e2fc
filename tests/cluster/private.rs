//! Private sessions and files between users of different nodes, of which NATS keeps nothing.

use std::fs;
use std::path::Path;

use crate::harness::user::User;
use crate::harness::wire::{
    Peer, conotif, coreq, cores, pvcoacc, pvcoestadst, pvcoestasrc, pvcoport, pvcoreq, pvcoreqnotif,
};
use crate::support::cluster::Cluster;

const PLAIN: [(&str, &str); 1] = [("CLIENT__ENCRYPTION", "off")];

/// A session, a text in both directions and a file.
fn use_in_private(cluster: &Cluster, names: [&str; 2], settings: [&[(&str, &str)]; 2]) {
    let (at_ada, at_bea) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [one, other] = names;
    let mut ada = User::start(at_ada.path(), cluster.nodes[0].address(), one, settings[0]);
    let mut bea = User::start(at_bea.path(), cluster.nodes[1].address(), other, settings[1]);
    ada.wait("joined", |event| event["username"] == other);
    let asked = std::time::Instant::now();
    ada.say(&format!("/msg {other} canaryofatext"));
    bea.wait("private_message", |event| event["text"] == "canaryofatext");
    println!("{one} to {other}: a session and its first text in {:?}", asked.elapsed());
    bea.say(&format!("/msg {one} canaryofananswer"));
    ada.wait("private_message", |event| event["text"] == "canaryofananswer");
    let content = b"canaryofbytes".repeat(20_000);
    let file = at_ada.path().join("canaryofafile.bin");
    fs::write(&file, &content).unwrap();
    ada.say(&format!("/send {other} {}", file.display()));
    let received = bea.event("file_received");
    assert_eq!(fs::read(received["path"].as_str().unwrap()).unwrap(), content);
}

#[test]
fn private_sessions_and_files_of_both_revisions_work_between_nodes() {
    let Some(cluster) = Cluster::start(1, 2) else { return };
    use_in_private(&cluster, ["Ada", "Bea"], [&[], &[]]);
    use_in_private(&cluster, ["ann", "ben"], [&PLAIN, &PLAIN]);
    use_in_private(&cluster, ["old", "New"], [&PLAIN, &[]]);
    use_in_private(&cluster, ["Newer", "older"], [&[], &PLAIN]);
    holds_nothing_private(cluster.nats.stores());
}

#[test]
fn addresses_go_from_node_to_node_and_are_stored_nowhere() {
    let Some(cluster) = Cluster::start(1, 2) else { return };
    let (of_ann, of_ben) = ([127, 77, 83, 41], [127, 77, 97, 59]);
    let mut ann = Peer::connect_from(of_ann.into(), cluster.nodes[0].address());
    ann.send(&coreq("ann"));
    ann.expect(&[cores(true), conotif("ann")].concat());
    let mut ben = Peer::connect_from(of_ben.into(), cluster.nodes[1].address());
    ben.send(&coreq("ben"));
    ben.expect(&[cores(true), conotif("ann"), conotif("ben")].concat());
    ann.expect(&conotif("ben"));
    ann.send(&pvcoreq("ben"));
    ben.expect(&pvcoreqnotif("ann"));
    ben.send(&pvcoacc("ann"));
    ann.expect(&pvcoestasrc("ben", of_ben.into()));
    ann.send(&pvcoport("ben", 40_000, 40_001));
    ben.expect(&pvcoestadst("ann", of_ann.into(), 40_000, 40_001));
    let mut bytes = Vec::new();
    collect(cluster.nats.stores(), &mut bytes);
    let has = |canary: &[u8]| bytes.windows(canary.len()).any(|part| part == canary);
    assert!(has(b"ann") && has(b"ben"), "what is looked through is the room's stream");
    for address in [of_ann, of_ben] {
        let text = std::net::Ipv4Addr::from(address).to_string();
        assert!(!has(&address) && !has(text.as_bytes()), "{text} is stored");
    }
}

fn holds_nothing_private(folder: &Path) {
    let mut bytes = Vec::new();
    collect(folder, &mut bytes);
    let has = |canary: &[u8]| bytes.windows(canary.len()).any(|part| part == canary);
    assert!(has(b"older"), "what is looked through is the room's stream");
    assert!(!has(b"canaryof"));
}

fn collect(folder: &Path, into: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), into);
        } else {
            into.extend(fs::read(entry.path()).unwrap());
        }
    }
}
