//! Matou: chat and file drop for a LAN, a class, a ship or your own server.
//!
//! The program as a library, so that `examples/` can measure and draw the screen (feature
//! `testing`). The binary only calls [`main`].

#![forbid(unsafe_code)]

mod admin;
mod arguments;
mod client;
mod commands;
mod diagnosis;
mod discovery;
mod exit;
mod generate;
mod identity;
mod input;
mod interfaces;
mod key_file;
mod logging;
mod manual;
mod oneshot;
mod paths;
mod sanitize;
mod screen;
mod security;
mod server;
mod servers;
mod settings;
mod signals;
mod stdout;
mod text;
mod typed_path;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, RoleArguments};

#[cfg(feature = "testing")]
#[doc(hidden)]
pub use screen::testing as screen_testing;

/// Runs what the command line asks for.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help or a version that could not be written is a failure.
        Err(error) if !error.use_stderr() => {
            let printed = error.print().and_then(|()| io::stdout().flush());
            return exit::code(stdout::checked(printed));
        }
        Err(error) => error.exit(),
    };
    let outcome = match arguments.role {
        RoleArguments::Server(arguments) => server::run(&arguments),
        RoleArguments::Client(arguments) => client::run(&arguments),
        RoleArguments::Send(arguments) => oneshot::send(&arguments),
        RoleArguments::Receive(arguments) => oneshot::receive(&arguments),
        RoleArguments::Doctor(arguments) => oneshot::doctor(&arguments),
        RoleArguments::Servers { json } => servers::run(json),
        RoleArguments::Admin(arguments) => admin::run(&arguments),
        RoleArguments::Identity { order } => identity::run(&order),
        RoleArguments::Completions { shell } => generate::completions(shell),
        RoleArguments::Manual { folder } => generate::manual(folder.as_deref()),
    };
    exit::code(outcome)
}
