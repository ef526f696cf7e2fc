//! The file of the keys of people: read at the start, changed whenever a key is seen or compared.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::FlockOperation;

use crate::client::key_list;
use crate::protocol::Username;
use crate::trust::{KnownPeople, Person};

/// Reads the file; an error in words for the user.
pub(super) fn load(file: &Path) -> Result<KnownPeople, String> {
    let text = key_list::read(file).map_err(|error| {
        format!("cannot read the known keys of people in {}: {error}", file.display())
    })?;
    let people = text.map(|text| KnownPeople::parse(&text)).unwrap_or_default();
    match people.unreadable_line() {
        // Its person would count as a new one, with whatever key.
        Some(number) => Err(format!(
            "line {number} of {} is not \"SERVER NAME KEY DATE\": correct it or delete it",
            file.display()
        )),
        None => Ok(people),
    }
}

/// Changes that are still to be written, each with its server. Each one reads the file first, so they
/// are written one after the other, in their order, by whichever thread.
#[derive(Clone, Debug, Default)]
pub(super) struct PeopleChanges {
    queue: Arc<Mutex<VecDeque<(String, Person)>>>,
    writing: Arc<Mutex<()>>,
}

impl PeopleChanges {
    pub(super) fn push(&self, server: String, person: Person) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back((server, person));
    }

    /// Writes the first one; an error in words for the user.
    pub(super) fn write_first(&self, file: &Path) -> Result<(), String> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let first = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        first.map_or(Ok(()), |(server, person)| set(file, &server, person))
    }
}

/// Forgets all keys of this name, on all servers; how many there were, or an error for the user.
pub fn forget(file: &Path, name: &Username) -> Result<usize, String> {
    let mut forgotten = 0;
    change(file, |people| forgotten = people.forget(&name.folded())).map_err(|error| {
        format!("cannot change {}, so the key of {name} is not forgotten: {error}", file.display())
    })?;
    Ok(forgotten)
}

/// Remembers a person.
fn set(file: &Path, server: &str, person: Person) -> Result<(), String> {
    let name = person.name.clone();
    change(file, |people| people.set(server, person)).map_err(|error| {
        format!(
            "cannot write to {}, so the key of {name} could not be remembered: {error}",
            file.display()
        )
    })
}

/// Changes the file; what other programs wrote meanwhile is kept.
fn change(file: &Path, change: impl FnOnce(&mut KnownPeople)) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Against another client of this user.
    let locked = fs::File::open(folder)?;
    rustix::fs::flock(&locked, FlockOperation::LockExclusive)?;
    let mut people = load(file).map_err(io::Error::other)?;
    change(&mut people);
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(people.to_text().as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|error| error.error)?;
    locked.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::{Fingerprint, Identity};

    #[test]
    fn no_change_is_lost_or_overtaken_however_many_are_written_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("people");
        let fingerprint = Fingerprint::of(&Identity::generate().unwrap().public_key());
        let name = |number: usize| Username::parse(&format!("user{number}")).unwrap();
        let person = |number, compared: Option<&str>| Person {
            name: name(number),
            fingerprint,
            since: "2026-01-01".into(),
            compared: compared.map(Into::into),
        };
        // Two clients of one user.
        let clients = [PeopleChanges::default(), PeopleChanges::default()];
        for number in 0..10 {
            let client = &clients[number % 2];
            client.push("server".into(), person(number, None));
            client.push("server".into(), person(number, Some("2026-01-02")));
        }
        std::thread::scope(|scope| {
            for client in &clients {
                for _ in 0..10 {
                    scope.spawn(|| client.write_first(&file).unwrap());
                }
            }
        });
        let people = load(&file).unwrap();
        for number in 0..10 {
            let expected = person(number, Some("2026-01-02"));
            assert_eq!(people.get("server", &name(number).folded()), Some(&expected));
        }
    }
}
