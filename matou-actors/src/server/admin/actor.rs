//! The actor that carries out what operators ask, one thing at a time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::{Actor, ActorFutureExt, Addr, AtomicResponse, Context, Handler};
use bytes::{Bytes, BytesMut};
use futures::future::{join, try_join_all};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::bans_store::BansStore;
use super::control::ControlRequest;
use super::wire::{ClientReport, Request, Response, Status};
use crate::protocol::{
    ClaimedName, DISCONNECTED_BY_OPERATOR, Kind, MessageText, Username, encode_message,
};
use crate::server::accept::bans::{self, Ban, Bans, LONGEST_REASON, Moment};
use crate::server::lifecycle::wiring::Actors;
use crate::server::messages::{
    AdminRequest, Announce, CloseFrom, Fail, Find, Found, ListClients, Order, SetBans, ToConnection,
};
use crate::server::reason::Reason;
use crate::server::shard::actor::Shard;

/// How long the other actors and the disk may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How long each part of a change of the bans may take: less, so that the answer can say which part
/// it was.
const PART_WITHIN: Duration = Duration::from_secs(8);
/// How long a kick holds, unless the operator says otherwise.
const KICK_SECONDS: u64 = 60;

/// Serves operators. The one place where bans change.
pub(super) struct AdminActor {
    actors: Actors,
    settings: AdminSettings,
    store: BansStore,
    controls: mpsc::Sender<ControlRequest>,
}

/// What the admin actor needs to know besides the other actors.
#[derive(Debug)]
pub(crate) struct AdminSettings {
    pub(crate) listening: Vec<SocketAddr>,
    pub(crate) bans: Bans,
    /// Where bans are kept; empty is nowhere.
    pub(crate) bans_file: PathBuf,
    /// The name that notices are sent in.
    pub(crate) speaker: Username,
    /// Whether [`Request::Panic`] is carried out.
    pub(crate) test_panics: bool,
}

/// What answers a request once the bans have been dealt with, away from the admin.
enum Work {
    Done(Response),
    Clients(Actors),
    Ban { actors: Actors, ban: Ban, farewell: Bytes, save: Save },
    Unban { target: String, save: Save },
    Kick { actors: Actors, found: Found, farewell: Bytes, reason: String },
    Notice { actors: Actors, text: MessageText },
    Reload(mpsc::Sender<ControlRequest>),
    Shutdown(mpsc::Sender<ControlRequest>),
    Panic { actors: Actors, actor: String },
}

/// A user who is to be disconnected, once found.
struct Kick {
    name: ClaimedName,
    seconds: u64,
    farewell: Bytes,
    reason: String,
}

/// The bans, to be written to their file.
struct Save {
    bans: Bans,
    store: BansStore,
}

impl AdminActor {
    pub(super) fn new(
        actors: Actors,
        settings: AdminSettings,
        controls: mpsc::Sender<ControlRequest>,
    ) -> Self {
        let store = BansStore::new(settings.bans_file.clone());
        Self { actors, settings, store, controls }
    }

    /// Decides, and changes the bans; what has to be waited for is left to [`Work::finish`].
    fn begin(&mut self, request: Request, now: Moment) -> Result<Work, String> {
        let actors = self.actors.clone();
        Ok(match request {
            Request::Status => Work::Done(self.status(now)),
            Request::Clients => Work::Clients(actors),
            Request::Bans => {
                Work::Done(Response::Bans(self.settings.bans.in_force(now).cloned().collect()))
            }
            Request::Kick { .. } => return Err("a kick is dealt with elsewhere".into()),
            Request::Ban { target, seconds, reason } => {
                let ban = new_ban(&target, seconds, reason, now)?;
                let farewell = self.farewell(&banned_words(&ban))?;
                self.settings.bans.add(ban.clone(), now).map_err(|error| error.to_string())?;
                Work::Ban { actors, ban, farewell, save: self.bans_changed() }
            }
            Request::Unban { target } => {
                self.settings.bans.expire(now);
                let removed = match bans::target(&target).map_err(|error| error.to_string())? {
                    (Some(network), _) => self.settings.bans.remove(network),
                    (_, Some(name)) => self.settings.bans.remove_name(&name),
                    (None, None) => false,
                };
                if !removed {
                    return Err(format!("{target} is not banned; `bans` lists what is"));
                }
                Work::Unban { target, save: self.bans_changed() }
            }
            Request::Notice { text } => Work::Notice { actors, text: message(&text)? },
            Request::Reload => Work::Reload(self.controls.clone()),
            Request::Shutdown => Work::Shutdown(self.controls.clone()),
            Request::Panic { actor } if self.settings.test_panics => Work::Panic { actors, actor },
            Request::Panic { .. } => return Err("this server was not started for tests".into()),
        })
    }

    fn status(&self, now: Moment) -> Response {
        Response::Status(Box::new(Status {
            version: env!("CARGO_PKG_VERSION").into(),
            listening: self.settings.listening.clone(),
            bans: self.settings.bans.in_force(now).count(),
            counts: self.actors.meters.snapshot(),
        }))
    }

    fn kick(
        &self,
        name: &str,
        seconds: Option<u64>,
        reason: Option<String>,
    ) -> Result<Kick, String> {
        let name = ClaimedName::unchecked(name).ok_or("a name has 1 to 32 bytes")?;
        let seconds = seconds.unwrap_or(KICK_SECONDS);
        let reason = reason.unwrap_or_else(|| "no reason given".into());
        let farewell = self.farewell(&format!("{DISCONNECTED_BY_OPERATOR}: {reason}"))?;
        Ok(Kick { name, seconds, farewell, reason })
    }

    /// Keeps out whom a kick found, before they are disconnected and can come back.
    fn keep_out(&mut self, kick: Kick, found: Found, now: Moment) -> Result<Work, String> {
        let Kick { seconds, farewell, reason, .. } = kick;
        let ban = Ban {
            network: Some(bans::host(found.address)),
            name: Some(found.name.clone()),
            until: until(Some(seconds), now)?,
            reason: reason.chars().take(LONGEST_REASON / 4).collect(),
        };
        self.settings.bans.add(ban, now).map_err(|error| error.to_string())?;
        self.bans_changed();
        Ok(Work::Kick { actors: self.actors.clone(), found, farewell, reason })
    }

    /// A message in the server's name.
    fn farewell(&self, words: &str) -> Result<Bytes, String> {
        let mut farewell = BytesMut::new();
        encode_message(&self.settings.speaker, &message(words)?, &mut farewell);
        Ok(farewell.freeze())
    }

    fn bans_changed(&self) -> Save {
        // Cannot flood: operators are served one after the other.
        self.actors.listener.do_send(SetBans(self.settings.bans.clone()));
        self.actors.registry.do_send(SetBans(self.settings.bans.clone()));
        Save { bans: self.settings.bans.clone(), store: self.store.clone() }
    }
}

impl Actor for AdminActor {
    type Context = Context<Self>;
}

impl Handler<AdminRequest> for AdminActor {
    type Result = AtomicResponse<Self, Response>;

    fn handle(
        &mut self,
        AdminRequest(request): AdminRequest,
        _: &mut Context<Self>,
    ) -> Self::Result {
        if let Request::Kick { name, seconds, reason } = request {
            let kick = self.kick(&name, seconds, reason);
            let actors = self.actors.clone();
            let found = wrap_future(async move {
                let kick = kick?;
                let found = within(find(&actors, &kick.name)).await?;
                Ok((kick, found))
            });
            return AtomicResponse::new(Box::pin(found.then(|found, admin: &mut Self, _| {
                let work =
                    found.and_then(|(kick, found)| admin.keep_out(kick, found, Moment::now()));
                wrap_future(finish(work))
            })));
        }
        let work = self.begin(request, Moment::now());
        AtomicResponse::new(Box::pin(wrap_future(finish(work))))
    }
}

async fn finish(work: Result<Work, String>) -> Response {
    match work {
        Ok(work) => within(work.finish()).await.unwrap_or_else(Response::error),
        Err(error) => Response::error(error),
    }
}

async fn within<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let late = |_| Err("that took too long; see the server's log".into());
    tokio::time::timeout(WITHIN, work).await.unwrap_or_else(late)
}

/// Where the user of that name is.
async fn find(actors: &Actors, name: &ClaimedName) -> Result<Found, String> {
    let found = actors.registry.send(Find(name.clone())).await.map_err(stopping)?;
    let shown = name.as_str().escape_debug();
    found.ok_or_else(|| format!("nobody here is called {shown}; `clients` lists who is"))
}

/// Says `farewell` to a user, and disconnects them.
async fn close(
    actors: &Actors,
    found: &Found,
    farewell: Bytes,
    reason: Reason,
) -> Result<(), String> {
    let shard = actors.shards.get(found.route.shard).ok_or("there is no such shard")?;
    actors.meters.hub_sent(Kind::MSGBC, 1);
    for order in [Order::Send(farewell), Order::Close(reason)] {
        let order = ToConnection { id: found.route.id, order };
        shard.send(order).await.map_err(stopping)?;
    }
    Ok(())
}

impl Work {
    async fn finish(self) -> Result<Response, String> {
        Ok(match self {
            Self::Done(response) => response,
            Self::Clients(actors) => Response::Clients(clients(&actors).await?),
            Self::Ban { actors, ban, farewell, save } => {
                // Neither may keep the other from being done.
                let closing = close_banned(&actors, &ban, farewell);
                let (saved, closed) = join(save.save(), closing).await;
                let disconnected = match (saved, closed) {
                    (Ok(()), closed) => closed?,
                    (Err(unsaved), Ok(_)) => return Err(unsaved),
                    (Err(unsaved), Err(open)) => return Err(format!("{unsaved}; and {open}")),
                };
                Response::Banned { ban, disconnected }
            }
            Self::Unban { target, save } => {
                save.save().await?;
                Response::Unbanned { target }
            }
            Self::Kick { actors, found, farewell, reason } => {
                close(&actors, &found, farewell, Reason::Kicked(reason.into())).await?;
                Response::Kicked { name: found.name.to_string() }
            }
            Self::Notice { actors, text } => {
                actors.room.send(Announce(text)).await.map_err(stopping)?;
                Response::Said
            }
            Self::Reload(controls) => {
                let (answer, wait) = oneshot::channel();
                controls.send(ControlRequest::Reload(answer)).await.map_err(stopping)?;
                let needs_restart = wait.await.map_err(stopping)??;
                let needs_restart = needs_restart.into_iter().map(Into::into).collect();
                Response::Reloaded { needs_restart }
            }
            Self::Shutdown(controls) => {
                controls.send(ControlRequest::Shutdown).await.map_err(stopping)?;
                Response::Stopping
            }
            Self::Panic { actors, actor } => fail(&actors, &actor).await?,
        })
    }
}

impl Save {
    async fn save(self) -> Result<(), String> {
        self.store.save(self.bans, PART_WITHIN).await
    }
}

/// Disconnects everybody whom `ban` concerns; how many those are.
async fn close_banned(actors: &Actors, ban: &Ban, farewell: Bytes) -> Result<usize, String> {
    let closing = async {
        if let Some(network) = ban.network {
            let from =
                |shard: &Addr<Shard>| shard.send(CloseFrom { network, farewell: farewell.clone() });
            let closed = try_join_all(actors.shards.iter().map(from)).await.map_err(stopping)?;
            return Ok(closed.into_iter().sum());
        }
        let claimed = ban.name.as_ref().map(ClaimedName::from);
        let Some(claimed) = claimed else { return Ok(0) };
        match actors.registry.send(Find(claimed)).await.map_err(stopping)? {
            Some(found) => close(actors, &found, farewell, Reason::Banned).await.map(|()| 1),
            None => Ok(0),
        }
    };
    match tokio::time::timeout(PART_WITHIN, closing).await {
        Ok(closed) => closed,
        Err(_) => Err(format!(
            "{ban} is banned, but not everybody that concerns may be disconnected: an event loop \
             does not answer; if that lasts, restart the server"
        )),
    }
}

async fn clients(actors: &Actors) -> Result<Vec<ClientReport>, String> {
    let mut clients = Vec::new();
    for shard in &actors.shards {
        clients.extend(shard.send(ListClients).await.map_err(stopping)?);
    }
    clients.sort_by_key(|client| (std::cmp::Reverse(client.age_seconds), client.address));
    Ok(clients)
}

/// Nothing is sent back by an actor that panics, so nothing is waited for.
async fn fail(actors: &Actors, actor: &str) -> Result<Response, String> {
    // None can flood: for tests, one at a time.
    match actor {
        "listener" => actors.listener.do_send(Fail),
        "registry" => actors.registry.do_send(Fail),
        "room" => actors.room.do_send(Fail),
        "broker" => actors.broker.do_send(Fail),
        "shard" => actors.shards.iter().take(1).for_each(|shard| shard.do_send(Fail)),
        other => {
            let name = other.strip_prefix("session ").and_then(ClaimedName::unchecked);
            let name = name.ok_or_else(|| format!("there is no actor {other:?}"))?;
            let Found { route, .. } = find(actors, &name).await?;
            let order = ToConnection { id: route.id, order: Order::Fail };
            let shard = actors.shards.get(route.shard).ok_or("there is no such shard")?;
            shard.do_send(order);
        }
    }
    Ok(Response::Panicking)
}

fn new_ban(
    target: &str,
    seconds: Option<u64>,
    reason: Option<String>,
    now: Moment,
) -> Result<Ban, String> {
    let (network, name) = bans::target(target).map_err(|error| error.to_string())?;
    let reason = reason.unwrap_or_default();
    if reason.len() > LONGEST_REASON {
        return Err(format!("the reason has {} bytes; {LONGEST_REASON} are allowed", reason.len()));
    }
    if reason.contains(char::is_control) {
        return Err("the reason has a control character; it is one line of text".into());
    }
    Ok(Ban { network, name, until: until(seconds, now)?, reason })
}

fn until(seconds: Option<u64>, now: Moment) -> Result<Option<Timestamp>, String> {
    let end = |seconds| {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        now.wall.checked_add(SignedDuration::from_secs(seconds))
    };
    let until = seconds.map(end).transpose();
    until.map_err(|_| "that is too long; leave it out for a ban without end".to_owned())
}

/// What those who are banned read.
fn banned_words(ban: &Ban) -> String {
    let end = ban.until.map_or(String::new(), |until| format!(" until {until:.0}"));
    let reason = if ban.reason.is_empty() { "no reason given" } else { &ban.reason };
    format!("{DISCONNECTED_BY_OPERATOR} and banned{end}: {reason}")
}

fn message(text: &str) -> Result<MessageText, String> {
    MessageText::parse(text).map_err(|error| format!("cannot be said: {error}"))
}

fn stopping(_: impl std::fmt::Debug) -> String {
    "the server is stopping".into()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use actix::prelude::Arbiter;
    use slog::{Discard, Logger, o};

    use super::*;
    use crate::server::accept::bans_file;
    use crate::server::settings::ServerSettings;

    #[test]
    fn a_reason_is_one_line() {
        let ban = |reason: &str| new_ban("192.0.2.1", None, Some(reason.into()), Moment::at(0));
        assert_eq!(ban("\"spåm\"").unwrap().reason, "\"spåm\"");
        for reason in ["a\nb", "\u{1}", "\u{7f}", "\u{9b}"] {
            ban(reason).unwrap_err();
        }
    }

    #[actix::test]
    async fn a_ban_is_saved_although_an_event_loop_hangs() {
        tokio::time::pause();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bans.json");
        let other = Arbiter::new();
        let (until_the_end, end) = channel::<()>();
        assert!(other.spawn_fn(move || {
            let _ = end.recv();
        }));
        let logger = Logger::root(Discard, o!());
        let (failed, _failures) = mpsc::unbounded_channel();
        let settings = ServerSettings::default();
        let actors = Actors::start(&settings, vec![], Bans::default(), &[other], &failed, &logger);
        let settings = AdminSettings {
            listening: vec![],
            bans: Bans::default(),
            bans_file: file.clone(),
            speaker: Username::parse("Server").unwrap(),
            test_panics: false,
        };
        let admin = AdminActor::new(actors.unwrap(), settings, mpsc::channel(1).0).start();
        let network = "192.0.2.0/24".into();
        let ban = Request::Ban { target: network, seconds: None, reason: None };
        let answer = admin.send(AdminRequest(ban)).await.unwrap();
        let Response::Error { message } = answer else { panic!("{answer:?}") };
        assert!(message.contains("192.0.2.0/24 is banned, but"), "{message}");
        let saved = bans_file::load(&file, Moment::now()).unwrap();
        assert!(saved.is_banned([192, 0, 2, 1].into(), Moment::now()));
        drop(until_the_end);
    }
}
