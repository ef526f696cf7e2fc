//! A screen without a terminal, for tests, pictures and measurements. Not part of the product: it
//! is compiled for tests and with the feature `testing` only.

mod live_screen;
pub(in crate::screen) mod test_screen;

use std::time::Duration;

use super::runtime::event_loop;

pub use live_screen::LiveScreen;
pub use test_screen::{TestScreen, name, text};

/// The least time between two frames.
pub const FRAME: Duration = event_loop::FRAME;
/// Events that are handled before keys get their turn.
pub const BATCH: usize = event_loop::BATCH;
