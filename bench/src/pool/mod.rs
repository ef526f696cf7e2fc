//! The load generator: any number of clients on one thread, one `epoll`, one input buffer.
//!
//! Nothing is allocated for a message: deliveries are counted where they lie in the input buffer,
//! and messages go into outboxes that keep their room.

mod client;

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use matou_actors::trust::{Alpn, ExpectedKey, Identity, KeyExchange, client_config};
use rustls::ClientConfig;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use self::client::Client;
use crate::clock::Clock;
use crate::dialect::{Dialect, Item};
use crate::error::{BenchError, Context, Outcome};
use crate::stamp::Stamp;

/// Room for one read: fits in the second level cache, so that counting does not wait for memory.
const INPUT: usize = 256 * 1024;
const EVENTS: usize = 1024;

/// What a scenario does with deliveries.
pub(crate) trait Watch {
    /// A message came to a client at a time; those that have to send now are put in `orders`.
    fn delivery(&mut self, client: usize, text: &[u8], now: u64, orders: &mut Orders);
}

/// Messages to be sent as soon as the deliveries at hand are counted.
#[derive(Debug)]
pub(crate) struct Orders(Vec<(usize, Stamp)>);

impl Orders {
    /// Has `client` send a message.
    pub(crate) fn send(&mut self, client: usize, stamp: Stamp) {
        self.0.push((client, stamp));
    }
}

/// Watches nothing.
#[derive(Debug)]
pub(crate) struct Ignore;

impl Watch for Ignore {
    fn delivery(&mut self, _: usize, _: &[u8], _: u64, _: &mut Orders) {}
}

/// All clients of one measurement.
pub(crate) struct Pool<D> {
    dialect: D,
    clock: Clock,
    /// Clients are spread over them.
    addresses: Vec<SocketAddr>,
    /// For a dialect that is encrypted.
    tls: Option<Arc<ClientConfig>>,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    clients: Vec<Client>,
    input: Vec<u8>,
    orders: Orders,
    joined: usize,
    gone: usize,
    deliveries: u64,
}

impl<D: Dialect> Pool<D> {
    /// An empty pool for the server at these addresses.
    pub(crate) fn new(dialect: D, clock: Clock, addresses: &[SocketAddr]) -> Outcome<Self> {
        Ok(Self {
            dialect,
            clock,
            addresses: addresses.to_vec(),
            tls: D::ENCRYPTED.then(tls_config).transpose()?,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).context("create an epoll")?,
            events: Vec::with_capacity(EVENTS),
            clients: Vec::new(),
            input: vec![0; INPUT],
            orders: Orders(Vec::with_capacity(EVENTS)),
            joined: 0,
            gone: 0,
            deliveries: 0,
        })
    }

    /// Connects so many more clients and has each say its hello.
    pub(crate) fn connect(&mut self, count: usize) -> Outcome<()> {
        for _ in 0..count {
            let index = self.clients.len();
            let place = index % self.addresses.len().max(1);
            let Some(&address) = self.addresses.get(place) else { continue };
            let mut client = Client::connect(index, address, self.tls.as_ref())?;
            self.dialect.hello(index, &mut client.out);
            let flags = epoll::EventFlags::IN;
            let token = epoll::EventData::new_u64(u64::try_from(index).unwrap_or(u64::MAX));
            epoll::add(&self.epoll, &client.socket, token, flags).context("watch a client")?;
            self.clients.push(client);
            self.flush(index);
        }
        Ok(())
    }

    /// Connects so many more clients, `wave` of them at once, and waits until all are in the room,
    /// and (where the server announces joins) every client has every announcement.
    pub(crate) fn join(
        &mut self,
        count: usize,
        wave: usize,
        limit: Duration,
    ) -> Outcome<JoinTimes> {
        let start = Instant::now();
        let all = self.clients.len() + count;
        let mut accepted = start;
        while self.clients.len() < all {
            let left = limit.saturating_sub(start.elapsed());
            self.connect(wave.min(all - self.clients.len()))?;
            let joined = |pool: &Self| pool.joined == pool.clients.len();
            accepted = self.until(left, "joining", &mut Ignore, joined)?;
        }
        let everybody = u32::try_from(all).unwrap_or(u32::MAX);
        let all_announced = |pool: &Self| {
            !D::ANNOUNCES || pool.clients.iter().all(|client| client.presence >= everybody)
        };
        let left = limit.saturating_sub(start.elapsed());
        let last = self.until(left, "announcing all to all", &mut Ignore, all_announced)?;
        Ok(JoinTimes { accepted: accepted - start, announced: last - start })
    }

    /// Polls until `done`, at most for `limit`; says when it was done.
    pub(crate) fn until(
        &mut self,
        limit: Duration,
        what: &str,
        watch: &mut impl Watch,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Outcome<Instant> {
        let start = Instant::now();
        while !done(self) {
            if self.gone > 0 {
                return Err(BenchError::Invalid(format!(
                    "the server closed {} connections during {what}",
                    self.gone
                )));
            }
            if start.elapsed() > limit {
                let seconds = limit.as_secs();
                return Err(BenchError::Deadline { what: what.to_owned(), seconds });
            }
            self.poll(Duration::from_millis(10), watch)?;
        }
        Ok(Instant::now())
    }

    /// Reads from every client that has input, waiting for the first at most `timeout`.
    pub(crate) fn poll(&mut self, timeout: Duration, watch: &mut impl Watch) -> Outcome<()> {
        self.events.clear();
        let timeout = Timespec::try_from(timeout).unwrap_or_default();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for events"),
        }
        for place in 0..self.events.len() {
            let Some(event) = self.events.get(place).copied() else { break };
            let Ok(index) = usize::try_from(event.data.u64()) else { continue };
            let flags = event.flags;
            if flags.contains(epoll::EventFlags::OUT) {
                self.flush(index);
            }
            if flags
                .intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR)
            {
                self.read(index, watch);
            }
        }
        Ok(())
    }

    /// Has a client send a message now.
    pub(crate) fn send(&mut self, client: usize, stamp: Stamp) {
        if let Some(sender) = self.clients.get_mut(client) {
            self.dialect.message(&stamp.encode(), &mut sender.out);
        }
        self.flush(client);
    }

    /// Stops reading from the clients from this one on, as programs do that hang.
    pub(crate) fn stop_reading(&mut self, from: usize) -> Outcome<()> {
        for client in self.clients.iter().skip(from) {
            epoll::delete(&self.epoll, &client.socket).context("leave a client unread")?;
        }
        Ok(())
    }

    /// Clients, those that were closed included.
    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Clients that the server closed.
    pub(crate) fn gone(&self) -> usize {
        self.gone
    }

    /// Deliveries to all clients together.
    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Counts deliveries from zero again; nothing may be on its way.
    pub(crate) fn reset_counts(&mut self) {
        self.deliveries = 0;
        self.clients.iter_mut().for_each(|client| client.deliveries = 0);
    }

    /// Deliveries to each client.
    pub(crate) fn each(&self) -> impl Iterator<Item = u64> + '_ {
        self.clients.iter().map(|client| client.deliveries)
    }

    fn read(&mut self, index: usize, watch: &mut impl Watch) {
        let Some(client) = self.clients.get_mut(index) else { return };
        let kept = client.partial.len();
        let Some((head, room)) = self.input.split_at_mut_checked(kept) else { return };
        let read = match client.read(room) {
            Ok(Some(0)) | Err(_) => return self.close(index),
            Ok(None) => return,
            Ok(Some(read)) => read,
        };
        head.copy_from_slice(&client.partial);
        let now = self.clock.now();
        let mut rest = self.input.get(..kept + read).unwrap_or_default();
        while let Some((item, length)) = self.dialect.next(rest) {
            match item {
                Item::Delivery(text) => {
                    client.deliveries += 1;
                    self.deliveries += 1;
                    watch.delivery(index, text, now, &mut self.orders);
                }
                Item::Presence(names) => client.presence += names,
                Item::Joined if !client.joined => {
                    client.joined = true;
                    self.joined += 1;
                }
                Item::Question => {
                    let question = rest.get(..length).unwrap_or_default();
                    self.dialect.answer(question, &mut client.out);
                }
                Item::Refused => return self.close(index),
                Item::Joined | Item::Other => {}
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        client.partial.clear();
        client.partial.extend_from_slice(rest);
        if !client.out.is_empty() {
            self.flush(index);
        }
        self.perform();
    }

    /// Sends what was ordered: all messages of one client in one write.
    fn perform(&mut self) {
        let mut orders = std::mem::take(&mut self.orders.0);
        for (place, (client, stamp)) in orders.iter().enumerate() {
            if let Some(sender) = self.clients.get_mut(*client) {
                self.dialect.message(&stamp.encode(), &mut sender.out);
            }
            if orders.get(place + 1).is_none_or(|(next, _)| next != client) {
                self.flush(*client);
            }
        }
        orders.clear();
        self.orders.0 = orders;
    }

    fn flush(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index) else { return };
        let Ok(clear) = client.flush() else { return self.close(index) };
        if client.blocked == clear {
            client.blocked = !clear;
            let out = if clear { epoll::EventFlags::empty() } else { epoll::EventFlags::OUT };
            let token = epoll::EventData::new_u64(u64::try_from(index).unwrap_or(u64::MAX));
            let flags = epoll::EventFlags::IN | out;
            // Fails only for a socket that is not watched any more, which is as well.
            let _ = epoll::modify(&self.epoll, &client.socket, token, flags);
        }
    }

    fn close(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index) else { return };
        if !client.gone {
            client.gone = true;
            self.gone += 1;
            let _ = epoll::delete(&self.epoll, &client.socket);
        }
    }
}

/// One key for all clients: the server looks at each handshake alone.
fn tls_config() -> Outcome<Arc<ClientConfig>> {
    let broken = |error: &dyn std::fmt::Display| BenchError::Invalid(error.to_string());
    let identity = Identity::generate().map_err(|error| broken(&error))?;
    let (any, exchange) = (ExpectedKey::Any, KeyExchange::Hybrid);
    let config = client_config(&identity, any, Alpn::Server, exchange);
    Ok(Arc::new(config.map_err(|error| broken(&error))?))
}

/// How long a storm of joins took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JoinTimes {
    /// Until every client had its acceptance.
    pub(crate) accepted: Duration,
    /// Until every client has the announcement of every other.
    pub(crate) announced: Duration,
}
