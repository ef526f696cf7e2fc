//! Who gets a name that is asked for on several nodes.

use crate::harness::client::Client;
use crate::harness::user::{User, client};
use crate::harness::wire::{Peer, conotif, coreq, cores, msg, msgbc};
use crate::support::cluster::Cluster;

#[test]
fn exactly_one_of_concurrent_claims_on_several_nodes_gets_the_name() {
    const ROUNDS: usize = 15;
    let Some(cluster) = Cluster::start(1, 3) else { return };
    for round in 0..ROUNDS {
        // The same, in another case, and one that looks like it.
        let names = [format!("paul{round}"), format!("PAUL{round}"), format!("рaul{round}")];
        let mut peers: Vec<_> =
            cluster.nodes.iter().map(|node| Peer::connect(node.address())).collect();
        for (peer, name) in peers.iter_mut().zip(&names) {
            peer.send(&coreq(name));
        }
        let answers: Vec<_> = peers.iter_mut().map(|peer| peer.take(5)).collect();
        let accepted = answers.iter().filter(|answer| **answer == cores(true)).count();
        assert_eq!(accepted, 1, "round {round}: {answers:?}");
        let refused = answers.iter().filter(|answer| **answer == cores(false)).count();
        assert_eq!(refused, 2, "round {round}: {answers:?}");
    }
}

#[test]
fn a_name_in_use_on_one_node_is_refused_on_another() {
    let Some(cluster) = Cluster::start(1, 2) else { return };
    let mut ada = Peer::join(cluster.nodes[0].address(), "ada", &[]);
    let mut other = Peer::connect(cluster.nodes[1].address());
    for name in ["ada", "ADA", "аda"] {
        other.send(&coreq(name));
        other.expect(&cores(false));
    }
    other.send(&coreq("bea"));
    other.expect(&[cores(true), conotif("ada"), conotif("bea")].concat());
    ada.expect(&conotif("bea"));
}

#[test]
fn the_owner_of_a_key_takes_its_name_over_on_another_node_and_the_room_hears_nothing() {
    let Some(cluster) = Cluster::start(1, 3) else { return };
    let mut watcher = Peer::join(cluster.nodes[2].address(), "watcher", &[]);
    let home = tempfile::tempdir().unwrap();
    let mut first = User::start(home.path(), cluster.nodes[0].address(), "Ada", &[]);
    watcher.expect(&conotif("Ada"));
    let at_second = cluster.nodes[1].address().to_string();
    let mut second = User::run(client(home.path(), &at_second, "Ada", &[]), "Ada again");
    second.event("connected");
    let says_so = |event: &serde_json::Value| {
        event["message"] == "You joined from another client with the same key."
    };
    first.wait("notice", says_so);
    second.say("here now");
    watcher.expect(&msgbc("Ada", "here now"));
    watcher.send(&msg("all is well"));
    second.wait("message", |event| event["text"] == "all is well");
}

#[test]
fn another_key_does_not_take_a_name_over_on_another_node() {
    let Some(cluster) = Cluster::start(1, 2) else { return };
    let mut ada = Client::join(cluster.nodes[0].address(), "Ada");
    let home = tempfile::tempdir().unwrap();
    let at_second = cluster.nodes[1].address().to_string();
    let mut other = User::run(client(home.path(), &at_second, "Ada", &[]), "another Ada");
    let refused = other.event("refused")["reason"].to_string();
    assert!(refused.contains("belongs to another key"), "{refused}");
    ada.say("still here");
    ada.wait_for_message("Ada", "still here");
}
