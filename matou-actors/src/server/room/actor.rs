//! The room actor: one order for everything that all clients read.

use std::sync::Arc;
use std::task::Context as Task;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix::prelude::{
    Actor, AsyncContext, Context, Handler, MessageResult, Recipient, SpawnHandle,
};
use slog::{Logger, warn};
use tokio::sync::oneshot;

use crate::protocol::v2::UnixMillis;
use crate::protocol::{Kind, MessageText, Username};
use crate::server::after_mailbox::{AfterMailbox, run_after_mailbox};
use crate::server::lifecycle::critical::CriticalActor;
use crate::server::log_limiter::{LogLimiters, Suppressed};
use crate::server::messages::{
    Announce, BatchWritten, Drain, FromNode, FromRoom, Publish, Purge, Purged, Recall, Relay,
    ReportTopic, SetRoom, SetTopic, ToNode, ToRoom,
};
use crate::server::metrics::meters::Meters;
use crate::server::room::fanout::{Fanout, Newcomer};
use crate::server::room::rates::{Limit, RoomRates};
use crate::server::room::saving::Saving;
use crate::server::room::shaper::Shaper;
use crate::server::store::writer::StoreWriter;

/// How often old messages are removed from the file of the history.
const EXPIRE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Puts joins, leaves and messages in one order and hands them to the shards in batches.
pub(crate) struct Room {
    pub(crate) fanout: Fanout,
    pub(crate) shaper: Shaper,
    pub(crate) motd_name: Username,
    pub(crate) shards: Vec<Recipient<FromRoom>>,
    pub(crate) clock: fn() -> Instant,
    /// The timer for gathered batches or rate limits, and when it ends.
    pub(crate) timer: Option<(Instant, SpawnHandle)>,
    pub(crate) meters: Arc<Meters>,
    /// The history's way to its file, if there is one.
    pub(crate) saving: Option<Saving>,
    /// Keeps the topic over restarts; the servers of a cluster keep it together.
    pub(crate) store: Option<StoreWriter>,
    /// There if other servers share the room.
    pub(crate) node: Option<Recipient<ToNode>>,
    pub(crate) delays: LogLimiters<Limit>,
    pub(crate) logger: Logger,
    pub(crate) draining: Vec<oneshot::Sender<()>>,
    pub(crate) _critical: Option<CriticalActor>,
}

impl Actor for Room {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        run_after_mailbox(ctx);
        if self.saving.is_some() {
            self.replace_file(None);
            ctx.run_interval(EXPIRE_EVERY, |room, _| {
                room.fanout.history_mut().expire(time_of_day());
                room.replace_file(None);
            });
        }
    }
}

impl Handler<ToRoom> for Room {
    type Result = ();

    fn handle(&mut self, message: ToRoom, _: &mut Context<Self>) {
        match message {
            ToRoom::Enter { route, name, key, replaces, last_sequence } => {
                if let Some(replaced) = replaces {
                    self.shaper.forget(replaced);
                }
                let newcomer = Newcomer { route, last_sequence };
                self.fanout.enter(newcomer, name, key, replaces, (self.clock)());
            }
            ToRoom::Leave { id, reason } => {
                self.shaper.forget(id);
                self.fanout.leave(id, reason, (self.clock)());
            }
        }
    }
}

impl Handler<Publish> for Room {
    type Result = ();

    fn handle(&mut self, said: Publish, _: &mut Context<Self>) {
        let (now, address) = ((self.clock)(), said.address);
        match self.shaper.admit(said, now) {
            Ok(said) => self.fanout.publish(said),
            Err(limit) => {
                self.meters.throttled(limit);
                if let Some(suppressed) = self.delays.permit(limit, now) {
                    warn!(self.logger, "messages delayed"; "address" => %address,
                        "reason" => %limit, Suppressed(suppressed));
                }
            }
        }
    }
}

impl Handler<Relay> for Room {
    type Result = ();

    fn handle(&mut self, Relay { from, to, frame }: Relay, _: &mut Context<Self>) {
        self.fanout.relay(from, to, frame);
    }
}

impl Handler<Recall> for Room {
    type Result = ();

    fn handle(&mut self, Recall { route, before, count }: Recall, _: &mut Context<Self>) {
        self.fanout.set_time(time_of_day());
        let messages = self.fanout.recall(route, before, count);
        self.meters.hub_sent(Kind::SAID, messages);
        self.meters.hub_sent(Kind::HISTORYEND, 1);
    }
}

impl Handler<Purge> for Room {
    type Result = MessageResult<Purge>;

    fn handle(&mut self, Purge(name): Purge, _: &mut Context<Self>) -> Self::Result {
        let messages = self.fanout.history_mut().purge(name.as_ref());
        if let Some(node) = &self.node {
            node.do_send(ToNode::Purge(name)); // An operator's doing, once in a while.
        }
        let saved = self.saving.is_some().then(|| {
            let (done, saved) = oneshot::channel();
            self.replace_file(Some(done));
            saved
        });
        MessageResult(Purged { messages, saved })
    }
}

impl Handler<ReportTopic> for Room {
    type Result = Option<MessageText>;

    fn handle(&mut self, _: ReportTopic, _: &mut Context<Self>) -> Option<MessageText> {
        self.fanout.topic().cloned()
    }
}

impl Handler<SetTopic> for Room {
    type Result = ();

    fn handle(&mut self, SetTopic(topic): SetTopic, _: &mut Context<Self>) {
        if let Some(store) = &self.store {
            store.keep_topic(topic.clone());
        }
        self.fanout.set_topic(topic, (self.clock)());
    }
}

impl Handler<FromNode> for Room {
    type Result = ();

    fn handle(&mut self, message: FromNode, _: &mut Context<Self>) {
        let now = (self.clock)();
        match message {
            FromNode::Begin { next, members, topic } => {
                self.fanout.begin(next, members, topic);
            }
            FromNode::Decided(decisions) => {
                let sequencer = self.fanout.sequencer();
                for decision in decisions {
                    sequencer.decide(decision, now);
                }
            }
            FromNode::Expelled => self.fanout.void(),
            FromNode::Purge(name) => drop(self.fanout.history_mut().purge(name.as_ref())),
        }
        // Messages purged later must not follow.
        self.admit();
    }
}

impl Handler<BatchWritten> for Room {
    type Result = ();

    fn handle(&mut self, BatchWritten { shard }: BatchWritten, _: &mut Context<Self>) {
        self.fanout.written(shard, (self.clock)());
    }
}

impl Handler<Drain> for Room {
    type Result = ();

    fn handle(&mut self, Drain(done): Drain, _: &mut Context<Self>) {
        // A shutdown waits for no rate.
        self.shaper.set_rates(RoomRates::default(), (self.clock)());
        self.draining.push(done);
    }
}

impl Handler<Announce> for Room {
    type Result = ();

    fn handle(&mut self, Announce(text): Announce, _: &mut Context<Self>) {
        self.fanout.announce(self.motd_name.clone(), text, (self.clock)());
    }
}

impl Handler<SetRoom> for Room {
    type Result = ();

    fn handle(&mut self, new: SetRoom, _: &mut Context<Self>) {
        let SetRoom { replay_roster, motd, rates, history } = new;
        self.fanout.set_history(history);
        self.fanout.set_replay_roster(replay_roster);
        self.fanout.set_motd(&self.motd_name, &motd);
        if self.draining.is_empty() {
            self.shaper.set_rates(rates, (self.clock)());
        }
    }
}

impl Room {
    /// Admits the members whose join was committed, before the batch that announces them.
    fn admit(&mut self) {
        self.fanout.set_time(time_of_day());
        for (route, name, welcome) in self.fanout.commit() {
            let counts = [1, welcome.announced, welcome.said];
            for (kind, count) in welcome.dialect.welcome_kinds().into_iter().zip(counts) {
                self.meters.hub_sent(kind, count);
            }
            let (messages, has_end) = welcome.past;
            self.meters.hub_sent(welcome.dialect.said_kind(), messages);
            self.meters.hub_sent(Kind::HISTORYEND, u64::from(has_end));
            if let Some(shard) = self.shards.get(route.shard) {
                // Cannot flood: one for each connection that joins.
                shard.do_send(FromRoom::Admit { id: route.id, name, welcome });
            }
        }
    }

    fn replace_file(&mut self, done: Option<oneshot::Sender<Result<(), String>>>) {
        if let Some(saving) = &mut self.saving {
            saving.replace(&mut self.fanout, (self.clock)(), done);
        }
    }

    fn flush(&mut self, ctx: &mut Context<Self>) {
        let now = (self.clock)();
        while let Some(said) = self.shaper.next(now) {
            // From here on the time of the server is measured, without what it has waited.
            self.fanout.publish(Publish { at: now, ..said });
        }
        if let Some(node) = &self.node {
            let (generation, proposals) = self.fanout.sequencer().take_proposed();
            if !proposals.is_empty() {
                // Cannot flood: a client publishes no more before this is decided.
                node.do_send(ToNode::Propose { generation, proposals });
            }
        }
        self.admit();
        if let Some(saving) = &mut self.saving {
            saving.save(&mut self.fanout, now);
        }
        for (shard, batch) in self.fanout.flush(now) {
            if let Some(shard) = self.shards.get(shard) {
                // Cannot flood: one batch in flight for each shard.
                shard.do_send(FromRoom::Batch(batch));
            }
        }
        let again = [self.fanout.gathering_until(), self.shaper.next_at(now)];
        let sooner = |until: &Instant| self.timer.is_none_or(|(other, _)| *until < other);
        if let Some(until) = again.into_iter().flatten().min().filter(sooner) {
            let timer = ctx.run_later(until.saturating_duration_since(now), |room, ctx| {
                room.timer = None;
                room.flush(ctx);
            });
            if let Some((_, later)) = self.timer.replace((until, timer)) {
                ctx.cancel_future(later);
            }
        }
        if !self.draining.is_empty() && self.fanout.is_idle() {
            for done in self.draining.drain(..) {
                // The asker may have given up at its deadline.
                let _ = done.send(());
            }
        }
    }
}

impl AfterMailbox for Room {
    /// Everything that was in the mailbox leaves as one batch.
    fn after_mailbox(&mut self, ctx: &mut Context<Self>, _: &mut Task<'_>) {
        self.flush(ctx);
    }
}

/// The time on the clock of this machine.
pub(crate) fn time_of_day() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
