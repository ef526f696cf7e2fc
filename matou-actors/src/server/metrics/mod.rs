//! What the server counts about itself.

pub(crate) mod frame_counts;
pub(crate) mod meters;
pub(crate) mod snapshot;
