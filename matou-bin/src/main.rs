//! Matou: chat and file drop for a LAN, a class, a ship or your own server.

#![forbid(unsafe_code)]

mod arguments;
mod client;
mod commands;
mod exit;
mod input;
mod logging;
mod server;
mod settings;
mod signals;
mod text;
mod visible;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Role};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.role {
        Role::Server(arguments) => server::run(&arguments),
        Role::Client(arguments) => client::run(&arguments),
    };
    exit::code(outcome)
}
