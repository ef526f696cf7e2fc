//! What the screen knows. No input or output here.

pub(super) mod app;
pub(super) mod buffer;
pub(super) mod burst;
pub(super) mod chat_log;
pub(super) mod completion;
pub(super) mod entry;
pub(super) mod event;
pub(super) mod history;
pub(super) mod input_line;
pub(super) mod modal;
pub(super) mod notify;
pub(super) mod people;
pub(super) mod prompts;
pub(super) mod question;
pub(super) mod search;
pub(super) mod server_labels;
pub(super) mod tab;
pub(super) mod tabs;
pub(super) mod transfers;
