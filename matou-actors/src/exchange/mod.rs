//! Files and folders of a private session of revision 2, over one encrypted connection.
//!
//! [`start`] runs a thread that owns the file connection. It takes [`Order`]s, the frames about
//! files that came on the message connection among them, and gives [`Report`]s, the frames to send
//! there among them. It knows no session and no server.
//!
//! - `engine`: all transfers of one connection; which frame belongs to which, and whose turn it is.
//! - `sending`: one outgoing transfer; `manifest`: what it consists of; `pipe`: one whose size is not known.
//! - `receiving`: one incoming transfer; `part`: where a file or folder grows, and how it is found
//!   again; `tree`: writing a folder so that nothing leaves it; `names`: names that are safe here.
//! - `messages`: orders and reports; `handle`: who gives and gets them. `output`: frames that go out.
//!   `digest`: hashes. `rate`: the limit of speed. `worker`: the thread, the socket and TLS.
//!
//! Everything but `worker` knows no socket: two engines are joined in memory in the tests.

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
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handle;
mod manifest;
mod messages;
mod names;
mod output;
mod part;
mod pipe;
#[cfg(test)]
mod pipe_tests;
mod rate;
mod receiving;
mod sending;
mod tree;
mod worker;
mod yielding;

pub use handle::{Exchange, FrameSender};
pub use messages::{Offer, Order, Report, Settings};
pub use names::safe_name;
pub use part::remove_old_parts;
pub use rate::RateLimit;
pub use worker::{EncryptedStream, start};
