//! Colours and weights of everything drawn, on terminals of many kinds.

use std::collections::BTreeMap;

use matou_actors::protocol::Username;
use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use crate::screen::config::palette::{Base, fit, look, name_hues};
use crate::screen::config::setting_error::WrongSetting;
use crate::screen::config::style::{Colors, ROLES, StyleRole};

/// The named themes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ThemeName {
    /// Light when the terminal says that it is light (`COLORFGBG`), else dark.
    #[default]
    Auto,
    /// For dark terminals.
    Dark,
    /// For light terminals.
    Light,
    /// Without any colour: weight, underline and reverse only.
    Monochrome,
    /// Few, strong colours.
    HighContrast,
}

/// What the environment says of the terminal.
#[derive(Clone, Debug, Default)]
pub(crate) struct TerminalHints {
    /// `TERM`.
    pub(crate) term: String,
    /// `COLORTERM`.
    pub(crate) colorterm: String,
    /// `COLORFGBG`.
    pub(crate) colorfgbg: String,
    /// Whether `NO_COLOR` is set to anything.
    pub(crate) no_color: bool,
}

/// How everything is drawn.
#[derive(Clone, Debug)]
pub(crate) struct Theme {
    styles: BTreeMap<StyleRole, Style>,
    names: Vec<Style>,
}

impl Theme {
    /// The theme `name` in as many colours as allowed, with `overrides` (role to style) on top.
    pub(crate) fn new(
        name: ThemeName,
        colors: Colors,
        hints: &TerminalHints,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Self, WrongSetting> {
        let colors = if colors == Colors::Auto { hints.colors() } else { colors };
        let base = match name {
            _ if colors == Colors::None => Base::Monochrome,
            ThemeName::Auto if hints.is_light() => Base::Light,
            ThemeName::Auto | ThemeName::Dark => Base::Dark,
            ThemeName::Light => Base::Light,
            ThemeName::Monochrome => Base::Monochrome,
            ThemeName::HighContrast => Base::HighContrast,
        };
        let mut styles: BTreeMap<StyleRole, Style> =
            ROLES.iter().map(|(role, _)| (*role, look(base, *role).style(colors))).collect();
        for (role, text) in overrides {
            let setting = || format!("screen.styles.{role}");
            let Some((known, _)) = ROLES.iter().find(|(_, name)| name == role) else {
                let names: Vec<_> = ROLES.iter().map(|(_, name)| *name).collect();
                let allowed = format!("unknown style; expected one of {}", names.join(", "));
                return Err(WrongSetting::new(setting(), text, allowed));
            };
            let Some(style) = parse(text) else {
                let allowed = "expected a style such as \"bold #ffaa00 on black\"";
                return Err(WrongSetting::new(setting(), text, allowed));
            };
            let fitted = |color: Option<Color>| color.map(|color| fit(color, colors));
            let style = Style { fg: fitted(style.fg), bg: fitted(style.bg), ..style };
            styles.insert(*known, style);
        }
        let names = name_hues(base).iter().map(|hue| Style::new().fg(hue.color(colors)));
        Ok(Self { styles, names: names.collect() })
    }

    /// How `role` is drawn.
    pub(crate) fn style(&self, role: StyleRole) -> Style {
        self.styles.get(&role).copied().unwrap_or_default()
    }

    /// How the name of `who` is drawn: always the same, whatever its case.
    pub(crate) fn name(&self, who: &Username) -> Style {
        // FNV-1a: the same on every run and machine, unlike the standard hasher.
        let hash =
            who.as_str().to_lowercase().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            });
        let count = u64::try_from(self.names.len()).unwrap_or(1).max(1);
        let index = usize::try_from((hash >> 16) % count).unwrap_or(0);
        self.names.get(index).copied().unwrap_or_default()
    }
}

impl TerminalHints {
    /// What the environment of this process says.
    pub(crate) fn from_environment() -> Self {
        let text = |name| std::env::var(name).unwrap_or_default();
        Self {
            term: text("TERM"),
            colorterm: text("COLORTERM"),
            colorfgbg: text("COLORFGBG"),
            no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        }
    }

    /// Whether the terminal cannot place a cursor, so that only plain lines remain.
    pub(crate) fn is_dumb(&self) -> bool {
        matches!(self.term.as_str(), "" | "dumb" | "unknown")
    }

    /// Whether links can be announced to the terminal. Most terminals ignore the sequence when they
    /// do not support it; these print it.
    pub(in crate::screen) fn takes_links(&self) -> bool {
        let old = ["linux", "eterm", "vt", "cons25", "sun", "wsvt"];
        !self.is_dumb() && !old.iter().any(|term| self.term.starts_with(term))
    }

    fn colors(&self) -> Colors {
        if self.no_color || self.is_dumb() || self.term.starts_with("vt") {
            Colors::None
        } else if matches!(self.colorterm.as_str(), "truecolor" | "24bit")
            || self.term.ends_with("-direct")
        {
            Colors::True
        } else if self.term.contains("256color") {
            Colors::TwoHundred
        } else {
            Colors::Sixteen
        }
    }

    fn is_light(&self) -> bool {
        matches!(self.colorfgbg.rsplit(';').next(), Some("7" | "15"))
    }
}

/// `bold #ffaa00 on black` as a style.
fn parse(text: &str) -> Option<Style> {
    let mut style = Style::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        style = match word {
            "bold" => style.add_modifier(Modifier::BOLD),
            "dim" => style.add_modifier(Modifier::DIM),
            "italic" => style.add_modifier(Modifier::ITALIC),
            "underlined" => style.add_modifier(Modifier::UNDERLINED),
            "reversed" => style.add_modifier(Modifier::REVERSED),
            "on" => style.bg(words.next()?.parse().ok()?),
            color => style.fg(color.parse().ok()?),
        };
    }
    Some(style)
}

#[cfg(test)]
mod tests;
