//! Starting a server, changing its settings and stopping it again.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::Arbiter;
use futures::future::join_all;
use slog::{Logger, info, warn};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::server::accept::admitted_keys::AdmittedKeysError;
use crate::server::accept::bans::{Bans, Moment};
use crate::server::accept::bans_file::{self, BansFileError};
use crate::server::accept::password_file::{PasswordFileError, read_password};
use crate::server::admin::{self, AdminSetup, ControlRequest};
use crate::server::connection::security::{Security, ServerPassword};
use crate::server::lifecycle::monitor::Monitor;
use crate::server::lifecycle::reload::{ReloadError, access};
use crate::server::lifecycle::wiring::{Actors, Kept};
use crate::server::messages::{CloseAll, Drain, QuiesceAll, StopAccepting, ToNode, ToRegistry};
use crate::server::registry::bound_names::{BindingRules, BoundNames};
use crate::server::room::history_file::{self, HistoryWriter};
use crate::server::settings::{ServerSettings, SettingError};
use crate::server::store::Store;
use crate::server::store::database::Stored;
use crate::server::store::writer::StoreWriter;
use crate::trust::{Alpn, ExpectedKey, Fingerprint, Identity, TlsError, server_config};

/// How long the whole of [`RunningServer::stop`] may take.
const STOP_WITHIN: Duration = Duration::from_secs(4);
/// How long the shards may take to stop reading. One that hangs must not keep the others from
/// closing in order.
const QUIESCE_WITHIN: Duration = Duration::from_secs(1);
/// How long the last messages may take to reach the shards once no client is read any more.
const DRAIN_WITHIN: Duration = Duration::from_secs(1);

/// How long the last names may take to be written.
const STORE_WITHIN: Duration = Duration::from_secs(1);
/// How long the disk may take to write the last messages.
const SAVE_WITHIN: Duration = Duration::from_secs(2);

/// A server that runs. Dropping it does not stop it.
#[derive(Debug)]
pub struct RunningServer {
    addresses: Vec<SocketAddr>,
    settings: ServerSettings,
    /// Of the key; `None` speaks revision 1 only.
    fingerprint: Option<Fingerprint>,
    /// As they were at the start.
    bans: Bans,
    password: Option<Arc<ServerPassword>>,
    actors: Actors,
    arbiters: Vec<Arbiter>,
    history: Option<HistoryWriter>,
    failures: mpsc::UnboundedReceiver<&'static str>,
    logger: Logger,
}

/// An actor without which the server cannot run has panicked: the process should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} actor failed")]
pub struct CriticalFailure(pub &'static str);

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting that cannot work.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A listening socket that cannot be used.
    #[error("cannot use the listening socket: {0}")]
    Listener(#[from] io::Error),
    /// A file of bans that cannot be used.
    #[error(transparent)]
    Bans(#[from] BansFileError),
    /// A file of admitted keys that cannot be used.
    #[error(transparent)]
    AdmittedKeys(#[from] AdmittedKeysError),
    /// A file of a password that cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordFileError),
    /// A key that cannot be used.
    #[error("cannot use the server's key: {0}")]
    Key(#[from] TlsError),
}

/// Starts a server on sockets that listen already, inside the running actix system, whose
/// thread becomes the first of the server's event loops. Without an `identity` it speaks revision 1
/// only; without a `store` the names that belong to keys are forgotten when it stops.
pub fn start(
    settings: &ServerSettings,
    identity: Option<&Identity>,
    store: Option<Store>,
    listeners: Vec<StdListener>,
    logger: Logger,
) -> Result<RunningServer, StartError> {
    settings.check()?;
    let kept = kept(settings, store, &logger)?;
    let bans = kept.bans.clone();
    let security = security(settings, identity)?;
    let password = security.password.clone();
    let mut sockets = Vec::new();
    let mut addresses = Vec::new();
    for listener in listeners {
        listener.set_nonblocking(true)?;
        addresses.push(listener.local_addr()?);
        sockets.push(TcpListener::from_std(listener)?);
    }
    let (failed, failures) = mpsc::unbounded_channel();
    let count = shard_count(settings.network.arbiters);
    let arbiters: Vec<Arbiter> = (1..count).map(|_| Arbiter::new()).collect();
    let history = kept.history.as_ref().map(|(_, writer)| writer.clone());
    let actors = Actors::start(settings, security, sockets, kept, &arbiters, &failed, &logger)?;
    let settings = settings.clone();
    Ok(RunningServer {
        addresses,
        settings,
        fingerprint: identity.map(Identity::fingerprint),
        bans,
        password,
        actors,
        arbiters,
        history,
        failures,
        logger,
    })
}

/// Checks the file of bans as [`start`] does.
pub fn check_bans(settings: &ServerSettings) -> Result<(), BansFileError> {
    bans(settings).map(drop)
}

/// Checks the file of admitted keys as [`start`] does.
pub fn check_admitted_keys(settings: &ServerSettings) -> Result<(), AdmittedKeysError> {
    access(settings).map(drop)
}

fn kept(
    settings: &ServerSettings,
    store: Option<Store>,
    logger: &Logger,
) -> Result<Kept, StartError> {
    let rules = BindingRules::new(&settings.names);
    let writer = store.map(|store| StoreWriter::start(store, logger.clone())).transpose()?;
    let (writer, stored) = writer.unzip();
    let Stored { names, topic } = stored.unwrap_or_default();
    let names = BoundNames::new(rules, names);
    let (access, bans) = (access(settings)?, bans(settings)?);
    let history = match settings.history.file.as_path() {
        path if path.as_os_str().is_empty() => None,
        path => history_file::open(path, logger),
    };
    Ok(Kept { access, bans, names, topic, writer, history })
}

fn bans(settings: &ServerSettings) -> Result<Bans, BansFileError> {
    match &settings.admin.bans {
        path if path.as_os_str().is_empty() => Ok(Bans::default()),
        path => bans_file::load(path, Moment::now()),
    }
}

fn security(
    settings: &ServerSettings,
    identity: Option<&Identity>,
) -> Result<Security, StartError> {
    let config = identity.map(|identity| server_config(identity, ExpectedKey::Any, Alpn::Server));
    let config = config.transpose()?.map(Arc::new);
    let file = &settings.security.password_file;
    let password = match identity {
        Some(identity) if !file.as_os_str().is_empty() => {
            let password = ServerPassword::new(&read_password(file)?, identity.public_key());
            Some(Arc::new(password))
        }
        _ => None,
    };
    let plain_refused_by = settings.security.plain_refused_by();
    Ok(Security { config, plain_refused_by, password, exporters: None })
}

impl RunningServer {
    /// The addresses on which the server listens, with the ports that were chosen.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A view of the server for those who watch it.
    pub fn monitor(&self) -> Monitor {
        Monitor::new(&self.actors)
    }

    /// Serves operators on a listening socket; who may connect is for its owner to limit. Requests
    /// that only the caller can perform arrive in the returned channel. To be called once.
    pub fn serve_operators(
        &mut self,
        listener: UnixListener,
    ) -> Result<mpsc::Receiver<ControlRequest>, StartError> {
        let settings = AdminSetup {
            listening: self.addresses.clone(),
            fingerprint: self.fingerprint,
            bans: std::mem::take(&mut self.bans),
            bans_file: self.settings.admin.bans.clone(),
            speaker: self.settings.motd_name()?,
        };
        Ok(admin::open(listener, &self.actors, settings, &self.logger)?)
    }

    /// Resolves when an actor without which the server cannot run has panicked.
    pub async fn failed(&mut self) -> CriticalFailure {
        match self.failures.recv().await {
            Some(name) => CriticalFailure(name),
            None => std::future::pending().await,
        }
    }

    /// Applies those of `settings` that can change while the server runs (sections `limits` and
    /// `private`, the room's message of the day and roster, names, admitted keys, the password in its file, ...), and returns the keys that differ and
    /// need a restart. With an error nothing changes. The log's level is the logger's owner's to
    /// change.
    pub fn reload(&mut self, settings: &ServerSettings) -> Result<Vec<&'static str>, ReloadError> {
        let file = &self.settings.security.password_file;
        let new = self.password.as_ref().map(|_| read_password(file)).transpose()?;
        let kept = self.actors.reloadable().apply(&mut self.settings, settings)?;
        if let (Some(password), Some(new)) = (&self.password, new) {
            password.change(&new);
        }
        Ok(kept)
    }

    /// Stops: accept no connection, read nothing, write what was said, close. Gives up on clients
    /// that do not read after 4 s.
    pub async fn stop(self) {
        if timeout(STOP_WITHIN, self.stop_orderly()).await.is_err() {
            warn!(self.logger, "stopping took too long"; "limit_s" => STOP_WITHIN.as_secs());
        }
        if let Some(history) = self.history
            && timeout(SAVE_WITHIN, history.end()).await.is_err()
        {
            warn!(self.logger, "the end of the history was not saved"; "reason" => "the disk takes too long");
        }
        for arbiter in self.arbiters {
            arbiter.stop();
            // An arbiter that hangs must not hang the process: it ends with it.
            drop(arbiter);
        }
        info!(self.logger, "stopped");
    }

    async fn stop_orderly(&self) {
        // An actor that is gone already has nothing left to stop.
        let _ = self.actors.listener.send(StopAccepting).await;
        let quiescing = self.actors.shards.iter().map(|shard| shard.send(QuiesceAll));
        let _ = timeout(QUIESCE_WITHIN, join_all(quiescing)).await;
        let (drained, wait) = oneshot::channel();
        self.actors.room.do_send(Drain(drained)); // Sent once.
        let _ = timeout(DRAIN_WITHIN, wait).await;
        if let Some(node) = &self.actors.node {
            let (stopped, wait) = oneshot::channel();
            node.do_send(ToNode::Stop(stopped)); // Sent once.
            let _ = timeout(DRAIN_WITHIN, wait).await;
        }
        let closing = self.actors.shards.iter().map(|shard| {
            let (closed, wait) = oneshot::channel();
            shard.do_send(CloseAll(closed)); // Sent once.
            wait
        });
        join_all(closing.collect::<Vec<_>>()).await;
        // By now the registry's mailbox holds all leaves.
        let (closed, wait) = oneshot::channel();
        self.actors.registry.do_send(ToRegistry::CloseStore(closed)); // Sent once.
        let _ = timeout(STORE_WITHIN, wait).await;
    }
}

fn shard_count(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        count => count,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use bytes::BytesMut;
    use slog::{Discard, o};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::protocol::{ClaimedName, ClientFrame, Encode};

    const DEADLINE: Duration = Duration::from_secs(30);

    #[actix::test]
    async fn a_hanging_event_loop_does_not_keep_the_others_from_closing_in_order() {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut settings = ServerSettings::default();
        settings.network.arbiters = 3;
        let server =
            start(&settings, None, None, vec![listener], Logger::root(Discard, o!())).unwrap();
        // The first lands on the second event loop, which will hang, the next on the third.
        let _first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        let mut join = BytesMut::new();
        ClientFrame::Join(ClaimedName::unchecked("bob").unwrap()).encode(&mut join);
        second.write_all(&join).await.unwrap();
        timeout(DEADLINE, second.read_u8()).await.unwrap().unwrap();
        let (until_the_end, end) = channel::<()>();
        assert!(server.arbiters.first().unwrap().spawn_fn(move || {
            let _ = end.recv();
        }));
        tokio::time::pause();
        timeout(STOP_WITHIN, server.stop_orderly()).await.unwrap_err();
        tokio::time::resume();
        timeout(DEADLINE, second.read_to_end(&mut Vec::new())).await.unwrap().unwrap();
        drop(until_the_end);
    }
}
