//! Stands in for the hub in the tests of one actor: passes on its reports.

use std::time::Duration;

use actix::prelude::*;
use tokio::sync::mpsc;

/// Reports to it are answered at once.
pub(super) struct Probe<M>(mpsc::UnboundedSender<M>);

/// What was reported to a probe.
pub(super) struct Reports<M>(mpsc::UnboundedReceiver<M>);

/// A probe, and what is reported to it.
pub(super) fn probe<M>() -> (Recipient<M>, Reports<M>)
where
    M: Message<Result = ()> + Send + Unpin + 'static,
{
    let (sender, receiver) = mpsc::unbounded_channel();
    (Probe(sender).start().recipient(), Reports(receiver))
}

impl<M: Unpin + 'static> Actor for Probe<M> {
    type Context = Context<Self>;
}

impl<M: Message<Result = ()> + Unpin + 'static> Handler<M> for Probe<M> {
    type Result = ();

    fn handle(&mut self, message: M, _: &mut Self::Context) {
        // A test that is over does not want to know.
        let _ = self.0.send(message);
    }
}

impl<M> Reports<M> {
    /// The next report.
    pub(super) async fn next(&mut self) -> M {
        let next = tokio::time::timeout(Duration::from_secs(10), self.0.recv());
        next.await.expect("no report in time").expect("no report any more")
    }
}
