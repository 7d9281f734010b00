//! What leads from one operation to the next: the links of the document.

use raclette_service::docs::Arrow;

/// All of them; those to the next page are added wherever there are pages.
pub(super) const ARROWS: &[Arrow] = &[
    // What was sent: where it is, what was sealed, with whom it was exchanged.
    arrow("send", "201", "transaction", "get_transaction", "id", "$response.body#/transaction/id"),
    arrow("send", "201", "sealed_message", "get_sealed_message", "id", "$response.body#/transaction/id"),
    arrow("send", "201", "conversation", "get_conversation", "name", "$response.body#/transaction/recipient"),
    arrow("submit_transactions", "201", "transaction", "get_transaction", "id", "$response.body#/id"),
    arrow("build_transaction", "200", "transaction", "get_transaction", "id", "$response.body#/transaction/id"),
    arrow("get_transaction", "200", "block", "get_block", "id", "$response.body#/block"),
    arrow("get_transaction", "200", "proof", "prove_transaction", "id", "$response.body#/transaction/id"),
    arrow("get_transaction", "200", "sender", "get_account", "address", "$response.body#/transaction/sender"),
    arrow("get_transaction", "200", "recipient", "get_account", "address", "$response.body#/transaction/recipient"),
    arrow("prove_transaction", "200", "block", "get_block", "id", "$response.body#/header/hash"),
    arrow("list_messages", "200", "transaction", "get_transaction", "id", "$response.body#/messages/0/id"),
    arrow(
        "list_conversations",
        "200",
        "conversation",
        "get_conversation",
        "name",
        "$response.body#/conversations/0/address",
    ),
    // What was mined: the job, and its block.
    arrow("start_mining", "202", "job", "get_mining_job", "id", "$response.body#/id"),
    arrow("start_mining", "202", "cancel", "cancel_mining_job", "id", "$response.body#/id"),
    arrow("start_mining", "200", "job", "get_mining_job", "id", "$response.body#/id"),
    arrow("start_mining", "200", "block", "get_block", "id", "$response.body#/block"),
    arrow("get_mining_job", "200", "cancel", "cancel_mining_job", "id", "$response.body#/id"),
    arrow("get_mining_job", "200", "block", "get_block", "id", "$response.body#/block"),
    // The chain.
    arrow("get_status", "200", "tip", "get_block", "id", "$response.body#/tip/hash"),
    arrow("get_block", "200", "previous", "get_block", "id", "$response.body#/header/previous"),
    arrow("get_block", "200", "verification", "verify_block", "id", "$response.body#/header/hash"),
    arrow("get_wallet", "200", "account", "get_account", "address", "$response.body#/address"),
    // What waits to be delivered.
    arrow("list_queue", "200", "retry", "retry_queued", "id", "$response.body#/entries/0/id"),
    arrow("list_queue", "200", "discard", "discard_queued", "id", "$response.body#/entries/0/id"),
];

const fn arrow(
    from: &'static str,
    status: &'static str,
    name: &'static str,
    to: &'static str,
    parameter: &'static str,
    value: &'static str,
) -> Arrow {
    Arrow { from, status, name, to, parameter, value }
}
