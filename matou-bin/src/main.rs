//! Matou: chat and file drop for a LAN, a class, a ship or your own server.

mod commands;
mod input;
mod text;
mod visible;

fn main() {}
