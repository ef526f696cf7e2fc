//! What operators can do, over their socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use matou_actors::protocol::ClientFrame;
use matou_actors::server::ServerSettings;
use matou_actors::server::admin::{Request, Response};
use support::{Client, DEADLINE, Server, joined, left, message, text};
use tempfile::TempDir;

struct Stage {
    server: Server,
    folder: TempDir,
}

impl Stage {
    fn start() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    fn at(folder: TempDir) -> Self {
        let socket = folder.path().join("admin");
        let _ = std::fs::remove_file(&socket);
        let operators = UnixListener::bind(socket).unwrap();
        let bans = folder.path().join("bans.json");
        let change = move |settings: &mut ServerSettings| settings.admin.bans = bans;
        Self { server: Server::with_operators(operators, change), folder }
    }

    fn operator(&self) -> Operator {
        Operator::connect(&self.folder.path().join("admin"))
    }

    fn ask(&self, request: &Request) -> Response {
        self.operator().ask(request)
    }
}

struct Operator(BufReader<UnixStream>);

impl Operator {
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn ask(&mut self, request: &Request) -> Response {
        self.ask_raw(&serde_json::to_string(request).unwrap())
    }

    fn ask_raw(&mut self, line: &str) -> Response {
        writeln!(self.0.get_mut(), "{line}").unwrap();
        let mut answer = String::new();
        self.0.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }
}

fn error(response: Response) -> String {
    match response {
        Response::Error { message } => message,
        other => panic!("{other:?}"),
    }
}

fn ban(network: &str, seconds: Option<u64>) -> Request {
    Request::Ban { target: network.into(), seconds, reason: Some("spam".into()) }
}

#[test]
fn status_and_clients_report_the_state_of_the_server() {
    let stage = Stage::start();
    let _alice = Client::join(&stage.server, "alice");
    let _nobody = Client::connect(&stage.server);
    stage.server.wait_for("both", |counts| counts.connections == 2);
    let mut operator = stage.operator();
    let Response::Status(status) = operator.ask(&Request::Status) else { panic!() };
    assert_eq!((status.counts.users, status.counts.connections, status.bans), (1, 2, 0));
    assert_eq!(status.listening, [stage.server.address]);
    let Response::Clients(clients) = operator.ask(&Request::Clients) else { panic!() };
    let names: Vec<_> = clients.iter().filter_map(|client| client.name.as_deref()).collect();
    assert_eq!((clients.len(), names), (2, vec!["alice"]));
    assert!(clients.iter().all(|client| client.address.ip().is_loopback()));
}

#[test]
fn a_kicked_user_reads_why_and_the_others_see_a_leave() {
    let stage = Stage::start();
    let mut alice = Client::join(&stage.server, "alice");
    let mut bob = Client::join(&stage.server, "bob");
    assert_eq!(alice.receive(), joined("bob"));
    let kick = |name: &str| Request::Kick {
        name: name.into(),
        seconds: None,
        reason: Some("too loud".into()),
    };
    assert_eq!(stage.ask(&kick("BOB")), Response::Kicked { name: "bob".into() });
    let notice = "You were disconnected by an operator: too loud";
    assert_eq!(bob.receive(), message("Server", notice));
    assert_eq!(stage.server.monitor.snapshot().frames_out["MSGBC"], 1);
    assert!(bob.is_closed());
    assert_eq!(alice.receive(), left("bob"));
    assert!(error(stage.ask(&kick("bob"))).contains("no user here is called bob"));
    let unspeakable =
        Request::Kick { name: "alice".into(), seconds: None, reason: Some("a\nb".into()) };
    assert!(error(stage.ask(&unspeakable)).contains("control character"));
}

#[test]
fn a_notice_is_sent_to_all_in_order() {
    let stage = Stage::start();
    let mut alice = Client::join(&stage.server, "alice");
    assert_eq!(stage.ask(&Request::Notice { text: "closing at 6".into() }), Response::Said);
    alice.send(&ClientFrame::Say(text("ok")));
    assert_eq!(alice.receive(), message("Server", "closing at 6"));
    assert_eq!(alice.receive(), message("alice", "ok"));
    let long = Request::Notice { text: "x".repeat(513) };
    assert!(error(stage.ask(&long)).contains("at most 512 bytes"));
}

#[test]
fn a_ban_disconnects_keeps_out_survives_a_restart_and_ends() {
    let stage = Stage::start();
    let mut alice = Client::join(&stage.server, "alice");
    let Response::Banned { ban: made, disconnected } = stage.ask(&ban("127.0.0.0/8", None)) else {
        panic!()
    };
    assert_eq!((made.to_string().as_str(), disconnected), ("127.0.0.0/8", 1));
    let notice = "You were disconnected by an operator and banned: spam";
    assert_eq!(alice.receive(), message("Server", notice));
    assert!(alice.is_closed());
    assert!(Client::connect(&stage.server).is_closed());

    let Stage { server, folder } = stage;
    server.stop();
    let stage = Stage::at(folder);
    assert!(Client::connect(&stage.server).is_closed(), "after a restart");
    assert_eq!(stage.ask(&Request::Bans), Response::Bans(vec![made]));
    let unban = |network: &str| Request::Unban { target: network.into() };
    assert!(error(stage.ask(&unban("127.0.0.1"))).contains("is not banned"));
    let unbanned = Response::Unbanned { target: "127.0.0.0/8".into() };
    assert_eq!(stage.ask(&unban("127.0.0.0/8")), unbanned);
    Client::join(&stage.server, "alice");
    assert!(matches!(stage.ask(&ban("127.0.0.1", Some(0))), Response::Banned { .. }));
    Client::join(&stage.server, "alice2");
}

#[test]
fn an_unsaved_ban_is_in_effect_and_reported() {
    let stage = Stage::start();
    std::fs::create_dir(stage.folder.path().join("bans.json")).unwrap();
    assert!(
        error(stage.ask(&ban("127.0.0.1", None))).contains("only lasts until the server stops")
    );
    assert!(Client::connect(&stage.server).is_closed());
}

#[test]
fn invalid_requests_are_answered_and_one_that_is_too_long_ends_the_connection() {
    let stage = Stage::start();
    let mut operator = stage.operator();
    for line in ["", "{", "[1]", r#"{"command":"dance"}"#] {
        assert!(error(operator.ask_raw(line)).contains("not a request"), "{line}");
    }
    let huge = "x".repeat(20 * 1024);
    let _ = operator.0.get_mut().write_all(huge.as_bytes());
    let mut rest = String::new();
    let _ = operator.0.read_to_string(&mut rest);
    let answer = serde_json::from_str(rest.trim_end()).unwrap();
    assert_eq!(error(answer), "a request has at most 16384 bytes");
    assert!(matches!(stage.ask(&Request::Status), Response::Status(_)), "others are served");
}

#[test]
fn reload_and_shutdown_are_passed_to_the_owner_of_the_server() {
    let stage = Stage::start();
    let restart = Response::Reloaded { needs_restart: vec!["log.format".into()] };
    assert_eq!(stage.ask(&Request::Reload), restart);
    assert_eq!(stage.ask(&Request::Shutdown), Response::Stopping);
    stage.server.join();
}

#[test]
fn a_session_that_panics_costs_that_session_only() {
    let stage = Stage::start();
    let mut alice = Client::join(&stage.server, "alice");
    let mut bob = Client::join(&stage.server, "bob");
    assert_eq!(alice.receive(), joined("bob"));
    let panic = Request::Panic { actor: "session bob".into() };
    assert_eq!(stage.ask(&panic), Response::Panicking);
    assert_eq!(alice.receive(), left("bob"));
    assert!(bob.is_closed());
    alice.send(&ClientFrame::Say(text("still here")));
    assert_eq!(alice.receive(), message("alice", "still here"));
    stage.server.wait_for("the panic to be counted", |counts| counts.ends["panicked"] == 1);
    Client::join(&stage.server, "bob");
}

#[test]
fn a_critical_actor_that_panics_is_reported() {
    for actor in ["listener", "registry", "room", "broker", "shard"] {
        let stage = Stage::start();
        let _alice = Client::join(&stage.server, "alice");
        let panic = Request::Panic { actor: actor.into() };
        assert_eq!(stage.ask(&panic), Response::Panicking);
        assert_eq!(stage.server.failed().0, actor);
    }
}
