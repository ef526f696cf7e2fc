use super::*;

fn hints(term: &str, colorterm: &str, no_color: bool) -> TerminalHints {
    TerminalHints {
        term: term.into(),
        colorterm: colorterm.into(),
        colorfgbg: String::new(),
        no_color,
    }
}

fn theme(name: ThemeName, colors: Colors, hints: &TerminalHints) -> Theme {
    Theme::new(name, colors, hints, &BTreeMap::new()).unwrap()
}

#[test]
fn the_terminal_says_how_many_colours_there_are() {
    for (term, colorterm, no_color, expected) in [
        ("xterm-256color", "truecolor", false, Colors::True),
        ("xterm-256color", "", false, Colors::TwoHundred),
        ("linux", "", false, Colors::Sixteen),
        ("xterm-256color", "truecolor", true, Colors::None),
        ("dumb", "", false, Colors::None),
    ] {
        assert_eq!(hints(term, colorterm, no_color).colors(), expected, "{term}");
    }
}

#[test]
fn without_colours_no_theme_uses_one() {
    for name in [ThemeName::Dark, ThemeName::Light, ThemeName::HighContrast] {
        let theme = theme(name, Colors::Auto, &hints("xterm-256color", "truecolor", true));
        for (role, _) in ROLES {
            let style = theme.style(*role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
        assert_eq!(theme.name(&Username::parse("bob").unwrap()), Style::new());
    }
}

#[test]
fn sixteen_and_256_colours_use_only_those() {
    let bob = Username::parse("bob").unwrap();
    let sixteen = theme(ThemeName::Dark, Colors::Sixteen, &TerminalHints::default());
    let more = theme(ThemeName::Dark, Colors::TwoHundred, &TerminalHints::default());
    assert!(!matches!(sixteen.name(&bob).fg, Some(Color::Rgb(..) | Color::Indexed(_))));
    assert!(matches!(more.name(&bob).fg, Some(Color::Indexed(_))));
    for role in [StyleRole::Dim, StyleRole::Presence, StyleRole::Day] {
        let style = sixteen.style(role);
        assert_eq!(style.fg, None, "bright black is invisible in some palettes");
        assert!(style.add_modifier.contains(Modifier::DIM));
    }
    let nearest = |color| fit(color, Colors::TwoHundred);
    for (rgb, index) in [((255, 0, 0), 196), ((8, 8, 8), 232), ((95, 135, 175), 67)] {
        assert_eq!(nearest(Color::Rgb(rgb.0, rgb.1, rgb.2)), Color::Indexed(index));
    }
}

#[test]
fn a_question_stands_apart_from_the_status_line() {
    for name in [ThemeName::Dark, ThemeName::Light, ThemeName::HighContrast] {
        for colors in [Colors::True, Colors::Sixteen] {
            let theme = theme(name, colors, &TerminalHints::default());
            let style = |role| theme.style(role);
            assert_ne!(style(StyleRole::Prompt).bg, style(StyleRole::Status).bg, "{name:?}");
            assert_ne!(style(StyleRole::Prompt), style(StyleRole::PromptKey), "{name:?}");
        }
    }
}

#[test]
fn a_name_keeps_its_colour() {
    let theme = theme(ThemeName::Dark, Colors::True, &TerminalHints::default());
    let style = |name| theme.name(&Username::parse(name).unwrap());
    assert_eq!(style("Bob"), style("bOB"));
    assert_eq!(style("bob"), style("bob"));
}

#[test]
fn styles_of_the_configuration_lie_on_top() {
    let over = |role: &str, style: &str| {
        let overrides = [(role.to_owned(), style.to_owned())].into();
        Theme::new(ThemeName::Dark, Colors::True, &TerminalHints::default(), &overrides)
    };
    let style = over("own", "bold #ffaa00 on black").unwrap().style(StyleRole::Own);
    assert_eq!(style.fg, Some(Color::Rgb(255, 170, 0)));
    assert_eq!(style.bg, Some(Color::Black));
    assert!(over("own", "shiny").unwrap_err().to_string().contains("screen.styles.own"));
    assert!(over("owm", "bold").unwrap_err().to_string().contains("status_warning"));
}

#[test]
fn styles_of_the_configuration_use_no_more_colours_than_there_are() {
    for (style, fg) in [
        ("#ff1010", Color::LightRed),
        ("#000010", Color::Black),
        ("196", Color::LightRed),
        ("3", Color::Yellow),
        ("green", Color::Green),
    ] {
        let overrides = [("own".to_owned(), style.to_owned())].into();
        let hints = TerminalHints::default();
        let theme = Theme::new(ThemeName::Dark, Colors::Sixteen, &hints, &overrides).unwrap();
        assert_eq!(theme.style(StyleRole::Own).fg, Some(fg), "{style}");
    }
}

#[test]
fn a_terminal_that_reports_a_light_background_gets_the_light_theme() {
    let mut hints = hints("xterm", "truecolor", false);
    hints.colorfgbg = "0;15".into();
    let auto = theme(ThemeName::Auto, Colors::True, &hints);
    let light = theme(ThemeName::Light, Colors::True, &hints);
    assert_eq!(auto.style(StyleRole::Tab), light.style(StyleRole::Tab));
}

#[test]
fn own_names_and_headings_are_legible_on_a_light_ground_that_the_terminal_does_not_report() {
    for term in ["xterm", "xterm-256color"] {
        let theme = theme(ThemeName::Auto, Colors::Auto, &hints(term, "", false));
        for role in [StyleRole::Own, StyleRole::Heading] {
            assert_eq!(theme.style(role).fg, None, "{term}");
        }
    }
}

#[test]
fn a_mention_in_sixteen_colours_is_legible_on_black_and_on_white() {
    let theme = theme(ThemeName::Dark, Colors::Sixteen, &TerminalHints::default());
    // Xterm's magenta (205, 0, 205): 4.7 to 1 on white, 4.5 to 1 on black.
    assert_eq!(theme.style(StyleRole::Mention).fg, Some(Color::Magenta));
}
