//! One order for all.

use crate::harness::server::Server;
use crate::harness::wire::{Peer, conotif, msg, msgbc};

#[test]
fn all_clients_get_the_same_frames_in_the_same_order_and_each_senders_own_is_kept() {
    const EACH: usize = 100;
    let server = Server::start();
    let names = ["Ada", "Bea", "Cyd", "Dot"];
    let mut peers: Vec<Peer> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let present: Vec<&str> = names.iter().take(index).copied().collect();
        peers.push(Peer::join(server.address, name, &present));
    }
    for (index, peer) in peers.iter_mut().enumerate() {
        for name in &names[index + 1..] {
            peer.expect(&conotif(name));
        }
    }
    let total: usize = names
        .iter()
        .flat_map(|name| (0..EACH).map(move |n| msgbc(name, &format!("number {n:03}")).len()))
        .sum();
    let received: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let running: Vec<_> = peers
            .iter_mut()
            .map(|peer| {
                scope.spawn(move || {
                    for n in 0..EACH {
                        peer.send(&msg(&format!("number {n:03}")));
                    }
                    peer.take(total)
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for other in &received[1..] {
        assert!(other == &received[0], "two clients read different orders");
    }
    for name in names {
        let positions: Vec<usize> = (0..EACH)
            .map(|n| {
                let frame = msgbc(name, &format!("number {n:03}"));
                received[0].windows(frame.len()).position(|part| part == frame).unwrap()
            })
            .collect();
        assert!(positions.is_sorted(), "{name}'s messages changed their order");
    }
}
