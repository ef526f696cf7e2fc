//! One client of the bare server.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;

use super::log::Log;

const COREQ: u32 = 0;
const CONOTIF: u32 = 2;
const MSG: u32 = 3;
const MSGBC: u32 = 4;
const DISCONOTIF: u32 = 6;
const ACCEPTED: [u8; 5] = [0, 0, 0, 1, 1];

/// What a client asks for; names and texts come with their sizes in front, as they go out again.
#[derive(Debug)]
pub(super) enum Request<'a> {
    Join(&'a [u8]),
    Say(&'a [u8]),
}

/// CONOTIF of everybody who is there. It only grows; on a leave there is a new one.
pub(super) type Roster = Rc<RefCell<Vec<u8>>>;

/// The part of a roster that a newcomer gets, and how much of it, and of the answer before it,
/// is written.
#[derive(Debug)]
struct Welcome {
    roster: Roster,
    end: usize,
    written: usize,
}

/// A connection, what is left of a frame, and how far it has read the log.
#[derive(Debug)]
pub(super) struct Member {
    socket: TcpStream,
    partial: Vec<u8>,
    /// The name behind its size; empty until the client joins.
    name: Box<[u8]>,
    cursor: u64,
    /// What comes before the log.
    welcome: Option<Box<Welcome>>,
    blocked: bool,
}

impl Member {
    /// Takes a fresh connection.
    pub(super) fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            partial: Vec::new(),
            name: Box::default(),
            cursor: 0,
            welcome: None,
            blocked: false,
        })
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Where in the log the client is, once it has joined.
    pub(super) fn cursor(&self) -> Option<u64> {
        (!self.name.is_empty()).then_some(self.cursor)
    }

    /// The socket has room again.
    pub(super) fn unblock(&mut self) {
        self.blocked = false;
    }

    /// Lets the client in: the roster comes first, then the log from `cursor` on.
    pub(super) fn welcome(&mut self, name: &[u8], roster: &Roster, cursor: u64) {
        self.name = name.into();
        self.cursor = cursor;
        let (roster, end) = (Rc::clone(roster), roster.borrow().len());
        self.welcome = Some(Box::new(Welcome { roster, end, written: 0 }));
    }

    /// Puts CONOTIF of this client in the log.
    pub(super) fn announce(&self, log: &mut Log) {
        log.append(&CONOTIF.to_be_bytes());
        log.append(&self.name);
    }

    /// Puts the same frame in a roster; nothing before the client has joined.
    pub(super) fn enrol(&self, roster: &mut Vec<u8>) {
        if !self.name.is_empty() {
            roster.extend_from_slice(&CONOTIF.to_be_bytes());
            roster.extend_from_slice(&self.name);
        }
    }

    /// Puts MSGBC in the log; the text comes behind its size.
    pub(super) fn say(&self, sized: &[u8], log: &mut Log) {
        log.append(&MSGBC.to_be_bytes());
        log.append(&self.name);
        log.append(sized);
    }

    /// Puts DISCONOTIF in the log.
    pub(super) fn sign_out(&self, log: &mut Log) {
        log.append(&DISCONOTIF.to_be_bytes());
        log.append(&self.name);
    }

    /// Reads all there is and hands over each request; false when the client is done.
    pub(super) fn read(
        &mut self,
        input: &mut [u8],
        mut take: impl FnMut(&mut Self, Request<'_>),
    ) -> bool {
        loop {
            let kept = self.partial.len();
            let Some((head, room)) = input.split_at_mut_checked(kept) else { return false };
            let size = room.len();
            let read = match self.socket.read(room) {
                Ok(0) => return false,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            };
            head.copy_from_slice(&self.partial);
            let mut rest = input.get(..kept + read).unwrap_or_default();
            while let Some((kind, sized, length)) = frame(rest) {
                match kind {
                    COREQ if self.name.is_empty() => take(self, Request::Join(sized)),
                    MSG if !self.name.is_empty() => take(self, Request::Say(sized)),
                    _ => return false,
                }
                rest = rest.get(length..).unwrap_or_default();
            }
            self.partial.clear();
            self.partial.extend_from_slice(rest);
            if read < size {
                return true;
            }
        }
    }

    /// Writes what the client has not got yet, in one call; false when it is gone.
    pub(super) fn write(&mut self, log: &Log) -> bool {
        if self.blocked || self.name.is_empty() {
            return true;
        }
        if self.welcome.is_some() && !self.write_welcome() {
            return false;
        }
        let new = log.since(self.cursor);
        if self.blocked || new.is_empty() {
            return true;
        }
        match self.write_some(new) {
            Some(written) => {
                self.cursor += u64::try_from(written).unwrap_or(0);
                true
            }
            None => false,
        }
    }

    fn write_welcome(&mut self) -> bool {
        let Some(mut welcome) = self.welcome.take() else { return true };
        let roster = welcome.roster.borrow();
        let answer = ACCEPTED.get(welcome.written..).unwrap_or_default();
        let start = welcome.written.saturating_sub(ACCEPTED.len());
        let names = roster.get(start..welcome.end).unwrap_or_default();
        let whole = answer.len() + names.len();
        let slices = [IoSlice::new(answer), IoSlice::new(names)];
        let written = self.socket.write_vectored(&slices);
        drop(roster);
        let Some(written) = self.count(written, whole) else { return false };
        welcome.written += written;
        if written < whole {
            self.welcome = Some(welcome);
        }
        true
    }

    fn write_some(&mut self, run: &[u8]) -> Option<usize> {
        let written = self.socket.write(run);
        self.count(written, run.len())
    }

    /// Bytes that the kernel took of so many; `None` when the connection is broken.
    fn count(&mut self, written: io::Result<usize>, whole: usize) -> Option<usize> {
        match written {
            Ok(written) => {
                self.blocked = written < whole;
                Some(written)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.blocked = true;
                Some(0)
            }
            Err(_) => None,
        }
    }
}

/// The first frame: its type, its field with the size in front, its length.
fn frame(input: &[u8]) -> Option<(u32, &[u8], usize)> {
    let (kind, rest) = input.split_first_chunk::<4>()?;
    let size = u32::from_be_bytes(*rest.first_chunk::<4>()?);
    let sized = rest.get(..4 + usize::try_from(size).ok()?)?;
    Some((u32::from_be_bytes(*kind), sized, 4 + sized.len()))
}
