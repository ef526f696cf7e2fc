//! Messages, roster, history, and the operators' view, over several nodes.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::client::Client;
use crate::harness::http::get;
use crate::harness::until;
use crate::harness::user::User;
use crate::harness::wire::{Peer, conotif, disconotif, msg, msgbc};
use crate::support::cluster::{Cluster, Node};
use crate::support::nats::Nats;

/// Texts of each speaker.
const TEXTS: usize = 40;

#[test]
fn texts_from_every_node_reach_all_in_one_order() {
    let Some(cluster) = Cluster::start(1, 3) else { return };
    let mut plain: Vec<Peer> = Vec::new();
    let mut present = Vec::new();
    for (node, name) in cluster.nodes.iter().zip(["pa", "pb", "pc"]) {
        let peer = Peer::join(node.address(), name, &present);
        for other in &mut plain {
            other.expect(&conotif(name));
        }
        present.push(name);
        plain.push(peer);
    }
    let mut encrypted: Vec<_> = (cluster.nodes.iter().zip(["ea", "eb", "ec"]))
        .map(|(node, name)| Client::join(node.address(), name))
        .collect();
    // All know all, so that nothing but texts arrives from here on.
    let names = ["ea", "eb", "ec"];
    for peer in &mut plain {
        for name in names {
            peer.expect(&conotif(name));
        }
    }
    for client in &mut encrypted {
        for name in names.iter().filter(|name| **name != client.name()).collect::<Vec<_>>() {
            client.wait("joined", |event| event["username"] == *name);
        }
    }
    for number in 0..TEXTS {
        let text = format!("text{number:03}");
        for peer in &mut plain {
            peer.send(&msg(&text));
        }
        for client in &mut encrypted {
            client.say(&text);
        }
    }
    let length = 6 * TEXTS * msgbc("pa", "text000").len();
    let orders: Vec<_> = plain.iter_mut().map(|peer| peer.take(length)).collect();
    assert!(orders.iter().all(|order| *order == orders[0]), "one order for all of revision 1");
    for client in &mut encrypted {
        let mut order = Vec::new();
        for _ in 0..6 * TEXTS {
            let event = client.any("message");
            order.extend(msgbc(event["from"].as_str().unwrap(), event["text"].as_str().unwrap()));
        }
        assert_eq!(order.escape_ascii().to_string(), orders[0].escape_ascii().to_string());
    }
    let said: Vec<_> = orders[0].chunks(length / (6 * TEXTS)).collect();
    for name in ["pa", "pb", "pc", "ea", "eb", "ec"] {
        let mut rest = said.iter();
        for number in 0..TEXTS {
            let text = msgbc(name, &format!("text{number:03}"));
            assert!(rest.any(|it| *it == text), "{name}: {number} in its own order");
        }
    }
}

#[test]
fn a_node_that_starts_late_has_the_roster_and_the_history() {
    let Some(mut cluster) = Cluster::start(1, 1) else { return };
    let mut ada = Client::join(cluster.nodes[0].address(), "Ada");
    for text in ["one", "two"] {
        ada.say(text);
        ada.wait_for_message("Ada", text);
    }
    let late = cluster.one_more().address();
    let mut bea = Client::join(late, "Bea");
    bea.wait("joined", |event| event["username"] == "Ada");
    for text in ["one", "two"] {
        assert_eq!(bea.any("history_message")["text"], text);
    }
    assert_eq!(bea.any("history_end")["messages"], 2);
    // For revision 1 as well.
    Peer::join(late, "cid", &["Ada", "Bea"]).expect_nothing();
    bea.say("now");
    ada.wait_for_message("Bea", "now");
}

/// More texts, each in a separate message, than two rosters are apart.
const ROSTERS_APART: usize = 4_100;

#[test]
fn a_node_that_starts_behind_rosters_has_the_members_and_the_history_of_all_of_them() {
    let Some(mut cluster) = Cluster::start(1, 1) else { return };
    let mut ada = Peer::join(cluster.nodes[0].address(), "Ada", &[]);
    for number in 0..ROSTERS_APART {
        let text = format!("text{number}");
        ada.send(&msg(&text));
        ada.expect(&msgbc("Ada", &text));
    }
    let late = cluster.one_more().address();
    let mut bea = Client::join(late, "Bea");
    bea.wait("joined", |event| event["username"] == "Ada");
    for number in ROSTERS_APART - 50..ROSTERS_APART {
        assert_eq!(bea.any("history_message")["text"], format!("text{number}"));
    }
    bea.say("now");
    ada.expect(&conotif("Bea"));
    ada.expect(&msgbc("Bea", "now"));
}

#[test]
fn a_killed_node_costs_a_reconnect_and_the_room_does_not_notice() {
    let Some(mut cluster) = Cluster::start(1, 2) else { return };
    let (at_ada, addresses) = (tempfile::tempdir().unwrap(), cluster.addresses());
    let mut watcher = Peer::join(addresses[1], "watcher", &[]);
    let mut ada = User::start_at(at_ada.path(), &addresses, "Ada", &[]);
    watcher.expect(&conotif("Ada"));
    ada.say("before");
    watcher.expect(&msgbc("Ada", "before"));
    ada.wait("message", |event| event["text"] == "before");
    cluster.nodes.remove(0).server.process.signal(Signal::SIGKILL);
    watcher.send(&msg("meanwhile"));
    watcher.expect(&msgbc("watcher", "meanwhile"));
    ada.event("disconnected");
    let failover = ada.event("failover");
    assert_eq!(failover["server"], addresses[1].to_string(), "{failover}");
    assert_eq!(ada.event("connected")["username"], "Ada");
    let has_waited = |line: &String| line.contains("\"reconnecting\"");
    assert!(!ada.lines.seen.iter().any(has_waited), "ada waited before the next attempt");
    let is_missed = |text: &str, event: &serde_json::Value| event["text"] == text;
    ada.lines.wait("the text that was missed", |line| {
        let event = serde_json::from_str(line).unwrap();
        assert!(!is_missed("before", &event), "twice");
        is_missed("meanwhile", &event).then_some(())
    });
    ada.say("after");
    // Neither a leave nor a join.
    watcher.expect(&msgbc("Ada", "after"));
}

#[test]
fn a_node_that_is_stopped_lets_its_names_go_at_once() {
    let Some(mut cluster) = Cluster::start(1, 2) else { return };
    let mut watcher = Peer::join(cluster.nodes[1].address(), "watcher", &[]);
    let mut ada = Peer::join(cluster.nodes[0].address(), "ada", &["watcher"]);
    watcher.expect(&conotif("ada"));
    let stopped = Instant::now();
    let mut first = cluster.nodes.remove(0);
    first.server.process.signal(Signal::SIGTERM);
    watcher.expect(&disconotif("ada"));
    let took = stopped.elapsed();
    // One that is silent is given up after 12 s.
    assert!(took < Duration::from_secs(10), "{took:?}");
    Peer::join(cluster.nodes[0].address(), "ada", &["watcher"]).expect_nothing();
    ada.expect_closed();
    assert_eq!(first.server.process.exit().code(), Some(0));
    let nodes = cluster.nodes[0].status()["nodes"].clone();
    assert_eq!(nodes.as_array().unwrap().len(), 1, "{nodes}");
}

#[test]
fn operators_see_the_nodes_and_a_node_without_nats_is_not_ready() {
    let Some(mut nats) = Nats::start(1) else { return };
    let addresses = nats.addresses();
    nats.kill_all();
    let mut node = Node::start(&addresses, "first");
    let health = get(node.metrics(), "/healthz").unwrap();
    assert!(health.0.contains("503") && health.1.contains("cut off from the others"), "{health:?}");
    node.server.logged("cannot use NATS");
    nats.start_again();
    node.serves();
    let second = {
        let mut second = Node::start(&addresses, "second");
        second.serves();
        second
    };
    let _ada = Peer::join(second.address(), "ada", &[]);
    until("the other node knows of it", || {
        let status = node.status();
        let nodes = status["nodes"].as_array().unwrap();
        nodes.len() == 2 && nodes.iter().any(|it| it["members"] == 1)
    });
    let status = node.status();
    assert_eq!((&status["room"], &status["serving"]), (&"room".into(), &true.into()), "{status}");
    assert_eq!(status["lag"], 0);
    let mut names: Vec<_> = status["nodes"].as_array().unwrap().iter().collect();
    names.sort_by_key(|it| it["name"].to_string());
    assert_eq!((&names[0]["name"], &names[0]["own"]), (&"first".into(), &true.into()));
    assert_eq!((&names[1]["name"], &names[1]["own"]), (&"second".into(), &false.into()));
    assert_eq!(get(node.metrics(), "/healthz").unwrap().1, "ok\n");
    let metrics = get(node.metrics(), "/metrics").unwrap().1;
    for line in ["matou_cluster_nodes 2", "matou_cluster_serving 1", "matou_users 0"] {
        assert!(metrics.lines().any(|got| got == line), "{line} is not in\n{metrics}");
    }
}

#[test]
fn a_topic_set_on_one_node_reaches_all_and_later_ones() {
    let Some(mut cluster) = Cluster::start(1, 2) else { return };
    let mut clients: Vec<_> = (cluster.nodes.iter().zip(["ta", "tb"]))
        .map(|(node, name)| Client::join(node.address(), name))
        .collect();
    cluster.nodes[0].admin(&["topic", "Be kind."]);
    for client in &mut clients {
        client.wait("topic", |event| event["topic"] == "Be kind." && event["changed"] == true);
    }
    let late = cluster.one_more().address();
    Client::join(late, "tc").wait("topic", |event| event["topic"] == "Be kind.");
}
