//! What the room proposes, as records.

use crate::server::cluster::record::{Join, Record};
use crate::server::registry::names::NameForms;
use crate::server::room::sequencer::{self, Proposal};

/// The record for a proposal, which happens at that time of day.
pub(super) fn record(Proposal { change, .. }: Proposal, at: i64) -> Record {
    match change {
        sequencer::Change::Join { member, name, key, .. } => {
            let forms = NameForms::of(&name);
            Record::Join(Box::new(Join { member, name, forms, key: key.as_deref().copied(), at }))
        }
        sequencer::Change::Leave { member, reason } => Record::Leave { member, reason, at },
        sequencer::Change::Say { from, texts, action, .. } => {
            Record::Say { from, texts, action, at }
        }
        sequencer::Change::SetTopic(topic) => Record::Topic { topic, at },
        // It is never proposed; it stands for the leave of a member who is not here.
        sequencer::Change::Refuse { member } => {
            let reason = crate::protocol::v2::LeaveReason::Removed;
            Record::Leave { member, reason, at }
        }
    }
}
