//! The files of a session of revision 2: between the numbers that the user knows and those on the
//! wire.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use actix::Recipient;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use crate::client::ids::{TransferId, TransferIds};
use crate::client::messages::{ExchangeReport, FileEvent, Named, OutgoingFile};
use crate::exchange::{self, Exchange, ExchangeOrder, FrameSender, RateLimit, Report};
use crate::protocol::v2::{MessageFrame, OfferKind, PublicKey};
use crate::transfer::Downloads;

/// What the files of all sessions share.
#[derive(Clone, Debug)]
pub(crate) struct SharedFiles {
    pub(crate) downloads: Arc<Downloads>,
    /// Numbers for offers.
    pub(crate) ids: TransferIds,
    pub(crate) rate: RateLimit,
}

/// The files of one session.
#[derive(Debug)]
pub(super) struct EncryptedFiles {
    exchange: Option<Exchange>,
    frames: FrameSender,
    shared: SharedFiles,
    /// Files that have no number on the wire yet.
    unnumbered: HashMap<TransferId, OutgoingFile>,
    /// Of these, those that the user cancelled.
    withdrawn: HashSet<TransferId>,
    numbers: HashMap<TransferId, u64>,
    ids: HashMap<u64, TransferId>,
    /// Where the files are that are sent.
    unattended: HashMap<TransferId, bool>,
}

/// The outcome of a report.
#[derive(Debug)]
pub(super) enum ReportOutcome {
    Nothing,
    Event(FileEvent),
    /// To be sent on the message connection.
    Frame(MessageFrame),
    /// The file connection has ended.
    Ended(Vec<FileEvent>),
}

impl EncryptedFiles {
    /// Takes the file connection over; it reports to `reports`.
    pub(super) fn start(
        stream: TlsStream<TcpStream>,
        asked: bool,
        peer: PublicKey,
        shared: SharedFiles,
        reports: Recipient<ExchangeReport>,
    ) -> std::io::Result<Self> {
        let (socket, tls) = match stream {
            TlsStream::Client(stream) => {
                let (socket, tls) = stream.into_inner();
                (socket, rustls::Connection::from(tls))
            }
            TlsStream::Server(stream) => {
                let (socket, tls) = stream.into_inner();
                (socket, rustls::Connection::from(tls))
            }
        };
        let stream = exchange::EncryptedStream { socket: socket.into_std()?, tls };
        let (downloads, rate) = (Arc::clone(&shared.downloads), shared.rate.clone());
        let settings = exchange::Settings { asked, peer, downloads, rate };
        // Bounded: by the number of transfers, and by the rate at which progress is reported.
        let report = move |report| reports.do_send(ExchangeReport(report));
        let (exchange, frames) = exchange::start(stream, settings, report)?;
        Ok(Self {
            exchange: Some(exchange),
            frames,
            shared,
            unnumbered: HashMap::new(),
            withdrawn: HashSet::new(),
            numbers: HashMap::new(),
            ids: HashMap::new(),
            unattended: HashMap::new(),
        })
    }

    /// Whether the file connection has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.exchange.is_none()
    }

    /// Ends the file connection; [`ReportOutcome::Ended`] is the last outcome.
    pub(super) fn close(&self) {
        self.order(ExchangeOrder::Close);
    }

    pub(super) fn send(&mut self, file: OutgoingFile) -> Option<FileEvent> {
        if self.has_ended() {
            return Some(FileEvent::GaveBack(file));
        }
        let (key, chosen) = (file.id.0, Arc::clone(&file.file));
        self.unnumbered.insert(file.id, file);
        self.order(ExchangeOrder::Offer { key, chosen });
        None
    }

    pub(super) fn take(
        &mut self,
        id: TransferId,
        unattended: bool,
        folder: Option<std::path::PathBuf>,
    ) {
        self.unattended.insert(id, unattended);
        self.with_number(id, |transfer| ExchangeOrder::Take { transfer, folder });
    }

    pub(super) fn refuse(&self, id: TransferId) {
        self.with_number(id, |transfer| ExchangeOrder::Refuse { transfer });
    }

    /// Stops a transfer, in either direction.
    pub(super) fn cancel(&mut self, id: TransferId) {
        if self.unnumbered.contains_key(&id) {
            self.withdrawn.insert(id);
            return self.order(ExchangeOrder::Withdraw { key: id.0 });
        }
        self.with_number(id, |transfer| ExchangeOrder::Cancel { transfer });
    }

    /// Handles the frames about files on the message connection.
    pub(super) fn frames(&self) -> FrameSender {
        self.frames.clone()
    }

    pub(super) fn report(&mut self, report: Report) -> ReportOutcome {
        match report {
            Report::Frame(frame) => return ReportOutcome::Frame(frame),
            Report::Numbered { key, transfer } => {
                let id = TransferId(key);
                self.unnumbered.remove(&id);
                self.numbers.insert(id, transfer);
                self.ids.insert(transfer, id);
                if self.withdrawn.remove(&id) {
                    self.cancel(id);
                }
                return ReportOutcome::Nothing;
            }
            Report::Offered(offer) => {
                let id = self.shared.ids.next();
                self.numbers.insert(id, offer.transfer);
                self.ids.insert(offer.transfer, id);
                let entries = (offer.kind == OfferKind::Folder).then_some(offer.entries);
                let named = Some(Named { name: offer.name, entries });
                let free = self.shared.downloads.free();
                return ReportOutcome::Event(FileEvent::Offered {
                    id,
                    size: offer.size,
                    free,
                    named,
                });
            }
            Report::Ended { reason: _ } => {
                self.exchange = None;
                let waiting = std::mem::take(&mut self.unnumbered).into_values();
                return ReportOutcome::Ended(waiting.map(FileEvent::GaveBack).collect());
            }
            Report::Failed { transfer, unnumbered: true, refused, reason } => {
                let id = TransferId(transfer);
                self.unnumbered.remove(&id);
                self.withdrawn.remove(&id);
                return ReportOutcome::Event(FileEvent::Failed { id, refused, reason });
            }
            _ => {}
        }
        self.about_a_transfer(report).map_or(ReportOutcome::Nothing, ReportOutcome::Event)
    }

    fn about_a_transfer(&mut self, report: Report) -> Option<FileEvent> {
        Some(match report {
            Report::Begun { transfer, path, size, .. } => {
                FileEvent::Begun { id: self.id(transfer)?, path, size }
            }
            Report::Moved { transfer, moved } => FileEvent::Moved { id: self.id(transfer)?, moved },
            Report::Received { transfer, path, size } => {
                let id = self.forget(transfer)?;
                FileEvent::Whole { id, path, size, changed: false }
            }
            Report::Sent { transfer, size, skipped } => {
                FileEvent::Received { id: self.forget(transfer)?, size, skipped }
            }
            Report::NotTaken { transfer, reason } => {
                let id = self.id(transfer)?;
                if self.unattended.get(&id) == Some(&true) {
                    self.refuse(id);
                }
                FileEvent::NotTaken { id, reason }
            }
            Report::Failed { transfer, refused, reason, .. } => {
                FileEvent::Failed { id: self.forget(transfer)?, refused, reason }
            }
            _ => return None,
        })
    }

    fn id(&self, transfer: u64) -> Option<TransferId> {
        self.ids.get(&transfer).copied()
    }

    fn forget(&mut self, transfer: u64) -> Option<TransferId> {
        let id = self.ids.remove(&transfer)?;
        self.numbers.remove(&id);
        self.unattended.remove(&id);
        Some(id)
    }

    fn with_number(&self, id: TransferId, order: impl FnOnce(u64) -> ExchangeOrder) {
        if let Some(transfer) = self.numbers.get(&id) {
            self.order(order(*transfer));
        }
    }

    fn order(&self, order: ExchangeOrder) {
        if let Some(exchange) = &self.exchange {
            exchange.order(order);
        }
    }
}
