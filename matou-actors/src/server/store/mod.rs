//! The database in which the server keeps state over restarts that is not a setting.

pub(crate) mod database;
pub(crate) mod writer;

pub use database::{Store, StoreError};
