//! Transactions whose sender keeps the key elsewhere: `POST /tx/build`, a signature, `POST /tx`.

use raclette_api::{
    encoding::{from_base64url, to_base64},
    notice::ChangeKind,
};
use raclette_chain::{
    keys::PrivateKey,
    testing::{CAROL_PEM, key},
};
use serde_json::{Value, json};

use crate::peer::{EASY, Peer, genesis};

/// A transaction as `POST /tx` takes it, of what was built.
fn signed(built: &Value, key: &PrivateKey) -> Value {
    let hex = built["bytes_to_sign"].as_str().unwrap();
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    let mut transaction = built["transaction"].clone();
    transaction["signature"] = json!(to_base64(key.sign(&bytes).as_bytes()));
    transaction
}

async fn build(peer: &Peer, request: Value) -> Value {
    peer.post("/tx/build", &request).await.ok()
}

#[tokio::test]
async fn somebody_whose_key_no_peer_has_sends_money() {
    let (alice, carol) = (Peer::alice(EASY).await, key(CAROL_PEM));
    let address = carol.public().address().to_string();
    alice.mine().await;
    alice.send(json!({"to": address, "amount": 30})).await;
    alice.mine().await;
    let request = json!({"sender_key": carol.public().to_pem(), "to": "alice", "amount": 12});
    let before = alice.get("/ledger").await.ok();
    let built = build(&alice, request.clone()).await;
    assert_eq!(alice.get("/ledger").await.ok(), before, "building changes nothing");
    let unsigned = &built["transaction"];
    assert_eq!((&unsigned["sender"], &unsigned["sequence"]), (&json!(address), &json!(0)));
    assert_eq!(unsigned["fee"], 1, "only members pay nothing");
    let accepted = alice.post("/tx", &signed(&built, &carol)).await.expect(201, None);
    assert_eq!(accepted.body["id"], unsigned["id"]);
    assert_eq!(build(&alice, request).await["transaction"]["sequence"], 1, "behind the pending one");
    alice.mine().await;
    assert_eq!(alice.get(&format!("/accounts/{address}")).await.ok()["balance"], 17);
    let shown = alice.get(&format!("/tx/{}", unsigned["id"].as_str().unwrap())).await.ok();
    assert_eq!((&shown["status"], &shown["signed_bytes"]), (&json!("confirmed"), &built["bytes_to_sign"]));
}

#[tokio::test]
async fn a_text_is_sealed_for_the_recipient_and_a_sealed_message_is_taken_as_it_is() {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    bob.hears_of(&alice, ChangeKind::Online, 1).await;
    let built = build(&alice, json!({"sender": "alice", "to": "bob", "message": "psst", "valid_until": 9})).await;
    assert_eq!((&built["transaction"]["valid_until"], &built["transaction"]["fee"]), (&json!(9), &json!(0)));
    assert!(!built.to_string().contains("psst"));
    let transaction = signed(&built, &alice.node.identity().key);
    bob.post("/tx", &transaction).await.expect(201, None);
    assert_eq!(bob.own_get("/messages").await.ok()["messages"][0]["text"], "psst");
    // The very same again, by its parts.
    let sealed = &transaction["message"];
    assert_eq!(from_base64url("iv", sealed["iv"].as_str().unwrap()).unwrap().len(), 12);
    let mut request = json!({
        "sender": alice.address().to_string(), "to": bob.address().to_string(), "valid_until": 9, "sequence": 0,
        "created": transaction["created"], "sealed_message": sealed,
    });
    assert_eq!(build(&alice, request.clone()).await["bytes_to_sign"], built["bytes_to_sign"]);
    let members = request.as_object_mut().unwrap();
    members.remove("sealed_message");
    members.insert("message_digest".into(), transaction["message_digest"].clone());
    members.insert("message_length".into(), transaction["message_length"].clone());
    let by_digest = build(&alice, request.clone()).await;
    assert_eq!(by_digest["bytes_to_sign"], built["bytes_to_sign"]);
    assert!(by_digest["transaction"].get("message").is_none());
    let foreign = json!({"sender": "alice", "to": "bob", "sequence": 1, "sealed_message": sealed});
    let refused = alice.post("/tx/build", &foreign).await.expect(409, Some("transaction_refused"));
    assert_eq!(refused.body["rule"], "wrong_message");
}

#[tokio::test]
async fn what_cannot_be_built_is_told() {
    let alice = Peer::alice(EASY).await;
    let stranger = key(CAROL_PEM).public().address().to_string();
    for (request, status, code) in [
        (json!({"sender": "nobody", "to": "alice"}), 404, "unknown_peer"),
        (json!({"sender": stranger, "to": "alice"}), 404, "unknown_peer"),
        (json!({"sender": "alice", "to": "nobody"}), 404, "unknown_peer"),
        (json!({"sender": "alice", "to": stranger, "message": "hello"}), 409, "recipient_key_unknown"),
        (json!({"to": "alice"}), 409, "inconsistent_body"),
        (json!({"sender": "alice", "to": "alice", "message": ""}), 422, "invalid_body"),
        (json!({"sender": "alice", "to": "alice", "signature": "x"}), 422, "invalid_body"),
    ] {
        alice.post("/tx/build", &request).await.expect(status, Some(code));
    }
    let newcomer = Peer::newcomer("alice", key(CAROL_PEM)).await;
    newcomer.post("/tx/build", &json!({"sender": "alice", "to": "alice"})).await.expect(503, Some("not_ready"));
    newcomer.node.found(genesis(EASY)).await.unwrap();
    newcomer.post("/tx/build", &json!({"sender": "alice", "to": "alice"})).await.ok();
}
