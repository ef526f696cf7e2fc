//! How many handshakes an event loop begins, so that they do not delay those in the room.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::server::token_bucket::{Rate, TokenBucket};

/// A handshake costs some 0.2 ms of a core: those in the room keep a fifth of it at least.
const PER_SECOND: u32 = 4000;
/// As long as these take an event loop does nothing else: some 1 ms.
const AT_ONCE: u32 = 8;
/// The least time between two looks at who waits; timers are no finer.
const LOOK: Duration = Duration::from_millis(1);

/// Until a connection may begin its handshake.
pub(super) type Turn = Pin<Box<dyn Future<Output = ()>>>;

/// The handshakes that were begun lately, and the connections that wait for theirs, in the order in
/// which they came: each is woken once, however many there are.
#[derive(Debug)]
pub(super) struct Handshakes {
    begun: Rc<RefCell<Begun>>,
    turns: Arc<Semaphore>,
}

#[derive(Debug)]
struct Begun {
    rate: Option<Rate>,
    bucket: TokenBucket,
    /// Connections wait, or did when they were looked at last.
    has_queue: bool,
}

impl Handshakes {
    /// Begins a handshake, or says what to wait for before that.
    pub(super) fn enter(&self, now: Instant) -> Option<Turn> {
        let mut begun = self.begun.borrow_mut();
        if !begun.has_queue && begun.take(now) {
            return None;
        }
        if !begun.has_queue {
            begun.has_queue = true;
            tokio::task::spawn_local(give_turns(Rc::clone(&self.begun), Arc::clone(&self.turns)));
        }
        let turns = Arc::clone(&self.turns);
        Some(Box::pin(async move {
            // It is never closed.
            if let Ok(turn) = turns.acquire_owned().await {
                turn.forget();
            }
        }))
    }
}

impl Default for Handshakes {
    fn default() -> Self {
        let rate = Rate::new(PER_SECOND, Duration::from_secs(1), AT_ONCE);
        let begun = Begun { rate, bucket: TokenBucket::default(), has_queue: false };
        let turns = Arc::new(Semaphore::new(0));
        Self { begun: Rc::new(RefCell::new(begun)), turns }
    }
}

impl Begun {
    /// Begins a handshake if that keeps within the rate; whether it did.
    fn take(&mut self, now: Instant) -> bool {
        self.rate.is_none_or(|rate| self.bucket.try_take(rate, now))
    }
}

/// Lets those who wait begin at the rate, until no one does.
async fn give_turns(begun: Rc<RefCell<Begun>>, turns: Arc<Semaphore>) {
    loop {
        tokio::time::sleep(LOOK).await;
        if turns.available_permits() > 0 {
            // They were given to no one.
            turns.forget_permits(usize::MAX);
            begun.borrow_mut().has_queue = false;
            return;
        }
        let now = Instant::now();
        while turns.available_permits() == 0 && begun.borrow_mut().take(now) {
            turns.add_permits(1);
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
        // One that has given up uses no turn.
        drop(waiting.remove(0));
        futures::future::join_all(waiting).await;
        assert!(start.elapsed() >= Duration::from_secs(1) * (CROWD - 1 - AT_ONCE) / PER_SECOND);
        assert_eq!(*order.borrow(), (AT_ONCE + 1..CROWD).collect::<Vec<_>>());
        while handshakes.begun.borrow().has_queue {
            tokio::time::sleep(LOOK).await;
        }
        assert!(handshakes.enter(Instant::now()).is_none(), "the crowd is gone");
    }
}
