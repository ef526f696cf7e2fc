//! The actor that carries out what operators ask, one thing at a time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::{Actor, ActorFutureExt, AtomicResponse, Context, Handler};
use bytes::BytesMut;
use futures::future::{join, try_join_all};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::bans_store::BansStore;
use super::control::ControlRequest;
use super::wire::{ClientReport, Request, Response, Status};
use crate::protocol::{ClaimedName, Kind, MessageText, Username, encode_message};
use crate::server::accept::bans::{self, Ban, Bans, LONGEST_REASON};
use crate::server::lifecycle::wiring::Actors;
use crate::server::messages::{
    AdminRequest, Announce, CloseFrom, Fail, Find, ListClients, Order, SetBans, ToConnection,
};
use crate::server::reason::Reason;

/// How long the other actors and the disk may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How long each part of a change of the bans may take: less, so that the answer can say which part
/// it was.
const PART_WITHIN: Duration = Duration::from_secs(8);

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
    Ban { actors: Actors, ban: Ban, save: Save },
    Unban { network: IpNet, save: Save },
    Kick { actors: Actors, name: ClaimedName, farewell: BytesMut, reason: String },
    Notice { actors: Actors, text: MessageText },
    Reload(mpsc::Sender<ControlRequest>),
    Shutdown(mpsc::Sender<ControlRequest>),
    Panic { actors: Actors, actor: String },
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
    fn begin(&mut self, request: Request, now: Timestamp) -> Result<Work, String> {
        let actors = self.actors.clone();
        Ok(match request {
            Request::Status => Work::Done(self.status(now)),
            Request::Clients => Work::Clients(actors),
            Request::Bans => {
                Work::Done(Response::Bans(self.settings.bans.in_force(now).cloned().collect()))
            }
            Request::Kick { name, reason } => self.kick(&name, reason)?,
            Request::Ban { network, seconds, reason } => {
                let ban = new_ban(&network, seconds, reason, now)?;
                self.settings.bans.add(ban.clone(), now).map_err(|error| error.to_string())?;
                Work::Ban { actors, ban, save: self.bans_changed() }
            }
            Request::Unban { network } => {
                let network = bans::network(&network).map_err(|error| error.to_string())?;
                self.settings.bans.expire(now);
                if !self.settings.bans.remove(network) {
                    return Err(format!("{network} is not banned; `bans` lists what is"));
                }
                Work::Unban { network, save: self.bans_changed() }
            }
            Request::Notice { text } => Work::Notice { actors, text: message(&text)? },
            Request::Reload => Work::Reload(self.controls.clone()),
            Request::Shutdown => Work::Shutdown(self.controls.clone()),
            Request::Panic { actor } if self.settings.test_panics => Work::Panic { actors, actor },
            Request::Panic { .. } => return Err("this server was not started for tests".into()),
        })
    }

    fn status(&self, now: Timestamp) -> Response {
        Response::Status(Box::new(Status {
            version: env!("CARGO_PKG_VERSION").into(),
            listening: self.settings.listening.clone(),
            bans: self.settings.bans.in_force(now).count(),
            counts: self.actors.meters.snapshot(),
        }))
    }

    fn kick(&self, name: &str, reason: Option<String>) -> Result<Work, String> {
        let claimed = ClaimedName::unchecked(name).ok_or("a name has 1 to 32 bytes")?;
        let reason = reason.unwrap_or_else(|| "no reason given".into());
        let text = message(&format!("You were disconnected by an operator: {reason}"))?;
        let mut farewell = BytesMut::new();
        encode_message(&self.settings.speaker, &text, &mut farewell);
        Ok(Work::Kick { actors: self.actors.clone(), name: claimed, farewell, reason })
    }

    fn bans_changed(&self) -> Save {
        // Cannot flood: operators are served one after the other.
        self.actors.listener.do_send(SetBans(self.settings.bans.clone()));
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
        let work = self.begin(request, Timestamp::now());
        let finished = async move {
            match work {
                Ok(work) => match tokio::time::timeout(WITHIN, work.finish()).await {
                    Ok(Ok(response)) => response,
                    Ok(Err(error)) => Response::error(error),
                    Err(_) => Response::error("that took too long; see the server's log"),
                },
                Err(error) => Response::error(error),
            }
        };
        AtomicResponse::new(Box::pin(wrap_future(finished).map(|response, _, _| response)))
    }
}

impl Work {
    async fn finish(self) -> Result<Response, String> {
        Ok(match self {
            Self::Done(response) => response,
            Self::Clients(actors) => Response::Clients(clients(&actors).await?),
            Self::Ban { actors, ban, save } => {
                // Neither may keep the other from being done.
                let (saved, closed) = join(save.save(), close_from(&actors, ban.network)).await;
                let disconnected = match (saved, closed) {
                    (Ok(()), closed) => closed?,
                    (Err(unsaved), Ok(_)) => return Err(unsaved),
                    (Err(unsaved), Err(open)) => return Err(format!("{unsaved}; and {open}")),
                };
                Response::Banned { ban, disconnected }
            }
            Self::Unban { network, save } => {
                save.save().await?;
                Response::Unbanned { network: network.to_string() }
            }
            Self::Kick { actors, name, farewell, reason } => {
                let found = actors.registry.send(Find(name.clone())).await.map_err(stopping)?;
                let Some((route, name)) = found else {
                    let name = name.as_str().escape_debug();
                    return Err(format!("nobody here is called {name}; `clients` lists who is"));
                };
                let shard = actors.shards.get(route.shard).ok_or("there is no such shard")?;
                actors.meters.hub_sent(Kind::MSGBC, 1);
                for order in
                    [Order::Send(farewell.freeze()), Order::Close(Reason::Kicked(reason.into()))]
                {
                    let order = ToConnection { id: route.id, order };
                    shard.send(order).await.map_err(stopping)?;
                }
                Response::Kicked { name: name.to_string() }
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

/// Disconnects everybody from `network`; how many those are.
async fn close_from(actors: &Actors, network: IpNet) -> Result<usize, String> {
    let closing = actors.shards.iter().map(|shard| shard.send(CloseFrom(network)));
    match tokio::time::timeout(PART_WITHIN, try_join_all(closing)).await {
        Ok(closed) => Ok(closed.map_err(stopping)?.into_iter().sum()),
        Err(_) => Err(format!(
            "{network} is banned, but not everybody from there may be disconnected: an event loop \
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
            let found = actors.registry.send(Find(name)).await.map_err(stopping)?;
            let (route, _) = found.ok_or("nobody here is called that")?;
            let order = ToConnection { id: route.id, order: Order::Fail };
            let shard = actors.shards.get(route.shard).ok_or("there is no such shard")?;
            shard.do_send(order);
        }
    }
    Ok(Response::Panicking)
}

fn new_ban(
    network: &str,
    seconds: Option<u64>,
    reason: Option<String>,
    now: Timestamp,
) -> Result<Ban, String> {
    let network = bans::network(network).map_err(|error| error.to_string())?;
    let until = seconds.map(|seconds| {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        now.checked_add(SignedDuration::from_secs(seconds))
            .map_err(|_| "that is too long; leave it out for a ban without end".to_owned())
    });
    let reason = reason.unwrap_or_default();
    if reason.len() > LONGEST_REASON {
        return Err(format!("the reason has {} bytes; {LONGEST_REASON} are allowed", reason.len()));
    }
    if reason.contains(char::is_control) {
        return Err("the reason has a control character; it is one line of text".into());
    }
    Ok(Ban { network, until: until.transpose()?, reason })
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
        let ban =
            |reason: &str| new_ban("192.0.2.1", None, Some(reason.into()), Timestamp::UNIX_EPOCH);
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
        let ban = Request::Ban { network, seconds: None, reason: None };
        let answer = admin.send(AdminRequest(ban)).await.unwrap();
        let Response::Error { message } = answer else { panic!("{answer:?}") };
        assert!(message.contains("192.0.2.0/24 is banned, but"), "{message}");
        let saved = bans_file::load(&file, Timestamp::now()).unwrap();
        assert!(saved.is_banned([192, 0, 2, 1].into(), Timestamp::now()));
        drop(until_the_end);
    }
}
