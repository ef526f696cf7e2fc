//! Files and folders of a private session of revision 2, over one encrypted connection.
//!
//! [`start`] runs a thread that owns the file connection. It accepts [`ExchangeOrder`]s, among them
//! the frames about files received on the message connection, and emits [`Report`]s, among them the
//! frames to send there. It knows no session and no server.
//!
//! - `transfers`: decides about all transfers of one connection; knows no socket, file or clock.
//!   Its effects are frames, reports, and jobs for files.
//! - `engine`: performs them. `source_files` reads: `survey` lists what was chosen, `pipe` reads
//!   input of unknown size. `target_files` writes: `part` is an incomplete file or folder, and how
//!   it is found again, `tree` writes a folder so that nothing escapes it, `names` makes names safe
//!   here.
//! - `messages`: orders and reports; `handle`: sends and receives them. `output`: outgoing frames.
//!   `digest`: hashes. `rate`: the speed limit. `worker`: the thread, the socket and TLS; `front`:
//!   the length of a frame that is being read.
//!
//! Only `worker` knows a socket: in the tests two `Transfers` are joined in memory without any
//! file, with delays, cuts and a clock, and two engines with real files.

mod digest;
mod engine;
#[cfg(test)]
mod engine_delay_tests;
#[cfg(test)]
mod engine_fuzz_tests;
#[cfg(test)]
mod engine_hostile_tests;
#[cfg(test)]
mod engine_pair;
#[cfg(test)]
mod engine_tests;
mod front;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handle;
mod messages;
mod names;
mod output;
mod part;
mod pipe;
#[cfg(test)]
mod pipe_tests;
mod rate;
mod source_files;
mod survey;
mod target_files;
mod transfers;
mod tree;
mod worker;
mod yielding;

pub use handle::{Exchange, FrameSender};
pub use messages::{ExchangeOrder, Offer, Report, Settings};
pub use names::safe_name;
pub use part::remove_old_parts;
pub use rate::RateLimit;
pub use worker::{EncryptedStream, start};
