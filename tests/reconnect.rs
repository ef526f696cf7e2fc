//! Loss of the server, and the recovery.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod harness;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use harness::client::{Client, private_pair};
use harness::server::Server;

#[test]
fn a_client_reclaims_its_name_from_a_restarted_server() {
    let server = Server::start();
    let address = server.address;
    let mut ada = Client::join(address, "Ada");
    drop(server);
    ada.any("disconnected");
    let _server = Server::with(&address.to_string(), &[]);
    ada.wait("connected", |event| event["username"] == "Ada");
    ada.say("back again");
    ada.wait_for_message("Ada", "back again");
}

#[test]
fn a_client_keeps_asking_for_its_name_while_its_old_connection_still_holds_it() {
    const REFUSALS: usize = 3;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A server that loses Ada, still holds her name for a while, then releases it.
    let server = std::thread::spawn(move || {
        let mut asked = 0;
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            let question = harness::wire::coreq("Ada");
            let mut got = vec![0; question.len()];
            while stream.read_exact(&mut got).is_ok() {
                assert_eq!(got, question);
                asked += 1;
                let accepted = asked == 1 || asked > 1 + REFUSALS;
                stream.write_all(&harness::wire::cores(accepted)).unwrap();
                if accepted {
                    stream.write_all(&harness::wire::conotif("Ada")).unwrap();
                }
                if asked == 1 {
                    break;
                }
                if accepted {
                    return stream;
                }
            }
        }
    });
    let mut ada = Client::join(address, "Ada");
    ada.any("disconnected");
    ada.wait("connected", |event| event["username"] == "Ada");
    let stream = server.join().unwrap();
    ada.say("/quit");
    let (events, code) = ada.ended();
    assert_eq!(code, 0);
    assert!(events.iter().all(|event| event["event"] != "refused"), "{events:?}");
    drop(stream);
}

#[test]
fn a_private_session_survives_a_restart_of_the_server() {
    let server = Server::start();
    let address = server.address;
    let (mut ada, mut bea) = private_pair(address);
    drop(server);
    ada.any("disconnected");
    bea.any("disconnected");
    let _server = Server::with(&address.to_string(), &[]);
    ada.any("connected");
    bea.any("connected");
    ada.say("/msg Bea the same session");
    bea.wait_for_private("Ada", "Bea", "the same session");
    ada.say("and in public");
    bea.wait_for_message("Ada", "and in public");
}

#[test]
fn end_of_input_without_a_server_ends_the_client() {
    let server = Server::start();
    let address = server.address;
    let mut ada = Client::join(address, "Ada");
    drop(server);
    ada.any("disconnected");
    ada.say("/quit");
    assert_eq!(ada.ended().1, 0);
}

#[test]
fn a_server_of_another_kind_is_named_and_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let web = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        listener.set_nonblocking(true).unwrap();
        listener
    });
    let mut ada = Client::start(address, "Ada", &[]);
    let gone = ada.any("disconnected");
    let reason = gone["reason"].as_str().unwrap();
    assert!(reason.starts_with(&format!("{address} is not a Matou server")), "{reason}");
    ada.end_of_input();
    let (events, code) = ada.ended();
    assert_eq!(code, 1);
    assert!(events.iter().all(|event| event["event"] != "reconnecting"), "{events:?}");
    assert!(web.join().unwrap().accept().is_err(), "it was tried again");
}

#[test]
fn a_silent_server_is_mentioned_while_the_client_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut ada = Client::start(address, "Ada", &[]);
    let waiting = ada.any("notice");
    let message = waiting["message"].as_str().unwrap();
    assert_eq!(message, format!("still waiting for {address} to answer"));
    drop(listener);
}

#[test]
fn clients_of_a_lost_server_return_spread_over_two_seconds_however_often_it_was_lost() {
    let mut server = Server::start();
    let address = server.address;
    let mut clients: Vec<_> =
        (0..6).map(|number| Client::join(address, &format!("Ada{number}"))).collect();
    for _ in 0..3 {
        // A connection that lasts a second is a good one.
        std::thread::sleep(Duration::from_millis(1100));
        drop(server);
        let delays: Vec<_> = clients
            .iter_mut()
            .map(|client| client.wait("reconnecting", |event| event["attempt"] == 1))
            .map(|event| event["delay_ms"].as_u64().unwrap())
            .collect();
        assert!(delays.iter().all(|delay| (500..=2000).contains(delay)), "{delays:?}");
        let (first, last) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
        assert!(last - first > 50, "{delays:?}");
        server = Server::with(&address.to_string(), &[]);
        for client in &mut clients {
            client.any("connected");
        }
    }
}
