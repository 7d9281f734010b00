//! Keys that are committed, so that no test has to make one.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use raclette_chain::{keys::PrivateKey, testing};

/// The key file of a service with this name, if there is a committed one.
pub(crate) fn pem_of(name: &str) -> Option<&'static str> {
    match name {
        "tracker" => Some(include_str!("../../keys/tracker.pem")),
        "alice" => Some(testing::ALICE_PEM),
        "bob" => Some(testing::BOB_PEM),
        "carol" => Some(testing::CAROL_PEM),
        "dave" => Some(testing::DAVE_PEM),
        "erin" => Some(include_str!("../../keys/erin.pem")),
        "frank" => Some(include_str!("../../keys/frank.pem")),
        "grace" => Some(include_str!("../../keys/grace.pem")),
        _ => None,
    }
}

/// The key of a service with this name.
pub(crate) fn key_of(name: &str) -> PrivateKey {
    testing::key(pem_of(name).expect("the name has a committed key"))
}

/// Puts the key of `name` into a data directory that has none yet.
pub(crate) fn provide(name: &str, directory: &Path) {
    let file = directory.join("key.pem");
    if let Some(pem) = pem_of(name).filter(|_| !file.exists()) {
        fs::create_dir_all(directory).unwrap();
        fs::write(&file, pem).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
}
