//! The description of the API: `openapi/peer.json` is what the code says.

use std::{collections::BTreeSet, fs, path::PathBuf};

use peer_svc::http;
use serde_json::Value;

use crate::peer::{EASY, Peer};

/// The variable that makes the test write the file instead of comparing it.
const WRITE: &str = "RACLETTE_WRITE_OPENAPI";

async fn document() -> Value {
    serde_json::to_value(http::openapi(&Peer::alice(EASY).await.app)).unwrap()
}

#[tokio::test]
async fn the_committed_document_is_what_the_code_says() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../openapi/peer.json");
    let text = serde_json::to_string_pretty(&http::openapi(&Peer::alice(EASY).await.app)).unwrap() + "\n";
    if std::env::var_os(WRITE).is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "openapi/peer.json is out of date; write it with {WRITE}=1 cargo test -p peer-svc openapi"
    );
}

#[tokio::test]
async fn the_document_describes_every_operation_and_resolves_its_references() {
    let document = document().await;
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{name}: operationId");
            assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{name}: summary");
            let tag = operation["tags"][0].as_str().unwrap();
            assert!(["owner", "network", "operations"].contains(&tag), "{name}: {tag}");
            let with_token = operation["security"].as_array().is_some_and(|required| !required.is_empty());
            // The owner is told more of what happens than others are.
            let takes_token = tag == "owner" || name == "get /events";
            assert_eq!(with_token, takes_token, "{name}: the owner's routes, and only these, want the token");
            assert_eq!(operation["responses"].get("401").is_some(), with_token, "{name}");
            assert_eq!(
                operation.get("requestBody").is_some(),
                method == "put" || method == "post" && !path.starts_with("/queue/") && path != "/backup",
                "{name}"
            );
        }
    }
    assert_eq!(ids.len(), 52, "{ids:?}");
    let text = document.to_string();
    for reference in text.split("\"#/components/").skip(1) {
        let pointer = format!("/components/{}", reference.split('"').next().unwrap());
        assert!(document.pointer(&pointer).is_some_and(Value::is_object), "{pointer} is nowhere");
    }
    assert!(!text.contains("127.0.0.1:0") && document["servers"][0]["url"] == "/");
}
