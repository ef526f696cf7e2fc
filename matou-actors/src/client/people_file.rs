//! The file of the keys of people: read at the start, changed whenever a key is seen or compared.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::trust::{KnownPeople, Person};

/// The largest file that is read.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Reads the file; an error in words for the user.
pub(super) fn load(file: &Path) -> Result<KnownPeople, String> {
    let failed =
        |error: io::Error| format!("cannot read the keys of people in {}: {error}", file.display());
    // Opening a named pipe would wait for its other end.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = match OpenOptions::new().read(true).custom_flags(flags).open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(KnownPeople::default()),
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    let length = opened.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(failed(io::Error::other("larger than 4 MiB")));
    }
    Ok(KnownPeople::parse(&text))
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
