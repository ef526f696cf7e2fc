//! The bare fan-out server: one thread, one `epoll`, one shared log, a cursor for each client.
//!
//! It checks nothing, limits nothing and logs nothing. What it costs is what the kernel costs:
//! the measure for every server that does more. Encrypted, the cipher comes on top, and nothing else.

mod frames;
mod log;
mod member;
mod tls;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventFlags};

use rustls::ServerConfig;

use self::frames::Request;
use self::log::Log;
use self::member::{Member, Roster};
use self::tls::Tls;
use crate::error::{Context, Outcome};

const LISTENER: u64 = u64::MAX;
const INPUT: usize = 64 * 1024;
const BACKLOG: i32 = 4096;
/// From this length on, the part of the log that everybody has is forgotten.
const LOG_TRIM: usize = 256 * 1024;
/// Members that are further behind than this are dropped.
const LOG_BYTES: usize = 4 * 1024 * 1024;

/// Serves for ever, with the frames of revision 2 and its encryption or those of revision 1.
pub(crate) fn serve(address: SocketAddr, encrypted: bool) -> Outcome<()> {
    let tls = encrypted.then(tls::config).transpose()?;
    let mut server = Server::bind(address, tls)?;
    let bound = server.listener.local_addr().context("learn the address")?;
    println!("listening on {bound}");
    io::stdout().flush().context("say the address")?;
    loop {
        server.turn()?;
    }
}

struct Server {
    listener: TcpListener,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    members: Vec<Option<Member>>,
    free: Vec<usize>,
    log: Log,
    roster: Roster,
    input: Vec<u8>,
    tls: Option<Arc<ServerConfig>>,
    /// Room for what is encrypted.
    scratch: Vec<u8>,
}

impl Server {
    fn bind(address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Outcome<Self> {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            None,
        )
        .context("open a socket")?;
        socket.set_reuse_address(true).context("reuse the address")?;
        socket.set_nonblocking(true).context("make the listener non-blocking")?;
        socket.bind(&address.into()).context(format!("bind {address}"))?;
        socket.listen(BACKLOG).context("listen")?;
        let listener = TcpListener::from(socket);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context("create an epoll")?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), EventFlags::IN)
            .context("watch the listener")?;
        Ok(Self {
            listener,
            epoll,
            events: Vec::with_capacity(1024),
            members: Vec::new(),
            free: Vec::new(),
            log: Log::default(),
            roster: Roster::default(),
            input: vec![0; INPUT],
            tls,
            scratch: Vec::new(),
        })
    }

    /// Reads whatever is there, then writes the log's new end to everybody: the batches grow by
    /// themselves with the time that writing takes.
    fn turn(&mut self) -> Outcome<()> {
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for events"),
        }
        for place in 0..self.events.len() {
            let Some(event) = self.events.get(place).copied() else { break };
            match usize::try_from(event.data.u64()) {
                Ok(index) if event.data.u64() != LISTENER => self.ready(index, event.flags),
                _ => self.accept(),
            }
        }
        self.write_all();
        if self.log.len() > LOG_TRIM {
            self.cut();
        }
        Ok(())
    }

    fn accept(&mut self) {
        while let Ok((socket, _)) = self.listener.accept() {
            let Ok(tls) = self.tls.as_ref().map(Tls::new).transpose() else { continue };
            let Ok(member) = Member::new(socket, tls) else { continue };
            let index = self.free.pop().unwrap_or(self.members.len());
            let token = epoll::EventData::new_u64(u64::try_from(index).unwrap_or(LISTENER));
            // Edges in both directions, so that no interest ever has to be changed.
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            if epoll::add(&self.epoll, member.socket(), token, flags).is_err() {
                continue;
            }
            match self.members.get_mut(index) {
                Some(place) => *place = Some(member),
                None => self.members.push(Some(member)),
            }
        }
    }

    fn ready(&mut self, index: usize, flags: EventFlags) {
        let Some(Some(member)) = self.members.get_mut(index) else { return };
        if flags.contains(EventFlags::OUT) {
            member.unblock();
        }
        if !flags.intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP) {
            return;
        }
        let (log, roster) = (&mut self.log, &self.roster);
        let alive = member.read(&mut self.input, |member, request| match request {
            Request::Join(name) => {
                member.welcome(name, roster, log.end());
                member.announce(log);
                member.enrol(&mut roster.borrow_mut());
            }
            Request::Say(sized) => member.say(sized, log),
        });
        if !alive {
            self.drop_member(index);
        }
    }

    fn write_all(&mut self) {
        for index in 0..self.members.len() {
            let Some(Some(member)) = self.members.get_mut(index) else { continue };
            if !member.write(&self.log, &mut self.scratch) {
                self.drop_member(index);
            }
        }
    }

    /// Forgets what everyone has, and drops those too far behind.
    fn cut(&mut self) {
        let end = self.log.end();
        let keep = end.saturating_sub(u64::try_from(LOG_BYTES).unwrap_or(u64::MAX));
        for index in 0..self.members.len() {
            let Some(Some(member)) = self.members.get(index) else { continue };
            if member.cursor().is_some_and(|cursor| cursor < keep) {
                self.drop_member(index);
            }
        }
        let cursors = self.members.iter().flatten().filter_map(Member::cursor);
        self.log.forget(cursors.min().unwrap_or(end));
    }

    fn drop_member(&mut self, index: usize) {
        let Some(member) = self.members.get_mut(index).and_then(Option::take) else { return };
        self.free.push(index);
        if member.cursor().is_none() {
            return;
        }
        member.sign_out(&mut self.log);
        let mut roster = Vec::with_capacity(self.roster.borrow().len());
        for member in self.members.iter().flatten() {
            member.enrol(&mut roster);
        }
        // Those who still read the old one keep it: what it says was true at that moment.
        self.roster = Roster::new(roster.into());
    }
}
