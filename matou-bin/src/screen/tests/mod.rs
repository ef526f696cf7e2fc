//! Whole screens, driven by keys and events alone.

mod hostile;
mod links;
mod pictures;
mod snapshots;
mod talk;
