//! The committed description of the interface is the one that the code gives.

use std::path::Path;

#[test]
fn the_committed_document_is_what_the_service_serves() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/tracker.json");
    let document = tracker_svc::http::openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("RACLETTE_WRITE_OPENAPI").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == document,
        "openapi/tracker.json is out of date: RACLETTE_WRITE_OPENAPI=1 cargo test -p tracker-svc --test it document, and commit it"
    );
}
