//! A server for the client that was started without one.

use std::io::{self, BufRead as _, Write as _};

use matou_actors::client::ServerName;
use slog::Logger;

use crate::discovery::{
    FoundServer, NONE_FOUND, SearchChoice, choose, json, list, pick, places, reach, search,
};
use crate::exit::Failure;
use crate::identity::known_servers;
use crate::stdout::print;

/// How the user can be asked which server to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// In the full-screen interface, later.
    OnScreen,
    /// By a numbered list and a line.
    InLines,
    Never,
}

/// What a search leads to.
pub(crate) enum SearchOutcome {
    /// The servers of the room that is to be joined, and the name under which it was found.
    Servers(Vec<ServerName>, Option<String>),
    /// The user has to choose, on the screen.
    Choose(Vec<FoundServer>),
}

/// Searches for a server to join. With `is_quiet`, for programs, nothing is said.
pub(crate) fn find(asks: Asks, is_quiet: bool, logger: &Logger) -> Result<SearchOutcome, Failure> {
    if !is_quiet {
        say("searching for servers");
    }
    let known = known_servers()?;
    let found = search(&known, logger);
    let chosen = match choose(&found, known.iter().next().is_some()) {
        SearchChoice::NoServer => return Err(Failure::Runtime(NONE_FOUND.into())),
        SearchChoice::Join(index) => index,
        SearchChoice::Ask => match asks {
            Asks::Never => return Err(undecided(is_quiet, &found)),
            Asks::OnScreen => return Ok(SearchOutcome::Choose(found)),
            Asks::InLines => match ask(&found)? {
                ServerAnswer::Number(index) => index,
                ServerAnswer::Addresses(servers) => {
                    return Ok(SearchOutcome::Servers(servers, None));
                }
            },
        },
    };
    let server = found.get(chosen).ok_or_else(|| Failure::Runtime(NONE_FOUND.into()))?;
    let mut failure = None;
    for member in server.members() {
        match reach(member) {
            Ok(place) => {
                if !is_quiet {
                    say(&format!("joining {} at {place}", member.name));
                }
                let servers = server.servers(Some((member, &place)));
                return Ok(SearchOutcome::Servers(servers, Some(server.name.clone())));
            }
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let error = failure.map(|error| error.to_string()).unwrap_or_default();
    Err(Failure::Runtime(format!(
        "cannot reach the server {} at {}: {error}; a firewall on it may block the port",
        server.name,
        places(server)
    )))
}

/// What the user typed.
enum ServerAnswer {
    Number(usize),
    Addresses(Vec<ServerName>),
}

fn ask(found: &[FoundServer]) -> Result<ServerAnswer, Failure> {
    let _ = io::stderr().write_all(list(found).as_bytes());
    let mut lines = io::stdin().lock();
    loop {
        let _ = write!(io::stderr(), "Join which server? Type its number, or HOST[:PORT]: ");
        let mut line = String::new();
        let length = lines
            .read_line(&mut line)
            .map_err(|error| Failure::Runtime(format!("cannot read the answer: {error}")))?;
        if length == 0 {
            return Err(Failure::Usage("no server was chosen; use --server HOST".into()));
        }
        let typed = line.trim();
        if let Some(index) = pick(typed, found) {
            return Ok(ServerAnswer::Number(index));
        }
        if typed.parse::<u64>().is_ok() {
            say(&format!("there is no server {typed} in the list"));
        } else if !typed.is_empty() {
            match ServerName::parse_list(typed) {
                Ok(servers) => return Ok(ServerAnswer::Addresses(servers)),
                Err(error) => say(&error),
            }
        }
    }
}

/// The list, for a program that has to choose with `--server`.
fn undecided(is_json: bool, found: &[FoundServer]) -> Failure {
    let listed = if is_json {
        print(format!("{}\n", json(found)).as_bytes())
    } else {
        print(list(found).as_bytes())
    };
    if let Err(failure) = listed {
        return failure;
    }
    Failure::Usage(
        "several servers were found, or one that is not known; choose one with --server HOST:PORT"
            .into(),
    )
}

/// Beside the output, which may be read by a program.
fn say(text: &str) {
    // Without a standard error there is no reader.
    let _ = writeln!(io::stderr(), "matou: {}", crate::sanitize::sanitize(text));
}
