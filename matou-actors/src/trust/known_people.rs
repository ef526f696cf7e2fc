//! The keys of people, by server and name: a text file that people can read.

use std::fmt::Write as _;

use super::public_key::Fingerprint;
use crate::protocol::{FoldedName, Username};

/// The most people; of those whose key was never compared the oldest are forgotten first.
const MOST: usize = 10_000;
/// The word before the date of a comparison.
const COMPARED: &str = "compared";

/// One line for each person: `SERVER NAME KEY DATE [compared DATE]`, with the fingerprints of the
/// server's and the person's key. Comments (`#`) are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPeople {
    lines: Vec<Line>,
}

/// What is known of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name, as its owner writes it.
    pub name: Username,
    /// The key.
    pub fingerprint: Fingerprint,
    /// The date on which the key was first seen.
    pub since: String,
    /// The date on which the user compared it.
    pub compared: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Person { server: String, person: Person },
    Unreadable(String),
    Comment(String),
}

impl KnownPeople {
    /// Reads the text of the file.
    pub fn parse(text: &str) -> Self {
        Self { lines: text.lines().map(Line::parse).collect() }
    }

    /// The number of the first line that cannot be read, from 1.
    pub fn unreadable_line(&self) -> Option<usize> {
        self.lines.iter().position(|line| matches!(line, Line::Unreadable(_))).map(|at| at + 1)
    }

    /// The person of that name on the server with that fingerprint. The last line counts.
    pub fn get(&self, server: &str, name: &FoldedName) -> Option<&Person> {
        self.lines.iter().rev().find_map(|line| line.person_at(server, name))
    }

    /// All persons on that server.
    pub fn on<'a>(&'a self, server: &'a str) -> impl Iterator<Item = &'a Person> {
        self.lines.iter().filter_map(move |line| match line {
            Line::Person { server: at, person } if at == server => Some(person),
            _ => None,
        })
    }

    /// Remembers a person, replacing an earlier owner of that name.
    pub fn set(&mut self, server: &str, person: Person) {
        let name = person.name.folded();
        self.lines.retain(|line| line.person_at(server, &name).is_none());
        self.lines.push(Line::Person { server: server.to_owned(), person });
        while self.lines.len() > MOST {
            let never_compared = |line: &Line| matches!(line, Line::Person { person, .. } if person.compared.is_none());
            let oldest = self.lines.iter().position(never_compared).unwrap_or(0);
            self.lines.remove(oldest);
        }
    }

    /// Forgets all persons of that name, on all servers; returns how many there were.
    pub fn forget(&mut self, name: &FoldedName) -> usize {
        let before = self.lines.len();
        let is_of = |line: &Line| matches!(line, Line::Person { person, .. } if person.name.folded() == *name);
        self.lines.retain(|line| !is_of(line));
        before - self.lines.len()
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            // Writing to a string cannot fail.
            let _ = match line {
                Line::Person { server, person } => {
                    let Person { name, fingerprint, since, compared } = person;
                    let name = name.as_str();
                    match compared {
                        Some(date) => {
                            writeln!(
                                text,
                                "{server} {name} {fingerprint} {since} {COMPARED} {date}"
                            )
                        }
                        None => writeln!(text, "{server} {name} {fingerprint} {since}"),
                    }
                }
                Line::Unreadable(line) | Line::Comment(line) => writeln!(text, "{line}"),
            };
        }
        text
    }
}

impl Line {
    fn parse(line: &str) -> Self {
        let mut fields = line.split_whitespace();
        let mut next = || fields.next();
        let (server, name, key, since) = (next(), next(), next(), next());
        let compared = next().filter(|word| *word == COMPARED).map(|_| next().unwrap_or("?"));
        let name = name.and_then(|name| Username::parse(name).ok());
        match (server, name, key.and_then(Fingerprint::parse)) {
            (Some(server), Some(name), Some(fingerprint)) if !server.starts_with('#') => {
                let since = since.unwrap_or("?").to_owned();
                let compared = compared.map(str::to_owned);
                let person = Person { name, fingerprint, since, compared };
                Self::Person { server: server.to_owned(), person }
            }
            (None, ..) => Self::Comment(line.to_owned()),
            (Some(server), ..) if server.starts_with('#') => Self::Comment(line.to_owned()),
            _ => Self::Unreadable(line.to_owned()),
        }
    }

    fn person_at(&self, server: &str, name: &FoldedName) -> Option<&Person> {
        match self {
            Self::Person { server: at, person }
                if at == server && person.name.folded() == *name =>
            {
                Some(person)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::v2::PublicKey;

    fn person(name: &str, key: u8, compared: Option<&str>) -> Person {
        Person {
            name: Username::parse(name).unwrap(),
            fingerprint: Fingerprint::of(&PublicKey([key; 32])),
            since: "2026-11-25".into(),
            compared: compared.map(str::to_owned),
        }
    }

    fn folded(name: &str) -> FoldedName {
        Username::parse(name).unwrap().folded()
    }

    #[test]
    fn people_are_known_by_server_and_name_and_the_users_lines_are_kept() {
        let mut people = KnownPeople::parse("# my people\n\n");
        people.set("SHA256:one", person("Ann", 1, None));
        people.set("SHA256:two", person("Ann", 2, Some("2026-11-26")));
        let text = people.to_text();
        assert!(text.starts_with("# my people\n\nSHA256:one Ann SHA256:"), "{text}");
        assert!(text.ends_with(" 2026-11-25 compared 2026-11-26\n"), "{text}");
        let read = KnownPeople::parse(&text);
        assert_eq!(read, people);
        assert_eq!(read.get("SHA256:one", &folded("ANN")), Some(&person("Ann", 1, None)));
        assert_eq!(read.get("SHA256:three", &folded("Ann")), None);
        people.set("SHA256:one", person("ann", 3, None));
        assert_eq!(people.get("SHA256:one", &folded("Ann")), Some(&person("ann", 3, None)));
        assert_eq!(people.on("SHA256:one").count(), 1);
    }

    #[test]
    fn a_line_whose_key_cannot_be_read_is_found_and_kept() {
        let mut people = KnownPeople::parse("# my people\n\n");
        people.set("SHA256:one", person("Ann", 1, None));
        assert_eq!(people.unreadable_line(), None);
        let damaged = people.to_text().replace(" 2026", "* 2026");
        let people = KnownPeople::parse(&damaged);
        assert_eq!(people.unreadable_line(), Some(3));
        assert_eq!(people.to_text(), damaged);
    }

    #[test]
    fn a_forgotten_person_is_forgotten_on_all_servers_and_no_one_else_is() {
        let mut people = KnownPeople::parse("# my people\n");
        people.set("SHA256:one", person("Ann", 1, None));
        people.set("SHA256:two", person("ann", 2, Some("2026-11-26")));
        people.set("SHA256:two", person("Anna", 3, None));
        assert_eq!(people.forget(&folded("ANN")), 2);
        assert_eq!(people.forget(&folded("ANN")), 0);
        let left = people.to_text();
        assert_eq!(left.lines().count(), 2, "{left}");
        assert!(left.starts_with("# my people\n") && left.contains(" Anna "), "{left}");
    }

    #[test]
    fn the_oldest_uncompared_person_is_forgotten_first() {
        let mut people = KnownPeople::default();
        people.set("s", person("compared", 1, Some("2026-11-25")));
        for number in 0..MOST {
            people.set("s", person(&format!("n{number}"), 2, None));
        }
        assert_eq!(people.on("s").count(), MOST);
        assert!(people.get("s", &folded("compared")).is_some());
        assert!(people.get("s", &folded("n0")).is_none());
        assert!(people.get("s", &folded("n1")).is_some());
    }
}
