//! `matou-bin admin`: one request to a running server, and its answer for people or programs.

mod show;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use matou_actors::server::admin::{OPERATORS, Request, Response};

use crate::arguments::{AdminArguments, Order};
use crate::exit::Failure;
use crate::sanitize::json_escaped;
use crate::settings::load_server;

/// How long the server may take; it gives up earlier by itself.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// More than the longest answer, that of all clients, has in bytes.
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;

/// Asks, and shows the answer.
pub(crate) fn run(arguments: &AdminArguments) -> Result<(), Failure> {
    let socket = socket(arguments)?;
    let line =
        ask(&socket, &request(&arguments.order)).map_err(|error| cannot_ask(&socket, &error))?;
    let response: Response = serde_json::from_str(&line)
        .map_err(|error| Failure::Runtime(format!("the server's answer is odd: {error}")))?;
    let text =
        if arguments.json { json_escaped(&line).into_owned() } else { show::text(&response) };
    match write!(io::stdout(), "{text}") {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(Failure::Runtime(format!("cannot write: {error}")));
        }
        _ => {}
    }
    match response {
        Response::Error { message } => Err(Failure::Runtime(message)),
        _ => Ok(()),
    }
}

fn cannot_ask(socket: &Path, error: &io::Error) -> Failure {
    use io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied, TimedOut, WouldBlock};
    let why = match error.kind() {
        NotFound | ConnectionRefused => {
            format!("{error}; is the server running, and is this its admin.socket?")
        }
        PermissionDenied => format!("{error}; be the user who runs the server, or root"),
        // Two names for a read that took too long.
        WouldBlock | TimedOut => format!(
            "no answer within {} s; it serves {OPERATORS} operators at a time: try again, and look \
             in its log if that does not help",
            ANSWER_WITHIN.as_secs()
        ),
        _ => error.to_string(),
    };
    Failure::Runtime(format!("cannot ask the server at {}: {why}", socket.display()))
}

fn socket(arguments: &AdminArguments) -> Result<PathBuf, Failure> {
    if let Some(socket) = &arguments.socket {
        return Ok(socket.clone());
    }
    let file = arguments.config.as_deref();
    let socket = load_server(file, std::env::vars_os().collect(), &[])?.admin.socket;
    if socket.as_os_str().is_empty() {
        return Err(Failure::Usage(
            "which server? Give --socket PATH, or --config FILE of a server whose settings have \
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
        Order::Kick { name, reason } => {
            Request::Kick { name: name.clone(), reason: optional(reason) }
        }
        Order::Ban { network, time, reason } => {
            Request::Ban { network: network.clone(), seconds: *time, reason: optional(reason) }
        }
        Order::Unban { network } => Request::Unban { network: network.clone() },
        Order::Bans => Request::Bans,
        Order::Notice { text } => Request::Notice { text: words(text) },
        Order::Reload => Request::Reload,
        Order::Shutdown => Request::Shutdown,
        Order::Panic { actor } => Request::Panic { actor: words(actor) },
    }
}

fn ask(socket: &Path, request: &Request) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream.take(LONGEST_ANSWER)).read_line(&mut answer)?;
    if answer.ends_with('\n') {
        Ok(answer)
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server did not answer in full"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_whose_seats_are_all_taken_is_told_of_in_words() {
        let (_server, mut client) = UnixStream::pair().unwrap();
        client.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let late = client.read(&mut [0; 1]).unwrap_err();
        let failure = cannot_ask(Path::new("/run/admin"), &late).to_string();
        assert_eq!(
            failure,
            "cannot ask the server at /run/admin: no answer within 20 s; it serves 8 operators at \
             a time: try again, and look in its log if that does not help"
        );
    }
}
