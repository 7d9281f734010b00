//! Explaining: what `POST /tx/check` and `GET /block/{id}/verification` say is what really happens.

use raclette_api::{explain::MerkleProof, notice::ChangeKind, transaction::TransactionMessage};
use raclette_chain::{
    amount::Amount,
    encoding::sha256,
    hash::MessageDigest,
    testing::{ALICE_PEM, BOB_PEM, key},
    time::Timestamp,
    transaction::{SignedTransaction, Transaction},
};
use raclette_service::clock::now_ms;
use serde_json::{Value, json};

use crate::peer::{EASY, Peer};

/// Alice with 100, and bob who knows her and her blocks.
async fn two() -> (Peer, Peer) {
    let (alice, bob) = (Peer::alice(EASY).await, Peer::bob(EASY).await);
    alice.hears_of(&bob, ChangeKind::Online, 1).await;
    bob.hears_of(&alice, ChangeKind::Online, 1).await;
    for _ in 0..2 {
        let block = alice.mine().await;
        assert_eq!(bob.learns(&alice, &block).await["status"], "accepted");
    }
    (alice, bob)
}

/// A transaction from alice to bob, with what `change` changes before it is signed.
pub(crate) fn signed(bob: &Peer, change: impl FnOnce(&mut Transaction)) -> SignedTransaction {
    let mut transaction = Transaction {
        sender: key(ALICE_PEM).public().clone(),
        recipient: bob.address(),
        amount: Amount::new(10).unwrap(),
        fee: Amount::new(1).unwrap(),
        sequence: 0,
        created: Timestamp::new(now_ms()).unwrap(),
        valid_until: 0,
        message_digest: MessageDigest::ZERO,
        message_length: 0,
    };
    change(&mut transaction);
    transaction.sign(&key(ALICE_PEM), &bob.network())
}

pub(crate) fn as_json(transaction: &SignedTransaction) -> Value {
    json!(TransactionMessage::new(transaction, None))
}

/// The rule that failed, if one did. Those before it passed, those behind it were not reached.
fn failed(steps: &Value) -> Option<&str> {
    let steps = steps.as_array().map(Vec::as_slice).unwrap_or_default();
    let failed = steps.iter().position(|step| step["result"] == "failed");
    for (position, step) in steps.iter().enumerate() {
        let expected = match failed {
            Some(failed) if position == failed => "failed",
            Some(failed) if position > failed => "not_reached",
            _ => "passed",
        };
        assert_eq!(step["result"], expected, "{step}");
    }
    failed.and_then(|failed| steps[failed]["rule"].as_str())
}

#[tokio::test]
async fn what_the_check_says_is_what_then_happens() {
    let (alice, bob) = two().await;
    let units = |units| Amount::new(units).unwrap();
    let good = signed(&bob, |_| {});
    let mut forged = as_json(&good);
    forged["signature"] = as_json(&signed(&bob, |one| one.sequence = 1))["signature"].clone();
    let mut with_another_message =
        alice.send(json!({"to": "bob", "amount": 1, "message": "one"})).await["transaction"].clone();
    let other = alice.send(json!({"to": "bob", "amount": 1, "message": "two"})).await["transaction"].clone();
    with_another_message["message"] = other["message"].clone();
    let cases = [
        as_json(&good),
        as_json(&signed(&bob, |one| one.amount = units(12))),
        as_json(&signed(&bob, |one| (one.sequence, one.amount) = (1, units(200)))),
        as_json(&signed(&bob, |one| one.valid_until = 2)),
        as_json(&signed(&bob, |one| one.message_length = 7)),
        as_json(&signed(&bob, |one| one.created = Timestamp::new(now_ms() + 600_000).unwrap())),
        as_json(&signed(&bob, |one| one.created = Timestamp::new(1).unwrap())),
        as_json(&signed(&bob, |one| one.amount = Amount::MAX)),
        as_json(&signed(&bob, |one| (one.sequence, one.fee) = (1, units(0)))),
        forged,
        with_another_message,
    ];
    let mut refusals = 0;
    for case in cases {
        let before = bob.get("/status").await.ok()["ledger"].clone();
        let check = bob.post("/tx/check", &case).await.ok();
        assert_eq!(bob.get("/status").await.ok()["ledger"], before, "checking changes nothing");
        let answer = bob.post("/tx", &case).await;
        let rule = failed(&check["rules"]);
        if answer.status.is_success() {
            assert_eq!((&check["outcome"], rule), (&answer.body["status"], None), "{check}");
        } else {
            let refusal = answer.body["rule"].as_str().or(answer.body["code"].as_str());
            assert_eq!((check["outcome"].as_str(), rule), (Some("refused"), refusal), "{check}");
            if answer.body["rule"].is_string() {
                let steps = check["rules"].as_array().unwrap();
                let step = steps.iter().find(|step| step["result"] == "failed").unwrap();
                assert_eq!(step["seen"], answer.body["seen"], "{check}");
            }
            refusals += 1;
        }
    }
    assert_eq!(refusals, 9);
    assert_eq!(bob.post("/tx/check", &as_json(&good)).await.ok()["outcome"], "known");
    let block = bob.mine().await;
    alice.learns(&bob, &block).await;
    assert_eq!(bob.post("/tx/check", &as_json(&good)).await.ok()["outcome"], "confirmed");
    bob.post("/tx/check", &json!({"amount": 1})).await.expect(422, Some("invalid_body"));
}

#[tokio::test]
async fn both_sides_of_every_comparison_are_told() {
    let (_, bob) = two().await;
    let poor = as_json(&signed(&bob, |one| one.amount = Amount::new(100).unwrap()));
    let check = bob.post("/tx/check", &poor).await.ok();
    let step =
        |rule: &str| check["rules"].as_array().unwrap().iter().find(|step| step["rule"] == rule).unwrap().clone();
    let funds = step("insufficient_funds");
    assert_eq!(
        (&funds["expected"], &funds["seen"]),
        (&json!("a confirmed balance of at least 101 (this and 0 pending)"), &json!("100"))
    );
    assert_eq!((&funds["consensus"], &step("bad_signature")["consensus"]), (&json!(false), &json!(true)));
    let fee = step("fee_too_low");
    assert_eq!(
        (&fee["expected"], &fee["seen"]),
        (&json!("a fee of at least 0"), &json!("1")),
        "also of those that hold"
    );
    assert!(step("ledger_full").get("expected").is_none());
}

#[tokio::test]
async fn every_stored_block_can_be_verified_again_on_whatever_branch() {
    let (alice, bob) = two().await;
    let side = alice.mine().await;
    for _ in 0..2 {
        bob.mine().await;
    }
    bob.post("/tx", &as_json(&signed(&bob, |_| {}))).await.expect(201, None);
    bob.mine().await;
    assert_eq!(bob.learns(&alice, &side).await["status"], "stored");
    for (block, active) in [("1", true), ("2", true), ("3", true), ("5", true), (side.as_str(), false)] {
        let found = bob.get(&format!("/block/{block}/verification")).await.ok();
        assert_eq!((failed(&found["rules"]), &found["valid"], &found["active"]), (None, &json!(true), &json!(active)));
        assert_eq!(found["rules"].as_array().unwrap().len(), 21, "every rule of the document");
        let header = bob.get(&format!("/block/{block}")).await.ok()["header"].clone();
        let target = found["rules"].as_array().unwrap().iter().find(|step| step["rule"] == "wrong_target").unwrap();
        assert_eq!((&found["hash"], &target["seen"]), (&header["hash"], &header["target"]));
    }
    let genesis = bob.get("/block/0/verification").await.ok();
    assert_eq!((&genesis["rules"], &genesis["valid"]), (&json!([]), &json!(true)));
    bob.get("/block/99/verification").await.expect(404, Some("unknown_block"));
    bob.get("/block/x/verification").await.expect(400, Some("invalid_parameter"));
}

#[tokio::test]
async fn a_proof_leads_from_a_transaction_to_the_hash_of_a_block() {
    let (_, bob) = two().await;
    let all: Vec<_> = (0..3).map(|sequence| signed(&bob, |one| one.sequence = sequence)).collect();
    for one in &all {
        bob.post("/tx", &as_json(one)).await.expect(201, None);
    }
    let proof_of = |one: &SignedTransaction| format!("/tx/{}/proof", one.id());
    bob.get(&proof_of(&all[0])).await.expect(409, Some("conflict"));
    let block = bob.mine().await;
    bob.mine().await;
    for (position, one) in all.iter().enumerate() {
        let proof: MerkleProof = serde_json::from_value(bob.get(&proof_of(one)).await.ok()).unwrap();
        // By hand, with nothing but SHA-256.
        let mut hash = sha256(&[&[0], &one.id().as_bytes()[..], one.signature().as_bytes()].concat());
        for sibling in &proof.siblings {
            let other = raclette_api::encoding::from_hex::<32>("hash", &sibling.hash).unwrap();
            let pair = if json!(sibling.side) == "left" { [other, hash] } else { [hash, other] };
            hash = sha256(&[&[1], pair.concat().as_slice()].concat());
        }
        assert_eq!(raclette_api::encoding::to_hex(&hash), proof.root);
        assert_eq!((&proof.root, proof.header.hash.as_ref()), (&proof.header.merkle_root, Some(&block)));
        let place = (proof.height, proof.position, proof.confirmations);
        assert_eq!(place, (3, u32::try_from(position).unwrap() + 1, 2));
    }
    let stranger = key(BOB_PEM).public().address().as_bytes().to_vec();
    let unknown = raclette_api::encoding::to_hex(&<[u8; 32]>::try_from(stranger).unwrap());
    bob.get(&format!("/tx/{unknown}/proof")).await.expect(404, Some("unknown_transaction"));
}

#[tokio::test]
async fn the_state_hash_is_shown_by_status_and_block_alike() {
    let (alice, bob) = two().await;
    let of = |answer: &Value| answer["state_hash"].as_str().unwrap().to_owned();
    let tip = of(&bob.get("/status").await.ok()["tip"]);
    assert_eq!(tip, of(&bob.get("/block/2").await.ok()));
    assert_eq!(tip, of(&alice.get("/block/2").await.ok()));
    assert_ne!(tip, of(&bob.get("/block/1").await.ok()));
}
