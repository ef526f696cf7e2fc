//! The database in which the server keeps over restarts what is no setting.

pub(crate) mod database;
pub(crate) mod writer;

pub use database::{Store, StoreError};
