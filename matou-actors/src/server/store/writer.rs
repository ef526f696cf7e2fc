//! Writes to the database, on a thread of its own: a disk that is slow or full delays no actor.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use redb::Database;
use slog::{Logger, info, warn};
use tokio::sync::oneshot;

use super::database::{NewTopic, Store, StoreChanges, Stored, open, write};
use crate::protocol::{FoldedName, MessageText};
use crate::server::registry::bound_names::{Binding, MOST, NameChange};

/// Changes within this time are written together.
const GATHER: Duration = Duration::from_millis(200);
/// How long after a failed write the next try follows.
const RETRY: Duration = Duration::from_secs(10);
/// The most names of which changes wait for the disk: all that there can be, and as many removed ones.
const MOST_WAITING: usize = 2 * MOST;

/// Accepts changes to be written. Clones share one thread.
#[derive(Clone, Debug)]
pub(crate) struct StoreWriter(Arc<WriteQueue>);

#[derive(Debug, Default)]
struct WriteQueue {
    waiting: Mutex<QueuedWrites>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct QueuedWrites {
    names: HashMap<FoldedName, Option<Binding>>,
    /// The topic, if it is to be written.
    topic: Option<NewTopic>,
    closing: Option<oneshot::Sender<()>>,
}

/// The thread's side.
struct WriterThread {
    path: PathBuf,
    /// `None` after an error: it is opened again.
    database: Option<Database>,
    is_failing: bool,
    logger: Logger,
}

impl StoreWriter {
    /// Starts the thread; also what `store` held.
    pub(crate) fn start(store: Store, logger: Logger) -> std::io::Result<(Self, Stored)> {
        let Store { path, database, stored } = store;
        let shared = Arc::<WriteQueue>::default();
        let writer = Self(Arc::clone(&shared));
        let writing = WriterThread { path, database: Some(database), is_failing: false, logger };
        thread::Builder::new().name("store".into()).spawn(move || writing.run(&shared))?;
        Ok((writer, stored))
    }

    /// Writes `changes` soon, in place of those of the same names that wait.
    pub(crate) fn keep(&self, changes: Vec<NameChange>) {
        if changes.is_empty() {
            return;
        }
        let mut waiting = self.0.lock();
        for NameChange { name, binding } in changes {
            if waiting.names.len() < MOST_WAITING || waiting.names.contains_key(&name) {
                waiting.names.insert(name, binding);
            }
        }
        drop(waiting);
        self.0.changed.notify_one();
    }

    /// Writes soon that the topic is this one, or none.
    pub(crate) fn keep_topic(&self, topic: Option<MessageText>) {
        self.0.lock().topic = Some(NewTopic(topic));
        self.0.changed.notify_one();
    }

    /// Writes pending changes and closes the database; answered when that is done.
    pub(crate) fn close(&self, closed: oneshot::Sender<()>) {
        self.0.lock().closing = Some(closed);
        self.0.changed.notify_one();
    }
}

impl WriteQueue {
    fn lock(&self) -> MutexGuard<'_, QueuedWrites> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to do, and then for more of it, or for the next try.
    fn next(&self, pause: Duration) -> (StoreChanges, Option<oneshot::Sender<()>>) {
        let idle = |waiting: &mut QueuedWrites| {
            waiting.names.is_empty() && waiting.topic.is_none() && waiting.closing.is_none()
        };
        let waiting = self.changed.wait_while(self.lock(), idle);
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let open = |waiting: &mut QueuedWrites| waiting.closing.is_none();
        let waited = self.changed.wait_timeout_while(waiting, pause, open);
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        let names = std::mem::take(&mut waiting.names);
        let names = names.into_iter().map(|(name, binding)| NameChange { name, binding });
        let changes = StoreChanges { names: names.collect(), topic: waiting.topic.take() };
        (changes, waiting.closing.take())
    }

    /// Puts back what could not be written, unless it has changed again.
    fn put_back(&self, StoreChanges { names, topic }: StoreChanges) {
        let mut waiting = self.lock();
        for NameChange { name, binding } in names {
            waiting.names.entry(name).or_insert(binding);
        }
        waiting.topic = waiting.topic.take().or(topic);
    }
}

impl WriterThread {
    fn run(mut self, shared: &WriteQueue) {
        loop {
            let pause = if self.is_failing { RETRY } else { GATHER };
            let (changes, closing) = shared.next(pause);
            if !self.write(&changes) {
                shared.put_back(changes);
            }
            if let Some(closed) = closing {
                drop(self.database);
                // The waiting side may have given up.
                let _ = closed.send(());
                return;
            }
        }
    }

    /// Whether all of it was written.
    fn write(&mut self, changes: &StoreChanges) -> bool {
        if changes.names.is_empty() && changes.topic.is_none() {
            return true;
        }
        let written = catch_unwind(AssertUnwindSafe(|| self.try_write(changes)))
            .unwrap_or_else(|_| Err("the database failed".into()));
        match (&written, self.is_failing) {
            (Ok(()), true) => {
                info!(self.logger, "names are saved again"; "path" => %self.path.display());
            }
            (Err(reason), false) => {
                warn!(self.logger, "names are not saved"; "path" => %self.path.display(),
                    "reason" => reason, "next" => "free space on the disk, or check the disk; \
                     saving is retried every 10 s, and a restart before it succeeds loses the latest names");
            }
            _ => {}
        }
        self.is_failing = written.is_err();
        if self.is_failing {
            // After an error the database accepts nothing more until it is reopened.
            self.database = None;
        }
        written.is_ok()
    }

    fn try_write(&mut self, changes: &StoreChanges) -> Result<(), String> {
        let database = match &mut self.database {
            Some(database) => database,
            closed => closed.insert(open(&self.path).map_err(|error| error.to_string())?),
        };
        write(database, changes).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use slog::{Discard, o};

    use super::*;
    use crate::protocol::Username;
    use crate::protocol::v2::PublicKey;

    const DEADLINE: Duration = Duration::from_secs(30);

    fn change(text: &str, key: u8) -> NameChange {
        let (name, at) = (Username::parse(text).unwrap(), Timestamp::from_second(5).unwrap());
        let folded = name.folded();
        let binding = Binding { name, key: PublicKey([key; 32]), first_use: at, last_use: at };
        NameChange { name: folded, binding: Some(binding) }
    }

    fn names(names: Vec<NameChange>) -> StoreChanges {
        StoreChanges { names, topic: None }
    }

    #[tokio::test]
    async fn pending_changes_are_written_before_closing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.redb");
        let logger = Logger::root(Discard, o!());
        let store = Store::open(&path).unwrap();
        let (writer, kept) = StoreWriter::start(store, logger.clone()).unwrap();
        assert_eq!(kept, Stored::default());
        writer.keep(vec![change("ann", 1), change("bob", 2)]);
        writer.keep(vec![change("ann", 3)]);
        let topic = MessageText::parse("Be kind.").ok();
        writer.keep_topic(topic.clone());
        let (closed, wait) = oneshot::channel();
        writer.close(closed);
        tokio::time::timeout(DEADLINE, wait).await.unwrap().unwrap();
        let (_, stored) = StoreWriter::start(Store::open(&path).unwrap(), logger).unwrap();
        assert_eq!(stored.topic, topic);
        let mut kept = stored.names;
        kept.sort_by(|a, b| a.name.cmp(&b.name));
        let kept: Vec<_> = kept.iter().map(|kept| (kept.name.as_str(), kept.key.0[0])).collect();
        assert_eq!(kept, [("ann", 3), ("bob", 2)]);
    }

    #[test]
    fn failed_writes_are_retried_unless_superseded() {
        let shared = WriteQueue::default();
        shared.lock().names.insert(change("ann", 2).name, change("ann", 2).binding);
        shared.put_back(names(vec![change("ann", 1), change("bob", 1)]));
        let (mut changes, _) = shared.next(Duration::ZERO);
        changes.names.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(changes.names, [change("ann", 2), change("bob", 1)]);
    }

    #[test]
    fn a_disk_that_failed_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("there/server.redb");
        let logger = Logger::root(Discard, o!());
        let mut writing =
            WriterThread { path: path.clone(), database: None, is_failing: false, logger };
        assert!(!writing.write(&names(vec![change("ann", 1)])));
        assert!(writing.is_failing);
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        assert!(writing.write(&names(vec![change("ann", 1)])));
        assert!(!writing.is_failing);
    }
}
