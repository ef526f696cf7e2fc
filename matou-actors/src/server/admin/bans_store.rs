//! Keeping the bans in their file, one write after the other.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::server::accept::bans::{Bans, Moment};
use crate::server::accept::bans_file;

/// The file of the bans. Clones share one write lock.
#[derive(Clone, Debug)]
pub(super) struct BansStore {
    /// Empty is nowhere.
    file: PathBuf,
    /// Held while writing. A write cannot be called off: the next one must not meet it in the
    /// same temporary file, nor be overtaken by it.
    write_lock: Arc<Mutex<()>>,
}

impl BansStore {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file, write_lock: Arc::default() }
    }

    /// Replaces what the file holds by `bans`. An error says that they were not saved, or not
    /// within `time_limit`, waiting for an earlier write included.
    pub(super) async fn save(self, bans: Bans, time_limit: Duration) -> Result<(), String> {
        if self.file.as_os_str().is_empty() {
            return Ok(());
        }
        let Self { file, write_lock } = self;
        let shown = file.display().to_string();
        let writing = async move {
            let write_lock = write_lock.lock_owned().await;
            let written = tokio::task::spawn_blocking(move || {
                let written = bans_file::save(&file, &bans, Moment::now());
                drop(write_lock);
                written.map_err(|error| error.to_string())
            });
            written.await.map_err(|error| error.to_string())?
        };
        let saved = tokio::time::timeout(time_limit, writing).await;
        saved.unwrap_or_else(|_| Err("the disk takes too long".into())).map_err(|error| {
            format!(
                "done, but not saved, so it only lasts until the server stops: {shown}: {error}; the next ban or unban that can be saved includes this one"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::accept::bans::{self, Ban};

    const TIME_LIMIT: Duration = Duration::from_secs(8);

    fn bans(text: &str) -> Bans {
        let network = bans::network(text).ok();
        let mut bans = Bans::default();
        bans.add(
            Ban { network, name: None, key: None, until: None, reason: String::new() },
            Moment::now(),
        )
        .unwrap();
        bans
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_written_while_an_earlier_write_is_running() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bans.json");
        let store = BansStore::new(file.clone());
        let hangs = Arc::clone(&store.write_lock).lock_owned().await;
        let error = store.clone().save(bans("192.0.2.1"), TIME_LIMIT).await.unwrap_err();
        assert!(error.contains("bans.json: the disk takes too long"), "{error}");
        assert!(!file.exists());
        drop(hangs);
        store.save(bans("192.0.2.2"), TIME_LIMIT).await.unwrap();
        assert_eq!(bans_file::load(&file, Moment::now()).unwrap(), bans("192.0.2.2"));
    }
}
