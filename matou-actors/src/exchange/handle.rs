//! The handles by which others reach the thread of a file connection.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::messages::ExchangeOrder;
use crate::protocol::v2::MessageFrame;

/// Frames of the message connection that may wait while the disk is busy: the other side decides
/// how many there are.
const MOST_FRAMES: usize = 256;

/// Sends orders to the thread of a file connection; the connection is closed when it is dropped.
#[derive(Debug)]
pub struct Exchange(Orders);

/// Hands the frames received on the message connection to the exchange.
#[derive(Clone, Debug)]
pub struct FrameSender {
    orders: Orders,
    room: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
struct Orders {
    queue: Sender<Queued>,
    wake: Arc<UnixStream>,
}

/// An order, and the slot that it takes up until it is performed.
pub(super) type Queued = (ExchangeOrder, Option<OwnedSemaphorePermit>);

impl Exchange {
    /// Has the exchange do something; nothing happens once it has ended.
    pub fn order(&self, order: ExchangeOrder) {
        self.0.push((order, None));
    }
}

impl FrameSender {
    /// Hands a frame over, once few enough wait; it is lost when the exchange has ended.
    pub async fn send(&self, frame: MessageFrame) {
        // It is never closed.
        let place = Arc::clone(&self.room).acquire_owned().await.ok();
        self.orders.push((ExchangeOrder::Frame(frame), place));
    }
}

impl Orders {
    fn push(&self, queued: Queued) {
        // An error means that the exchange has ended, which was reported.
        if self.queue.send(queued).is_ok() {
            // A full pipe wakes as well.
            let _ = (&*self.wake).write(&[0]);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.order(ExchangeOrder::Close);
    }
}

/// The handles; what they are given, and what is readable when there is something.
pub(super) fn handles() -> io::Result<(Exchange, FrameSender, Receiver<Queued>, UnixStream)> {
    let (queue, queued) = channel();
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    let orders = Orders { queue, wake: Arc::new(wake) };
    let room = Arc::new(Semaphore::new(MOST_FRAMES));
    let frames = FrameSender { orders: orders.clone(), room };
    Ok((Exchange(orders), frames, queued, woken))
}
