//! One TCP connection: making it, its frames, what waits to be written, and its end.

pub(super) mod drive;
pub(super) mod frames;
pub(super) mod send_queue;
pub(super) mod sockets;
