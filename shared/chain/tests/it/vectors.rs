//! The test vectors in `openapi/vectors`, by which other implementations check their bytes.
//!
//! They are compared with what this code gives; `RACLETTE_WRITE_VECTORS=1` writes them.

mod chain;
mod file;
mod json;
mod keys;
mod messages;
mod numbers;
