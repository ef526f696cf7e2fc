//! All offers and transfers of one run, under their numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::client::api::event::{Direction, TransferInfo};
use crate::client::ids::{SessionId, TransferId};
use crate::protocol::Username;
use crate::transfer::ChosenFile;

/// The offers, the files that wait, and those that move.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    entries: BTreeMap<TransferId, Entry>,
    last: u64,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) info: TransferInfo,
    pub(crate) stage: Stage,
    /// The session that it goes over, once there is one.
    pub(crate) session: Option<SessionId>,
    /// The file that is to be sent.
    pub(crate) file: Option<Arc<ChosenFile>>,
    /// It is cut only to be sent again over another connection.
    pub(crate) again: bool,
    /// It was sent again before, which is done once.
    pub(crate) was_again: bool,
    /// The user knows of it, and so has to learn of its end.
    pub(crate) announced: bool,
}

/// How far one of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// For its session or its turn.
    Waiting,
    /// For the user.
    Offered,
    /// Taken by the user; not a byte is moved yet.
    Taken,
    /// It moves.
    Moving,
}

impl Transfers {
    /// A file to send.
    pub(crate) fn outgoing(
        &mut self,
        to: Username,
        path: PathBuf,
        file: Arc<ChosenFile>,
    ) -> TransferInfo {
        let size = file.size();
        let info = self.add(Direction::Outgoing, to, size, Some(path), Stage::Waiting, None);
        if let Some(entry) = self.entries.get_mut(&info.id) {
            entry.file = Some(file);
        }
        info
    }

    /// A file that is offered.
    pub(crate) fn offered(&mut self, from: Username, size: u64, session: SessionId) -> TransferId {
        self.add(Direction::Incoming, from, size, None, Stage::Offered, Some(session)).id
    }

    pub(crate) fn get(&self, id: TransferId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: TransferId) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: TransferId) -> Option<Entry> {
        self.entries.remove(&id)
    }

    /// All of them, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Those that the user knows of, by number.
    pub(crate) fn list(&self) -> Vec<TransferInfo> {
        let announced = self.iter().filter(|entry| entry.announced);
        announced.map(|entry| entry.info.clone()).collect()
    }

    /// Those that go over `session`.
    pub(crate) fn of(&self, session: SessionId) -> Vec<TransferId> {
        let of =
            |(id, entry): (&TransferId, &Entry)| (entry.session == Some(session)).then_some(*id);
        self.entries.iter().filter_map(of).collect()
    }

    /// The numbers of all of them.
    pub(crate) fn ids(&self) -> Vec<TransferId> {
        self.entries.keys().copied().collect()
    }

    /// Whether something is to be waited for before signing out: all but open offers.
    pub(crate) fn is_busy(&self) -> bool {
        self.entries.values().any(|entry| entry.stage != Stage::Offered)
    }

    fn add(
        &mut self,
        direction: Direction,
        with: Username,
        size: u64,
        path: Option<PathBuf>,
        stage: Stage,
        session: Option<SessionId>,
    ) -> TransferInfo {
        self.last += 1;
        let id = TransferId(self.last);
        let info = TransferInfo { id, direction, with, bytes: 0, size, path };
        self.entries.insert(
            id,
            Entry {
                info: info.clone(),
                stage,
                session,
                file: None,
                again: false,
                was_again: false,
                announced: stage != Stage::Offered,
            },
        );
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_used_twice_and_offers_hold_nobody_up() {
        let bob = Username::parse("bob").unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let handles = Arc::new(tokio::sync::Semaphore::new(1));
        let file = ChosenFile::choose(file.path().into(), &handles).unwrap();
        let file = Arc::new(file);
        let mut transfers = Transfers::default();
        let offer = transfers.offered(bob.clone(), 5, SessionId(1));
        assert!(!transfers.is_busy());
        transfers.remove(offer).unwrap();
        let sent = transfers.outgoing(bob, "a".into(), file);
        assert!(sent.id > offer && transfers.is_busy());
        assert_eq!(transfers.list(), [sent]);
        let hidden = transfers.offered(Username::parse("eve").unwrap(), 5, SessionId(1));
        assert_eq!(transfers.list().len(), 1, "not announced yet");
        transfers.get_mut(hidden).unwrap().announced = true;
        assert_eq!(transfers.list().len(), 2);
        transfers.remove(hidden).unwrap();
        assert!(transfers.of(SessionId(1)).is_empty());
    }
}
