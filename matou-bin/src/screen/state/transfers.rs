//! The file transfers, as the screen knows them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use matou_actors::client::{Direction, TransferId, TransferInfo};
use matou_actors::protocol::Username;

use crate::client::sizes::time_left;

/// Ended transfers that stay in the list.
const MAX_ENDED: usize = 100;
/// Offers and running transfers that are listed; a peer could offer without end.
const MAX_OPEN: usize = 1000;

/// All transfers by number.
#[derive(Debug, Default)]
pub(crate) struct TransferList {
    all: BTreeMap<TransferId, TransferRow>,
    /// Which one the cursor is on.
    pub(crate) selected: Option<TransferId>,
}

/// One file that is offered, waits, moves or has ended.
#[derive(Clone, Debug)]
pub(crate) struct TransferRow {
    pub(crate) id: TransferId,
    pub(crate) direction: Direction,
    pub(crate) with: Username,
    /// The name in its offer.
    pub(crate) name: Option<String>,
    /// Bytes moved so far.
    pub(crate) bytes: u64,
    /// Bytes in all, if known.
    pub(crate) size: Option<u64>,
    /// Bytes a second, once that is measured.
    pub(crate) rate: Option<u64>,
    /// Where the file is, when known.
    pub(crate) path: Option<PathBuf>,
    pub(crate) stage: TransferStage,
}

/// How far a transfer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransferStage {
    /// Waits for the user's answer.
    Offered {
        /// Where the sender is.
        address: IpAddr,
    },
    /// Waits for its turn, its session or the first byte.
    Waiting,
    /// Bytes move.
    Moving,
    /// Whole.
    Done,
    /// Ended without a whole file.
    Failed {
        /// Why.
        reason: Box<str>,
    },
}

impl TransferList {
    /// Puts `transfer` in, or in place of the one with its number.
    pub(crate) fn put(&mut self, transfer: TransferRow) {
        let open = self.all.values().filter(|t| !t.has_ended()).count();
        if open < MAX_OPEN || self.all.contains_key(&transfer.id) {
            self.all.insert(transfer.id, transfer);
        }
    }

    /// Takes over what the client says of one transfer.
    pub(crate) fn learn(&mut self, info: &TransferInfo) {
        let known = self.all.get(&info.id);
        let stage = match known.map(|transfer| transfer.stage.clone()) {
            Some(TransferStage::Moving) => TransferStage::Moving,
            Some(TransferStage::Offered { address }) if info.path.is_none() => {
                TransferStage::Offered { address }
            }
            _ => TransferStage::Waiting,
        };
        let rate = known.and_then(|transfer| transfer.rate);
        self.put(TransferRow {
            id: info.id,
            direction: info.direction,
            with: info.with.clone(),
            name: info.name.clone(),
            bytes: info.bytes,
            size: info.size,
            rate,
            path: info.path.clone(),
            stage,
        });
    }

    /// Bytes moved.
    pub(crate) fn progress(
        &mut self,
        id: TransferId,
        bytes: u64,
        size: Option<u64>,
        rate: Option<u64>,
    ) {
        if let Some(transfer) = self.all.get_mut(&id).filter(|transfer| !transfer.has_ended()) {
            (transfer.bytes, transfer.size, transfer.rate) = (bytes, size, rate);
            transfer.stage = TransferStage::Moving;
        }
    }

    /// A transfer has ended; `path` is where a whole file is.
    pub(crate) fn end(&mut self, id: TransferId, stage: TransferStage, path: Option<PathBuf>) {
        if let Some(transfer) = self.all.get_mut(&id) {
            if stage == TransferStage::Done {
                transfer.bytes = *transfer.size.get_or_insert(transfer.bytes);
            }
            transfer.rate = None;
            transfer.stage = stage;
            transfer.path = path.or(transfer.path.take());
        }
        let ended: Vec<_> = self.all.values().filter(|t| t.has_ended()).map(|t| t.id).collect();
        for id in ended.iter().take(ended.len().saturating_sub(MAX_ENDED)) {
            self.all.remove(id);
        }
    }

    /// The one with this number.
    pub(crate) fn of(&self, id: TransferId) -> Option<&TransferRow> {
        self.all.get(&id)
    }

    /// All: open ones first, then ended ones, newest first within each.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &TransferRow> {
        let open = self.all.values().rev().filter(|transfer| !transfer.has_ended());
        open.chain(self.all.values().rev().filter(|transfer| transfer.has_ended()))
    }

    /// How many have been accepted and have not ended, and how many bytes are left of them.
    pub(crate) fn under_way(&self) -> (usize, u64) {
        let accepted =
            |t: &&TransferRow| matches!(t.stage, TransferStage::Waiting | TransferStage::Moving);
        self.all.values().filter(accepted).fold((0, 0u64), |(count, left), transfer| {
            (
                count + 1,
                left.saturating_add(transfer.size.unwrap_or(0).saturating_sub(transfer.bytes)),
            )
        })
    }

    /// Bytes a second in sum, coming and going.
    pub(crate) fn rates(&self) -> (u64, u64) {
        let sum = |direction| {
            let moving = self.all.values().filter(|t| t.direction == direction);
            moving.filter_map(|transfer| transfer.rate).fold(0u64, u64::saturating_add)
        };
        (sum(Direction::Incoming), sum(Direction::Outgoing))
    }

    /// Puts the cursor on the first one, unless it is on one that is open.
    pub(crate) fn choose(&mut self) {
        let on_open = self.selected.and_then(|id| self.of(id)).is_some_and(|t| !t.has_ended());
        if !on_open {
            let first = self.listed().next().map(|transfer| transfer.id);
            self.selected = first;
        }
    }

    /// Moves the cursor `by` lines down (or up, when negative).
    pub(crate) fn select(&mut self, by: isize) {
        let ids: Vec<_> = self.listed().map(|transfer| transfer.id).collect();
        let at = ids.iter().position(|id| Some(*id) == self.selected).unwrap_or(0);
        let to = at.saturating_add_signed(by).min(ids.len().saturating_sub(1));
        self.selected = ids.get(to).copied();
    }
}

impl TransferRow {
    /// Whether nothing more will happen to it.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.stage, TransferStage::Done | TransferStage::Failed { .. })
    }

    /// The time left at the present rate, when it moves.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        time_left(self.bytes, self.size, self.rate?)
    }
}

/// `1:05` or `2:03:04`: a time that is updated on the screen.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        1..100 => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => "days".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(id: u64, stage: TransferStage) -> TransferRow {
        TransferRow {
            id: TransferId(id),
            direction: Direction::Incoming,
            with: Username::parse("bob").unwrap(),
            name: None,
            bytes: 0,
            size: Some(1000),
            rate: None,
            path: None,
            stage,
        }
    }

    #[test]
    fn times_are_human_readable() {
        let shown = |seconds| clock(Duration::from_secs(seconds));
        assert_eq!((shown(65).as_str(), shown(7384).as_str()), ("1:05", "2:03:04"));
        assert_eq!(shown(u64::MAX), "days");
    }

    #[test]
    fn a_transfer_moves_and_ends() {
        let mut transfers = TransferList::default();
        transfers.put(transfer(1, TransferStage::Waiting));
        transfers.progress(TransferId(1), 500, Some(1000), Some(100));
        assert_eq!((transfers.under_way(), transfers.rates()), ((1, 500), (100, 0)));
        assert_eq!(transfers.of(TransferId(1)).unwrap().time_left(), Some(Duration::from_secs(5)));
        transfers.end(TransferId(1), TransferStage::Done, Some("/x".into()));
        let ended = transfers.of(TransferId(1)).unwrap();
        assert_eq!((ended.bytes, ended.rate, transfers.under_way()), (1000, None, (0, 0)));
        transfers.progress(TransferId(1), 500, Some(1000), Some(100));
        assert_eq!(transfers.rates(), (0, 0));
    }

    #[test]
    fn offers_are_not_under_way_and_announced_sizes_do_not_overflow() {
        let mut transfers = TransferList::default();
        let address = [127, 0, 0, 1].into();
        transfers.put(transfer(1, TransferStage::Waiting));
        transfers.put(TransferRow {
            size: Some(u64::MAX),
            ..transfer(2, TransferStage::Offered { address })
        });
        assert_eq!(transfers.under_way(), (1, 1000));
        transfers.put(TransferRow { size: Some(u64::MAX), ..transfer(2, TransferStage::Waiting) });
        assert_eq!(transfers.under_way(), (2, u64::MAX));
    }

    #[test]
    fn ended_and_open_ones_are_bounded() {
        let mut transfers = TransferList::default();
        for id in 0..5000 {
            transfers.put(transfer(id, TransferStage::Waiting));
            if id < 3000 {
                transfers.end(TransferId(id), TransferStage::Done, None);
            }
        }
        assert_eq!(transfers.listed().count(), MAX_ENDED + MAX_OPEN);
    }

    #[test]
    fn the_cursor_stays_in_the_list() {
        let mut transfers = TransferList::default();
        transfers.select(1);
        assert_eq!(transfers.selected, None);
        for id in 1..=3 {
            transfers.put(transfer(id, TransferStage::Waiting));
        }
        transfers.choose();
        assert_eq!(transfers.selected, Some(TransferId(3)));
        transfers.put(transfer(4, TransferStage::Waiting));
        assert_eq!(transfers.selected, Some(TransferId(3)), "not moved by what comes");
        transfers.end(TransferId(4), TransferStage::Done, None);
        transfers.select(-10);
        assert_eq!(transfers.selected, Some(TransferId(3)));
        transfers.select(2);
        assert_eq!(transfers.selected, Some(TransferId(1)));
        transfers.select(1);
        assert_eq!(transfers.selected, Some(TransferId(4)), "ended ones stand last");
    }
}
