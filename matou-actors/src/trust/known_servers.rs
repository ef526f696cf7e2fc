//! The keys of servers that were seen, by address: a text file that people can read.

use std::fmt::Write as _;

use super::public_key::Fingerprint;

/// The most entries: more than a user knows, and no file without end.
const MOST: usize = 10_000;

/// One line for each server: `HOST:PORT SHA256:... DATE`. Comments (`#`) and lines that cannot be read
/// are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownServers {
    lines: Vec<Line>,
    is_cut_off: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Server {
        name: String,
        fingerprint: Fingerprint,
        since: String,
    },
    /// It names a server, and no key that can be read.
    Unreadable {
        name: String,
        line: String,
    },
    Comment(String),
}

/// The last line about a server has no key that can be read: whether another key is the known one is
/// not known either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnreadableLine {
    /// The number of the line in the file, from 1.
    pub number: usize,
}

impl KnownServers {
    /// Reads the text of the file.
    pub fn parse(text: &str) -> Self {
        let is_cut_off = !text.is_empty() && !text.ends_with('\n');
        Self { lines: text.lines().map(Line::parse).collect(), is_cut_off }
    }

    /// Whether the last line of the file has no end, so that what is appended would join it.
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// The key of the server with that `HOST:PORT`. The last line about a server counts.
    pub fn get(&self, name: &str) -> Result<Option<Fingerprint>, UnreadableLine> {
        for (at, line) in self.lines.iter().enumerate().rev() {
            match line {
                Line::Server { name: known, fingerprint, .. } if is_same(known, name) => {
                    return Ok(Some(*fingerprint));
                }
                Line::Unreadable { name: known, .. } if is_same(known, name) => {
                    return Err(UnreadableLine { number: at + 1 });
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// All servers with their keys and the dates on which these were first seen.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Fingerprint, &str)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Server { name, fingerprint, since } => {
                Some((name.as_str(), *fingerprint, since.as_str()))
            }
            Line::Unreadable { .. } | Line::Comment(_) => None,
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
        self.lines.retain(|line| match line {
            Line::Server { name: known, .. } | Line::Unreadable { name: known, .. } => {
                !is_same(known, name)
            }
            Line::Comment(_) => true,
        });
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
                Line::Unreadable { line, .. } | Line::Comment(line) => writeln!(text, "{line}"),
            };
        }
        text
    }
}

impl Line {
    fn parse(line: &str) -> Self {
        let mut fields = line.split_whitespace();
        let (name, key, since) = (fields.next(), fields.next(), fields.next());
        let Some(name) = name.filter(|name| !name.starts_with('#')).map(str::to_owned) else {
            return Self::Comment(line.to_owned());
        };
        match key.and_then(Fingerprint::parse) {
            Some(fingerprint) => {
                Self::Server { name, fingerprint, since: since.unwrap_or("?").to_owned() }
            }
            None => Self::Unreadable { name, line: line.to_owned() },
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
        let mut text = "# my servers\n\n".to_owned();
        let known = KnownServers::parse(&text);
        text += &known.line("ship:7", key(1), "2026-11-25").unwrap();
        text += &known.line("[::1]:6286", key(2), "2026-11-26").unwrap();
        let mut known = KnownServers::parse(&text);
        assert_eq!(known.get("Ship:7"), Ok(Some(key(1))));
        assert_eq!(known.get("[::1]:6286"), Ok(Some(key(2))));
        assert_eq!(known.get("ship:8"), Ok(None));
        assert_eq!(known.to_text(), text);
        assert!(known.remove("ship:7") && !known.remove("ship:7"));
        assert_eq!(known.iter().collect::<Vec<_>>(), [("[::1]:6286", key(2), "2026-11-26")]);
        assert!(known.to_text().starts_with("# my servers\n\n[::1]"));
    }

    #[test]
    fn a_server_whose_key_cannot_be_read_is_not_a_new_one() {
        let good = KnownServers::default().line("ship:7", key(1), "2026-11-25").unwrap();
        let damaged = good.replacen("SHA256:", "SHA256:*", 1);
        let mut known = KnownServers::parse(&format!("# mine\n{damaged}"));
        assert_eq!(known.get("SHIP:7"), Err(UnreadableLine { number: 2 }));
        assert_eq!(known.get("ship:8"), Ok(None), "of another server nothing was lost");
        assert_eq!(known.to_text(), format!("# mine\n{damaged}"));
        let corrected = KnownServers::parse(&(damaged.clone() + &good));
        assert_eq!(corrected.get("ship:7"), Ok(Some(key(1))));
        assert!(known.remove("ship:7"));
        assert_eq!(known.get("ship:7"), Ok(None));
        // A line that was cut off.
        let cut = KnownServers::parse("ship:7");
        assert!(cut.is_cut_off() && !corrected.is_cut_off());
        assert_eq!(cut.get("ship:7"), Err(UnreadableLine { number: 1 }));
    }

    #[test]
    fn the_last_line_about_a_server_counts() {
        let known = KnownServers::default();
        let lines = [1, 2].map(|byte| known.line("ship:7", key(byte), "2026-11-25").unwrap());
        assert_eq!(KnownServers::parse(&lines.concat()).get("ship:7"), Ok(Some(key(2))));
    }
}
