//! The keys of servers that were seen, by address: a text file that people can read.

use std::fmt::Write as _;

use super::public_key::Fingerprint;

/// The most entries: more than a user knows, and no file without end.
const MOST: usize = 10_000;

/// One line for each server: `HOST:PORT SHA256:... DATE`. Other lines are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownServers {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Server { name: String, fingerprint: Fingerprint, since: String },
    Other(String),
}

impl KnownServers {
    /// Reads the text of the file.
    pub fn parse(text: &str) -> Self {
        Self { lines: text.lines().map(Line::parse).collect() }
    }

    /// The key of the server with that `HOST:PORT`. The last line about a server counts.
    pub fn get(&self, name: &str) -> Option<Fingerprint> {
        self.lines.iter().rev().find_map(|line| match line {
            Line::Server { name: known, fingerprint, .. } if is_same(known, name) => {
                Some(*fingerprint)
            }
            _ => None,
        })
    }

    /// All servers with their keys and the dates on which these were first seen.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Fingerprint, &str)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Server { name, fingerprint, since } => {
                Some((name.as_str(), *fingerprint, since.as_str()))
            }
            Line::Other(_) => None,
        })
    }

    /// The line to append for a server that was seen for the first time; `None` when there are too
    /// many.
    pub fn line(&self, name: &str, fingerprint: Fingerprint, since: &str) -> Option<String> {
        (self.lines.len() < MOST).then(|| format!("{name} {fingerprint} {since}\n"))
    }

    /// Forgets the key of a server; whether it was known.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.lines.len();
        self.lines.retain(
            |line| !matches!(line, Line::Server { name: known, .. } if is_same(known, name)),
        );
        self.lines.len() < before
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            // Writing to a string cannot fail.
            let _ = match line {
                Line::Server { name, fingerprint, since } => {
                    writeln!(text, "{name} {fingerprint} {since}")
                }
                Line::Other(line) => writeln!(text, "{line}"),
            };
        }
        text
    }
}

impl Line {
    fn parse(line: &str) -> Self {
        let mut fields = line.split_whitespace();
        let (name, key, since) = (fields.next(), fields.next(), fields.next());
        let key = key.and_then(Fingerprint::parse);
        match (name, key) {
            (Some(name), Some(fingerprint)) if !name.starts_with('#') => Self::Server {
                name: name.to_owned(),
                fingerprint,
                since: since.unwrap_or("?").to_owned(),
            },
            _ => Self::Other(line.to_owned()),
        }
    }
}

/// Host names are the same in any case.
fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::v2::PublicKey;

    fn key(byte: u8) -> Fingerprint {
        Fingerprint::of(&PublicKey([byte; 32]))
    }

    #[test]
    fn appended_servers_are_found_and_the_users_lines_are_kept() {
        let mut text = "# my servers\n\nship:7 of a friend\n".to_owned();
        let known = KnownServers::parse(&text);
        text += &known.line("ship:7", key(1), "2026-11-25").unwrap();
        text += &known.line("[::1]:6286", key(2), "2026-11-26").unwrap();
        let mut known = KnownServers::parse(&text);
        assert_eq!(known.get("Ship:7"), Some(key(1)));
        assert_eq!(known.get("[::1]:6286"), Some(key(2)));
        assert_eq!(known.get("ship:8"), None);
        assert_eq!(known.to_text(), text);
        assert!(known.remove("ship:7") && !known.remove("ship:7"));
        assert_eq!(known.iter().collect::<Vec<_>>(), [("[::1]:6286", key(2), "2026-11-26")]);
        assert!(known.to_text().starts_with("# my servers\n\nship:7 of a friend\n[::1]"));
    }

    #[test]
    fn the_last_line_about_a_server_counts() {
        let known = KnownServers::default();
        let lines = [1, 2].map(|byte| known.line("ship:7", key(byte), "2026-11-25").unwrap());
        assert_eq!(KnownServers::parse(&lines.concat()).get("ship:7"), Some(key(2)));
    }
}
