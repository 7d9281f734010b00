//! Signatures and ids apart: one id can have many valid signatures, and any number of wrong ones. A node that has seen a
//! transaction judges a block that holds it exactly as one that has not.

use raclette_api::block::BlockMessage;
use raclette_chain::{block::Block, transaction::SignedTransaction};
use serde_json::{Value, json};

use crate::{
    craft::{ALICE, message, strict, transfer},
    peer::{Peer, tracker},
};
use raclette_chain::testing::{BOB_PEM, CAROL_PEM, key};

/// One that has seen the transaction, and one that has not.
async fn informed_and_ignorant(transaction: &dyn Fn(&Peer) -> SignedTransaction) -> (Peer, Peer) {
    let informed = Peer::newcomer("bob", key(BOB_PEM)).await.joined_to(strict()).await;
    let ignorant = Peer::newcomer("carol", key(CAROL_PEM)).await.joined_to(strict()).await;
    for peer in [&informed, &ignorant] {
        peer.grow(1).await;
    }
    assert_eq!(informed.get("/status").await.ok()["tip"], ignorant.get("/status").await.ok()["tip"]);
    informed.post("/tx", &message(&transaction(&informed))).await.expect(201, None);
    (informed, ignorant)
}

/// What a peer says to a block, sent first by its leaf hashes and then with whatever it asks for.
async fn judged(peer: &Peer, block: &Block, whole: bool) -> (u16, Value) {
    let network = peer.network();
    let mut message = if whole { BlockMessage::full(block, &network) } else { BlockMessage::compact(block, &network) };
    let mut answer = peer.post("/block", &json!(message)).await;
    if answer.body["status"] == "missing" {
        message.transactions = BlockMessage::full(block, &network).transactions;
        answer = peer.post("/block", &json!(message)).await;
    }
    let verdict = if answer.body["status"].is_string() { &answer.body["status"] } else { &answer.body["rule"] };
    (answer.status.as_u16(), verdict.clone())
}

#[tokio::test]
async fn another_valid_signature_is_as_good_for_those_who_know_the_transaction_as_for_others() {
    let content = transfer(5, 1, 0);
    let first = |peer: &Peer| peer.sign(content.clone(), &ALICE);
    for whole in [true, false] {
        let (informed, ignorant) = informed_and_ignorant(&first).await;
        let second = informed.sign(content.clone(), &ALICE);
        let seen = informed.node.state().unwrap().ledger.get(&second.id()).unwrap().leaf();
        assert_ne!(seen, second.leaf(), "PSS salts its signatures: one id, two leaves");
        let block = informed.next_block(vec![second]);
        for peer in [&informed, &ignorant] {
            assert_eq!(judged(peer, &block, whole).await, (200, json!("accepted")), "whole: {whole}");
        }
        assert_eq!(informed.fingerprint().await, ignorant.fingerprint().await);
        assert!(informed.node.state().unwrap().ledger.is_empty(), "it is confirmed, under whichever signature");
    }
}

#[tokio::test]
async fn a_wrong_signature_is_as_bad_for_those_who_know_the_transaction_as_for_others() {
    let content = transfer(5, 1, 0);
    let good = |peer: &Peer| peer.sign(content.clone(), &ALICE);
    for whole in [true, false] {
        let (informed, ignorant) = informed_and_ignorant(&good).await;
        let forged = informed.sign(content.clone(), &tracker());
        let block = informed.next_block(vec![forged]);
        for peer in [&informed, &ignorant] {
            let before = peer.fingerprint().await;
            assert_eq!(judged(peer, &block, whole).await, (409, json!("bad_signature")), "whole: {whole}");
            assert_eq!(judged(peer, &block, whole).await, (409, json!("known_invalid")), "whole: {whole}");
            assert_eq!(peer.fingerprint().await, before);
        }
        // The forgery under the same id says nothing against the transaction itself.
        let block = informed.next_block(vec![informed.sign(content.clone(), &ALICE)]);
        for peer in [&informed, &ignorant] {
            assert_eq!(judged(peer, &block, whole).await, (200, json!("accepted")), "whole: {whole}");
        }
        assert_eq!(informed.fingerprint().await, ignorant.fingerprint().await);
    }
}

#[tokio::test]
async fn a_forgery_that_came_first_does_not_keep_the_transaction_out() {
    let content = transfer(5, 1, 0);
    let peer = Peer::newcomer("bob", key(BOB_PEM)).await.joined_to(strict()).await;
    peer.grow(1).await;
    let forged = peer.sign(content.clone(), &tracker());
    peer.post("/tx", &message(&forged)).await.expect(403, Some("bad_signature"));
    let good = peer.sign(content.clone(), &ALICE);
    assert_eq!(good.id(), forged.id());
    peer.post("/tx", &message(&good)).await.expect(201, None);
    // Once the good one is pending, the id is known; what is stored is the good one.
    assert_eq!(peer.post("/tx", &message(&peer.sign(content, &ALICE))).await.ok()["status"], "known");
    assert_eq!(peer.node.state().unwrap().ledger.get(&good.id()).unwrap().leaf(), good.leaf());
}
