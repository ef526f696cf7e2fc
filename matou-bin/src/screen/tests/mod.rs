//! Whole screens, driven by keys and events alone.

mod hostile;
mod pictures;
mod snapshots;
mod talk;
