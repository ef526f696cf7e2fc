//! The colours of the themes, and how they are reduced on terminals with fewer.

use ratatui::style::{Color, Modifier, Style};

use crate::screen::config::style::{Colors, StyleRole};

/// A colour as red, green and blue, and which of the 16 stands for it.
#[derive(Clone, Copy)]
pub(in crate::screen) struct Hue(u8, u8, u8, Color);

/// A style before it is known how many colours there are.
#[derive(Clone, Copy, Default)]
pub(in crate::screen) struct Look {
    fg: Option<Hue>,
    bg: Option<Hue>,
    modifiers: Modifier,
}

/// A theme whose colours are known.
#[derive(Clone, Copy)]
pub(in crate::screen) enum Base {
    Dark,
    Light,
    Monochrome,
    HighContrast,
}

/// How `theme` draws `role`.
pub(in crate::screen) fn look(theme: Base, role: StyleRole) -> Look {
    match theme {
        Base::Light => colored(role, &LIGHT),
        Base::Monochrome => monochrome(role),
        Base::HighContrast => high_contrast(role),
        Base::Dark => colored(role, &DARK),
    }
}

/// The colours that names get.
pub(in crate::screen) fn name_hues(theme: Base) -> &'static [Hue] {
    match theme {
        Base::Light => LIGHT_NAMES,
        Base::Monochrome => &[],
        Base::HighContrast => STRONG_NAMES,
        Base::Dark => DARK_NAMES,
    }
}

/// `color` on a terminal with this many.
pub(in crate::screen) fn fit(color: Color, colors: Colors) -> Color {
    match (color, colors) {
        (_, Colors::None) => Color::Reset,
        (Color::Rgb(red, green, blue), Colors::TwoHundred) => {
            Color::Indexed(nearest((red, green, blue)))
        }
        (Color::Rgb(red, green, blue), Colors::Sixteen) => named((red, green, blue)),
        (Color::Indexed(index), Colors::Sixteen) => {
            let known = extended().find(|(other, _)| *other == index);
            match (known, NAMED.get(usize::from(index))) {
                (Some((_, rgb)), _) => named(rgb),
                (None, Some((color, _))) => *color,
                (None, None) => color,
            }
        }
        (color, _) => color,
    }
}

type Rgb = (u8, u8, u8);

/// The 16, as xterm shows them.
const NAMED: [(Color, Rgb); 16] = [
    (Color::Black, (0, 0, 0)),
    (Color::Red, (205, 0, 0)),
    (Color::Green, (0, 205, 0)),
    (Color::Yellow, (205, 205, 0)),
    (Color::Blue, (0, 0, 238)),
    (Color::Magenta, (205, 0, 205)),
    (Color::Cyan, (0, 205, 205)),
    (Color::Gray, (229, 229, 229)),
    (Color::DarkGray, (127, 127, 127)),
    (Color::LightRed, (255, 0, 0)),
    (Color::LightGreen, (0, 255, 0)),
    (Color::LightYellow, (255, 255, 0)),
    (Color::LightBlue, (92, 92, 255)),
    (Color::LightMagenta, (255, 0, 255)),
    (Color::LightCyan, (0, 255, 255)),
    (Color::White, (255, 255, 255)),
];

/// The nearest of the 16.
fn named(color: Rgb) -> Color {
    let nearest = NAMED.iter().min_by_key(|(_, other)| distance(color, *other));
    nearest.map_or(Color::Reset, |(name, _)| *name)
}

/// The nearest of xterm's 6x6x6 cube and 24 greys.
pub(in crate::screen) fn nearest(color: Rgb) -> u8 {
    extended().min_by_key(|(_, other)| distance(color, *other)).map_or(7, |(index, _)| index)
}

/// Xterm's colours after the 16.
fn extended() -> impl Iterator<Item = (u8, Rgb)> {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let cube = (0u8..216).map(|n| {
        let level = |n: u8| LEVELS.get(usize::from(n % 6)).copied().unwrap_or(0);
        (16 + n, (level(n / 36), level(n / 6), level(n)))
    });
    let greys = (0u8..24).map(|n| (232 + n, (8 + 10 * n, 8 + 10 * n, 8 + 10 * n)));
    cube.chain(greys)
}

fn distance(a: Rgb, b: Rgb) -> u32 {
    let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
    square(a.0, b.0) + square(a.1, b.1) + square(a.2, b.2)
}

impl Hue {
    pub(in crate::screen) fn color(self, colors: Colors) -> Color {
        let Self(red, green, blue, named) = self;
        if colors == Colors::Sixteen { named } else { fit(Color::Rgb(red, green, blue), colors) }
    }
}

impl Look {
    pub(in crate::screen) fn style(self, colors: Colors) -> Style {
        let mut style = Style::new().add_modifier(self.modifiers);
        match self.fg {
            // Palettes such as Solarized have the background colour there.
            Some(Hue(.., Color::DarkGray)) if colors == Colors::Sixteen => {
                style = style.add_modifier(Modifier::DIM);
            }
            Some(hue) if colors != Colors::None => style = style.fg(hue.color(colors)),
            _ => {}
        }
        if let Some(hue) = self.bg.filter(|_| colors != Colors::None) {
            style = style.bg(hue.color(colors));
        }
        style
    }
}

/// The differences between the dark and the light theme.
struct Palette {
    dim: Hue,
    accent: Hue,
    warning: Hue,
    error: Hue,
    good: Hue,
    unread: Hue,
    bar: Hue,
    bar_text: Hue,
    raised: Hue,
}

const DARK: Palette = Palette {
    dim: Hue(128, 136, 150, Color::DarkGray),
    accent: Hue(97, 175, 239, Color::LightBlue),
    warning: Hue(240, 185, 90, Color::LightYellow),
    error: Hue(240, 113, 120, Color::LightRed),
    good: Hue(130, 200, 130, Color::LightGreen),
    // Among the 16, light blue on blue can hardly be read.
    unread: Hue(97, 175, 239, Color::LightCyan),
    bar: Hue(40, 48, 62, Color::Blue),
    bar_text: Hue(214, 222, 235, Color::White),
    raised: Hue(58, 70, 92, Color::Black),
};

const LIGHT: Palette = Palette {
    dim: Hue(110, 115, 125, Color::DarkGray),
    accent: Hue(0, 90, 180, Color::Blue),
    warning: Hue(150, 85, 0, Color::Magenta),
    error: Hue(185, 20, 40, Color::Red),
    good: Hue(20, 115, 40, Color::Green),
    unread: Hue(0, 90, 180, Color::Blue),
    bar: Hue(218, 225, 236, Color::Gray),
    bar_text: Hue(30, 36, 48, Color::Black),
    raised: Hue(190, 205, 228, Color::White),
};

const DARK_NAMES: &[Hue] = &[
    Hue(240, 140, 130, Color::LightRed),
    Hue(152, 210, 120, Color::LightGreen),
    Hue(229, 192, 123, Color::LightYellow),
    Hue(110, 180, 245, Color::LightBlue),
    Hue(214, 140, 230, Color::LightMagenta),
    Hue(90, 205, 210, Color::LightCyan),
    Hue(245, 165, 90, Color::Yellow),
    Hue(160, 165, 250, Color::LightBlue),
    Hue(120, 220, 175, Color::Green),
    Hue(245, 145, 190, Color::Magenta),
    Hue(190, 200, 100, Color::Cyan),
    Hue(180, 195, 215, Color::Gray),
];

const LIGHT_NAMES: &[Hue] = &[
    Hue(180, 35, 35, Color::Red),
    Hue(35, 120, 35, Color::Green),
    Hue(140, 90, 0, Color::Magenta),
    Hue(20, 85, 190, Color::Blue),
    Hue(140, 40, 160, Color::Magenta),
    Hue(0, 115, 125, Color::Cyan),
    Hue(170, 75, 0, Color::Red),
    Hue(80, 70, 190, Color::Blue),
    Hue(0, 115, 80, Color::Green),
    Hue(175, 30, 105, Color::Magenta),
];

const STRONG_NAMES: &[Hue] = &[
    Hue(255, 255, 0, Color::LightYellow),
    Hue(0, 255, 255, Color::LightCyan),
    Hue(0, 255, 0, Color::LightGreen),
    Hue(255, 170, 255, Color::LightMagenta),
];

fn colored(role: StyleRole, palette: &Palette) -> Look {
    let plain = Look::default();
    let fg = |hue| Look { fg: Some(hue), ..plain };
    let bold = |look| Look { modifiers: Modifier::BOLD, ..look };
    let on = |fg, bg| Look { fg: Some(fg), bg: Some(bg), ..plain };
    match role {
        StyleRole::Text => plain,
        StyleRole::Dim | StyleRole::Presence | StyleRole::Day => fg(palette.dim),
        // No colour of its own: it must be legible on any background.
        StyleRole::Own => bold(plain),
        // Of the 16, none but magenta is legible on black and on white.
        StyleRole::Mention => {
            let Hue(red, green, blue, _) = palette.warning;
            bold(fg(Hue(red, green, blue, Color::Magenta)))
        }
        StyleRole::Notice => fg(palette.accent),
        StyleRole::Error => bold(fg(palette.error)),
        StyleRole::Unread => fg(palette.error),
        StyleRole::Tab | StyleRole::Status => on(palette.bar_text, palette.bar),
        StyleRole::TabActive => bold(on(palette.bar_text, palette.raised)),
        StyleRole::TabUnread => on(palette.unread, palette.bar),
        StyleRole::TabUrgent | StyleRole::StatusWarning => bold(on(palette.warning, palette.bar)),
        StyleRole::Prompt => on(palette.bar_text, palette.raised),
        StyleRole::PromptKey => bold(on(palette.warning, palette.raised)),
        StyleRole::Gauge => fg(palette.good),
        StyleRole::Match => {
            Look { fg: Some(palette.warning), bg: None, modifiers: Modifier::REVERSED }
        }
        StyleRole::Selected => Look { modifiers: Modifier::REVERSED, ..plain },
        StyleRole::Heading => Look { modifiers: Modifier::BOLD | Modifier::UNDERLINED, ..plain },
    }
}

fn monochrome(role: StyleRole) -> Look {
    let modifiers = match role {
        StyleRole::Text | StyleRole::Presence | StyleRole::Notice | StyleRole::Gauge => {
            Modifier::empty()
        }
        StyleRole::Dim | StyleRole::Day => Modifier::DIM,
        // A question stands above the status line, and apart from it.
        StyleRole::Own
        | StyleRole::Error
        | StyleRole::Unread
        | StyleRole::TabActive
        | StyleRole::Prompt => Modifier::BOLD,
        StyleRole::Mention | StyleRole::Heading => Modifier::BOLD | Modifier::UNDERLINED,
        StyleRole::Tab | StyleRole::Status | StyleRole::Selected | StyleRole::Match => {
            Modifier::REVERSED
        }
        StyleRole::TabUnread => Modifier::REVERSED | Modifier::BOLD,
        StyleRole::TabUrgent | StyleRole::StatusWarning | StyleRole::PromptKey => {
            Modifier::REVERSED | Modifier::BOLD | Modifier::UNDERLINED
        }
    };
    Look { modifiers, ..Look::default() }
}

fn high_contrast(role: StyleRole) -> Look {
    let white = Hue(255, 255, 255, Color::White);
    let black = Hue(0, 0, 0, Color::Black);
    let yellow = Hue(255, 255, 0, Color::LightYellow);
    let on = |fg, bg, modifiers| Look { fg: Some(fg), bg: Some(bg), modifiers };
    match role {
        StyleRole::Text
        | StyleRole::Dim
        | StyleRole::Presence
        | StyleRole::Day
        | StyleRole::Notice => on(white, black, Modifier::empty()),
        StyleRole::Own | StyleRole::Gauge => on(white, black, Modifier::BOLD),
        StyleRole::Mention | StyleRole::Error | StyleRole::Unread => {
            on(yellow, black, Modifier::BOLD)
        }
        StyleRole::Tab | StyleRole::Status => on(black, white, Modifier::empty()),
        StyleRole::TabActive | StyleRole::Heading => {
            on(white, black, Modifier::BOLD | Modifier::UNDERLINED)
        }
        StyleRole::TabUnread => on(black, white, Modifier::BOLD | Modifier::UNDERLINED),
        StyleRole::PromptKey => on(black, yellow, Modifier::BOLD | Modifier::UNDERLINED),
        StyleRole::TabUrgent | StyleRole::StatusWarning => on(black, yellow, Modifier::BOLD),
        StyleRole::Match | StyleRole::Selected | StyleRole::Prompt => {
            on(black, yellow, Modifier::empty())
        }
    }
}
