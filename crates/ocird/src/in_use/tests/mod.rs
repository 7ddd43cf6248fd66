//! Sources as a pass hears them: believed, doubted, remembered.

mod hearing;
mod laws;
pub(crate) mod world;
