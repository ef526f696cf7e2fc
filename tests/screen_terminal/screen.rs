//! A client with a screen in a pseudo-terminal.

use std::time::Duration;

use tempfile::TempDir;

use crate::harness::server::Server;
use crate::harness::terminal::{Modes, Terminal};

pub(crate) const MATOU: &str = env!("CARGO_BIN_EXE_matou-bin");
pub(crate) const SIZE: (u16, u16) = (80, 24);
/// Longer than a new question accepts no answer.
pub(crate) const READ_TIME: Duration = Duration::from_millis(600);

/// A client with a screen, and its own home.
pub(crate) struct Screen {
    pub(crate) terminal: Terminal,
    pub(crate) home: TempDir,
}

impl Screen {
    pub(crate) fn start(server: &Server, name: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_in(SIZE, server, name, variables)
    }

    pub(crate) fn start_in(
        size: (u16, u16),
        server: &Server,
        name: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        let address = server.address.to_string();
        let mut arguments = vec!["client", "--server", &address];
        if !name.is_empty() {
            arguments.extend(["--username", name]);
        }
        let terminal = Terminal::run(size, MATOU, &arguments, &environment(&home, variables));
        Self { terminal, home }
    }

    pub(crate) fn join(server: &Server, name: &str) -> Self {
        let screen = Self::start(server, name, &[]);
        screen.terminal.shows(&format!("as {name}."));
        screen
    }
}

pub(crate) fn environment<'a>(
    home: &'a TempDir,
    variables: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("HOME", home.path().to_str().unwrap()),
        ("PATH", "/usr/bin:/bin"),
        ("TERM", "xterm-256color"),
        ("TZ", "UTC"),
    ];
    all.extend(variables);
    all
}

/// The state of a terminal in which nothing has run yet.
pub(crate) fn untouched() -> Modes {
    Terminal::run(SIZE, "/bin/sleep", &["100"], &[]).modes()
}
