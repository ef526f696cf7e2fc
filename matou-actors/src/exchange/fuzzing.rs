//! The engine under whatever a peer sends, with a real folder: nothing panics, and nothing is written
//! outside that folder.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test, which panics when a promise is broken"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::engine::Engine;
use super::messages::{ExchangeOrder, Report, Settings};
use super::names::safe_name;
use super::output::OutgoingFrames;
use super::part::is_readable_meta;
use super::rate::RateLimit;
use crate::fuzzing::Choices;
use crate::protocol::Decode;
use crate::protocol::v2::{FileFrame, MAX_DATA, MessageFrame, PublicKey};
use crate::transfer::{ChosenFile, Downloads};

/// Work that one frame may lead to.
const MOST_STEPS: usize = 50;

/// A downloads folder, and beside it what the peer must not reach.
pub(super) struct Sandbox {
    pub(super) root: TempDir,
    pub(super) folder: PathBuf,
    outside: PathBuf,
    downloads: Arc<Downloads>,
    chosen: Arc<ChosenFile>,
}

/// Frames of a peer, each behind a byte that says on which connection it comes.
pub fn exchange(bytes: &[u8]) {
    thread_local! { static PLACE: Sandbox = Sandbox::new(); }
    PLACE.with(|place| {
        place.prepare();
        let mut engine = place.engine();
        let mut choices = Choices::new(bytes);
        while let Some(connection) = choices.byte() {
            let rest = choices.rest();
            let length = match connection % 5 {
                0 => one::<MessageFrame>(rest, |frame| engine.order(ExchangeOrder::Frame(frame))),
                _ => one::<FileFrame>(rest, |frame| engine.file_frame(frame, Instant::now())),
            };
            let Some(length) = length else { break };
            settle(&mut engine);
            choices = Choices::new(rest.get(length..).unwrap_or_default());
        }
        engine.lost("the end");
        drop(engine);
        place.check();
    });
}

/// The name of what is offered, and what is read beside a part.
pub fn part_names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let name = safe_name(text);
    assert!((1..=231).contains(&name.len()), "{name:?}");
    assert!(!name.starts_with('.') && !name.contains(['/', '\0', '\n', '\u{202e}']), "{name:?}");
    assert_eq!(safe_name(&name), name, "a safe name stays as it is");
    is_readable_meta(text);
}

fn one<F: Decode>(bytes: &[u8], then: impl FnOnce(F)) -> Option<usize> {
    let (frame, length) = F::decode(bytes).ok()??;
    then(frame);
    Some(length)
}

/// Takes whatever is offered, and does all work that follows.
pub(super) fn settle(engine: &mut Engine) {
    for _ in 0..MOST_STEPS {
        let mut offered = Vec::new();
        for report in engine.take_reports() {
            if let Report::Offered(offer) = report {
                offered.push(offer.transfer);
            }
        }
        let idle = offered.is_empty();
        for transfer in offered {
            engine.order(ExchangeOrder::Take { transfer, folder: None });
        }
        let worked = engine.work(MAX_DATA, &mut OutgoingFrames::default(), Instant::now());
        if idle && !worked {
            return;
        }
    }
}

impl Sandbox {
    pub(super) fn new() -> Self {
        // In memory, where there is such a place: a disk would be asked to sync some thousand times.
        let root = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        let (folder, outside) = (root.path().join("downloads"), root.path().join("outside"));
        fs::create_dir(&folder).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("canary"), "sings").unwrap();
        fs::write(root.path().join("own"), "four").unwrap();
        let chosen = ChosenFile::choose(root.path().join("own"), &Arc::new(Semaphore::new(2)));
        let downloads = Arc::new(Downloads::new(folder.clone(), 0));
        Self { root, folder, outside, downloads, chosen: Arc::new(chosen.unwrap()) }
    }

    /// Empties it, but for a link that leads out of it, at a place that the peer may name.
    pub(super) fn prepare(&self) {
        for entry in fs::read_dir(&self.folder).unwrap().flatten() {
            let path = entry.path();
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
        let part = self.folder.join("gift.part");
        fs::create_dir(&part).unwrap();
        symlink(&self.outside, part.join("planted")).unwrap();
        symlink(self.outside.join("canary"), self.folder.join("gift")).unwrap();
    }

    /// An engine that offers a file.
    pub(super) fn engine(&self) -> Engine {
        let settings = Settings {
            asked: true,
            peer: PublicKey([1; 32]),
            downloads: Arc::clone(&self.downloads),
            rate: RateLimit::default(),
        };
        let mut engine = Engine::new(settings, Instant::now());
        engine.order(ExchangeOrder::Offer { key: 1, chosen: Arc::clone(&self.chosen) });
        engine
    }

    /// Nothing outside the folder was touched.
    pub(super) fn check(&self) {
        assert_eq!(fs::read(self.outside.join("canary")).unwrap(), b"sings");
        assert_eq!(fs::read_dir(&self.outside).unwrap().count(), 1);
        assert_eq!(fs::read_dir(self.root.path()).unwrap().count(), 3);
    }
}
