//! What each kind of problem means: its cause, its cure and an example. The one table behind the pages at `/problems` and
//! behind the examples in the OpenAPI documents.

use super::{Code, Problem};

/// What there is to say about a kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// How it comes about.
    pub cause: &'static str,
    /// What to do about it.
    pub cure: &'static str,
    /// A route that answers so, for the example.
    path: &'static str,
    /// What the example says of its case.
    detail: &'static str,
}

const fn entry(path: &'static str, detail: &'static str, cause: &'static str, cure: &'static str) -> Explanation {
    Explanation { cause, cure, path, detail }
}

/// What there is to say about problems of this kind.
#[must_use]
pub const fn explanation(code: Code) -> Explanation {
    match code {
        Code::MalformedJson => entry(
            "/send",
            "EOF while parsing an object at line 1 column 14",
            "The body is empty, cut short, not JSON, or has something behind its end.",
            "Send exactly one JSON text. In a shell put it into single quotes: curl -d '{\"to\":\"bob\",\"amount\":25}'.",
        ),
        Code::InvalidBody => entry(
            "/send",
            "amount: invalid type: string \"25\", expected u64",
            "The body is JSON, but a member is missing, unknown, twice there, out of bounds, or of another type.",
            "The member `errors` names each field that is wrong. The shape of every body is in /openapi.json and at /docs/.",
        ),
        Code::InconsistentBody => entry(
            "/tx",
            "recipient: expected an address whose checksum fits, found another checksum",
            "The body has the right shape, but one of its values contradicts another, or an address its own checksum.",
            "The member `errors` names the field. Look for a mistyped address, or a value that was changed without what follows \
             from it: the id, the sender's address, the signature.",
        ),
        Code::InvalidParameter => entry(
            "/chain",
            "limit: expected 1 to 100, found 0",
            "A part of the path, of the query or of a header has another shape or other bounds than this route reads.",
            "The detail says what was expected. The parameters of every route are in /openapi.json and at /docs/.",
        ),
        Code::NotFound => entry(
            "/nowhere",
            "There is nothing at /nowhere.",
            "No route has this path, or what it names does not exist any more.",
            "Compare the path with the list at /docs/. A request in the queue that has arrived is gone from it.",
        ),
        Code::UnknownTransaction => entry(
            "/tx/{id}",
            "no transaction 5d5d is known here",
            "This peer has not seen a transaction with this id, in a block or waiting for one.",
            "Ask again in a moment, or another peer: transactions take a moment to get around. Check the id, 64 hex digits.",
        ),
        Code::UnknownBlock => entry(
            "/block/{id}",
            "No block 999 is known here.",
            "No block with this hash is known here, or the chain is not as high as this height.",
            "GET /status tells the height of the chain. A peer that has just started is still fetching the history.",
        ),
        Code::UnknownAccount => entry(
            "/accounts/{address}",
            "No block and no pending transaction knows this address, and no member has it.",
            "Nobody has ever sent anything to or from this address, and no member of the network has it.",
            "Check the address. An account comes into being with the first transaction that names it.",
        ),
        Code::UnknownPeer => entry(
            "/send",
            "no member is called \"bobb\"",
            "No member has this name or address, as far as this service knows.",
            "GET /peers lists the members. One can also send to an address (rac1...) that belongs to no member.",
        ),
        Code::UnknownJob => entry(
            "/mine/{id}",
            "No job with this id was started since the peer started.",
            "Mining jobs are remembered until the peer stops, the last 100 of them.",
            "What was mined is in the chain: GET /chain. Start another job with POST /mine.",
        ),
        Code::UnknownMessage => entry(
            "/tx/{id}/message",
            "The transaction has no message, or it is not kept here.",
            "The transaction carries no message, or this peer does not keep the message.",
            "Ask the peer of its sender or of its recipient: both keep it.",
        ),
        Code::MethodNotAllowed => entry(
            "/mine",
            "/mine does not know GET; the Allow header lists what it knows.",
            "The path exists, but not with this method. Nothing is ever changed by GET.",
            "Use a method that the header `Allow` of the answer names.",
        ),
        Code::RequestTimeout => entry(
            "/tx",
            "The body did not arrive within the time allowed.",
            "The body of the request came too slowly, or stopped coming.",
            "Send it again. On a slow line raise the service's --body-timeout.",
        ),
        Code::PayloadTooLarge => entry(
            "/send",
            "The body is longer than this route reads.",
            "The body has more bytes than this route reads.",
            "Send less at a time: at most 500 transactions in one POST /tx, at most 4,096 bytes of text in a message.",
        ),
        Code::UnsupportedMediaType => entry(
            "/send",
            "This route reads JSON.",
            "The header `Content-Type` is missing, or names something other than JSON.",
            "Add the header: curl -H 'Content-Type: application/json'.",
        ),
        Code::MisdirectedRequest => entry(
            "/wallet",
            "This service answers to localhost, to IP addresses, and to the names it was told; this one is not among them.",
            "The request names a host that this service does not know as its own. So a foreign web page cannot reach it by \
             pointing a name of its own at it.",
            "Call it by localhost or by its IP address, or start it with --allow-host NAME.",
        ),
        Code::TooManyRequests => entry(
            "/tx",
            "More requests came from this address than the service takes.",
            "One IP address or one member asks more often than the service's limits allow.",
            "Wait as long as `Retry-After` says. The limits are settings: --rate-limit, --rate-burst and --member-rate-limit.",
        ),
        Code::TokenMissing => entry(
            "/wallet",
            "This route belongs to the owner of this service.",
            "The route does something for the owner of the service, and no token came along.",
            "Add the owner's token: curl -H \"Authorization: Bearer $(cat FILE)\"; `mend` names the file.",
        ),
        Code::TokenWrong => entry(
            "/wallet",
            "This is not the token of this service.",
            "A token came along, but it is not this service's. Each service has its own.",
            "Take the token from the file that `mend` names, and check which service the URL belongs to.",
        ),
        Code::BadSignature => entry(
            "/tx",
            "signature: expected a signature by the sender's key, found another",
            "The signature does not fit the bytes that it is said to sign, or is by another key.",
            "Sign exactly the bytes that openssl gets in PROTOCOL.md, section 20: RSASSA-PSS, SHA-256, salt of 32 bytes. POST \
             /tx/build gives the bytes of a transaction.",
        ),
        Code::JoinTokenWrong => entry(
            "/register",
            "the join token is missing or wrong",
            "The network takes only newcomers that know its join token.",
            "Ask the operator of the network for it, and start the peer with --join-token TOKEN.",
        ),
        Code::InsufficientFunds => entry(
            "/send",
            "expected a confirmed balance of at least 26, found 10 confirmed, of which 0 is already on its way out; 50 is on \
             its way in",
            "Amount and fee are more than the confirmed balance without what is on its way out. Income can be spent once a \
             block confirms it.",
            "Mine a block: it confirms what is pending, and earns money: curl -X POST http://127.0.0.1:7701/mine with the \
             owner's token. Or send less: GET /wallet tells what is spendable.",
        ),
        Code::WrongSequence => entry(
            "/tx",
            "expected the sequence number 3, found 2",
            "The transaction's sequence number was used before, or leaves a gap.",
            "`expected` is the number to use. Make and sign the transaction again with it.",
        ),
        Code::NameTaken => entry(
            "/register",
            "the name alice belongs to another key",
            "A name belongs to the first key that registered it.",
            "Start the peer with another --name, or with the key file that the name belongs to. The operator of the tracker can \
             free the name of a peer that is offline: DELETE /names/NAME.",
        ),
        Code::StaleEpoch => entry(
            "/register",
            "expected an epoch above 7, found 7",
            "The tracker knows a newer registration of this peer, or of another process with the same key.",
            "Register again with an epoch above `epoch`. Make sure that the peer does not run twice.",
        ),
        Code::WrongNetwork => entry(
            "/tx",
            "network_id: expected this network's, found another",
            "The message was made for another network: for another genesis block.",
            "Check that the peer's --tracker is the network's. To join another network use a new --data-dir.",
        ),
        Code::WrongTracker => entry(
            "/peers",
            "the notice is not signed by the tracker that this peer registered with",
            "The message names or is signed by another tracker than the one whose key was pinned at the first registration.",
            "If the tracker really has a new key, start the peer with --tracker-key and the address of that key.",
        ),
        Code::GenesisExists => entry(
            "/genesis",
            "another peer's genesis block was first",
            "The network has its genesis block already.",
            "Use the one in the member `genesis`; a peer does so by itself.",
        ),
        Code::Conflict => entry(
            "/mine",
            "job 3 is running; a peer mines one block at a time",
            "The request makes sense, but not in the present state, or something else is under way.",
            "`mend` says what to wait for, or what to end first.",
        ),
        Code::IdempotencyKeyReused => entry(
            "/send",
            "the key \"order-17\" came with another request before",
            "An `Idempotency-Key` stands for one request, and this one differs from the first with this key, or goes to another \
             route.",
            "Repeat a request exactly as it was, or give a new request a key of its own, best a random one.",
        ),
        Code::IdempotencyKeyInUse => entry(
            "/send",
            "a request with the key \"order-17\" is being answered",
            "A request with the same `Idempotency-Key` came before, and its answer is not known yet.",
            "Repeat the request as `Retry-After` says: it gets the answer of the first.",
        ),
        Code::ChaosOff => entry(
            "/chaos",
            "This peer was started without --chaos.",
            "Faults of links can be switched on only on a peer that was started for it, so that nobody does it by accident.",
            "Start the peer, or devnet, with --chaos.",
        ),
        Code::Chaos => entry(
            "/tx",
            "chaos: this link is cut",
            "The owner of this peer has switched on a fault of the link between the two peers: it loses, holds or refuses requests.",
            "GET /chaos on that peer, with its owner's token, shows the faults; DELETE /chaos ends them all.",
        ),
        Code::TransactionRefused => entry(
            "/tx",
            "the fee is 0, the network's lowest is 1",
            "The ledger's policy or a rule of the chain does not take this transaction; the member `rule` names the rule.",
            "PROTOCOL.md, sections 11 and 12, explains each rule. Make and sign another transaction that keeps it.",
        ),
        Code::BlockRefused => entry(
            "/block",
            "the hash is above the target",
            "The block breaks a rule of the chain; the member `rule` names the rule.",
            "PROTOCOL.md, section 11, explains each rule. A block cannot be mended: mine another.",
        ),
        Code::LedgerFull => entry(
            "/tx",
            "the ledger is full, and everything in it pays more",
            "So many transactions wait for a block that there is room only for those with a higher fee.",
            "Wait for a block, or have one mined (POST /mine), or send again with a higher fee.",
        ),
        Code::RecipientKeyUnknown => entry(
            "/send",
            "the key of this address is not known, so no message can be sealed for it",
            "A message is encrypted to its recipient's key, and only members' keys are known.",
            "Send without a message, or wait until the recipient has registered with the tracker.",
        ),
        Code::UnreachableAddress => entry(
            "/register",
            "nobody with this key answers at 192.168.1.20:7701",
            "The tracker calls a newcomer back before it believes its address, and got no right answer.",
            "Start the peer with --advertise and an address that the tracker can reach, and open its port in firewalls.",
        ),
        Code::ForbiddenAddress => entry(
            "/register",
            "8.8.8.8 is not in the ranges that this service calls",
            "The address supplied is outside of the ranges that the service may call.",
            "The operator can allow it: --allow-range, --lowest-port.",
        ),
        Code::UnsupportedProtocol => entry(
            "/register",
            "protocol: expected 1, found 2",
            "The sender speaks another version of the protocol.",
            "Run the same version of the program everywhere.",
        ),
        Code::NotReady => entry(
            "/chain",
            "this peer is not ready: it waits for the network's genesis block",
            "The service is starting, or waits for something it needs.",
            "GET /readyz tells what it waits for. Ask again as `Retry-After` says.",
        ),
        Code::ShuttingDown => entry(
            "/send",
            "this peer is shutting down",
            "The service is about to stop.",
            "Start it again, then repeat the request.",
        ),
        Code::StorageFull => entry(
            "/send",
            "the disk is full: nothing can be stored until there is room",
            "The disk that holds the service's data directory is full. Reading goes on.",
            "Free some space there, then repeat the request.",
        ),
        Code::StorageDamaged => entry(
            "/block/{id}",
            "the database is damaged: block 5d5d: it is not the block its hash names",
            "Bytes of the service's file have changed since it wrote them: a failing disk, or another program.",
            "Do what `mend` says; a peer that is started once with --rebuild makes its database anew. Have the disk checked.",
        ),
        Code::Internal => entry(
            "/wallet",
            "The cause is in the service's log, under the request id.",
            "Something went wrong in the service itself.",
            "Look for the `request_id` in the service's log. If it happens again, report it with these lines.",
        ),
    }
}

/// A problem of this kind as it would be answered.
#[must_use]
pub fn example(code: Code) -> Problem {
    let Explanation { path, detail, cure, .. } = explanation(code);
    let mut problem = Problem::new(code, detail).mend(cure);
    match code {
        Code::InsufficientFunds => problem = problem.expected(26).seen(10).with("pending", 50).with("confirmed", 10),
        Code::WrongSequence => problem = problem.expected(3).seen(2),
        Code::InvalidBody => problem = problem.field("amount", "invalid type: string \"25\", expected u64"),
        Code::TransactionRefused => problem = problem.with("rule", "fee_too_low"),
        Code::BlockRefused => problem = problem.with("rule", "not_enough_work"),
        _ => {}
    }
    if matches!(
        code,
        Code::TooManyRequests | Code::NotReady | Code::ShuttingDown | Code::LedgerFull | Code::IdempotencyKeyInUse
    ) {
        problem = problem.retry_after(2);
    }
    problem.complete(path, "7f1c0b7f8a2d4c0c9f4f0a3d5b6e7a81");
    problem
}

#[cfg(test)]
mod tests {
    use super::{Code, example, explanation};

    #[test]
    fn every_kind_has_a_cause_a_cure_and_an_example_in_whole_sentences() {
        for code in Code::ALL {
            let text = explanation(*code);
            assert!(text.cause.ends_with('.') && text.cure.ends_with('.'), "{code}");
            assert!(!text.detail.is_empty() && text.path.starts_with('/'), "{code}");
            let example = example(*code);
            assert_eq!(example.details().status, code.status().as_u16());
            assert!(example.details().instance.is_some() && example.details().mend.is_some(), "{code}");
        }
    }
}
