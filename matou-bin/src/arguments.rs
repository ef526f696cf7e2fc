//! The command line as it was typed. What it means is decided where it is used.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use jiff::{Span, SpanRelativeTo};

use crate::settings::Flag;

/// Chat and file drop for a LAN, a class, a ship or your own server.
#[derive(Debug, Parser)]
#[command(name = "matou-bin", version, about, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// What to be.
    #[command(subcommand)]
    pub(crate) role: Role,
}

const EXIT_CODES: &str = "\
Exit codes:
  0   all went well
  1   something failed while running (a port in use, a broken terminal)
  2   a flag or a setting is wrong
  3   the server refused the name and nobody can be asked for another one
  70  a vital part of the server failed";

/// Server or client.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Serve a room: tells who comes and goes, passes messages on, introduces private peers.
    Server(ServerArguments),
    /// Join a room: talk, in public and in private, and send files.
    Client(ClientArguments),
    /// Ask a running server on this machine, or tell it something.
    Admin(AdminArguments),
    /// Write the completions for a shell to standard output.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the manual: one page to standard output, or all pages into a folder.
    Manual {
        /// The folder; man looks into share/man/man1.
        folder: Option<PathBuf>,
    },
}

/// How to serve.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ServerArguments {
    /// Read settings from this file (config/server.toml holds every key).
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[arg(
        long,
        value_name = "HOST:PORT",
        help = "Listen here; port 0 is any free port, [::] is IPv6 and IPv4"
    )]
    pub(crate) listen: Option<String>,
    /// Check the settings and end: exit code 0 when they are right, 2 when not.
    #[arg(long)]
    pub(crate) check_config: bool,
    #[command(flatten)]
    pub(crate) loudness: Loudness,
}

/// What an operator wants.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct AdminArguments {
    /// The server's settings, of which admin.socket is used.
    #[arg(short, long, global = true, value_name = "FILE", conflicts_with = "socket")]
    pub(crate) config: Option<PathBuf>,
    /// The server's socket, as its admin.socket says.
    #[arg(short, long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Answer with one JSON object.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) order: Order,
}

/// What an operator can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Order {
    /// Show how the server is and what it has counted.
    Status,
    /// Show who is connected: name, address, age, bytes that wait.
    Clients,
    /// Disconnect a user.
    Kick {
        /// The user, without regard to case.
        name: String,
        /// What the user is told.
        #[arg(trailing_var_arg = true)]
        reason: Vec<String>,
    },
    /// Disconnect an address or network, and let nobody in from it.
    Ban {
        #[arg(help = "Such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/64")]
        network: String,
        /// For how long, such as 30m, 12h or 7d; for ever without it.
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        time: Option<u64>,
        /// Why, for the operators.
        #[arg(trailing_var_arg = true)]
        reason: Vec<String>,
    },
    /// End a ban.
    Unban {
        /// As `bans` shows it.
        network: String,
    },
    /// Show the bans.
    Bans,
    /// Say something to everybody, in the name that says the message of the day.
    Notice {
        /// What to say.
        #[arg(required = true, trailing_var_arg = true)]
        text: Vec<String>,
    },
    /// Read the settings again, as SIGHUP does.
    Reload,
    /// Stop the server.
    Shutdown,
    /// Make an actor panic; only a server that was started for such tests does it.
    #[command(hide = true)]
    Panic {
        /// The actor, or `session NAME`.
        #[arg(required = true, trailing_var_arg = true)]
        actor: Vec<String>,
    },
}

/// How to join.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ClientArguments {
    /// Read settings from this file (config/client.toml holds every key) instead of
    /// matou/client.toml in your configuration folder.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The server; port 6286 unless told otherwise.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) server: Option<String>,
    /// Sign in under this name.
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// Lines to read and lines to type; chosen by itself without a terminal to draw on.
    #[arg(long, conflicts_with = "json")]
    pub(crate) plain: bool,
    /// One JSON object a line, for programs.
    #[arg(long)]
    pub(crate) json: bool,
    /// Put received files into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) downloads: Option<String>,
    /// What to do with files that are offered.
    #[arg(long, value_name = "POLICY", value_parser = POLICIES)]
    pub(crate) accept_files: Option<String>,
    /// What to do with private requests.
    #[arg(long, value_name = "POLICY", value_parser = POLICIES)]
    pub(crate) accept_private: Option<String>,
    #[command(flatten)]
    pub(crate) loudness: Loudness,
}

const POLICIES: [&str; 3] = ["ask", "always", "never"];

/// How much to log.
#[derive(Debug, Args)]
pub(crate) struct Loudness {
    /// Log more; twice for everything.
    #[arg(short, long, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// Log less; twice for errors only.
    #[arg(short, long, action = clap::ArgAction::Count)]
    quiet: u8,
}

impl Loudness {
    /// Steps above the configured level; negative ones are below.
    pub(crate) fn steps(&self) -> i16 {
        i16::from(self.verbose) - i16::from(self.quiet)
    }
}

/// `text` such as `7d` or `1h 30m` in seconds, days of 24 hours.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no time; examples: 30m, 12h, 7d");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let days = SpanRelativeTo::days_are_24_hours();
    let time = span.to_duration(days).map_err(|_| wrong())?;
    u64::try_from(time.as_secs()).ok().filter(|&seconds| seconds > 0).ok_or_else(wrong)
}

impl ServerArguments {
    /// What the flags set.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        flags([("--listen", "network.listen", self.listen.as_ref())])
    }
}

impl ClientArguments {
    /// What the flags set.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        flags([
            ("--server", "client.server", self.server.as_ref()),
            ("--username", "client.username", self.username.as_ref()),
            ("--downloads", "files.downloads", self.downloads.as_ref()),
            ("--accept-files", "files.accept", self.accept_files.as_ref()),
            ("--accept-private", "private.accept", self.accept_private.as_ref()),
        ])
    }
}

fn flags<'a>(
    given: impl IntoIterator<Item = (&'static str, &'static str, Option<&'a String>)>,
) -> Vec<Flag> {
    let given = given.into_iter();
    given.filter_map(|(name, key, value)| Some(Flag { name, key, value: value?.clone() })).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(seconds("30m"), Ok(1800));
        assert_eq!(seconds("7d"), Ok(7 * 86_400));
        assert_eq!(seconds("1w"), Ok(7 * 86_400));
        assert_eq!(seconds("1h 30m"), Ok(5400));
        for wrong in ["", "7", "soon", "-1h", "0s", "1 month"] {
            assert!(seconds(wrong).unwrap_err().contains("examples"), "{wrong}");
        }
    }
}
