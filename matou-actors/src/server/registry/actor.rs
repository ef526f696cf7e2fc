//! The registry actor: unique names, and the way from a name to a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Context as Task;
use std::time::{Duration, Instant};

use actix::prelude::{Actor, AsyncContext, Context, Handler, MessageResult, Recipient};
use slog::{Logger, debug, info};

use crate::protocol::v2::{Declined, PublicKey};
use crate::protocol::{ClaimedName, Kind, Username};
use crate::server::accept::bans::{Bans, Moment};
use crate::server::after_mailbox::{AfterMailbox, run_after_mailbox};
use crate::server::ids::Route;
use crate::server::lifecycle::critical::CriticalActor;
use crate::server::log_limiter::{LogLimiters, Suppressed};
use crate::server::messages::{
    ConnectionOrder, Find, FindKey, ForgetName, FoundMember, JoinRequest, ListNames, PrivateStep,
    RemoteStep, SetAccess, SetBans, SetNames, Step, ToBroker, ToConnection, ToRegistry, ToRoom,
};
use crate::server::metrics::meters::Meters;
use crate::server::registry::access::Access;
use crate::server::registry::directory::{Addresses, Directory, Location, Member};
use crate::server::registry::refused::{Refused, RefusedKind};
use crate::server::registry::shared::SharedRoom;
use crate::server::room::event::MemberKey;
use crate::server::store::writer::StoreWriter;
use crate::trust::Fingerprint;

/// Refused names, for each reason, are logged once in this time: clients can cause any number.
pub(crate) const LOG_EVERY: Duration = Duration::from_secs(10);

/// Names that have expired are removed after this time; a client that asks for one finds it free before.
const EXPIRE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Enforces unique names. Everything that depends on who is here passes through its mailbox, so
/// its order is the order of joins and leaves for room and broker alike.
pub(crate) struct Registry {
    pub(crate) directory: Directory,
    /// Keeps the names that belong to keys over restarts.
    pub(crate) names_writer: Option<StoreWriter>,
    pub(crate) access: Access,
    pub(crate) bans: Bans,
    pub(crate) refusals: LogLimiters<RefusedKind>,
    pub(crate) room: Recipient<ToRoom>,
    pub(crate) broker: Recipient<ToBroker>,
    pub(crate) shards: Vec<Recipient<ToConnection>>,
    /// Orders that go out once the mailbox is empty.
    pub(crate) answers: Vec<(Route, ConnectionOrder)>,
    /// There if other servers share the room.
    pub(crate) shared: Option<SharedRoom>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) logger: Logger,
    pub(crate) _critical: Option<CriticalActor>,
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        run_after_mailbox(ctx);
        ctx.run_interval(EXPIRE_EVERY, |registry, _| {
            registry.directory.expire_names(Moment::now());
            registry.keep_names();
        });
    }
}

impl AfterMailbox for Registry {
    /// Answers the connections whose requests are done, now that the mailbox is empty: a connection
    /// that has its answer may ask again.
    fn after_mailbox(&mut self, _: &mut Context<Self>, _: &mut Task<'_>) {
        for (Route { shard, id }, order) in std::mem::take(&mut self.answers) {
            if let Some(shard) = self.shards.get(shard) {
                shard.do_send(ToConnection { id, order });
            }
        }
    }
}

// No send below can flood: a connection forwards one thing and then reads no further until it
// has been answered, so each mailbox holds at most one message for each connection.
impl Handler<ToRegistry> for Registry {
    type Result = ();

    fn handle(&mut self, message: ToRegistry, _: &mut Context<Self>) {
        match message {
            ToRegistry::CloseStore(closed) => match self.names_writer.take() {
                Some(writer) => writer.close(closed),
                // Nothing is kept: the closed channel ends every wait.
                None => drop(closed),
            },
            // The password first of all: without it nothing is learned about names.
            ToRegistry::Join(request) => match request.password.result() {
                Ok(()) => self.join(request),
                Err(refused) => self.refuse(&request, refused),
            },
            ToRegistry::Private { route, step } => {
                self.forward(route, step);
                self.answers.push((route, ConnectionOrder::Resume));
            }
            ToRegistry::Leave { id, reason } => {
                let id = id.into();
                let is_pending = self.shared.as_mut().is_some_and(|shared| shared.forget(id));
                if self.directory.leave(id, Moment::now()).is_some() || is_pending {
                    self.meters.users.set(self.directory.here());
                    self.room.do_send(ToRoom::Leave { id, reason });
                    self.broker.do_send(ToBroker::Forget { id });
                }
            }
            ToRegistry::Node(event) => self.follow(event),
        }
        self.keep_names();
    }
}

impl Handler<Find> for Registry {
    type Result = MessageResult<Find>;

    fn handle(&mut self, Find(name): Find, _: &mut Context<Self>) -> Self::Result {
        let found = self.directory.find(&name);
        MessageResult(found.and_then(FoundMember::of))
    }
}

impl Handler<FindKey> for Registry {
    type Result = Vec<FoundMember>;

    fn handle(&mut self, FindKey(key): FindKey, _: &mut Context<Self>) -> Self::Result {
        self.directory.with_key(key).filter_map(FoundMember::of).collect()
    }
}

impl Handler<ListNames> for Registry {
    type Result = MessageResult<ListNames>;

    fn handle(&mut self, _: ListNames, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.directory.bound.all().cloned().collect())
    }
}

impl Handler<ForgetName> for Registry {
    type Result = MessageResult<ForgetName>;

    fn handle(&mut self, ForgetName(name): ForgetName, _: &mut Context<Self>) -> Self::Result {
        let forgotten = self.directory.bound.forget(&name);
        self.keep_names();
        MessageResult(forgotten)
    }
}

impl FoundMember {
    /// A member of this process: the others are for the operators of their nodes.
    fn of(member: &Member) -> Option<Self> {
        let (route, name) = (member.route()?, member.name.clone());
        Some(Self { route, name, address: member.addresses.peer })
    }
}

impl Registry {
    fn join(&mut self, request: JoinRequest) {
        let JoinRequest { route, claimed, peer, addresses, key, last_sequence, .. } = &request;
        let (route, addresses) = (*route, *addresses);
        let now = Moment::now();
        let mut earlier = None;
        let is_shared = self.shared.is_some();
        let joined = if let Err(refused) = self.access.check(key.as_deref()) {
            Err(refused)
        } else if self.is_key_banned(key, now) {
            Err(Refused::KeyBanned)
        } else if self.is_banned(claimed, addresses, now) {
            Err(Refused::Banned)
        } else if is_shared {
            return self.ask_to_join(request);
        } else {
            let same = key.as_ref().and_then(|key| self.directory.same_user(claimed, key));
            earlier = same.and_then(|id| self.directory.leave(id, now));
            self.directory.join(route, claimed, addresses, key.clone(), now)
        };
        match joined {
            Ok(member) => {
                let name = member.name.clone();
                self.joined(*peer, &name, key.as_deref());
                let replaces = earlier.as_ref().map(Member::id);
                let (key, last_sequence) = (key.clone(), *last_sequence);
                self.room.do_send(ToRoom::Enter { route, name, key, replaces, last_sequence });
                if let Some(earlier) = earlier {
                    self.broker.do_send(ToBroker::Forget { id: earlier.id() });
                    self.answers
                        .extend(earlier.route().map(|route| (route, ConnectionOrder::TakenOver)));
                }
                self.meters.users.set(self.directory.here());
            }
            Err(refused) => self.refuse(&request, refused),
        }
    }

    pub(super) fn joined(&self, peer: SocketAddr, name: &Username, key: Option<&PublicKey>) {
        self.meters.joins.add(1);
        let key = key.map(|key| Fingerprint::of(key).to_string());
        info!(self.logger, "joined"; "peer" => %peer, "username" => name,
            "key" => key.as_deref().unwrap_or("none"));
    }

    pub(super) fn refuse(&mut self, request: &JoinRequest, refused: Refused) {
        self.meters.names_refused.add(1);
        let answer = if request.key.is_some() { Kind::REFUSED } else { Kind::CORES };
        self.meters.hub_sent(answer, 1);
        self.log_refusal(request.peer, &request.claimed, refused);
        self.answers.push((request.route, ConnectionOrder::Refuse(refused)));
    }

    fn keep_names(&mut self) {
        let changes = self.directory.bound.take_changes();
        if let Some(writer) = &self.names_writer {
            writer.keep(changes);
        }
    }

    fn is_banned(&self, claimed: &ClaimedName, addresses: Addresses, now: Moment) -> bool {
        let banned = |name| self.bans.is_name_banned(&name, addresses.peer, now);
        !self.bans.is_empty() && claimed.parse().is_ok_and(banned)
    }

    fn is_key_banned(&self, key: &MemberKey, now: Moment) -> bool {
        let banned = |key| self.bans.is_key_banned(Fingerprint::of(key), now);
        !self.bans.is_empty() && key.as_deref().is_some_and(banned)
    }

    fn forward(&mut self, route: Route, step: PrivateStep) {
        if self.shared.as_ref().is_some_and(|shared| !shared.is_serving) {
            return self.put_off(route, &step);
        }
        let (claimed, step) = match step {
            PrivateStep::Request { to } => (to, Step::Request),
            PrivateStep::Accept { from } => (from, Step::Accept),
            PrivateStep::OfferPorts { to, ports } => (to, Step::OfferPorts(ports)),
            PrivateStep::Ask { session, to } => (to, Step::Ask(session)),
            PrivateStep::Session { session, step } => {
                if let Some(from) = self.directory.member(route.id.into()).cloned() {
                    if let Some(shared) = &mut self.shared
                        && let Some(to) = shared.asked_elsewhere(session, from.id())
                    {
                        return shared.forward(from, to, RemoteStep::Session { session, step });
                    }
                    self.broker.do_send(ToBroker::Session { from, session, step });
                }
                return;
            }
        };
        let Some(from) = self.directory.member(route.id.into()) else { return };
        let to = self.directory.find(&claimed);
        // What a client of revision 1 is asked it can only answer in revision 1.
        let to = to.filter(|to| to.key.is_some() || !matches!(step, Step::Ask(_)));
        match (to, step) {
            // Its requests are handled on its own node; the answers to it, on the node of the
            // request.
            (Some(Member { place: Location::Elsewhere(to), name, .. }), step)
                if step != Step::Accept =>
            {
                let (from, to, name) = (from.clone(), *to, name.clone());
                self.forward_elsewhere(from, to, name, step);
            }
            (Some(to), step) => {
                self.broker.do_send(ToBroker::Step { from: from.clone(), to: to.clone(), step });
            }
            (None, step) => {
                self.meters.private.ignored.add(1);
                debug!(self.logger, "private step ignored";
                    "username" => &from.name, "step" => ?step, "reason" => "no such user",
                    "to" => %claimed.as_str().escape_debug());
                if let (Step::Ask(session), Ok(name)) = (step, claimed.parse()) {
                    let (from, reason) = (from.clone(), Declined::NoSuchUser);
                    self.broker.do_send(ToBroker::NotHere { from, session, name, reason });
                }
            }
        }
    }

    fn log_refusal(&mut self, peer: SocketAddr, claimed: &ClaimedName, refused: Refused) {
        if let Some(unlogged) = self.refusals.permit(refused.kind(), Instant::now()) {
            info!(self.logger, "name refused"; "peer" => %peer, "reason" => %refused,
                "username" => %claimed.as_str().escape_debug(), Suppressed(unlogged));
        }
    }
}

impl Handler<SetAccess> for Registry {
    type Result = ();

    fn handle(&mut self, SetAccess(access): SetAccess, _: &mut Context<Self>) {
        self.access = access;
    }
}

impl Handler<SetNames> for Registry {
    type Result = ();

    fn handle(&mut self, SetNames(rules): SetNames, _: &mut Context<Self>) {
        self.directory.bound.set_rules(rules);
    }
}

impl Handler<SetBans> for Registry {
    type Result = ();

    fn handle(&mut self, SetBans(bans): SetBans, _: &mut Context<Self>) {
        self.bans = bans;
    }
}
