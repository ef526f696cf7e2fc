//! A network that splits between two nodes, one of which has NATS on its side.

use crate::harness::wire::{Peer, conotif, disconotif};
use crate::support::cluster::Node;
use crate::support::nats::{Nats, Site};
use crate::support::network::{Line, NEAR, Network};

#[test]
fn a_disconnected_node_is_silent_before_the_other_one_releases_its_names() {
    let Some(line) = Line::between(["192.0.2.1/24", "192.0.2.2/24"]) else { return };
    let site = [Site { address: NEAR.into(), network: None }];
    let Some(nats) = line.near.within(move || Nats::start_at(&site)) else { return };
    let addresses = nats.addresses();
    let node = |network: &Network, address: &'static str, name: &'static str| {
        let nats = addresses.clone();
        network.within(move || {
            let mut node = Node::listen(address, &nats, name);
            node.serves();
            node
        })
    };
    let mut near = node(&line.near, "192.0.2.1:0", "near");
    let mut far = node(&line.far, "192.0.2.2:0", "far");
    let (at_near, at_far) = (near.address(), far.address());
    let mut ada = line.far.within(move || Peer::join(at_far, "Ada", &[]));
    let mut bea = line.near.within(move || Peer::join(at_near, "Bea", &["Ada"]));
    ada.expect(&conotif("Bea"));

    line.near.runs("ip link set near down").unwrap();
    let silent = far.server.logged("this node is cut off from the others");
    let gone = near.server.logged("a node left");
    let time = |line: &serde_json::Value| line["time"].as_str().unwrap().to_owned();
    assert!(time(&silent) < time(&gone), "{silent} {gone}");
    bea.expect(&disconotif("Ada"));
    let mut heir = line.near.within(move || Peer::join(at_near, "Ada", &["Bea"]));

    line.near.runs("ip link set near up").unwrap();
    far.server.logged("the other nodes expelled this one");
    // What it reads before does not matter: it is no longer in the room.
    ada.rest();
    far.serves();
    let mut cid = line.far.within(move || Peer::join(at_far, "cid", &["Bea", "Ada"]));
    bea.expect(&conotif("Ada"));
    bea.expect(&conotif("cid"));
    heir.expect(&conotif("cid"));
    cid.expect_nothing();
}
