//! The actors of Matou: a chat server, a chat client, and direct private talk and files.
//!
//! The folders follow the way of the data:
//!
//! - [`protocol`]: frames, names and texts as pure functions of bytes.
//! - [`server`]: listener, connections, registry, room and broker.
//! - [`transfer`]: moving one file of revision 1 over one socket, on threads of its own.
//! - [`client`]: the link to the server, private sessions, and the handle that drives them.
//! - [`exchange`]: files and folders of revision 2, over one encrypted connection.
//! - [`trust`]: keys and encrypted links of revision 2.
//!
//! `server` and `client` never import each other. The library reads no configuration,
//! environment or signal, and prints nothing: settings, loggers, listeners and shutdown come
//! from outside.

#![forbid(unsafe_code)]

pub mod client;
pub mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod protocol;
pub mod server;
#[cfg(target_os = "linux")]
mod tcp_info;
pub mod transfer;
pub mod trust;
