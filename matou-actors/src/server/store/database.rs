//! The file of the database, and how names lie in it.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};

use crate::protocol::v2::PublicKey;
use crate::protocol::{MessageText, Username};
use crate::server::registry::bound_names::{Binding, NameChange};

/// By folded name: the name, its key, and the seconds (since 1970) of its first and last use.
const NAMES: TableDefinition<'_, &str, (&str, &[u8; 32], i64, i64)> = TableDefinition::new("names");
/// Entries that are not names, by their kind; the topic under [`TOPIC`].
const ROOM: TableDefinition<'_, &str, &str> = TableDefinition::new("room");
const TOPIC: &str = "topic";
/// Bytes of memory for the read cache: everything is read once.
const CACHE: usize = 1024 * 1024;

/// An open database, and what it held.
#[derive(Debug)]
pub struct Store {
    pub(super) path: PathBuf,
    pub(super) database: Database,
    pub(super) stored: Stored,
}

/// What a database holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) names: Vec<Binding>,
    pub(crate) topic: Option<MessageText>,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct StoreChanges {
    pub(super) names: Vec<NameChange>,
    pub(super) topic: Option<NewTopic>,
}

/// The topic from now on, if there is one.
#[derive(Clone, Debug)]
pub(super) struct NewTopic(pub(super) Option<MessageText>);

/// A database that cannot be used. None is ever replaced.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another server has it open.
    #[error("the database {} is in use by another server; set names.store to a file of its own", .0.display())]
    InUse(PathBuf),
    /// It exists, and is not as expected.
    #[error(
        "the database {} is damaged: {reason}; restore a copy, or move it away to start without \
         names that belong to keys", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It cannot be opened or made.
    #[error("cannot use the database {}: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
}

impl Store {
    /// Opens the database at `path` and reads it; makes one, and its folder, if there is none.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make_file(path).map_err(|error| unusable(path, &error))?;
        // Damage that the database does not expect must not end the server.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let database = open(path).map_err(|error| refused(path, error))?;
            let stored = read(&database).map_err(|reason| damaged(path, reason))?;
            Ok(Self { path: path.to_owned(), database, stored })
        }));
        opened.unwrap_or_else(|_| Err(damaged(path, "it cannot be read".into())))
    }

    /// Checks the database at `path`, if there is one and no server has it open.
    pub fn check(path: &Path) -> Result<(), StoreError> {
        match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(unusable(path, &error)),
            // One that was about to be made.
            Ok(found) if found.len() == 0 => return Ok(()),
            Ok(_) => {}
        }
        let checked = catch_unwind(|| match Builder::new().open_read_only(path) {
            Err(DatabaseError::DatabaseAlreadyOpen) => Ok(()),
            // It was not closed: whether that can be repaired is seen on a copy.
            Err(DatabaseError::RepairAborted) => check_copy(path),
            Err(error) => Err(refused(path, error)),
            Ok(database) => read(&database).map(drop).map_err(|reason| damaged(path, reason)),
        });
        checked.unwrap_or_else(|_| Err(damaged(path, "it cannot be read".into())))
    }
}

fn check_copy(path: &Path) -> Result<(), StoreError> {
    let copied = tempfile::NamedTempFile::new().and_then(|copy| {
        std::fs::copy(path, copy.path())?;
        Ok(copy)
    });
    let copy = copied.map_err(|error| unusable(path, &error))?;
    let database = open(copy.path()).map_err(|error| refused(path, error))?;
    read(&database).map(drop).map_err(|reason| damaged(path, reason))
}

/// Opens an existing database.
pub(super) fn open(path: &Path) -> Result<Database, DatabaseError> {
    // `create` and not `open`: it also takes the empty file of a first start.
    Builder::new().set_cache_size(CACHE).create(path)
}

/// Writes `changes`; after a crash at any moment all of them are stored or none. Waits for the
/// disk.
pub(super) fn write(database: &Database, changes: &StoreChanges) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    if let Some(NewTopic(topic)) = &changes.topic {
        let mut room = transaction.open_table(ROOM)?;
        match topic {
            Some(topic) => drop(room.insert(TOPIC, topic.as_str())?),
            None => drop(room.remove(TOPIC)?),
        }
    }
    {
        let mut names = transaction.open_table(NAMES)?;
        for NameChange { name, binding } in &changes.names {
            match binding {
                Some(Binding { name: written, key, first_use, last_use }) => {
                    let (first, last) = (first_use.as_second(), last_use.as_second());
                    names.insert(name.as_str(), (written.as_str(), &key.0, first, last))?;
                }
                None => drop(names.remove(name.as_str())?),
            }
        }
    }
    Ok(transaction.commit()?)
}

fn read(database: &impl ReadableDatabase) -> Result<Stored, String> {
    Ok(Stored { names: read_names(database)?, topic: read_topic(database)? })
}

fn read_topic(database: &impl ReadableDatabase) -> Result<Option<MessageText>, String> {
    let text = |error: redb::Error| error.to_string();
    let transaction = database.begin_read().map_err(|error| text(error.into()))?;
    let table = match transaction.open_table(ROOM) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(text(error.into())),
    };
    let topic = table.get(TOPIC).map_err(|error| text(error.into()))?;
    let parsed = topic.map(|topic| MessageText::parse(topic.value()));
    parsed.transpose().map_err(|error| format!("the topic: {error}"))
}

fn read_names(database: &impl ReadableDatabase) -> Result<Vec<Binding>, String> {
    let text = |error: redb::Error| error.to_string();
    let transaction = database.begin_read().map_err(|error| text(error.into()))?;
    let table = match transaction.open_table(NAMES) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(text(error.into())),
    };
    let rows = table.iter().map_err(|error| text(error.into()))?;
    rows.map(|row| {
        let (_, value) = row.map_err(|error| text(error.into()))?;
        let (name, key, first, last) = value.value();
        let invalid = |error: &dyn std::fmt::Display| format!("the name {name:?}: {error}");
        let time = |second| Timestamp::from_second(second).map_err(|error| invalid(&error));
        Ok(Binding {
            name: Username::parse(name).map_err(|error| invalid(&error))?,
            key: PublicKey(*key),
            first_use: time(first)?,
            last_use: time(last)?,
        })
    })
    .collect()
}

/// Makes an empty file, for its owner only, if there is none.
fn make_file(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

fn refused(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path.to_owned()),
        DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() != io::ErrorKind::InvalidData =>
        {
            unusable(path, &error)
        }
        error => damaged(path, error.to_string()),
    }
}

fn damaged(path: &Path, reason: String) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), reason }
}

fn unusable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unusable { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::server::registry::bound_names::MOST;

    fn binding(text: &str, key: u8) -> Binding {
        let time = |second| Timestamp::from_second(second).unwrap();
        let (first_use, last_use) = (time(100), time(200));
        Binding {
            name: Username::parse(text).unwrap(),
            key: PublicKey([key; 32]),
            first_use,
            last_use,
        }
    }

    fn keep(binding: &Binding) -> NameChange {
        NameChange { name: binding.name.folded(), binding: Some(binding.clone()) }
    }

    #[test]
    fn changes_survive_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/server.redb");
        Store::check(&path).unwrap();
        let store = Store::open(&path).unwrap();
        assert_eq!(store.stored, Stored::default());
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        let (ann, bob) = (binding("Ann", 1), binding("Боб", 2));
        let topic = MessageText::parse("Be kind.").ok();
        let names = vec![keep(&ann), keep(&bob)];
        write(&store.database, &StoreChanges { names, topic: Some(NewTopic(topic.clone())) })
            .unwrap();
        let gone = NameChange { name: ann.name.folded(), binding: None };
        write(&store.database, &StoreChanges { names: vec![gone], topic: None }).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::InUse(_))));
        Store::check(&path).unwrap();
        drop(store);
        let store = Store::open(&path).unwrap();
        assert_eq!(store.stored, Stored { names: vec![bob], topic });
        write(&store.database, &StoreChanges { names: vec![], topic: Some(NewTopic(None)) })
            .unwrap();
        drop(store);
        assert_eq!(Store::open(&path).unwrap().stored.topic, None);
        Store::check(&path).unwrap();
    }

    #[test]
    fn a_damaged_database_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.redb");
        let store = Store::open(&path).unwrap();
        let many: Vec<NameChange> =
            (0..1000).map(|number| keep(&binding(&format!("user{number}"), 1))).collect();
        write(&store.database, &StoreChanges { names: many, topic: None }).unwrap();
        drop(store);
        let whole = fs::read(&path).unwrap();
        let mut torn = whole.clone();
        for byte in torn.iter_mut().skip(4096).step_by(64) {
            *byte ^= 0x55;
        }
        let short = whole[..whole.len() / 2].to_vec();
        for wrong in [b"no database".repeat(1000), torn, short] {
            fs::write(&path, &wrong).unwrap();
            for error in [Store::check(&path).unwrap_err(), Store::open(&path).unwrap_err()] {
                assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
                assert!(error.to_string().contains("server.redb is damaged: "), "{error}");
            }
            assert_eq!(fs::read(&path).unwrap(), wrong);
        }
    }

    #[test]
    fn the_most_names_are_read_in_a_moment_also_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("server.redb"), folder.path().join("copy.redb"));
        let store = Store::open(&path).unwrap();
        let many: Vec<NameChange> =
            (0..MOST).map(|number| keep(&binding(&format!("user{number}"), 1))).collect();
        write(&store.database, &StoreChanges { names: many, topic: None }).unwrap();
        // As the file is when the process is killed.
        fs::copy(&path, &copy).unwrap();
        drop(store);
        for path in [path, copy] {
            let began = Instant::now();
            assert_eq!(Store::open(&path).unwrap().stored.names.len(), MOST);
            // Without optimization it takes a tenth of this.
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        }
    }
}
