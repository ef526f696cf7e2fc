//! Section `screen` of the client's configuration.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::screen::config::keymap::KeyMap;
use crate::screen::config::setting_error::WrongSetting;
use crate::screen::config::style::Colors;
use crate::screen::config::theme::{TerminalHints, Theme, ThemeName};

/// How the screen looks and behaves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "each is a key of its own in the configuration")]
pub(crate) struct ScreenSettings {
    /// `auto`, `dark`, `light`, `monochrome` or `high-contrast`.
    pub(crate) theme: ThemeName,
    /// `auto`, `none`, `16`, `256` or `true`.
    pub(crate) colors: Colors,
    /// Capture the mouse at start; its key releases it.
    pub(crate) mouse: bool,
    /// Announce links to the terminal, so that it can open them.
    pub(crate) links: bool,
    /// Announce to the peers of encrypted private sessions that the user is typing.
    pub(crate) typing: bool,
    /// Lines that the public room remembers.
    pub(crate) scrollback: u32,
    /// Keep commands and public text between runs.
    pub(crate) history: bool,
    /// What to do when a message mentions the user while the terminal has no focus.
    pub(crate) notify_mention: Notify,
    /// What to do on a private message or request while the terminal has no focus.
    pub(crate) notify_private: Notify,
    /// Which files of the state folder are written.
    pub(crate) chat_log: ChatLog,
    /// Keys in place of an action's own.
    pub(crate) keys: BTreeMap<String, Vec<String>>,
    /// Styles on top of the theme.
    pub(crate) styles: BTreeMap<String, String>,
}

/// How the user is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Notify {
    /// Not at all.
    Off,
    /// The terminal's bell.
    Bell,
    /// A desktop notification by OSC 9 (iTerm2, `WezTerm`, kitty, Windows Terminal).
    Osc9,
    /// A desktop notification by OSC 777 (foot, urxvt, VTE with a patch, Ghostty).
    Osc777,
}

/// What the chat log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChatLog {
    /// Nothing.
    #[default]
    Off,
    /// The public room.
    Public,
    /// The room and private chats.
    All,
}

impl Default for ScreenSettings {
    fn default() -> Self {
        Self {
            theme: ThemeName::Auto,
            colors: Colors::Auto,
            mouse: true,
            links: true,
            typing: true,
            scrollback: 100_000,
            history: true,
            notify_mention: Notify::Bell,
            notify_private: Notify::Bell,
            chat_log: ChatLog::Off,
            keys: BTreeMap::new(),
            styles: BTreeMap::new(),
        }
    }
}

impl ScreenSettings {
    /// Checks what types cannot express.
    pub(crate) fn check(&self) -> Result<(), WrongSetting> {
        if !(100..=1_000_000).contains(&self.scrollback) {
            let allowed = "expected 100 to 1000000 lines";
            return Err(WrongSetting::new("screen.scrollback".into(), &self.scrollback, allowed));
        }
        KeyMap::new(&self.keys)?;
        Theme::new(self.theme, self.colors, &TerminalHints::default(), &self.styles)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_possible() {
        assert_eq!(ScreenSettings::default().check(), Ok(()));
    }

    #[test]
    fn the_key_of_an_invalid_value_is_named() {
        let settings = ScreenSettings { scrollback: 1, ..ScreenSettings::default() };
        assert_eq!(settings.check().unwrap_err().key, "screen.scrollback");
        let keys = [("quit".to_owned(), vec!["q".to_owned()])].into();
        let settings = ScreenSettings { keys, ..ScreenSettings::default() };
        assert_eq!(settings.check().unwrap_err().key, "screen.keys.quit");
    }
}
