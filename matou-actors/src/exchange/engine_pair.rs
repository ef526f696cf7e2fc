//! Two engines joined in memory, with real files.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs;
use std::io::IoSlice;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::BytesMut;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::engine::Engine;
use super::messages::{ExchangeOrder, Report, Settings};
use super::output::OutgoingFrames;
use super::rate::RateLimit;
use crate::protocol::Decode as _;
use crate::protocol::v2::{FileFrame, MAX_DATA, PublicKey};
use crate::transfer::{ChosenFile, Downloads};

/// Ada, who asked for the session, and Bea.
pub(super) struct Pair {
    pub(super) engines: [Engine; 2],
    pub(super) folders: [TempDir; 2],
    pub(super) reports: [Vec<Report>; 2],
    /// Bytes of files that went each way.
    pub(super) wire: [VecDeque<FileFrame>; 2],
    pub(super) data: usize,
}

fn engine(side: usize, folder: &Path, peer: u8) -> Engine {
    let settings = Settings {
        asked: side == 0,
        peer: PublicKey([peer; 32]),
        downloads: Arc::new(Downloads::new(folder.to_owned(), 0)),
        rate: RateLimit::default(),
    };
    Engine::new(settings, Instant::now())
}

/// Everything that goes out, in order.
pub(super) fn written(output: &mut OutgoingFrames) -> BytesMut {
    let mut bytes = BytesMut::new();
    let mut append = |parts: [IoSlice<'_>; 2]| {
        for part in &parts {
            bytes.extend_from_slice(part);
        }
        Ok::<_, Infallible>(())
    };
    while output.take(&mut append).unwrap() {}
    assert_eq!(bytes.len(), output.len());
    bytes
}

impl Pair {
    pub(super) fn new() -> Self {
        let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        Self::again(folders, 2)
    }

    /// Two new sides with the folders of earlier ones; Ada has the key of that number.
    pub(super) fn again(folders: [TempDir; 2], ada: u8) -> Self {
        let engines = [engine(0, folders[0].path(), 1), engine(1, folders[1].path(), ada)];
        Self { engines, folders, reports: Default::default(), wire: Default::default(), data: 0 }
    }

    pub(super) fn restart(self) -> Self {
        Self::again(self.folders, 2)
    }

    pub(super) fn offer(&mut self, side: usize, path: &Path) {
        let handles = Arc::new(Semaphore::new(10));
        let chosen = Arc::new(ChosenFile::choose(path.to_owned(), &handles).unwrap());
        self.engines[side].order(ExchangeOrder::Offer { key: 7, chosen });
    }

    /// Lets everything happen until nothing does, or so many bytes of data went; Bea takes what is
    /// offered.
    pub(super) fn run(&mut self, most: usize) {
        loop {
            let mut idle = true;
            for side in 0..2 {
                for report in self.engines[side].take_reports() {
                    idle = false;
                    match report {
                        Report::Frame(frame) => {
                            self.engines[1 - side].order(ExchangeOrder::Frame(frame));
                        }
                        Report::Offered(offer) => {
                            let transfer = offer.transfer;
                            self.reports[side].push(Report::Offered(offer));
                            self.engines[side]
                                .order(ExchangeOrder::Take { transfer, folder: None });
                        }
                        other => self.reports[side].push(other),
                    }
                }
                if self.data >= most {
                    return;
                }
                let mut output = OutgoingFrames::default();
                if self.engines[side].work(MAX_DATA, &mut output, Instant::now()) {
                    idle = false;
                }
                let mut out = written(&mut output);
                while let Some((frame, length)) = FileFrame::decode(&out).unwrap() {
                    let _ = out.split_to(length);
                    if let FileFrame::Data { bytes, .. } = &frame {
                        self.data += bytes.as_slice().len();
                    }
                    self.wire[1 - side].push_back(frame);
                }
                assert!(out.is_empty(), "whole frames only");
                while let Some(frame) = self.wire[side].pop_front() {
                    idle = false;
                    self.engines[side].file_frame(frame, Instant::now());
                }
            }
            if idle {
                return;
            }
        }
    }

    pub(super) fn received(&self, side: usize) -> Vec<PathBuf> {
        let received = self.reports[side].iter().filter_map(|report| match report {
            Report::Received { path, .. } => Some(path.clone()),
            _ => None,
        });
        received.collect()
    }

    pub(super) fn failures(&self, side: usize) -> Vec<String> {
        let failed = self.reports[side].iter().filter_map(|report| match report {
            Report::Failed { reason, .. } | Report::NotTaken { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        failed.collect()
    }

    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folders[0].path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Names in Bea's folder.
    pub(super) fn there(&self) -> Vec<String> {
        let there = fs::read_dir(self.folders[1].path()).unwrap();
        let mut there: Vec<_> =
            there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        there
    }
}

pub(super) const ALL: usize = usize::MAX;

pub(super) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

/// Paths of a tree with their content, mode and time.
pub(super) fn listing(root: &Path) -> Vec<(String, Vec<u8>, u32, SystemTime)> {
    let all = walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name();
    let all = all.into_iter().map(Result::unwrap);
    let sent = all.filter(|entry| entry.file_type().is_file() || entry.file_type().is_dir());
    sent.map(|entry| {
        let status = entry.metadata().unwrap();
        let path = entry.path().strip_prefix(root).unwrap().display().to_string();
        let bytes = if status.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
        (path, bytes, status.permissions().mode() & 0o100, millis(status.modified().unwrap()))
    })
    .collect()
}

fn millis(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(since).unwrap())
}
