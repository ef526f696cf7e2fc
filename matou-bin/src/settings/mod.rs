//! Settings: built-in defaults < file < environment < flags.
//!
//! The files in `config/` are the schema: they define the keys and their types. A test keeps them
//! equal to the built-in defaults.

mod client;
mod error;
mod layer;
mod merge;
mod server;

pub(crate) use client::{ClientFile, SHIPPED as CLIENT_FILE, load_client};
pub(crate) use error::SettingsError;
pub(crate) use layer::Flag;
pub(crate) use server::{SHIPPED as SERVER_FILE, load_server};

#[cfg(test)]
mod tests;
