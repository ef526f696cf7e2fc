//! Files that are made up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::effect::{PresentFile, SourceDone, SourceJob, TargetDone, TargetJob, There};
use super::super::manifest::{Entry, FOLDER, Manifest};
use super::super::receiving::resumable;
use crate::protocol::v2::{Digest, EntryPath, OfferKind, Text, UnixMillis};

/// Files by their paths, or one under its own name.
pub(super) type Content = BTreeMap<String, Vec<u8>>;

/// Something to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) name: &'static str,
    pub(super) is_folder: bool,
    pub(super) files: Content,
}

/// The state that outlives a connection.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) parts: BTreeMap<String, Content>,
    pub(super) whole: BTreeMap<String, Content>,
}

pub(super) struct Source {
    pub(super) chosen: Chosen,
    pub(super) open: Vec<u8>,
}

pub(super) struct Target {
    pub(super) name: String,
    pub(super) is_folder: bool,
    pub(super) growing: Vec<u8>,
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

fn at(position: u64) -> usize {
    usize::try_from(position).unwrap()
}

/// Modification times are the lengths of names.
fn modified(name: &str) -> UnixMillis {
    UnixMillis(i64::try_from(name.len()).unwrap())
}

impl Chosen {
    pub(super) fn file(name: &'static str, length: usize) -> Self {
        let bytes = (0..length).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect();
        Self { name, is_folder: false, files: [(name.to_owned(), bytes)].into() }
    }

    pub(super) fn folder(name: &'static str, lengths: &[usize]) -> Self {
        let files = lengths.iter().enumerate().map(|(number, length)| {
            let bytes = vec![u8::try_from(number).unwrap(); *length];
            (format!("in/{number}"), bytes)
        });
        Self { name, is_folder: true, files: files.collect() }
    }

    pub(super) fn size(&self) -> usize {
        self.files.values().map(Vec::len).sum()
    }

    pub(super) fn manifest(&self) -> Manifest {
        let entry = |path: &str, size: usize, flags| Entry {
            path: EntryPath::parse(path).unwrap(),
            size: u64::try_from(size).unwrap(),
            modified: modified(path),
            flags,
        };
        let folders = self.is_folder.then(|| entry("in", 0, FOLDER));
        let files = self.files.iter().map(|(path, bytes)| entry(path, bytes.len(), 0));
        Manifest {
            kind: if self.is_folder { OfferKind::Folder } else { OfferKind::File },
            name: Text::new(self.name).unwrap(),
            root: PathBuf::from(self.name),
            entries: folders.into_iter().chain(files).collect(),
            size: Some(u64::try_from(self.size()).unwrap()),
            modified: UnixMillis(0),
            skipped: 0,
        }
    }
}

impl Source {
    /// The DATA of a job, and its outcome.
    pub(super) fn perform(&mut self, job: &SourceJob) -> (Vec<u8>, SourceDone) {
        let none = Vec::new();
        match job {
            SourceJob::Open(entry) => {
                self.open = self.chosen.files[entry.path.as_str()].clone();
                (none, SourceDone::Opened)
            }
            SourceJob::Hash { until, .. } => {
                (none, SourceDone::Hashed(digest(&self.open[..at(*until)])))
            }
            SourceJob::Read { from, count } => {
                (self.open[at(*from)..at(*from) + count].to_vec(), SourceDone::Read)
            }
            SourceJob::Check => (none, SourceDone::Unchanged(digest(&self.open))),
            SourceJob::ReadPipe => unreachable!("no pipe is sent here"),
        }
    }
}

impl Disk {
    /// Bytes present under a name, whole or in part.
    pub(super) fn size(&self, name: &str) -> usize {
        let there = self.parts.get(name).or(self.whole.get(name));
        there.into_iter().flatten().map(|(_, bytes)| bytes.len()).sum()
    }

    pub(super) fn perform(&mut self, target: &mut Target, job: &TargetJob) -> TargetDone {
        let Target { name, is_folder, growing } = target;
        let part = self.parts.entry(name.clone()).or_default();
        match job {
            TargetJob::Prepare { .. } => unreachable!("it is done by the side"),
            TargetJob::HashPart { until, .. } => {
                return TargetDone::Hashed(digest(&part[name.as_str()][..at(*until)]));
            }
            TargetJob::HashPresent { path, until, .. } => {
                return TargetDone::Hashed(digest(&part[path.as_str()][..at(*until)]));
            }
            TargetJob::Keep { .. } => return TargetDone::Kept(true),
            TargetJob::Grow { .. } if *is_folder => growing.clear(),
            TargetJob::Grow { offset } => {
                *growing = part.get(name.as_str()).cloned().unwrap_or_default();
                growing.truncate(at(*offset));
            }
            TargetJob::Flush => return TargetDone::Hashed(digest(growing)),
            TargetJob::Place { path, .. } => {
                part.insert(path.as_str().to_owned(), std::mem::take(growing));
            }
            TargetJob::Complete { .. } => {
                let content = self.parts.remove(name).unwrap();
                assert!(self.whole.insert(name.clone(), content).is_none(), "{name} came twice");
                return TargetDone::Complete(PathBuf::from(name.as_str()));
            }
            TargetJob::Discard => drop(self.parts.remove(name)),
            TargetJob::MakeFolder { .. } | TargetJob::Sync { .. } => {}
        }
        TargetDone::Done
    }

    pub(super) fn prepare(&self, target: &Target, size: Option<u64>) -> There {
        let part = self.parts.get(&target.name);
        if !target.is_folder {
            let length = part.and_then(|part| part.get(&target.name)).map_or(0, Vec::len);
            return There::Bytes(resumable(u64::try_from(length).unwrap(), size));
        }
        let files = part.into_iter().flatten().map(|(path, bytes)| PresentFile {
            path: EntryPath::parse(path).unwrap(),
            size: u64::try_from(bytes.len()).unwrap(),
            modified: modified(path),
        });
        There::Files(files.collect())
    }
}
