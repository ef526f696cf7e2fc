//! The file of the keys of people: read at the start, changed whenever a key is seen or compared.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use crate::client::key_list;
use crate::trust::{KnownPeople, Person};

/// Reads the file; an error in words for the user.
pub(super) fn load(file: &Path) -> Result<KnownPeople, String> {
    let text = key_list::read(file).map_err(|error| {
        format!("cannot read the keys of people in {}: {error}", file.display())
    })?;
    Ok(text.map(|text| KnownPeople::parse(&text)).unwrap_or_default())
}

/// Remembers a person; what other programs wrote meanwhile is kept.
pub(super) fn set(file: &Path, server: &str, person: Person) -> Result<(), String> {
    let name = person.name.clone();
    let failed = |error: io::Error| {
        format!(
            "cannot write to {}, so the key of {name} could not be remembered: {error}",
            file.display()
        )
    };
    let mut people = load(file)?;
    people.set(server, person);
    let folder = file.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    temporary.write_all(people.to_text().as_bytes()).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(file).map_err(|error| failed(error.error))?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
