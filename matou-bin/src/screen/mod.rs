//! The client's screen: tabs, a roster, a scrollback and a line to type in.
//!
//! State and update are pure: [`app::App`] takes [`event::UiEvent`]s in and gives
//! [`event::Effect`]s out, [`view::draw`] is a function of the state. Everything it knows of the
//! chat comes as [`matou_actors::client::Event`], everything it wants goes as
//! [`matou_actors::client::Command`].

mod app;
mod asks;
mod bare;
mod bidi;
mod buffer;
mod chord;
mod columns;
mod complete;
mod disk;
mod entry;
mod event;
mod history;
mod input_line;
mod keyboard;
mod keys;
mod linked;
mod links;
pub mod load;
mod log;
mod modal;
mod notify;
mod palette;
mod people;
mod pictures;
mod rows;
mod run;
mod scroll;
mod search;
mod session;
mod settings;
mod signals;
mod stage;
mod svg;
mod tab;
mod tabs;
mod terminal;
mod theme;
mod transfers;
mod update;
mod view;

pub use pictures::pictures;
pub(crate) use run::{Options, ScreenError, run};
pub(crate) use settings::{ScreenSettings, WrongSetting};
pub(crate) use theme::TerminalHints;

#[cfg(test)]
mod tests;
