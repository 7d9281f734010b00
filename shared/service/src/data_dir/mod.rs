//! Where a service keeps its files: one directory, used by one process at a time.

mod directory;
mod secret;

pub use self::{
    directory::{DataDir, DataDirError, Format},
    secret::{SecretFileError, create_secret, read_secret, replace_secret},
};
