//! The smallest scenario, for correctness: everybody gets every message exactly once, all in one
//! order, however the server spreads its clients over event loops. Nothing here is timed.

#![allow(clippy::unwrap_used)] // Whatever fails here fails the test.

use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};

use matou_actors::server::{self, ServerSettings};
use slog::{Discard, Logger, o};

#[test]
fn every_delivery_of_the_bare_server_is_counted() {
    let output = bench(&["load", "smoke", "--servers", "bare", "--seconds", "0.3"]);
    assert_counted(&output);
}

#[test]
fn every_delivery_is_counted_and_all_see_one_order_on_one_event_loop() {
    assert_counted(&smoke_of_matou(1));
}

#[test]
fn every_delivery_is_counted_and_all_see_one_order_across_event_loops() {
    assert_counted(&smoke_of_matou(3));
}

/// Runs the smoke scenario against a server in this process.
fn smoke_of_matou(arbiters: usize) -> Output {
    let mut settings = ServerSettings::default();
    settings.network.arbiters = arbiters;
    settings.limits.messages_per_second = 0;
    settings.limits.bytes_per_second = 0;
    settings.limits.room_bytes_per_second = 0;
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    actix::System::new().block_on(async move {
        let logger = Logger::root(Discard, o!());
        let server = server::start(&settings, None, None, vec![listener], logger).unwrap();
        let output = actix::clock::timeout(
            std::time::Duration::from_secs(60),
            actix_rt::task::spawn_blocking(move || smoke_of(address)),
        );
        let output = output.await.unwrap().unwrap();
        server.stop().await;
        output
    })
}

fn smoke_of(address: SocketAddr) -> Output {
    let (address, pid) = (address.to_string(), std::process::id().to_string());
    let server = ["--servers", "matou", "--address", &address, "--pid", &pid];
    bench(&[&["load", "smoke", "--seconds", "0.3"][..], &server].concat())
}

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_matou-bench")).args(arguments).output().unwrap()
}

fn assert_counted(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert!(said.contains("deliveries"), "{said}{errors}");
}
