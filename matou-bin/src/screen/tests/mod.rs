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
