//! What a sender sees of what it sent: who has it, the recipient's receipt, and the block that confirms it.

use raclette_api::{propagation::PropagationState, receipt::Receipt, wallet::MessageStatus};
use raclette_service::{client::SendError, problem::Code};

use crate::kit::{Network, http, key_of, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_gets_its_recipients_signed_receipt_and_then_its_height() {
    let network = Network::of(&["alice", "bob", "carol"]).await;
    let (alice, bob, carol) = (network.peer("alice"), network.peer("bob"), network.peer("carol"));
    let id = alice.send("bob", None, Some("sign here")).await;
    until("the receipt has come", async || alice.messages().await[0].receipt.is_some()).await;
    let entry = alice.messages().await.swap_remove(0);
    assert_eq!(entry.status, MessageStatus::Delivered);
    let (receipt, delivered) = (entry.receipt.unwrap(), entry.delivered.unwrap());
    assert!(receipt.received <= delivered, "the recipient had it before its answer was here");
    let network_id = network.info().await.network_id.unwrap().parse().unwrap();
    let received = receipt.verify(&network_id, &id.parse().unwrap(), key_of("bob").public()).unwrap();
    assert_eq!(received.milliseconds(), receipt.received);
    assert_eq!(alice.transaction(&id).await.unwrap().receipt, Some(receipt.clone()));

    // The recipient gives it again to whoever asks; who has nothing to do with it has none.
    let again: Receipt = bob.get(&format!("/tx/{id}/receipt")).await;
    assert_eq!(again, receipt);
    let kept: Receipt = alice.get(&format!("/tx/{id}/receipt")).await;
    assert_eq!(kept, receipt);
    until("carol has the transaction", async || carol.state_of(&id).await == "pending").await;
    let refused = http::get::<Receipt>(carol.port, &format!("/tx/{id}/receipt"), None).await.unwrap_err();
    assert!(matches!(refused, SendError::Refused { code: Some(Code::NotFound), .. }), "{refused}");

    carol.mine().await;
    until("it is confirmed", async || alice.messages().await[0].height == Some(1)).await;
    assert_eq!(alice.messages().await[0].receipt, Some(receipt));
    assert!(bob.messages().await[0].receipt.is_none(), "who receives gives it, and keeps none");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_peer_tells_whom_it_brought_a_transaction_and_a_block() {
    let network = Network::of(&["alice", "bob", "carol"]).await;
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    let id = alice.send("bob", None, Some("pass it on")).await;
    let has = |state: Option<&PropagationState>| state == Some(&PropagationState::Acknowledged);
    until("bob has passed it on to carol", async || has(bob.propagation("tx", &id).await.get("carol"))).await;
    assert_eq!(bob.propagation("tx", &id).await["alice"], PropagationState::Shown);
    let seen = alice.propagation("tx", &id).await;
    assert_eq!((seen["bob"], seen["carol"]), (PropagationState::Acknowledged, PropagationState::NotAsked));

    let block = alice.mine().await;
    until("both have the block", async || {
        alice.propagation("block", &block).await.values().all(|state| has(Some(state)))
    })
    .await;
    until("bob has the block", async || bob.tip().await == block).await;
    // Whoever was quicker: alice, or carol when bob compared with her.
    let shown = bob.propagation("block", &block).await.into_values().filter(|state| *state == PropagationState::Shown);
    assert_eq!(shown.count(), 1);
    assert_eq!(alice.propagation("block", "1").await.len(), 2, "by its height, too");
    let (path, bearer) = (format!("/tx/{}/propagation", "5d".repeat(32)), alice.bearer());
    let missing = http::get::<Receipt>(alice.port, &path, Some(&bearer)).await;
    assert!(matches!(missing, Err(SendError::Refused { code: Some(Code::UnknownTransaction), .. })), "{missing:?}");
}
