//! Loss of the server, and what comes after.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use harness::client::{Client, open};
use harness::server::Server;
use harness::wire::{DISCO, Peer};

#[test]
fn a_client_takes_its_name_back_from_a_server_that_was_restarted() {
    let server = Server::start();
    let address = server.address;
    let mut ada = Client::join(address, "Ada");
    drop(server);
    ada.any("disconnected");
    let _server = Server::with(&address.to_string(), &[]);
    ada.wait("connected", |event| event["username"] == "Ada");
    ada.say("back again");
    ada.heard("Ada", "back again");
}

#[test]
fn a_client_keeps_asking_for_its_name_while_somebody_else_holds_it() {
    let server = Server::start();
    let address = server.address;
    let mut ada = Client::join(address, "Ada");
    drop(server);
    ada.any("disconnected");
    let mut server = Server::with(&address.to_string(), &[]);
    let Some(mut holder) = holder(&mut server, &mut ada) else { return };
    holder.send(&DISCO);
    holder.expect_closed();
    ada.say("/reconnect");
    ada.wait("connected", |event| event["username"] == "Ada");
}

/// Somebody else under Ada's name, and Ada refused; nobody when she was faster.
fn holder(server: &mut Server, ada: &mut Client) -> Option<Peer> {
    let mut holder = Peer::connect(server.address);
    holder.send(&harness::wire::coreq("ada"));
    if holder.take(2) == harness::wire::cores(false) {
        ada.wait("connected", |event| event["username"] == "Ada");
        return None;
    }
    holder.expect(&harness::wire::conotif("ada"));
    server.logged("name refused");
    Some(holder)
}

#[test]
fn a_private_session_survives_a_restart_of_the_server() {
    let server = Server::start();
    let address = server.address;
    let mut ada = Client::join(address, "Ada");
    let mut bea = Client::join(address, "Bea");
    open(&mut ada, &mut bea);
    drop(server);
    ada.any("disconnected");
    bea.any("disconnected");
    let _server = Server::with(&address.to_string(), &[]);
    ada.any("connected");
    bea.any("connected");
    ada.say("/msg Bea the same session");
    bea.heard_in_private("Ada", "Bea", "the same session");
    ada.say("and in public");
    bea.heard("Ada", "and in public");
}

#[test]
fn the_end_of_stdin_without_a_server_ends_the_client() {
    let server = Server::start();
    let address = server.address;
    let mut ada = Client::join(address, "Ada");
    drop(server);
    ada.any("disconnected");
    ada.say("/quit");
    assert_eq!(ada.ended().1, 0);
}
