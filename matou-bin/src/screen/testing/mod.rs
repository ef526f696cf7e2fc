//! A screen without a terminal, for tests, pictures and measurements. Not part of the product: it
//! is compiled for tests and with the feature `testing` only.

pub mod load;
mod pictures;
mod svg;
pub(in crate::screen) mod test_screen;

pub use pictures::pictures;
