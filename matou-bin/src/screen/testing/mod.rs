//! A screen without a terminal, for tests, pictures and measurements. Not part of the product: it
//! is compiled for tests and with the feature `testing` only.

mod live_screen;
pub(in crate::screen) mod test_screen;

pub use super::runtime::event_loop::{BATCH, FRAME};
pub use live_screen::LiveScreen;
pub use test_screen::{TestScreen, name, text};
