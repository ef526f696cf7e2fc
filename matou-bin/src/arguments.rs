//! The command line as it was typed. What it means is decided where it is used.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
}

/// How to serve.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ServerArguments {
    /// Read settings from this file (config/server.toml holds every key).
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Listen here; port 0 is any free port, [::] is IPv6 and IPv4.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) loudness: Loudness,
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
    /// Lines to read and lines to type; chosen by itself when the output is no terminal.
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
}
