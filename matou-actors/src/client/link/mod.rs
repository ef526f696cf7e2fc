//! The server: the link to it, across connections.
//!
//! - `actor`: owns all of this, and reports to the hub; [`view`]: what the hub knows of it.
//! - `connection`: one connection, its socket and what waits to be written to it; `current`: the present one.
//! - `reach`: making it, encrypted (`handshake`) or not; `known_file`: the keys of servers that were seen.
//! - [`server_link`]: the state across connections, pure; `commands`: what the user wants of the server;
//!   `reports`: what happens on the connection; `server_frames`: what the server says; `attempts`: when
//!   it is tried (again), and how long it may take; `silence`: whether it
//!   still answers; `loss`: what follows when it is lost; [`action`]: what the state leaves to be done.
//! - `servers` (which one is tried next), `sign_in`, `roster`, `past`, `backoff`: parts of that state.

mod action;
pub(super) mod actor;
#[cfg(test)]
mod actor_tests;
mod attempts;
mod backoff;
mod commands;
mod connection;
#[cfg(test)]
mod connection_tests;
mod current;
mod first_bytes;
mod handshake;
pub(super) mod known_file;
mod loss;
mod past;
pub(super) mod reach;
mod reports;
pub(super) mod roster;
mod server_frames;
mod server_link;
mod servers;
mod sign_in;
mod silence;
#[cfg(test)]
mod tests;
pub(super) mod view;
