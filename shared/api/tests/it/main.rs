//! What the messages promise as a whole, through the public interface of the crate.

#[path = "../../../chain/tests/it/arbitrary.rs"]
mod arbitrary;
mod spelling;
mod vectors;

#[path = "../../../chain/tests/it/vectors/file.rs"]
mod file;
