//! Section `screen` of the configuration: settings, colours, keys.

pub(super) mod key_combination;
pub(super) mod keymap;
pub(super) mod palette;
pub(super) mod setting_error;
pub(super) mod settings;
pub(super) mod style;
pub(super) mod theme;
