//! Whole screens, driven by keys and events alone.

mod asking;
mod hostile;
mod links;
mod looking;
mod past;
mod recorder;
mod security;
mod sending;
mod servers;
mod snapshots;
mod talk;
mod typing;
mod typing_notice;

use matou_actors::client::{Direction, Event, TransferId, TransferInfo, TransferState};

use crate::screen::testing::test_screen::name;

/// A file to alice has started.
fn started(id: u64) -> Event {
    Event::FileStarted(TransferInfo {
        id: TransferId(id),
        direction: Direction::Outgoing,
        state: TransferState::Waiting,
        with: name("alice"),
        name: Some("x".into()),
        bytes: 0,
        size: Some(1000),
        path: Some("/tmp/x".into()),
    })
}
