use std::collections::HashSet;

use super::*;

#[test]
fn command_names_and_aliases_are_unique() {
    let mut seen = HashSet::new();
    for name in COMMANDS.iter().flat_map(CommandSpec::names) {
        assert!(seen.insert(name), "{name}");
    }
}

#[test]
fn every_name_and_alias_finds_its_command() {
    for spec in COMMANDS {
        for name in spec.names() {
            let line = format!("{} x y", name.to_uppercase().replace(' ', "  "));
            let (found, rest) = find(&line).unwrap();
            assert_eq!((found.name, rest), (spec.name, "x y"));
        }
    }
}

#[test]
fn a_typo_suggests_the_nearest_name() {
    for (typed, meant) in
        [("mgs", "msg"), ("quti", "quit"), ("SEDN", "send"), ("transfer", "transfers")]
    {
        assert_eq!(find(typed).unwrap_err(), typed);
        assert_eq!(nearest(typed), Some(meant));
    }
    for other in ["xylophone", "whistle", "mean", "a", "shrug"] {
        assert_eq!(nearest(other), None, "{other}");
    }
}

#[test]
fn help_says_which_commands_have_an_optional_name() {
    let optional = "NAME may be left out in a private tab";
    for name in ["msg", "send", "open", "accept", "close", "ignore"] {
        assert!(help_about(name).concat().contains(optional), "{name}");
    }
    for name in ["take", "downloads", "who", "quit"] {
        assert!(!help_about(name).concat().contains(optional), "{name}");
    }
}

#[test]
fn the_readme_matches_help() {
    let help = help().join("\n");
    assert!(include_str!("../../../README.md").contains(&help), "expected:\n{help}");
}

#[test]
fn help_shows_every_command_and_alias() {
    let help = help().join("\n");
    for spec in COMMANDS {
        assert!(help.contains(&spec.usage()), "{}", spec.name);
        for name in spec.names() {
            assert!(help.contains(&format!("/{name}")), "{name}");
        }
    }
}
