//! The command line arguments, uninterpreted.

mod flags;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use matou_actors::protocol::Username;

use self::values::{path, seconds, username};

/// Chat and file transfer for a LAN, a classroom, a ship or your own server.
#[derive(Debug, Parser)]
#[command(name = "matou-bin", version, about, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// The role to run.
    #[command(subcommand)]
    pub(crate) role: RoleArguments,
}

const EXIT_CODES: &str = "\
Exit codes:
  0   success
  1   runtime failure (a port in use, an unusable terminal)
  2   invalid flag or setting, or the server's password is missing or wrong
  3   the server refused the name, and the user cannot be prompted for another one
  70  a critical actor of the server failed";

const SERVER_EXIT_CODES: &str = "\
Exit codes:
  0   stopped by an operator or a signal
  1   runtime failure (a port in use, an unusable file of names)
  2   invalid flag or setting
  70  a critical actor of the server failed";

const ADMIN_EXIT_CODES: &str = "\
Exit codes:
  0   success
  1   the server was not reached, or refused the request
  2   invalid argument or setting, or no socket given";

const SERVERS_EXIT_CODES: &str = "\
Exit codes:
  0   at least one server was found
  1   none was found, or the search failed
  2   invalid argument";

const COMMAND_EXIT_CODES: &str = "\
Exit codes:
  0   success
  1   runtime failure (a file that cannot be read or written)
  2   invalid argument";

const TRANSFER_EXIT_CODES: &str = "\
Exit codes:
  0   everything was delivered or received
  1   runtime failure (a file that cannot be read, a key that is not the known one)
  2   invalid argument or setting, a missing password, or several servers to choose from
  3   the server refused the name given with --username
  4   the recipient refused a file or the private session
  5   the recipient was not in the room, or did not answer in time
  6   a transfer ended before it was complete; send it again to resume it
  7   the server was not found or not reached";

const DOCTOR_EXIT_CODES: &str = "\
Exit codes:
  0   the person, or without one the server, was reached
  1   runtime failure (a key that is not the known one, a program of revision 1)
  2   invalid argument or setting, a missing password, or several servers to choose from
  3   the server refused the name given with --username
  4   the person declined
  5   the person was not in the room, or did not answer in time
  6   the person cannot be reached at the moment
  7   the server was not found or not reached";

/// Server or client.
#[derive(Debug, Subcommand)]
pub(crate) enum RoleArguments {
    /// Run a server: hosts the room, relays messages, sets up private sessions.
    Server(ServerArguments),
    /// Run a client: chat in public and in private, send and receive files.
    Client(ClientArguments),
    /// Send files and folders to a person, and exit.
    Send(SendArguments),
    /// Receive files and folders without being asked.
    Receive(ReceiveArguments),
    /// Find out what prevents private sessions: on this computer, or with a person.
    Doctor(DoctorArguments),
    /// List the servers of this machine and of the local network.
    #[command(after_help = SERVERS_EXIT_CODES)]
    Servers {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Control a running server on this machine.
    Admin(AdminArguments),
    /// Show, move or forget keys: yours, and those of servers that you know.
    #[command(after_help = COMMAND_EXIT_CODES)]
    Identity {
        /// The command.
        #[command(subcommand)]
        order: IdentityOrder,
    },
    /// Write shell completions to standard output.
    #[command(after_help = COMMAND_EXIT_CODES)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the man pages: the main page to standard output, or all pages into a folder.
    #[command(after_help = COMMAND_EXIT_CODES)]
    Manual {
        /// The destination folder, such as /usr/local/share/man/man1.
        folder: Option<PathBuf>,
    },
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum IdentityOrder {
    /// Print the fingerprint of your key, where it is, and the servers that you know.
    Show,
    /// Print your private key, to be imported elsewhere; anyone who has it can act as you.
    Export,
    /// Take a private key that was exported elsewhere, unless there is one already.
    Import {
        /// The file with the key; - is standard input.
        #[arg(value_parser = path())]
        file: PathBuf,
    },
    /// Forget the key of a server or of a person, so that another one is accepted.
    Forget {
        /// The server, as the client names it.
        #[arg(value_name = "HOST[:PORT]", required_unless_present = "person")]
        server: Option<String>,
        /// The person, instead of a server: on every server where the key is known.
        #[arg(long, value_name = "NAME", value_parser = username, conflicts_with = "server")]
        person: Option<Username>,
    },
}

/// Arguments of `server`.
#[derive(Debug, Args)]
#[command(after_help = SERVER_EXIT_CODES)]
pub(crate) struct ServerArguments {
    /// Read settings from this file (config/server.toml documents every key).
    #[arg(short, long, value_name = "FILE", value_parser = path())]
    pub(crate) config: Option<PathBuf>,
    #[arg(
        long,
        value_name = "HOST:PORT",
        help = "Listen on this address; port 0 is any free port, [::] is IPv6 and IPv4"
    )]
    pub(crate) listen: Option<String>,
    /// Check the settings and exit: code 0 if they are valid, 2 if not.
    #[arg(long)]
    pub(crate) check_config: bool,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

/// Arguments of `admin`.
#[derive(Debug, Args)]
#[command(after_help = ADMIN_EXIT_CODES)]
pub(crate) struct AdminArguments {
    /// Find the socket in this server configuration file (admin.socket).
    #[arg(short, long, global = true, value_name = "FILE", value_parser = path(), conflicts_with = "socket")]
    pub(crate) config: Option<PathBuf>,
    /// The server's operator socket (its setting admin.socket).
    #[arg(short, long, global = true, value_name = "PATH", value_parser = path())]
    pub(crate) socket: Option<PathBuf>,
    /// Print the response as one JSON object.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The command.
    #[command(subcommand)]
    pub(crate) order: Order,
}

/// Operator commands about the cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterOrder {
    /// Show the nodes of the cluster, and how far this one has read the room's stream.
    Status,
}

/// Operator commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Order {
    /// Show the server's status and counters.
    Status,
    /// List connections: name, address, age, queued bytes, fingerprint of the key.
    Clients,
    /// Disconnect a user, and keep that name from that address out for a while.
    Kick {
        /// The user's name, case-insensitive, or the fingerprint of a key (SHA256:...), which is then
        /// kept out under every name.
        name: String,
        /// For how long, such as 30s, 10m or 2h; 1m by default.
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        time: Option<u64>,
        /// The reason, shown to the user.
        #[arg(trailing_var_arg = true)]
        reason: Vec<String>,
    },
    /// Ban an address, network, name or key, and disconnect its clients.
    Ban {
        #[arg(help = "Such as 192.0.2.7, 192.0.2.0/24, 2001:db8::/64, alice or SHA256:...")]
        target: String,
        /// The duration, such as 30m, 12h or 7d; permanent by default.
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        time: Option<u64>,
        /// The reason, shown to its clients and to operators.
        #[arg(trailing_var_arg = true)]
        reason: Vec<String>,
    },
    /// Lift a ban.
    Unban {
        /// The address, network, name or fingerprint as listed by `bans`.
        target: String,
    },
    /// List the bans.
    Bans,
    /// The cluster that the server is part of.
    Cluster {
        #[command(subcommand)]
        order: ClusterOrder,
    },
    /// List the names that belong to keys: name, fingerprint, first and last use.
    Names,
    /// Free a name that belongs to a key, so that another key can have it.
    Forget {
        /// The name, case-insensitive.
        name: String,
    },
    /// Delete what was said under a name, or everything, from the history, so that newcomers no longer read it.
    Purge {
        /// The name, case-insensitive; everything by default.
        name: Option<String>,
    },
    /// Set the topic of the room, which newcomers read as well; without a text show it.
    Topic {
        /// The new topic.
        #[arg(trailing_var_arg = true)]
        text: Vec<String>,
        /// Remove the topic.
        #[arg(long, conflicts_with = "text")]
        clear: bool,
    },
    /// Send a message to everyone, under the name set by `room.motd_name`.
    Notice {
        /// The message.
        #[arg(required = true, trailing_var_arg = true)]
        text: Vec<String>,
    },
    /// Reload the settings, as SIGHUP does.
    Reload,
    /// Stop the server.
    Shutdown,
    /// Make an actor panic.
    #[cfg(feature = "testing")]
    #[command(hide = true)]
    Panic {
        /// The actor, or `session NAME`.
        #[arg(required = true, trailing_var_arg = true)]
        actor: Vec<String>,
    },
}

/// Arguments of `client`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ClientArguments {
    /// Read settings from this file (config/client.toml documents every key) instead of
    /// matou/client.toml in your configuration folder.
    #[arg(short, long, value_name = "FILE", value_parser = path())]
    pub(crate) config: Option<PathBuf>,
    /// The server to connect to, instead of one in the local network; the default port is 6286. Several
    /// servers of one room, with commas between them, stand in for each other.
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',')]
    pub(crate) server: Vec<String>,
    /// Sign in under this name.
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// Read and print plain lines; the default without a suitable terminal.
    #[arg(long, conflicts_with = "json")]
    pub(crate) plain: bool,
    /// Print one JSON object per event, for programs.
    #[arg(long)]
    pub(crate) json: bool,
    /// Save received files in this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) downloads: Option<String>,
    /// How to answer offered files.
    #[arg(long, value_name = "POLICY", value_parser = POLICIES)]
    pub(crate) accept_files: Option<String>,
    /// How to answer private requests.
    #[arg(long, value_name = "POLICY", value_parser = POLICIES)]
    pub(crate) accept_private: Option<String>,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

/// How the one-shot commands join a room.
#[derive(Debug, Args)]
pub(crate) struct JoinArguments {
    /// Read settings from this file (config/client.toml documents every key) instead of
    /// matou/client.toml in your configuration folder.
    #[arg(short, long, value_name = "FILE", value_parser = path())]
    pub(crate) config: Option<PathBuf>,
    /// The server to connect to, instead of one in the local network; the default port is 6286. Several
    /// servers of one room, with commas between them, stand in for each other.
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',')]
    pub(crate) server: Vec<String>,
    /// Sign in under this name; by default under your usual one or your login name, with a number
    /// behind it if it is taken.
    #[arg(long, value_name = "NAME", value_parser = username)]
    pub(crate) username: Option<Username>,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

/// Arguments of `send`.
#[derive(Debug, Args)]
#[command(after_help = TRANSFER_EXIT_CODES)]
pub(crate) struct SendArguments {
    #[command(flatten)]
    pub(crate) join: JoinArguments,
    /// How long to wait for NAME to join and to accept.
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) wait: u64,
    /// The recipient: a person in the room.
    #[arg(value_parser = username)]
    pub(crate) name: Username,
    /// The files and folders; - is standard input, sent as one file.
    #[arg(required = true, value_name = "PATH", value_parser = path())]
    pub(crate) paths: Vec<PathBuf>,
    /// The name of the file that standard input becomes.
    #[arg(long = "name", value_name = "FILE", default_value = "stdin")]
    pub(crate) file_name: String,
}

/// Arguments of `receive`.
#[derive(Debug, Args)]
#[command(after_help = TRANSFER_EXIT_CODES)]
pub(crate) struct ReceiveArguments {
    #[command(flatten)]
    pub(crate) join: JoinArguments,
    /// Accept files from this person only; by default from everyone.
    #[arg(long, value_name = "NAME", value_parser = username)]
    pub(crate) from: Option<Username>,
    /// Save files in this folder instead of the downloads folder of the settings; - receives one file
    /// and writes it to standard output once it is complete and checked.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<String>,
    /// Exit after the first complete transfer, once its sender has nothing more to send.
    #[arg(long)]
    pub(crate) once: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_EXIT_CODES)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub(crate) join: JoinArguments,
    /// How long to wait for NAME to join and to accept.
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) wait: u64,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// The person to try a private session with; they have to accept it.
    #[arg(value_parser = username)]
    pub(crate) name: Option<Username>,
}

const POLICIES: [&str; 5] = ["ask", "known", "compared", "always", "never"];

/// Verbosity of the log.
#[derive(Debug, Args)]
pub(crate) struct Verbosity {
    /// Log more; -vv logs everything.
    #[arg(short, long, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// Log less; -qq logs errors only.
    #[arg(short, long, action = clap::ArgAction::Count)]
    quiet: u8,
}

impl Verbosity {
    /// Steps above (or, if negative, below) the configured level.
    pub(crate) fn steps(&self) -> i16 {
        i16::from(self.verbose) - i16::from(self.quiet)
    }
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
