//! The desk at which operators are served: one actor that asks the others on their behalf.

mod desk;
mod keep;
mod socket;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use actix::prelude::{Actor, Message};
use ipnet::IpNet;
use slog::Logger;
use tokio::sync::{mpsc, oneshot};

pub use self::socket::OPERATORS;
pub use self::wire::{ClientReport, Request, Response, Status};

use self::desk::Desk;
use super::bans::Bans;
use super::wiring::Actors;
use crate::protocol::Username;

/// Errands that wait for the one who runs the server; operators ask one after the other.
const ERRANDS: usize = 4;

/// What only the one who runs the server can do for an operator.
#[derive(Debug)]
pub enum Errand {
    /// Read the configuration and reload; answer with the keys that need a restart, or what is
    /// wrong.
    Reload(oneshot::Sender<Result<Vec<&'static str>, String>>),
    /// Stop the server.
    Shutdown,
}

/// What the desk needs to know besides the actors.
#[derive(Debug)]
pub(crate) struct DeskSettings {
    pub(crate) listening: Vec<SocketAddr>,
    pub(crate) bans: Bans,
    /// Where bans are kept; empty is nowhere.
    pub(crate) bans_file: PathBuf,
    pub(crate) speaker: Username,
    /// Whether [`Request::Panic`] is carried out.
    pub(crate) test_panics: bool,
}

/// To the desk: what an operator asks.
#[derive(Debug, Message)]
#[rtype(result = "Response")]
pub(crate) struct Ask(pub(crate) Request);

/// To a shard: who is there.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<ClientReport>")]
pub(crate) struct ListClients;

/// To a shard: disconnect everybody from there; how many those are.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "usize")]
pub(crate) struct CloseFrom(pub(crate) IpNet);

/// To the listener: the bans from now on.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SetBans(pub(crate) Bans);

/// To any actor: panic.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Fail;

/// Serves operators on `listener`; what they ask of the one who runs the server comes out.
pub(crate) fn open(
    listener: UnixListener,
    actors: &Actors,
    settings: DeskSettings,
    logger: &Logger,
) -> io::Result<mpsc::Receiver<Errand>> {
    let (errands, received) = mpsc::channel(ERRANDS);
    let desk = Desk::new(actors.clone(), settings, errands).start();
    socket::serve(listener, desk.recipient(), logger.clone())?;
    Ok(received)
}
