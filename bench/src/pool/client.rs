//! One connection of the generator.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Socket, Type};

use crate::error::{Context, Outcome};

/// Connections from one source address, so that neither ports nor limits for an address run out.
const PER_SOURCE: usize = 2_500;

/// A connection with what is left of a frame, what is not yet written, and what it has counted.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// The front of a frame whose end has not come yet.
    pub(super) partial: Vec<u8>,
    /// What the kernel did not take yet.
    pub(super) out: Vec<u8>,
    /// Whether the wait for room in the socket is registered.
    pub(super) blocked: bool,
    pub(super) joined: bool,
    pub(super) gone: bool,
    /// Names announced to this client, its own included.
    pub(super) presence: u32,
    pub(super) deliveries: u64,
}

impl Client {
    /// Begins to connect the client with this number; its source address depends on it.
    pub(super) fn connect(
        index: usize,
        address: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Outcome<Self> {
        let what = || format!("connect client {index} to {address}");
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).context(what())?;
        let host = u8::try_from(1 + index / PER_SOURCE).unwrap_or(u8::MAX);
        if host > 1 {
            let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0));
            socket.bind(&source.into()).context(what())?;
        }
        socket.set_tcp_nodelay(true).context(what())?;
        // A reset at the end instead of a port that stays taken for a minute.
        socket.set_linger(Some(Duration::ZERO)).context(what())?;
        match socket.connect(&address.into()) {
            Err(error)
                if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
            {
                Err(error).context(what())?;
            }
            _ => {}
        }
        let tls = tls.map(|config| -> io::Result<_> {
            let name = ServerName::try_from("matou").map_err(io::Error::other)?;
            let tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
            Ok(Box::new(tls))
        });
        let tls = tls.transpose().context(what())?;
        Ok(Self {
            socket: socket.into(),
            tls,
            partial: Vec::new(),
            out: Vec::new(),
            blocked: false,
            joined: false,
            gone: false,
            presence: 0,
            deliveries: 0,
        })
    }

    /// Bytes read; `None` when there is nothing to read now.
    pub(super) fn read(&mut self, input: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(tls) = &mut self.tls else {
            return match (&self.socket).read(input) {
                Ok(read) => Ok(Some(read)),
                Err(error) if later(&error) => Ok(None),
                Err(error) => Err(error),
            };
        };
        // What is decrypted may be longer than what is read by the record that was begun before.
        let (input, encrypted) = input.split_at_mut(input.len() / 8 * 5);
        let mut encrypted = match (&self.socket).read(encrypted) {
            Ok(0) => return Ok(Some(0)),
            Ok(read) => encrypted.get(..read).unwrap_or_default(),
            Err(error) if later(&error) => &[],
            Err(error) => return Err(error),
        };
        let mut total = 0;
        while !encrypted.is_empty() {
            tls.read_tls(&mut encrypted)?;
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let room = input.get_mut(total..).unwrap_or_default();
            let room = room.get_mut(..state.plaintext_bytes_to_read());
            let room = room.ok_or(io::ErrorKind::OutOfMemory)?;
            tls.reader().read_exact(room)?;
            total += room.len();
        }
        if tls.wants_write() {
            self.flush()?;
        }
        Ok((total > 0).then_some(total))
    }

    /// Writes what waits, as far as the kernel takes it; true when nothing is left.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            let taken = tls.writer().write(&self.out)?;
            self.out.drain(..taken);
            while tls.wants_write() {
                match tls.write_tls(&mut &self.socket) {
                    Ok(_) => {}
                    Err(error) if later(&error) => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
            return Ok(self.out.is_empty());
        }
        match (&self.socket).write(&self.out) {
            Ok(written) if written == self.out.len() => {
                self.out.clear();
                Ok(true)
            }
            Ok(written) => {
                self.out.drain(..written);
                Ok(false)
            }
            Err(error) if later(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Whether to try again when the socket says so; it also says "not connected" while connecting.
fn later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::NotConnected
    )
}
