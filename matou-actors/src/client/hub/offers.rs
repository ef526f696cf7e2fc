//! Files that are offered, and what the user wants of them and of transfers.

use std::net::Shutdown;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;

use super::{Hub, Offer, OpenSession};
use crate::client::api::event::{Direction, Event};
use crate::client::api::settings::Policy;
use crate::client::files::header_watch::is_there;
use crate::client::files::transfers::{Entry, Stage};
use crate::client::ids::{SessionId, TransferId};
use crate::client::messages::{LeaveFiles, WatchFiles, WatchFrom};
use crate::protocol::FoldedName;
use crate::transfer::{FileStamp, Job, Transfer};

impl Hub {
    pub(super) fn list_transfers(&mut self) {
        let transfers = self.transfers.list();
        self.emit(Event::Transfers { transfers });
    }

    /// Changes the downloads folder, off the event loop.
    pub(super) fn set_downloads(&mut self, folder: PathBuf, ctx: &mut Context<Self>) {
        let downloads = Arc::clone(&self.downloads);
        let moved = tokio::task::spawn_blocking(move || downloads.move_to(folder));
        ctx.spawn(moved.into_actor(self).map(|moved, hub, ctx| {
            match moved {
                Ok(Ok(folder)) => {
                    hub.notice(format!("received files are saved in {}", folder.display()));
                }
                Ok(Err(error)) => hub.error(error.to_string()),
                Err(error) => hub.error(format!("the downloads folder was not changed: {error}")),
            }
            hub.settle(ctx);
        }));
    }

    /// Begins to receive an offered file.
    pub(super) fn take(&mut self, id: TransferId, ctx: &mut Context<Self>) {
        let Some(entry) = self.transfers.get_mut(id).filter(|entry| entry.stage == Stage::Offered)
        else {
            return self.error(format!("no file is offered under #{id}; /transfers lists them"));
        };
        let Some(offer) = self.offers.get(&id) else { return };
        (entry.stage, entry.announced) = (Stage::Taken, true);
        let stamp = FileStamp::new(&entry.info.with, jiff::Zoned::now().datetime());
        let (size, session) = (entry.info.size, entry.session);
        let downloads = Arc::clone(&self.downloads);
        let socket = Arc::clone(&offer.socket);
        if let Some(session) = session.and_then(|session| self.sessions.get(&session)) {
            // Once for each file.
            session.addr.do_send(LeaveFiles);
        }
        let report = ctx.address().recipient();
        let job = Job::Receive { downloads, stamp, size };
        self.movers.insert(id, Transfer::new(id.0, job, socket, report).start());
    }

    pub(super) fn refuse(&mut self, id: TransferId, ctx: &mut Context<Self>) {
        if self.transfers.get(id).is_none_or(|entry| entry.stage != Stage::Offered) {
            return self.error(format!("no file is offered under #{id}; /transfers lists them"));
        }
        self.refuse_offer(id, "you refused it", ctx);
    }

    pub(super) fn cancel(&mut self, id: TransferId, ctx: &mut Context<Self>) {
        let Some(entry) = self.transfers.get(id) else {
            return self.error(format!("there is no transfer #{id}; /transfers lists them"));
        };
        match entry.stage {
            Stage::Offered => self.refuse_offer(id, "you refused it", ctx),
            Stage::Waiting => self.fail(id, "you cancelled it".into()),
            Stage::Taken | Stage::Moving => self.cut(id, "you cancelled it"),
        }
    }

    /// Announces the offers of a user who was ignored.
    pub(super) fn present_offers_of(&mut self, key: &FoldedName, ctx: &mut Context<Self>) {
        let of = self.transfers.iter().filter(|entry| entry.stage == Stage::Offered);
        let of = of.filter(|entry| entry.info.with.folded() == *key).map(|entry| entry.info.id);
        for id in of.collect::<Vec<_>>() {
            self.present_offer(id, ctx);
        }
    }

    /// Closes the file connection that an offer waits in.
    pub(super) fn drop_offer(&mut self, id: TransferId, reason: &str) {
        if let Some(offer) = self.offers.get(&id) {
            // An error means that it is closed already.
            let _ = offer.socket.shutdown(Shutdown::Both);
        }
        self.fail(id, reason.into());
    }

    /// Refuses an offer: talk goes on, files that wait go over another connection, and the
    /// connection is closed once a file that goes the other way is through.
    fn refuse_offer(&mut self, id: TransferId, reason: &str, ctx: &mut Context<Self>) {
        let session = self.transfers.get(id).and_then(|entry| entry.session);
        let Some(session) = session.filter(|session| self.open_session(*session).is_some()) else {
            return self.drop_offer(id, reason);
        };
        let size = self.transfers.get(id).map_or(0, |entry| entry.info.size);
        self.fail(id, reason.into());
        if self.pass_over(session, size) {
            return self.linger_if_over(session, ctx);
        }
        self.close_receiving(session, reason, ctx);
        self.end_unused_connection(session);
        self.release_connection(session, ctx);
        self.linger_if_over(session, ctx);
    }

    /// Goes on behind a refused file of `size` bytes if all of them are here: the files behind it
    /// may be here as well, and their sender believes that they have arrived.
    fn pass_over(&self, session: SessionId, size: u64) -> bool {
        let Some(live) = self.sessions.get(&session) else { return false };
        let Some(open) = live.open.as_ref().filter(|open| !open.queue.is_receiving_closed()) else {
            return false;
        };
        let here = !open.queue.has_to_end() && is_there(&open.files, size);
        if here {
            // Once for each file.
            live.addr.do_send(WatchFiles { from: WatchFrom::Refused(size) });
        }
        here
    }

    /// Announces an offer, and answers it as the settings say.
    fn present_offer(&mut self, id: TransferId, ctx: &mut Context<Self>) {
        let (Some(entry), Some(offer)) = (self.transfers.get_mut(id), self.offers.get(&id)) else {
            return;
        };
        entry.announced = true;
        let (from, size) = (entry.info.with.clone(), entry.info.size);
        let (address, free) = (offer.address, offer.free);
        self.emit(Event::FileOffered { id, from, size, address, free });
        match self.settings.accept_files {
            Policy::Ask => {}
            Policy::Always => self.take_soon(id, ctx),
            Policy::Never => self.refuse_offer(id, "files are refused by your settings", ctx),
        }
    }

    /// Takes an offer unasked, at once or when the rate allows it.
    fn take_soon(&mut self, id: TransferId, ctx: &mut Context<Self>) {
        let delay = self.accept_rate.delay(Instant::now());
        if delay.is_zero() {
            return self.take(id, ctx);
        }
        Self::later(ctx, delay, move |hub, ctx| {
            let offered = |entry: &Entry| entry.stage == Stage::Offered;
            if hub.transfers.get(id).is_some_and(offered) {
                hub.take(id, ctx);
            }
        });
    }

    pub(super) fn not_begun(&mut self, id: TransferId, reason: String, ctx: &mut Context<Self>) {
        let Some(entry) = self.transfers.get_mut(id) else { return };
        match entry.info.direction {
            Direction::Outgoing => self.fail(id, reason),
            // No user is there to do something about it, and others wait behind it.
            Direction::Incoming if self.settings.accept_files != Policy::Ask => {
                self.refuse_offer(id, &format!("it cannot be taken: {reason}"), ctx);
            }
            // The user may do something about it: the offer stands.
            Direction::Incoming => {
                entry.stage = Stage::Offered;
                let from = WatchFrom::Offer(entry.info.size);
                let session = entry.session.and_then(|session| self.sessions.get(&session));
                if let Some(live) = session {
                    // Once for each wish of the user.
                    live.addr.do_send(WatchFiles { from });
                }
                self.error(format!("file #{id} not taken: {reason}, then /take {id} again"));
            }
        }
    }
}

impl Hub {
    pub(super) fn header_seen(
        &mut self,
        session: SessionId,
        size: u64,
        free: Option<u64>,
        ctx: &mut Context<Self>,
    ) {
        let Some(live) = self.sessions.get_mut(&session).filter(|live| !live.closed) else {
            return;
        };
        let usable = |open: &&mut OpenSession| !open.queue.is_receiving_closed();
        let Some(open) = live.open.as_mut().filter(usable) else { return };
        let id = self.transfers.offered(live.peer.clone(), size, session);
        open.queue.offered(id);
        let (socket, address) = (Arc::clone(&open.files), open.address.ip().to_canonical());
        self.offers.insert(id, Offer { socket, address, free });
        if self.ignored.contains(&live.peer.folded()) {
            return;
        }
        self.present_offer(id, ctx);
    }

    pub(super) fn files_down(
        &mut self,
        session: SessionId,
        reason: &str,
        violation: bool,
        ctx: &mut Context<Self>,
    ) {
        if violation && let Some(live) = self.sessions.get(&session) {
            let peer = live.peer.clone();
            self.error(format!("no more files from {peer} over this connection: {reason}"));
        }
        if let Some(offer) = self.open_session(session).and_then(|open| open.queue.incoming())
            && self.transfers.get(offer).is_some_and(|entry| entry.stage == Stage::Offered)
        {
            self.fail(offer, reason.into());
        }
        self.close_receiving(session, reason, ctx);
        // A sender that breaks the protocol is not left to send what is never read.
        self.end_unused_connection(session);
        if self.sessions.get(&session).is_some_and(|live| live.over) {
            self.hang_up(session);
        }
    }
}
