//! What the outside sees: commands in, events out.

pub(super) mod command;
pub(super) mod diagnosis;
pub(super) mod error_code;
pub(super) mod event;
pub(super) mod handle;
pub(super) mod password;
mod security;
pub(super) mod server_name;
pub(super) mod settings;
mod transfer_info;
