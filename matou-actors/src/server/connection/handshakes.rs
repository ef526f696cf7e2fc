//! Limits how many handshakes an event loop begins, so that they do not delay the members of the room.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::server::token_bucket::{Rate, TokenBucket};

/// Handshakes a second. One takes some 0.2 ms of a core, so a fifth of it is left for the room.
const PER_SECOND: u32 = 4000;
/// How many handshakes an event loop performs in a row, which takes some 1 ms, before it serves the
/// others.
const AT_ONCE: u32 = 8;
/// How many handshakes an event loop catches up on after it was busy with something else.
const IN_ARREARS: u32 = 32;
/// The interval between two checks of the rate; timers are no finer.
const LOOK: Duration = Duration::from_millis(1);

/// Resolves when a connection may begin its handshake.
pub(super) type HandshakeTurn = Pin<Box<dyn Future<Output = ()>>>;

/// The rate of handshakes, and the connections that wait for a turn, in order of arrival. Each is
/// woken once, however many there are.
#[derive(Debug)]
pub(super) struct Handshakes {
    begun: Rc<RefCell<StartRate>>,
    turns: Arc<Semaphore>,
}

#[derive(Debug)]
struct StartRate {
    rate: Option<Rate>,
    bucket: TokenBucket,
    /// Limits handshakes that begin without waiting.
    at_once: Option<Rate>,
    lately: TokenBucket,
    /// Connections that wait for their turn, whether they have been polled yet or not.
    waiting: usize,
    /// Turns are being given.
    has_queue: bool,
}

/// A waiting connection, until it gets its turn or gives up.
struct Waiting(Rc<RefCell<StartRate>>);

impl Handshakes {
    /// Begins a handshake, or returns what to wait for.
    pub(super) fn enter(&self, now: Instant) -> Option<HandshakeTurn> {
        let mut begun = self.begun.borrow_mut();
        if !begun.has_queue && begun.is_early(now) && begun.take(now) {
            return None;
        }
        if !begun.has_queue {
            begun.has_queue = true;
            tokio::task::spawn_local(give_turns(Rc::clone(&self.begun), Arc::clone(&self.turns)));
        }
        begun.waiting += 1;
        let (waiting, turns) = (Waiting(Rc::clone(&self.begun)), Arc::clone(&self.turns));
        Some(Box::pin(async move {
            // It is never closed.
            if let Ok(turn) = turns.acquire_owned().await {
                turn.forget();
            }
            drop(waiting);
        }))
    }
}

impl Default for Handshakes {
    fn default() -> Self {
        let begun = StartRate {
            rate: Rate::new(PER_SECOND, Duration::from_secs(1), IN_ARREARS),
            bucket: TokenBucket::default(),
            at_once: Rate::new(AT_ONCE, LOOK, AT_ONCE),
            lately: TokenBucket::default(),
            waiting: 0,
            has_queue: false,
        };
        let turns = Arc::new(Semaphore::new(0));
        Self { begun: Rc::new(RefCell::new(begun)), turns }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut begun = self.0.borrow_mut();
        begun.waiting = begun.waiting.saturating_sub(1);
    }
}

impl StartRate {
    /// Whether another handshake may begin at once.
    fn is_early(&mut self, now: Instant) -> bool {
        self.at_once.is_none_or(|rate| self.lately.try_take(rate, now))
    }

    /// Begins a handshake if the rate allows it; returns whether it did.
    fn take(&mut self, now: Instant) -> bool {
        self.rate.is_none_or(|rate| self.bucket.try_take(rate, now))
    }
}

/// Gives turns to waiting connections at the allowed rate, a few in each iteration of the event loop,
/// until none is left.
async fn give_turns(begun: Rc<RefCell<StartRate>>, turns: Arc<Semaphore>) {
    loop {
        if begun.borrow().waiting == 0 {
            // A turn may have been given to a connection that has given up.
            turns.forget_permits(usize::MAX);
            begun.borrow_mut().has_queue = false;
            return;
        }
        let (now, mut given) = (Instant::now(), 0);
        while given < AT_ONCE && turns.available_permits() == 0 && begun.borrow_mut().take(now) {
            turns.add_permits(1);
            given += 1;
        }
        if given < AT_ONCE {
            tokio::time::sleep(LOOK).await;
        } else {
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn a_crowd_begins_a_few_at_once_then_at_the_rate_in_its_order() {
        const CROWD: u32 = 200;
        let (handshakes, start) = (Handshakes::default(), Instant::now());
        let (order, mut waiting) = (Rc::new(RefCell::new(Vec::new())), Vec::new());
        for number in 0..CROWD {
            let turn = handshakes.enter(start);
            assert_eq!(turn.is_none(), number < AT_ONCE, "{number}");
            let order = Rc::clone(&order);
            waiting.extend(turn.map(|turn| async move {
                turn.await;
                order.borrow_mut().push(number);
            }));
        }
        // A connection that has given up uses no turn.
        drop(waiting.remove(0));
        futures::future::join_all(waiting).await;
        assert!(start.elapsed() >= Duration::from_secs(1) * (CROWD - 1 - IN_ARREARS) / PER_SECOND);
        assert_eq!(*order.borrow(), (AT_ONCE + 1..CROWD).collect::<Vec<_>>());
        while handshakes.begun.borrow().has_queue {
            tokio::time::sleep(LOOK).await;
        }
        assert!(handshakes.enter(Instant::now()).is_none(), "the crowd is gone");
    }

    #[actix::test]
    async fn a_turn_waits_for_a_connection_that_looks_for_it_late() {
        let (handshakes, start) = (Handshakes::default(), Instant::now());
        let mut late = None;
        for _ in 0..=AT_ONCE {
            late = handshakes.enter(start);
        }
        let late = late.expect("one more than may begin at once");
        // Meanwhile turns are given, but no connection takes one.
        tokio::time::sleep(5 * LOOK).await;
        tokio::time::timeout(Duration::from_secs(10), late).await.expect("its turn");
    }
}
