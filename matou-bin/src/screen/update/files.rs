//! Events of files.

use std::path::Path;

use matou_actors::client::{Direction, Event, TransferId};
use matou_actors::protocol::Username;

use crate::client::sizes::{size as bytes, total};
use crate::client::words::{describe_file, describe_offer};
use crate::sanitize::sanitize;
use crate::screen::state::app::App;
use crate::screen::state::entry::Body;
use crate::screen::state::event::UiEffect;
use crate::screen::state::notify::NotifyReason;
use crate::screen::state::prompts::Prompt;
use crate::screen::state::transfers::{TransferRow, TransferStage};

impl App {
    /// Handles an event of file transfers.
    pub(super) fn file(&mut self, event: Event) {
        self.apply_event(event);
        if self.is_transfers() && self.transfers.selected.is_none() {
            self.transfers.choose();
        }
    }

    fn apply_event(&mut self, event: Event) {
        match event {
            Event::FileOffered { id, from, name, entries, size, address, free } => {
                let what = describe_offer(name.as_deref(), entries);
                self.transfers.put(TransferRow {
                    id,
                    direction: Direction::Incoming,
                    with: from.clone(),
                    name,
                    bytes: 0,
                    size,
                    rate: None,
                    path: None,
                    stage: TransferStage::Offered { address },
                });
                self.offered(id, &from, what, size, address, free);
            }
            Event::FileStarted(info) => self.started(&info),
            Event::FileProgress { id, bytes, size, rate } => {
                self.transfers.progress(id, bytes, size, rate);
            }
            Event::FileReceived { id, from, size, path } => {
                let text =
                    format!("Received file #{id} from {from}, {}: {}", bytes(size), shown(&path));
                self.ended(id, &from, &text, TransferStage::Done, Some(&path));
            }
            Event::FileSent { id, to, size, path, received: true } => {
                let text = format!("{to} received file #{id}, {}: {}", bytes(size), shown(&path));
                self.ended(id, &to, &text, TransferStage::Done, Some(&path));
            }
            Event::FileSent { id, to, size, path, received: false } => {
                let text = format!(
                    "File #{id} delivered to {to}'s computer, {}: {}. It is unknown whether {to} \
                     accepts it.",
                    bytes(size),
                    shown(&path)
                );
                self.ended(id, &to, &text, TransferStage::Done, Some(&path));
            }
            Event::FileFailed { id, direction, with, path, reason, .. } => {
                let file = describe_file(id, direction, &with, path.as_deref());
                self.failed(id, &with, &file, &reason);
            }
            Event::Transfers { transfers } => {
                for info in &transfers {
                    self.transfers.learn(info);
                }
            }
            // All others are handled where they belong: the room, private sessions.
            _ => {}
        }
    }

    fn offered(
        &mut self,
        id: TransferId,
        from: &Username,
        what: String,
        size: Option<u64>,
        address: std::net::IpAddr,
        free: Option<u64>,
    ) {
        let size_text = total(size);
        let text = format!("{from} offers {what}#{id}, {size_text}: /take {id} or /refuse {id}");
        self.show_in(from, &text, true);
        self.call(NotifyReason::Private, &format!("{from} offers {what}of {size_text}"));
        self.prompts.add(Prompt::File { id, from: from.clone(), what, size, address, free });
    }

    fn started(&mut self, info: &matou_actors::client::TransferInfo) {
        self.prompts.drop_file(info.id);
        self.transfers.learn(info);
        let sent = info.direction == Direction::Outgoing;
        if let Some(paste) = self
            .paste_files
            .iter_mut()
            .find(|paste| sent && Some(&paste.path) == info.path.as_ref())
        {
            paste.id = Some(info.id);
        }
        let size = total(info.size);
        let name = info.path.as_deref().filter(|_| sent).map(shown);
        let text = match name {
            Some(name) => format!("Sending {name} ({size}) to {} as #{}.", info.with, info.id),
            None => format!("Receiving file #{} ({size}) from {}.", info.id, info.with),
        };
        self.show_in(&info.with, &text, false);
    }

    fn ended(
        &mut self,
        id: TransferId,
        with: &Username,
        text: &str,
        stage: TransferStage,
        path: Option<&Path>,
    ) {
        self.prompts.drop_file(id);
        self.transfers.end(id, stage, path.map(Path::to_path_buf));
        self.show_in(with, text, false);
        self.drop_paste(id);
    }

    fn failed(&mut self, id: TransferId, with: &Username, file: &str, reason: &str) {
        let stage = TransferStage::Failed { reason: sanitize(reason).into() };
        let text = format!("Transfer of {file} failed: {reason}");
        if self.transfers.of(id).is_some() {
            self.prompts.drop_file(id);
            self.transfers.end(id, stage, None);
            let body = || Body::Error(sanitize(&text).into());
            self.push(self.transfers_tab(), body(), false);
            if let Some(index) = self.peer_tab(with) {
                self.push(index, body(), false);
            }
        } else {
            self.error(&text);
        }
        self.drop_paste(id);
    }

    /// In the tab of `peer` and in that of the transfers.
    fn show_in(&mut self, peer: &Username, text: &str, urgent: bool) {
        let body = || Body::Notice(sanitize(text).into());
        let index = self.ensure_tab(peer);
        self.push(index, body(), urgent);
        self.push(self.transfers_tab(), body(), false);
    }

    /// Pasted text that was sent as a file is not kept.
    fn drop_paste(&mut self, id: TransferId) {
        let effects = &mut self.effects;
        self.paste_files.retain(|paste| {
            let over = paste.id == Some(id);
            if over {
                effects.push(UiEffect::RemovePaste(paste.path.clone()));
            }
            !over
        });
    }
}

fn shown(path: &Path) -> String {
    sanitize(&path.to_string_lossy()).into_owned()
}
