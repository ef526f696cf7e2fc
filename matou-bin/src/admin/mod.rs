//! `matou-bin admin`: sends one request to a running server and prints the response.

mod show;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use matou_actors::server::admin::{OPERATORS, Request, Response};

use crate::arguments::{AdminArguments, ClusterOrder, Order};
use crate::exit::Failure;
use crate::input::home;
use crate::sanitize::json_escaped;
use crate::settings::load_server;
use crate::stdout::print;

/// The deadline for a response; longer than the server's own.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);
/// An upper bound in bytes for the longest response, the list of all clients.
const MAX_RESPONSE: u64 = 64 * 1024 * 1024;

/// Sends the request and prints the response.
pub(crate) fn run(arguments: &AdminArguments) -> Result<(), Failure> {
    let socket = socket(arguments)?;
    let line =
        ask(&socket, &request(&arguments.order)).map_err(|error| cannot_reach(&socket, &error))?;
    let response: Response = serde_json::from_str(&line).map_err(|error| {
        Failure::Runtime(format!("unexpected response from the server: {error}"))
    })?;
    let text =
        if arguments.json { json_escaped(&line).into_owned() } else { show::text(&response) };
    print(text.as_bytes())?;
    match response {
        Response::Error { message } => Err(Failure::Runtime(message)),
        _ => Ok(()),
    }
}

fn cannot_reach(socket: &Path, error: &io::Error) -> Failure {
    use io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied, TimedOut, WouldBlock};
    let why = match error.kind() {
        NotFound | ConnectionRefused => {
            format!("{error}; is the server running, and is this its admin.socket?")
        }
        PermissionDenied => format!("{error}; run this as the server's user or as root"),
        // Both mean a read timeout.
        WouldBlock | TimedOut => format!(
            "no response within {} s (at most {OPERATORS} operators are served at a time); try \
             again, then see the server's log",
            RESPONSE_TIMEOUT.as_secs()
        ),
        _ => error.to_string(),
    };
    Failure::Runtime(format!("cannot reach the server at {}: {why}", socket.display()))
}

fn socket(arguments: &AdminArguments) -> Result<PathBuf, Failure> {
    if let Some(socket) = &arguments.socket {
        return Ok(socket.clone());
    }
    let file = arguments.config.as_deref();
    let socket =
        load_server(file, std::env::vars_os().collect(), &[], home().as_deref())?.admin.socket;
    if socket.as_os_str().is_empty() {
        return Err(Failure::Usage(
            "no server given: use --socket PATH, or --config FILE of a server that sets \
             admin.socket"
                .into(),
        ));
    }
    Ok(socket)
}

fn request(order: &Order) -> Request {
    let words = |words: &[String]| words.join(" ");
    let optional = |reason: &[String]| (!reason.is_empty()).then(|| words(reason));
    match order {
        Order::Status => Request::Status,
        Order::Clients => Request::Clients,
        Order::Kick { name, time, reason } => {
            Request::Kick { name: name.clone(), seconds: *time, reason: optional(reason) }
        }
        Order::Ban { target, time, reason } => {
            Request::Ban { target: target.clone(), seconds: *time, reason: optional(reason) }
        }
        Order::Unban { target } => Request::Unban { target: target.clone() },
        Order::Bans => Request::Bans,
        Order::Cluster { order: ClusterOrder::Status } => Request::Cluster,
        Order::Names => Request::Names,
        Order::Forget { name } => Request::Forget { name: name.clone() },
        Order::Purge { name } => Request::Purge { name: name.clone() },
        Order::Topic { clear: true, .. } => Request::Topic { text: Some(String::new()) },
        Order::Topic { clear: false, text } => Request::Topic { text: optional(text) },
        Order::Notice { text } => Request::Notice { text: words(text) },
        Order::Reload => Request::Reload,
        Order::Shutdown => Request::Shutdown,
        #[cfg(feature = "testing")]
        Order::Panic { actor } => Request::Panic { actor: words(actor) },
    }
}

fn ask(socket: &Path, request: &Request) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
    stream.set_write_timeout(Some(RESPONSE_TIMEOUT))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_RESPONSE)).read_line(&mut answer)?;
    if answer.ends_with('\n') {
        Ok(answer)
    } else {
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the server closed the connection before the response was complete",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_server_is_a_clear_error() {
        let (_server, mut client) = UnixStream::pair().unwrap();
        client.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let late = client.read(&mut [0; 1]).unwrap_err();
        let failure = cannot_reach(Path::new("/run/admin"), &late).to_string();
        assert_eq!(
            failure,
            "cannot reach the server at /run/admin: no response within 20 s (at most 8 \
             operators are served at a time); try again, then see the server's log"
        );
    }
}
