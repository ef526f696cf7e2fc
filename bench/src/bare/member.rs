//! One client of the bare server.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;

use super::frames::{Request, Revision};
use super::log::Log;
use super::tls::Tls;

/// The frames that name everybody who is there. It only grows; on a leave there is a new one.
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
pub(super) struct Member {
    socket: TcpStream,
    /// In revision 2.
    tls: Option<Tls>,
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
    pub(super) fn new(socket: TcpStream, tls: Option<Tls>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            tls,
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

    fn revision(&self) -> Revision {
        if self.tls.is_some() { Revision::Two } else { Revision::One }
    }

    /// Puts in the log that the client has joined.
    pub(super) fn announce(&self, log: &mut Log) {
        self.revision().put_joined(&self.name, log.tail());
    }

    /// Puts in a roster that the client is there; nothing before it has joined.
    pub(super) fn enrol(&self, roster: &mut Vec<u8>) {
        if !self.name.is_empty() {
            self.revision().put_present(&self.name, roster);
        }
    }

    /// Puts a message in the log; the text comes behind its size.
    pub(super) fn say(&self, text: &[u8], log: &mut Log) {
        self.revision().put_said(&self.name, text, log.tail());
    }

    /// Puts in the log that the client has left.
    pub(super) fn sign_out(&self, log: &mut Log) {
        self.revision().put_left(&self.name, log.tail());
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
            let read = match &mut self.tls {
                Some(tls) => tls.read(&self.socket, room),
                None => self.socket.read(room),
            };
            let read = match read {
                Ok(0) => return false,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            };
            head.copy_from_slice(&self.partial);
            let mut rest = input.get(..kept + read).unwrap_or_default();
            loop {
                let Ok(request) = self.revision().request(rest) else { return false };
                let Some((request, length)) = request else { break };
                if matches!(request, Request::Join(_)) != self.name.is_empty() {
                    return false;
                }
                take(self, request);
                rest = rest.get(length..).unwrap_or_default();
            }
            self.partial.clear();
            self.partial.extend_from_slice(rest);
            if read < size && self.tls.is_none() {
                return true;
            }
        }
    }

    /// Writes what the client has not got yet; `scratch` is for what is encrypted. False when the
    /// client is gone.
    pub(super) fn write(&mut self, log: &Log, scratch: &mut Vec<u8>) -> bool {
        if self.blocked || self.name.is_empty() {
            return true;
        }
        if self.welcome.is_some() && !self.write_welcome(scratch) {
            return false;
        }
        loop {
            let new = log.since(self.cursor);
            if self.blocked || new.is_empty() {
                return true;
            }
            match self.write_some(new, scratch) {
                Some(written) => self.cursor += u64::try_from(written).unwrap_or(0),
                None => return false,
            }
        }
    }

    fn write_welcome(&mut self, scratch: &mut Vec<u8>) -> bool {
        let Some(mut welcome) = self.welcome.take() else { return true };
        let accepted = self.revision().accepted();
        let whole = accepted.len() + welcome.end;
        while welcome.written < whole && !self.blocked {
            let roster = welcome.roster.borrow();
            let answer = accepted.get(welcome.written..).unwrap_or_default();
            let start = welcome.written.saturating_sub(accepted.len());
            let names = roster.get(start..welcome.end).unwrap_or_default();
            let written = if self.tls.is_some() {
                self.write_some(if answer.is_empty() { names } else { answer }, scratch)
            } else {
                let slices = [IoSlice::new(answer), IoSlice::new(names)];
                let written = self.socket.write_vectored(&slices);
                self.count(written, answer.len() + names.len())
            };
            drop(roster);
            let Some(written) = written else { return false };
            welcome.written += written;
        }
        if welcome.written < whole {
            self.welcome = Some(welcome);
        }
        true
    }

    fn write_some(&mut self, run: &[u8], scratch: &mut Vec<u8>) -> Option<usize> {
        let Some(tls) = &mut self.tls else {
            let written = self.socket.write(run);
            return self.count(written, run.len());
        };
        match tls.write(&self.socket, run, scratch) {
            Ok((written, everything)) => {
                self.blocked = !everything;
                Some(written)
            }
            error => self.count(error.map(|(written, _)| written), run.len()),
        }
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
