//! Files and folders of a private session of revision 2, over one encrypted connection.
//!
//! [`start`] runs a thread that owns the file connection. It takes [`ExchangeOrder`]s, the frames about
//! files that came on the message connection among them, and gives [`Report`]s, the frames to send
//! there among them. It knows no session and no server.
//!
//! - `transfers`: decides about all transfers of one connection; knows no socket, file or clock. What
//!   is to be done are its effects: frames, reports, and jobs for files.
//! - `engine`: performs them. `source_files` reads: `survey` sees what was chosen, `pipe` reads what has no
//!   known size. `target_files` writes: `part` is where a file or folder grows, and how it is found again,
//!   `tree` writes a folder so that nothing leaves it, `names` are safe here.
//! - `messages`: orders and reports; `handle`: who gives and gets them. `output`: frames that go out.
//!   `digest`: hashes. `rate`: the limit of speed. `worker`: the thread, the socket and TLS; `front`: where
//!   a frame ends that is being read.
//!
//! Everything but `worker` knows no socket: in the tests two `Transfers` are joined in memory without any
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
