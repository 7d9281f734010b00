//! Steps 2 and 3: a recipient is picked by name; the message is sealed for it, travels with the transaction, and reaches
//! everybody's ledger, but only its recipient (and its sender) can read it.

use raclette_api::{
    message::SealedMessageJson,
    transaction::TransactionMessage,
    wallet::{Direction, MessageStatus, SendStatus},
};
use raclette_chain::message::{Reader, SealedMessage};
use raclette_service::problem::Code;
use serde_json::Value;

use crate::kit::{Network, SOON, eventually, key_of, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_needs_no_money_and_only_its_recipient_can_read_it() {
    let network = Network::of(&["alice", "bob", "carol"]).await;
    let (alice, bob, carol) = (network.peer("alice"), network.peer("bob"), network.peer("carol"));
    let sent = alice.try_send("bob", None, Some("the cellar, at midnight")).await.unwrap();
    assert_eq!(sent.status, SendStatus::Delivered);
    let id = sent.transaction.id.unwrap();

    let received = bob.receives("the cellar, at midnight").await;
    assert_eq!((received.direction, received.from_name.as_deref()), (Direction::Received, Some("alice")));
    assert_eq!((received.id.as_str(), received.amount), (id.as_str(), 0));
    let own = alice.messages().await;
    assert_eq!(
        (own.len(), own[0].direction, own[0].text.as_deref()),
        (1, Direction::Sent, Some("the cellar, at midnight"))
    );

    until("the transaction is in carol's ledger", async || carol.state_of(&id).await == "pending").await;
    assert_eq!(carol.messages().await, []);
    let ledger: Value = carol.get("/ledger").await;
    assert!(!ledger.to_string().contains("midnight"));
    let sealed: SealedMessageJson = eventually("carol has the sealed message", SOON, async || {
        crate::kit::http::get(carol.port, &format!("/tx/{id}/message"), None).await.ok()
    })
    .await;
    let sealed = SealedMessage::try_from(&sealed).unwrap();
    assert_eq!(sealed.open(&key_of("bob"), Reader::Recipient).unwrap(), "the cellar, at midnight");
    assert_eq!(sealed.open(&key_of("alice"), Reader::Sender).unwrap(), "the cellar, at midnight");
    for reader in [Reader::Recipient, Reader::Sender] {
        assert!(sealed.open(&key_of("carol"), reader).is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_arrives_with_its_message_and_everyone_agrees_who_has_it() {
    let network = Network::of(&["alice", "bob", "carol"]).await;
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    alice.mine().await;
    network.agreement().await;
    let id = alice.send("bob", Some(25), Some("for the cheese")).await;
    assert_eq!(bob.receives("for the cheese").await.amount, 25);
    let wallet = bob.wallet().await;
    assert_eq!((wallet.balance, wallet.pending_in), (0, 25));
    let wallet = alice.wallet().await;
    assert_eq!((wallet.balance, wallet.spendable, wallet.pending_out), (50, 25, 25));

    bob.mine().await;
    let balances = network.agreement().await;
    assert_eq!(
        balances,
        [("alice", 25), ("bob", 75), ("carol", 0)].map(|(name, units)| (name.to_owned(), units)).into()
    );
    for peer in network.peers() {
        let status = peer.transaction(&id).await.expect("a confirmed transaction is known");
        assert_eq!((status.height, status.confirmations), (Some(2), Some(1)), "{}", peer.name);
    }
    let entry = bob.receives("for the cheese").await;
    assert_eq!((entry.status, entry.height), (MessageStatus::Confirmed, Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_is_not_there_is_refused_with_what_is_confirmed_and_pending() {
    let network = Network::of(&["alice", "bob"]).await;
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    alice.mine().await;
    network.agreement().await;
    alice.send("bob", Some(30), None).await;
    until("the 30 are on their way to bob", async || bob.wallet().await.pending_in == 30).await;

    let refusal = bob.try_send("alice", Some(10), None).await.unwrap_err();
    assert_eq!(refusal.code(), Some(Code::InsufficientFunds));
    let told = refusal.to_string();
    assert!(told.contains("30") && told.contains("confirm"), "{told}");
    // What is on its way out cannot be spent twice.
    let refusal = alice.try_send("bob", Some(30), None).await.unwrap_err();
    assert_eq!(refusal.code(), Some(Code::InsufficientFunds));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_has_a_name_or_an_address() {
    let network = Network::of(&["alice", "bob"]).await;
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    alice.send(&bob.address(), None, Some("by address")).await;
    bob.receives("by address").await;
    let refusal = alice.try_send("nobody", None, Some("hello?")).await.unwrap_err();
    assert_eq!(refusal.code(), Some(Code::UnknownPeer));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_in_both_directions_all_arrive_once() {
    let network = Network::of(&["alice", "bob", "carol"]).await;
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    for number in 0..15 {
        let (question, answer) = (format!("question {number}"), format!("answer {number}"));
        tokio::join!(alice.send("bob", None, Some(&question)), bob.send("alice", None, Some(&answer)));
    }
    for number in 0..15 {
        bob.receives(&format!("question {number}")).await;
        alice.receives(&format!("answer {number}")).await;
    }
    alice.mine().await;
    network.agreement().await;
    for peer in [alice, bob] {
        let messages = peer.messages().await;
        assert_eq!(messages.len(), 30, "{}", peer.name);
        assert!(messages.iter().all(|entry| entry.status == MessageStatus::Confirmed), "{messages:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_made_elsewhere_is_taken_and_a_forged_one_is_not() {
    let network = Network::of(&["alice", "bob"]).await;
    let (alice, bob) = (network.peer("alice"), network.peer("bob"));
    let sent = alice.try_send("bob", None, Some("as signed")).await.unwrap().transaction;
    let submit = async |transaction: &TransactionMessage| {
        crate::kit::http::post::<_, Value>(bob.port, "/tx", transaction, &[]).await
    };
    let again = submit(&sent).await.unwrap();
    assert_eq!(again["status"], "known", "{again}");
    // The next one, by its look: only the signature gives it away.
    let mut forged = TransactionMessage { id: None, sequence: sent.sequence + 1, message: None, ..sent };
    assert_eq!(submit(&forged).await.unwrap_err().code(), Some(Code::BadSignature));
    forged.sender_key = key_of("bob").public().to_pem();
    forged.sender = None;
    assert_eq!(submit(&forged).await.unwrap_err().code(), Some(Code::BadSignature));
    assert_eq!(bob.status().await.ledger.count, 1);
}
