//! How nodes behave when all of NATS was away, or has forgotten the room.

use nix::sys::signal::Signal;

use crate::harness::until;
use crate::harness::wire::{Peer, msg, msgbc};
use crate::support::cluster::{Cluster, Node};

/// The exit code of a server that cannot continue.
const SOFTWARE: i32 = 70;

#[test]
fn nodes_recover_after_all_of_nats_was_restarted() {
    let Some(mut cluster) = Cluster::start(3, 2) else { return };
    let mut ada = Peer::join(cluster.nodes[0].address(), "ada", &[]);
    let mut bea = Peer::join(cluster.nodes[1].address(), "bea", &["ada"]);
    ada.expect(&crate::harness::wire::conotif("bea"));
    cluster.nats.kill_all();
    ada.send(&msg("meanwhile"));
    cluster.nats.start_again();
    bea.send(&msg("afterwards"));
    let texts = [msgbc("ada", "meanwhile"), msgbc("bea", "afterwards")];
    let at_ada = ada.take(texts.concat().len());
    assert_eq!(at_ada, bea.take(at_ada.len()));
    assert!(at_ada == texts.concat() || at_ada == [&*texts[1], &*texts[0]].concat(), "{at_ada:?}");
    ada.expect_nothing();
}

#[test]
fn a_node_ends_when_its_stream_was_replaced_by_an_empty_one() {
    let Some(mut cluster) = Cluster::start(1, 1) else { return };
    let mut ada = Peer::join(cluster.nodes[0].address(), "ada", &[]);
    for number in 0..20 {
        let text = number.to_string();
        ada.send(&msg(&text));
        ada.expect(&msgbc("ada", &text));
    }
    cluster.nats.kill_all();
    cluster.nats.forget();
    cluster.nats.start_again();
    let mut second = Node::start(&cluster.nats.addresses(), "second");
    second.serves();
    let ended = cluster.nodes[0].server.logged("this node cannot go on");
    assert!(ended["reason"].as_str().unwrap().contains("of the stream"), "{ended}");
    assert_eq!(cluster.nodes[0].server.process.exit().code(), Some(SOFTWARE));
    until("the first node is not there", || {
        second.status()["nodes"].as_array().unwrap().len() == 1
    });
    second.server.process.signal(Signal::SIGTERM);
    assert_eq!(second.server.process.exit().code(), Some(0));
}
