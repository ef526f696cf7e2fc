//! All offers and transfers of one run, under their numbers.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::client::api::event::{Direction, TransferInfo, TransferState};
use crate::client::ids::{SessionNumber, TransferId, TransferIds};
use crate::client::messages::{Named, OutgoingFile};
use crate::protocol::{FoldedName, Username};
use crate::transfer::ChosenFile;

/// How many of those that are over can still be described.
const MOST_ENDED: usize = 100;

/// The offers, the files that wait, and those that move.
#[derive(Debug, Default)]
pub(crate) struct PeerTransfers {
    entries: BTreeMap<TransferId, TransferEntry>,
    /// The last ones that are over.
    ended: VecDeque<TransferInfo>,
    ids: TransferIds,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct TransferEntry {
    pub(crate) info: TransferInfo,
    pub(crate) stage: PeerTransferStage,
    /// The session that it goes over, once there is one.
    pub(crate) session: Option<SessionNumber>,
    /// Free bytes in the downloads folder when it was offered, if known.
    pub(crate) free: Option<u64>,
    /// The name of the offer, in revision 2.
    pub(crate) named: Option<Named>,
    /// The user knows of it, and so has to learn of its end.
    pub(crate) announced: bool,
    /// The other side refused it, or the session that it needs.
    pub(crate) refused: bool,
}

/// How far one of them is.
#[derive(Debug)]
pub(crate) enum PeerTransferStage {
    /// For a session.
    Waiting(OutgoingFile),
    /// For the user.
    Offered,
    /// It is the session's business.
    InSession,
}

impl TransferEntry {
    /// Whether the user has to answer it.
    pub(crate) fn is_offered(&self) -> bool {
        matches!(self.stage, PeerTransferStage::Offered)
    }

    /// As the user reads of it.
    pub(crate) fn described(&self) -> TransferInfo {
        let state = match self.stage {
            PeerTransferStage::Offered => TransferState::Offered,
            PeerTransferStage::InSession if self.info.bytes > 0 => TransferState::Moving,
            PeerTransferStage::Waiting(_) | PeerTransferStage::InSession => TransferState::Waiting,
        };
        TransferInfo { state, ..self.info.clone() }
    }
}

impl PeerTransfers {
    /// The source of the numbers of offers.
    pub(crate) fn ids(&self) -> TransferIds {
        self.ids.clone()
    }

    /// A file to send.
    pub(crate) fn outgoing(
        &mut self,
        to: Username,
        path: PathBuf,
        file: Arc<ChosenFile>,
    ) -> TransferInfo {
        let (id, size) = (self.ids.next(), file.size());
        let info = TransferInfo {
            id,
            direction: Direction::Outgoing,
            state: TransferState::Waiting,
            with: to,
            name: path.file_name().map(|name| name.to_string_lossy().into_owned()),
            bytes: 0,
            size,
            path: Some(path),
        };
        let stage = PeerTransferStage::Waiting(OutgoingFile { id, file, resent: false });
        let entry = TransferEntry {
            info: info.clone(),
            stage,
            session: None,
            free: None,
            named: None,
            announced: true,
            refused: false,
        };
        self.entries.insert(id, entry);
        info
    }

    /// A file that `session` offers; the user does not know of it yet.
    pub(crate) fn offered(
        &mut self,
        id: TransferId,
        from: Username,
        size: Option<u64>,
        free: Option<u64>,
        session: SessionNumber,
    ) {
        let direction = Direction::Incoming;
        let info = TransferInfo {
            id,
            direction,
            state: TransferState::Offered,
            with: from,
            name: None,
            bytes: 0,
            size,
            path: None,
        };
        let session = Some(session);
        let entry = TransferEntry {
            info,
            stage: PeerTransferStage::Offered,
            session,
            free,
            named: None,
            announced: false,
            refused: false,
        };
        self.entries.insert(id, entry);
    }

    pub(crate) fn get(&self, id: TransferId) -> Option<&TransferEntry> {
        self.entries.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: TransferId) -> Option<&mut TransferEntry> {
        self.entries.get_mut(&id)
    }

    /// The user `key` declined the session for which files wait.
    pub(crate) fn declined_by(&mut self, key: &FoldedName) {
        for entry in self.entries.values_mut() {
            if matches!(entry.stage, PeerTransferStage::Waiting(_))
                && entry.info.with.folded() == *key
            {
                entry.refused = true;
            }
        }
    }

    pub(crate) fn remove(&mut self, id: TransferId) -> Option<TransferEntry> {
        let entry = self.entries.remove(&id)?;
        if entry.announced {
            self.ended.truncate(MOST_ENDED - 1);
            self.ended.push_front(entry.info.clone());
        }
        Some(entry)
    }

    /// What the user may mean by a number that does not fit: which file, and whether it is over.
    pub(crate) fn describe(&self, id: TransferId) -> Option<String> {
        let known = self.entries.get(&id).filter(|entry| entry.announced);
        let (info, over) = match known {
            Some(entry) => (&entry.info, false),
            None => (self.ended.iter().find(|info| info.id == id)?, true),
        };
        let name = info.path.as_deref().and_then(Path::file_name).map(|name| name.display());
        let name = name.map_or("the file".into(), |name| name.to_string());
        let way = if info.direction == Direction::Incoming { "from" } else { "to" };
        let state = if over { "is over" } else { "is on its way" };
        Some(format!("{name} {way} {} {state}", info.with))
    }

    /// All of them, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &TransferEntry> {
        self.entries.values()
    }

    /// Those that the user knows of, by number.
    pub(crate) fn list(&self) -> Vec<TransferInfo> {
        let announced = self.iter().filter(|entry| entry.announced);
        announced.map(TransferEntry::described).collect()
    }

    /// Those that go over `session`.
    pub(crate) fn of(&self, session: SessionNumber) -> Vec<TransferId> {
        let of = |(id, entry): (&TransferId, &TransferEntry)| {
            (entry.session == Some(session)).then_some(*id)
        };
        self.entries.iter().filter_map(of).collect()
    }

    /// Whether something is to be waited for before signing out: all but open offers.
    pub(crate) fn is_busy(&self) -> bool {
        !self.entries.values().all(TransferEntry::is_offered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_reused_and_open_offers_do_not_delay_signing_out() {
        let bob = Username::parse("bob").unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let handles = Arc::new(tokio::sync::Semaphore::new(1));
        let file = ChosenFile::choose(file.path().into(), &handles).unwrap();
        let file = Arc::new(file);
        let mut transfers = PeerTransfers::default();
        let offer = transfers.ids().next();
        transfers.offered(offer, bob.clone(), Some(5), None, SessionNumber(1));
        assert!(!transfers.is_busy());
        transfers.remove(offer).unwrap();
        let sent = transfers.outgoing(bob, "a".into(), file);
        assert!(sent.id > offer && transfers.is_busy());
        assert_eq!(transfers.list(), [sent]);
        let hidden = transfers.ids().next();
        transfers.offered(hidden, Username::parse("eve").unwrap(), Some(5), None, SessionNumber(1));
        assert_eq!(transfers.list().len(), 1, "not announced yet");
        transfers.get_mut(hidden).unwrap().announced = true;
        let states: Vec<_> = transfers.list().iter().map(|info| info.state).collect();
        assert_eq!(states, [TransferState::Waiting, TransferState::Offered]);
        transfers.remove(hidden).unwrap();
        assert!(transfers.of(SessionNumber(1)).is_empty());
        assert_eq!(transfers.describe(hidden).unwrap(), "the file from eve is over");
        assert!(transfers.describe(offer).is_none(), "the user never knew of it");
        let sent = transfers.list().first().unwrap().id;
        assert_eq!(transfers.describe(sent).unwrap(), "a to bob is on its way");
    }
}
