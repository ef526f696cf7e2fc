//! The screen as a running program: terminal, keyboard, signals, disk, and the loop around them.

mod clusters;
pub(super) mod disk;
pub(super) mod error;
pub(super) mod event_loop;
pub(super) mod hyperlinks;
pub(super) mod keyboard;
pub(super) mod run;
pub(super) mod signals;
pub(super) mod terminal;
