//! The actor that performs the operators' requests, one at a time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::{Actor, ActorFutureExt, AtomicResponse, Context, Handler};
use tokio::sync::mpsc;

use super::ban_request::{banned_words, message, new_ban, until};
use super::bans_store::BansStore;
use super::clients::{Whom, find};
use super::control::ControlRequest;
use super::wire::{Request, Response, Status};
use super::work::{Save, Work};
use crate::protocol::v2::NoticeCode;
use crate::protocol::{ClaimedName, DISCONNECTED_BY_OPERATOR, Username};
use crate::server::accept::bans::{self, Ban, BanTarget, Bans, LONGEST_REASON, Moment};
use crate::server::lifecycle::wiring::Actors;
use crate::server::messages::{AdminRequest, FoundMember, LastMessage, SetBans};
use crate::trust::Fingerprint;

/// How long the other actors and the disk may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a kick holds, unless the operator says otherwise.
const KICK_SECONDS: u64 = 60;

/// Serves operators. The one place where bans change.
pub(super) struct AdminActor {
    actors: Actors,
    settings: AdminSetup,
    store: BansStore,
    controls: mpsc::Sender<ControlRequest>,
}

/// What the admin actor needs to know besides the other actors.
#[derive(Debug)]
pub(crate) struct AdminSetup {
    pub(crate) listening: Vec<SocketAddr>,
    /// The fingerprint of the server's key.
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) bans: Bans,
    /// Where bans are kept; empty is nowhere.
    pub(crate) bans_file: PathBuf,
    /// The name that notices are sent in.
    pub(crate) speaker: Username,
}

/// A user who is to be disconnected, once found.
struct Kick {
    whom: Whom,
    seconds: u64,
    last_message: LastMessage,
    reason: String,
}

impl AdminActor {
    pub(super) fn new(
        actors: Actors,
        settings: AdminSetup,
        controls: mpsc::Sender<ControlRequest>,
    ) -> Self {
        let store = BansStore::new(settings.bans_file.clone());
        Self { actors, settings, store, controls }
    }

    /// Decides, and changes the bans; what has to be awaited is left to [`Work::finish`].
    fn begin(&mut self, request: Request, now: Moment) -> Result<Work, String> {
        let actors = self.actors.clone();
        Ok(match request {
            Request::Status => Work::Done(self.status(now)),
            Request::Clients => Work::Clients(actors),
            Request::Bans => {
                Work::Done(Response::Bans(self.settings.bans.in_force(now).cloned().collect()))
            }
            Request::Kick { .. } => return Err("a kick is handled before".into()),
            Request::Ban { target, seconds, reason } => {
                let ban = new_ban(&target, seconds, reason, now)?;
                let last_message = self.last_message(&banned_words(&ban), NoticeCode::Banned)?;
                self.settings.bans.add(ban.clone(), now).map_err(|error| error.to_string())?;
                Work::Ban { actors, ban, last_message, save: self.bans_changed() }
            }
            Request::Unban { target } => {
                self.settings.bans.expire(now);
                let bans = &mut self.settings.bans;
                let removed = match bans::named(&target).map_err(|error| error.to_string())? {
                    BanTarget::Network(network) => bans.remove(network),
                    BanTarget::Name(name) => bans.remove_name(&name),
                    BanTarget::Key(key) => bans.remove_key(key),
                };
                if !removed {
                    return Err(format!("{target} is not banned; `bans` lists what is"));
                }
                Work::Unban { target, save: self.bans_changed() }
            }
            Request::Names => Work::Names(actors),
            Request::Cluster => match &actors.node {
                Some(node) => Work::Cluster(node.clone()),
                None => {
                    return Err("this server is in no cluster; section `cluster` of its \
                                configuration makes it part of one"
                        .into());
                }
            },
            Request::Forget { name } => match Username::parse(&name) {
                Ok(name) => Work::Forget { actors, name },
                Err(error) => {
                    return Err(format!("{} is not a name: {error}", name.escape_debug()));
                }
            },
            Request::Purge { name } => {
                let parse = |name: String| Username::parse(&name).map(|name| name.folded());
                let name = name.map(parse).transpose().map_err(|error| error.to_string())?;
                Work::Purge { actors, name }
            }
            Request::Topic { text: None } => Work::ReportTopic(actors),
            Request::Topic { text: Some(text) } => {
                let topic = if text.is_empty() { None } else { Some(message(&text)?) };
                Work::SetTopic { actors, topic }
            }
            Request::Notice { text } => Work::Notice { actors, text: message(&text)? },
            Request::Reload => Work::Reload(self.controls.clone()),
            Request::Shutdown => Work::Shutdown(self.controls.clone()),
            #[cfg(feature = "testing")]
            Request::Panic { actor } => Work::Panic { actors, actor },
        })
    }

    fn status(&self, now: Moment) -> Response {
        Response::Status(Box::new(Status {
            version: env!("CARGO_PKG_VERSION").into(),
            listening: self.settings.listening.clone(),
            fingerprint: self.settings.fingerprint,
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
        let whom = match Fingerprint::parse(name) {
            Some(key) => Whom::Key(key),
            None => Whom::Name(ClaimedName::unchecked(name).ok_or("a name has 1 to 32 bytes")?),
        };
        let seconds = seconds.unwrap_or(KICK_SECONDS);
        let reason = reason.unwrap_or_else(|| "no reason given".into());
        let words = format!("{DISCONNECTED_BY_OPERATOR}: {reason}");
        let last_message = self.last_message(&words, NoticeCode::Kicked)?;
        Ok(Kick { whom, seconds, last_message, reason })
    }

    /// Bans the clients that a kick found, before they are disconnected and can reconnect.
    fn keep_out(
        &mut self,
        kick: Kick,
        found: Vec<FoundMember>,
        now: Moment,
    ) -> Result<Work, String> {
        let Kick { whom, seconds, last_message, reason } = kick;
        let (network, name, key) = match (whom, &found[..]) {
            (Whom::Key(key), _) => (None, None, Some(key)),
            (Whom::Name(_), [found, ..]) => {
                (Some(bans::host(found.address)), Some(found.name.clone()), None)
            }
            (Whom::Name(_), []) => return Err("no one was found".into()),
        };
        let until = until(Some(seconds), now)?;
        let words = reason.chars().take(LONGEST_REASON / 4).collect();
        let ban = Ban { network, name, key, until, reason: words };
        self.settings.bans.add(ban, now).map_err(|error| error.to_string())?;
        self.bans_changed();
        Ok(Work::Kick { actors: self.actors.clone(), found, last_message, reason })
    }

    /// A message in the server's name.
    fn last_message(&self, words: &str, code: NoticeCode) -> Result<LastMessage, String> {
        let speaker = self.settings.speaker.clone();
        Ok(LastMessage { speaker, text: message(words)?, code })
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
                let found = within(find(&actors, &kick.whom)).await?;
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use actix::prelude::Arbiter;
    use slog::{Discard, Logger, o};

    use super::*;
    use crate::server::accept::bans_file;
    use crate::server::connection::security::Security;
    use crate::server::lifecycle::wiring::Kept;
    use crate::server::settings::ServerSettings;

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
        let actors = Actors::start(
            &settings,
            Security::default(),
            vec![],
            Kept::default(),
            &[other],
            &failed,
            &logger,
        );
        let settings = AdminSetup {
            listening: vec![],
            fingerprint: None,
            bans: Bans::default(),
            bans_file: file.clone(),
            speaker: Username::parse("Server").unwrap(),
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
