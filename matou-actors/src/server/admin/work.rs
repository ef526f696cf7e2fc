//! The part of a request that has to be waited for, away from the admin actor.

use std::sync::Arc;

use actix::prelude::Addr;
use futures::future::join;
use tokio::sync::{mpsc, oneshot};

use super::bans_store::BansStore;
use super::clients::{PART_WITHIN, clients, close, close_banned, forget, names, stopping};
use super::control::ControlRequest;
use super::wire::Response;
use crate::protocol::{FoldedName, MessageText, Username};
use crate::server::accept::bans::{Ban, Bans};
use crate::server::cluster::actor::NodeActor;
use crate::server::lifecycle::wiring::Actors;
use crate::server::messages::{
    Announce, FoundMember, LastMessage, Purge, Purged, ReportCluster, ReportTopic, SetTopic,
};
use crate::server::reason::Reason;

/// The answer to a request once the bans are handled.
pub(super) enum Work {
    Done(Response),
    Clients(Actors),
    Ban {
        actors: Actors,
        ban: Ban,
        last_message: LastMessage,
        save: Save,
    },
    Unban {
        target: String,
        save: Save,
    },
    Kick {
        actors: Actors,
        found: Vec<FoundMember>,
        last_message: LastMessage,
        reason: String,
    },
    Names(Actors),
    Cluster(Addr<NodeActor>),
    Forget {
        actors: Actors,
        name: Username,
    },
    Purge {
        actors: Actors,
        name: Option<FoldedName>,
    },
    ReportTopic(Actors),
    SetTopic {
        actors: Actors,
        topic: Option<MessageText>,
    },
    Notice {
        actors: Actors,
        text: MessageText,
    },
    Reload(mpsc::Sender<ControlRequest>),
    Shutdown(mpsc::Sender<ControlRequest>),
    #[cfg(feature = "testing")]
    Panic {
        actors: Actors,
        actor: String,
    },
}

/// The bans, to be written to their file.
pub(super) struct Save {
    pub(super) bans: Bans,
    pub(super) store: BansStore,
}

impl Work {
    pub(super) async fn finish(self) -> Result<Response, String> {
        Ok(match self {
            Self::Done(response) => response,
            Self::Clients(actors) => Response::Clients(clients(&actors).await?),
            Self::Ban { actors, ban, last_message, save } => {
                // Neither may keep the other from being done.
                let closing = close_banned(&actors, &ban, last_message);
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
            Self::Kick { actors, found, last_message, reason } => {
                let reason: Arc<str> = reason.into();
                for found in &found {
                    let reason = Reason::Kicked(Arc::clone(&reason));
                    close(&actors, found, last_message.clone(), reason).await?;
                }
                let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
                Response::Kicked { name: names.join(", ") }
            }
            Self::Cluster(node) => {
                Response::Cluster(node.send(ReportCluster).await.map_err(stopping)?)
            }
            Self::Names(actors) => Response::Names(names(&actors).await?),
            Self::Forget { actors, name } => Response::Forgotten(forget(&actors, name).await?),
            Self::Purge { actors, name } => {
                let Purged { messages, saved } =
                    actors.room.send(Purge(name)).await.map_err(stopping)?;
                let saved = match saved {
                    Some(saved) => match tokio::time::timeout(PART_WITHIN, saved).await {
                        Ok(Ok(saved)) => saved,
                        Ok(Err(_)) | Err(_) => Err("the disk takes too long".into()),
                    },
                    None => Ok(()),
                };
                saved.map_err(|error| {
                    format!(
                        "{messages} messages deleted, but they are still in the file named by history.file: {error}"
                    )
                })?;
                Response::Purged { messages }
            }
            Self::ReportTopic(actors) => {
                let topic = actors.room.send(ReportTopic).await.map_err(stopping)?;
                Response::Topic { topic: topic.map(|topic| topic.as_str().to_owned()) }
            }
            Self::SetTopic { actors, topic } => {
                actors.room.send(SetTopic(topic.clone())).await.map_err(stopping)?;
                Response::Topic { topic: topic.map(|topic| topic.as_str().to_owned()) }
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
            #[cfg(feature = "testing")]
            Self::Panic { actors, actor } => super::panic::panic_actor(&actors, &actor).await?,
        })
    }
}

impl Save {
    async fn save(self) -> Result<(), String> {
        self.store.save(self.bans, PART_WITHIN).await
    }
}
