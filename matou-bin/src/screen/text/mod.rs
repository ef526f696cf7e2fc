//! Text on a terminal: its width, its direction, the links in it.

pub(super) mod bidi;
pub(super) mod links;
pub(super) mod short_names;
pub(super) mod width;
