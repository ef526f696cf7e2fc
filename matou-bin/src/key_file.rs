//! The file of a private key: made at the first start, never overwritten.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use matou_actors::trust::Identity;

use crate::paths;

/// Whether a key was found or had to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyOrigin {
    Found,
    Made,
}

/// The folder for the data of this program: that of the service under systemd, else the user's.
pub(crate) fn data_folder() -> Option<PathBuf> {
    // systemd separates several folders by colons.
    let service = std::env::var("STATE_DIRECTORY").ok();
    let service = service.as_deref().and_then(|folders| folders.split(':').next());
    if let Some(folder) = service.filter(|folder| !folder.is_empty()) {
        return Some(folder.into());
    }
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join("matou"))
}

/// The key in the file at `path`, which is made if there is none.
pub(crate) fn load_or_make(path: &Path) -> Result<(Identity, KeyOrigin), KeyError> {
    match load(path) {
        Ok(identity) => return Ok((identity, KeyOrigin::Found)),
        Err(Unusable::Missing) => {}
        Err(Unusable::Because(error)) => return Err(KeyError::Unusable(error)),
    }
    let identity = Identity::generate().map_err(|error| KeyError::NotMade(error.to_string()))?;
    match save(path, &identity) {
        Ok(()) => Ok((identity, KeyOrigin::Made)),
        // Another process was faster: its key is the one.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match load(path) {
            Ok(identity) => Ok((identity, KeyOrigin::Found)),
            Err(Unusable::Because(error)) => Err(KeyError::Unusable(error)),
            Err(Unusable::Missing) => Err(not_made(path, &error)),
        },
        Err(error) => Err(not_made(path, &error)),
    }
}

/// Writes `identity` to a file that must not exist.
pub(crate) fn save_new(path: &Path, identity: &Identity) -> Result<(), String> {
    save(path, identity).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => format!(
            "{0} holds a key already, which is not overwritten; move it away first",
            path.display()
        ),
        _ => not_made(path, &error).to_string(),
    })
}

/// The key in the file at `path`; `None` when there is no file.
pub(crate) fn find(path: &Path) -> Result<Option<Identity>, String> {
    match load(path) {
        Ok(identity) => Ok(Some(identity)),
        Err(Unusable::Missing) => Ok(None),
        Err(Unusable::Because(error)) => Err(error),
    }
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    /// There is a file, and it cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// There is none, and none can be made.
    #[error("{0}")]
    NotMade(String),
}

fn not_made(path: &Path, error: &io::Error) -> KeyError {
    KeyError::NotMade(format!("cannot write the key {}: {error}", path.display()))
}

/// Checks the file at `path` as [`load_or_make`] does, and makes none.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    match load(path) {
        Ok(_) | Err(Unusable::Missing) => Ok(()),
        Err(Unusable::Because(error)) => Err(error),
    }
}

enum Unusable {
    Missing,
    Because(String),
}

fn load(path: &Path) -> Result<Identity, Unusable> {
    let shown = path.display();
    let text = match paths::read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unusable::Missing),
        Err(error) => {
            return Err(Unusable::Because(format!("cannot read the key {shown}: {error}")));
        }
    };
    let mode = path.metadata().map_or(0, |found| found.mode());
    if mode & 0o077 != 0 {
        let mode = mode & 0o777;
        return Err(Unusable::Because(format!(
            "the key {shown} can be read by others (mode {mode:03o}); if only you know it, \
             chmod 600 {shown}"
        )));
    }
    Identity::from_pem(&text)
        .map_err(|error| Unusable::Because(format!("the key {shown} cannot be used: {error}")))
}

fn save(path: &Path, identity: &Identity) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Readable by its owner only from its first byte on.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(identity.to_pem().as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_found_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/server.key");
        check(&path).unwrap();
        let (made, origin) = load_or_make(&path).unwrap();
        assert_eq!(origin, KeyOrigin::Made);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(folder.path().join("a").metadata().unwrap().mode() & 0o777, 0o700);
        let (found, origin) = load_or_make(&path).unwrap();
        assert_eq!((found.public_key(), origin), (made.public_key(), KeyOrigin::Found));
        let entries = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(entries, 1, "no temporary file is left");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.key");
        load_or_make(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let Err(KeyError::Unusable(error)) = load_or_make(&path) else { panic!("used") };
        assert!(error.contains("mode 644") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_damaged_key_is_neither_used_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.key");
        fs::write(&path, "hello\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let Err(KeyError::Unusable(error)) = load_or_make(&path) else { panic!("used") };
        assert!(error.contains("BEGIN PRIVATE KEY"), "{error}");
        assert_eq!(check(&path), Err(error));
        assert_eq!(fs::read_to_string(&path).unwrap(), "hello\n");
    }
}
