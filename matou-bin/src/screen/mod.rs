//! The client's screen: tabs, a roster, a scrollback and an input line.
//!
//! State and update are pure: [`state::app::App`] takes [`state::event::UiEvent`]s and returns
//! [`state::event::UiEffect`]s; [`view::draw`] is a function of the state. The chat arrives as
//! [`matou_actors::client::Event`], requests leave as [`matou_actors::client::Command`].

mod config;
mod runtime;
mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod text;
mod update;
mod view;

pub(crate) use config::keymap::KEYS;
pub(crate) use config::setting_error::WrongSetting;
pub(crate) use config::settings::ScreenSettings;
pub(crate) use config::theme::TerminalHints;
pub(crate) use runtime::error::ScreenError;
pub(crate) use runtime::run::{Options, run};
pub(crate) use state::modal::{ServerChoice, server_names};
pub(crate) use state::server_labels::ServerLabels;

#[cfg(test)]
mod tests;
