//! The server's pure state against naive models of it; see [`crate::fuzzing`].

mod directory;
mod inbound;
mod requests;

pub use directory::directory;
pub use inbound::inbound;
pub use requests::requests;
