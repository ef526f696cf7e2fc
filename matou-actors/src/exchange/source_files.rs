//! Reading the files of one outgoing transfer.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::digest::{PIECE, finish, hash_pieces};
use super::output::OutgoingFrames;
use super::pipe::{PipeReader, PipeStep};
use super::survey::{SourceOrigin, modified, survey, unreadable};
use super::transfers::effect::{SourceDone, SourceError, SourceJob};
use super::transfers::manifest::{Entry, Manifest};
use super::yielding::Yielding;
use crate::transfer::ChosenFile;

/// Bytes that are hashed at once.
const HASH_RUN: usize = 256 * 1024;

/// The source of one outgoing transfer.
#[derive(Debug)]
pub(super) struct SourceFiles {
    /// The file, or the folder.
    root: PathBuf,
    from: Input,
    current: Option<Current>,
    yielding: Rc<Yielding>,
}

#[derive(Debug)]
enum Input {
    Folder,
    /// The chosen file, open at first.
    File(Arc<ChosenFile>, Option<File>),
    Pipe(Box<PipeReader>),
}

/// The file that is being sent.
#[derive(Debug)]
struct Current {
    entry: Entry,
    file: File,
    hasher: blake3::Hasher,
    yielding: Rc<Yielding>,
}

impl SourceFiles {
    /// Lists what was chosen; an error for the user.
    pub(super) fn survey(
        chosen: &Arc<ChosenFile>,
        yielding: Rc<Yielding>,
    ) -> Result<(Manifest, Self), String> {
        let (manifest, origin) = survey(chosen)?;
        let from = match origin {
            SourceOrigin::Folder => Input::Folder,
            SourceOrigin::File(chosen, opened) => Input::File(chosen, opened),
            SourceOrigin::Pipe(input) => Input::Pipe(Box::new(PipeReader::new(input))),
        };
        let root = manifest.root.clone();
        Ok((manifest, Self { root, from, current: None, yielding }))
    }

    /// Does a job; DATA is appended to `out`.
    pub(super) fn perform(
        &mut self,
        transfer: u64,
        job: &SourceJob,
        out: &mut OutgoingFrames,
    ) -> Result<SourceDone, SourceError> {
        match (job, &mut self.current) {
            (SourceJob::ReadPipe, _) => self.read_pipe(transfer, out),
            (SourceJob::Open(entry), _) => {
                // The one before is closed first.
                self.current = None;
                self.current = Some(self.open(entry)?);
                Ok(SourceDone::Opened)
            }
            (SourceJob::Hash { from, until }, Some(current)) => current.hash(*from, *until),
            (SourceJob::Read { from, count }, Some(current)) => {
                current.read(transfer, *from, *count, out)
            }
            (SourceJob::Check, Some(current)) => {
                current.check()?;
                Ok(SourceDone::Unchanged(finish(&current.hasher)))
            }
            (_, None) => Err(SourceError::Unreadable("it is not open".into())),
        }
    }

    /// The pipe that is waited for.
    pub(super) fn dry_pipe(&self) -> Option<BorrowedFd<'_>> {
        match &self.from {
            Input::Pipe(pipe) if !pipe.is_ready() => Some(pipe.input()),
            _ => None,
        }
    }

    /// Whether there is something to read now in a pipe that is waited for.
    pub(super) fn becomes_ready(&mut self) -> bool {
        match &mut self.from {
            Input::Pipe(pipe) if !pipe.is_ready() => {
                pipe.look();
                pipe.is_ready()
            }
            _ => false,
        }
    }

    fn read_pipe(
        &mut self,
        transfer: u64,
        out: &mut OutgoingFrames,
    ) -> Result<SourceDone, SourceError> {
        let Input::Pipe(pipe) = &mut self.from else {
            return Err(SourceError::Unreadable("it is not a pipe".into()));
        };
        match pipe.step(transfer, out) {
            Ok(PipeStep::Data(count)) => Ok(SourceDone::PipeRead(count)),
            Ok(PipeStep::Dry) => Ok(SourceDone::PipeDry { ready: pipe.is_ready() }),
            Ok(PipeStep::Ended(hash)) => Ok(SourceDone::PipeEnded(hash)),
            Err(error) => Err(SourceError::Unreadable(unreadable(&self.root, &error))),
        }
    }

    /// Opens an entry, which must be unchanged.
    fn open(&mut self, entry: &Entry) -> Result<Current, SourceError> {
        let file = self.open_file(entry).map_err(SourceError::Unreadable)?;
        let current = Current {
            entry: entry.clone(),
            file,
            hasher: blake3::Hasher::new(),
            yielding: Rc::clone(&self.yielding),
        };
        current.check()?;
        Ok(current)
    }

    /// An error is for the user.
    fn open_file(&mut self, entry: &Entry) -> Result<File, String> {
        if let Input::File(chosen, opened) = &mut self.from {
            let opened = opened.take().map(Ok);
            let again = || chosen.open().map(|source| source.file);
            return opened.unwrap_or_else(again).map_err(|error| error.to_string());
        }
        let path = self.root.join(entry.path.as_str());
        // NONBLOCK: the file may have become a FIFO.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let opened = rustix::fs::open(&path, flags, Mode::empty());
        let file = opened.map(File::from).map_err(|errno| unreadable(&path, &errno.into()))?;
        let is_file = file.metadata().is_ok_and(|status| status.is_file());
        if is_file { Ok(file) } else { Err(format!("{} is no longer a file", path.display())) }
    }
}

impl Current {
    /// Checks that it is as offered.
    fn check(&self) -> Result<(), SourceError> {
        let status = self.file.metadata().map_err(|error| unreadable_now(&error))?;
        let is_same = (status.len(), modified(&status)) == (self.entry.size, self.entry.modified);
        if is_same { Ok(()) } else { Err(SourceError::Changed) }
    }

    fn hash(&mut self, from: u64, until: u64) -> Result<SourceDone, SourceError> {
        self.begin_at(from);
        hash_file(&self.file, &mut self.hasher, from, until).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                return SourceError::Unreadable("the file became shorter".into());
            }
            unreadable_now(&error)
        })?;
        Ok(SourceDone::Hashed(finish(&self.hasher)))
    }

    /// Appends DATA with the next `count` bytes.
    fn read(
        &mut self,
        transfer: u64,
        from: u64,
        count: usize,
        out: &mut OutgoingFrames,
    ) -> Result<SourceDone, SourceError> {
        self.begin_at(from);
        let read = out.push_data(transfer, count, |room| {
            let mut at = from;
            for piece in room.chunks_mut(PIECE) {
                self.file.read_exact_at(piece, at)?;
                self.yielding.yield_core();
                at += u64::try_from(piece.len()).unwrap_or(0);
            }
            hash_pieces(&mut self.hasher, from, room, &self.yielding);
            Ok::<_, io::Error>(())
        });
        match read {
            Ok(()) => Ok(SourceDone::Read),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(SourceError::Changed),
            Err(error) => Err(unreadable_now(&error)),
        }
    }

    fn begin_at(&mut self, position: u64) {
        if position == 0 {
            self.hasher = blake3::Hasher::new();
        }
    }
}

/// Hashes bytes of a file.
pub(super) fn hash_file(
    file: &File,
    hasher: &mut blake3::Hasher,
    mut position: u64,
    end: u64,
) -> io::Result<()> {
    let mut buffer = vec![0; HASH_RUN];
    while position < end {
        let most = usize::try_from(end - position).unwrap_or(usize::MAX).min(buffer.len());
        let room = buffer.get_mut(..most).unwrap_or_default();
        let read = file.read_at(room, position)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(room.get(..read).unwrap_or_default());
        position += u64::try_from(read).unwrap_or(0);
    }
    Ok(())
}

fn unreadable_now(error: &io::Error) -> SourceError {
    SourceError::Unreadable(error.to_string())
}
