//! The mocked address: an actor that keeps what it gets for the test to look at.

use actix::prelude::{Actor, Addr, Context, Handler, Message, Recipient};
use tokio::sync::mpsc;

use crate::server::messages::{
    BatchWritten, FromRoom, Lifecycle, Publish, Recall, Relay, ToBroker, ToConnection, ToNode,
    ToRegistry, ToRoom,
};

/// A message that some actor of the server sends and a probe may receive.
pub(super) trait Probed: Message<Result = ()> + Send + Unpin + 'static {}

impl Probed for ToRoom {}
impl Probed for ToBroker {}
impl Probed for ToConnection {}
impl Probed for FromRoom {}
impl Probed for Relay {}
impl Probed for ToNode {}
impl Probed for ToRegistry {}
impl Probed for Publish {}
impl Probed for Recall {}
impl Probed for Lifecycle {}
impl Probed for BatchWritten {}

/// The test's end of a mocked address.
pub(super) struct Probe<M: Probed> {
    address: Addr<Forwarder<M>>,
    received: mpsc::UnboundedReceiver<M>,
}

/// The actor at a mocked address.
pub(super) struct Forwarder<M>(mpsc::UnboundedSender<M>);

/// Answered when everything sent to the probe before has been received.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Flush;

impl<M: Probed> Probe<M> {
    pub(super) fn start() -> Self {
        let (forwarded, received) = mpsc::unbounded_channel();
        Self { address: Forwarder(forwarded).start(), received }
    }

    pub(super) fn recipient(&self) -> Recipient<M> {
        self.address.clone().recipient()
    }

    /// The next that is sent here.
    pub(super) async fn next(&mut self) -> M {
        self.received.recv().await.unwrap()
    }

    /// Everything that was sent here and not yet looked at, in order.
    pub(super) async fn take(&mut self) -> Vec<M> {
        self.address.send(Flush).await.unwrap();
        std::iter::from_fn(|| self.received.try_recv().ok()).collect()
    }
}

impl<M: Probed> Actor for Forwarder<M> {
    type Context = Context<Self>;
}

impl<M: Probed> Handler<M> for Forwarder<M> {
    type Result = ();

    fn handle(&mut self, message: M, _: &mut Context<Self>) {
        self.0.send(message).unwrap();
    }
}

impl<M: Probed> Handler<Flush> for Forwarder<M> {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Context<Self>) {}
}
