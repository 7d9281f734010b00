//! What the messages promise as a whole, through the public interface of the crate.

mod vectors;

#[path = "../../../chain/tests/it/vectors/file.rs"]
mod file;
