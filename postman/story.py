"""The requests of the Postman collection, in the order in which they run: a walk through a network that has just started, or
that has been used before.

A request names an operation of an OpenAPI document; method, path and description come from there. Whoever it is sent to is a
variable: `sender`, `recipient`, `witness` and `tracker` hold the base URLs. Tests are lines of JavaScript that use a small
part of Postman's `pm`, so that other programs can run them, too (runner.js here does).
"""

from dataclasses import dataclass, field


@dataclass
class Request:
    """One request: what it shows, of whom, which operation."""

    name: str
    to: str
    operation: str
    status: int = 200
    owner: bool = False
    path: dict = field(default_factory=dict)
    query: dict = field(default_factory=dict)
    headers: dict = field(default_factory=dict)
    body: object = None
    # A body that is no JSON, to see how it is refused.
    raw: str = ""
    before: list = field(default_factory=list)
    tests: list = field(default_factory=list)
    # A path that no operation has.
    literal: str = ""


def test(name, *lines):
    return [f"pm.test({name!r}, function () {{", *(f"    {line}" for line in lines), "});"]


JSON = "const answer = pm.response.json();"
WAIT = {"Prefer": "wait=30"}
KEYED = {**WAIT, "Idempotency-Key": "{{key}}"}


def problem(code):
    return [
        *test("it is a problem document", "pm.expect(pm.response.headers.get('Content-Type')).to.include('application/problem+json');"),
        *test(f"its code is {code}", JSON, f"pm.expect(answer.code).to.equal('{code}');"),
        *test("it says how to mend it", JSON, "pm.expect(answer.detail.length).to.be.above(0);"),
    ]


FOLDERS = [
    (
        "1 Status",
        "Who is there, and on which chain.",
        [
            Request(
                "The network as its tracker tells it", "tracker", "get_network",
                tests=test("there is a genesis block", JSON, "pm.expect(answer.network_id.length).to.equal(64);")
                + ["pm.collectionVariables.set('network_id', pm.response.json().network_id);"],
            ),
            Request(
                "Its members", "tracker", "list_peers",
                tests=test(
                    "the sender is a member", JSON,
                    "const names = answer.peers.map(function (peer) { return peer.name; });",
                    "pm.expect(names).to.include(pm.collectionVariables.get('sender_name'));",
                ),
            ),
            Request(
                "The sender's status", "sender", "get_status",
                tests=test(
                    "it is on this network", JSON,
                    "pm.expect(answer.network_id).to.equal(pm.collectionVariables.get('network_id'));",
                )
                + ["pm.collectionVariables.set('height', pm.response.json().tip.height);"],
            ),
            Request("Is the sender ready, and why not?", "sender", "readyz"),
        ],
    ),
    (
        "2 Send",
        "A message needs no money; an amount needs income that a block has confirmed.",
        [
            Request(
                "A message to the recipient", "sender", "send", 201, owner=True, headers=WAIT,
                body={"to": "{{recipient_name}}", "message": "Is there any cheese left?"},
                tests=test("it names the recipient", JSON, "pm.expect(answer.recipient_name).to.equal(pm.collectionVariables.get('recipient_name'));")
                + ["pm.collectionVariables.set('transaction', pm.response.json().transaction.id);"],
            ),
            Request(
                "The transaction, as everybody sees it", "sender", "get_transaction", path={"id": "{{transaction}}"},
                tests=test("the text is sealed", "pm.expect(pm.response.text().includes('cheese')).to.equal(false);"),
            ),
            Request(
                "Its sealed message", "sender", "get_sealed_message", path={"id": "{{transaction}}"},
                tests=test("it is a JWE for two", JSON, "pm.expect(answer.recipients.length).to.equal(2);"),
            ),
        ],
    ),
    (
        "3 Mine",
        "Transactions are confirmed by blocks, which are mined on command. The miner earns the reward.",
        [
            Request(
                "The sender mines a block", "sender", "start_mining", owner=True, headers=WAIT,
                tests=test("a block was found", JSON, "pm.expect(answer.outcome).to.equal('mined');")
                + ["pm.collectionVariables.set('job', pm.response.json().id);"],
            ),
            Request(
                "What became of the job", "sender", "get_mining_job", owner=True, path={"id": "{{job}}"},
                tests=test("it tells the outcome", JSON, "pm.expect(answer.outcome).to.equal('mined');"),
            ),
            Request(
                "The sender's wallet", "sender", "get_wallet", owner=True,
                tests=test("there is money now", JSON, "pm.expect(answer.balance).to.be.above(0);")
                # A fresh key for the next request.
                + ["pm.collectionVariables.set('key', 'postman-' + Date.now());"],
            ),
            Request(
                "Money with a message", "sender", "send", 201, owner=True, headers=KEYED,
                body={"to": "{{recipient_name}}", "amount": 5, "message": "Here are 5 for the cheese."},
                tests=["pm.collectionVariables.set('payment', pm.response.json().transaction.id);"]
                + test("5 are on their way", JSON, "pm.expect(answer.transaction.amount).to.equal(5);"),
            ),
            Request(
                "The same request again, by its key: nothing is paid twice", "sender", "send", 201, owner=True, headers=KEYED,
                body={"to": "{{recipient_name}}", "amount": 5, "message": "Here are 5 for the cheese."},
                tests=test("it is the same transaction", JSON,
                           "pm.expect(answer.transaction.id).to.equal(pm.collectionVariables.get('payment'));")
                + test("it is said to be a repetition", "pm.expect(pm.response.headers.get('Idempotency-Replayed')).to.equal('true');"),
            ),
            Request(
                "What somebody would sign who keeps the key elsewhere", "sender", "build_transaction",
                body={"sender": "{{sender_name}}", "to": "{{recipient_name}}", "message": "Signed elsewhere."},
                tests=test("there are bytes to sign", JSON, "pm.expect(answer.bytes_to_sign.length).to.be.above(0);")
                + test("the text is sealed", "pm.expect(pm.response.text().includes('elsewhere')).to.equal(false);"),
            ),
            Request(
                "Pending transactions", "recipient", "list_ledger",
                tests=test("it is a list", JSON, "pm.expect(Array.isArray(answer.transactions)).to.equal(true);"),
            ),
            Request(
                "The recipient mines the block that confirms it", "recipient", "start_mining", owner=True, headers=WAIT,
                tests=test("a block was found", JSON, "pm.expect(answer.outcome).to.equal('mined');"),
            ),
        ],
    ),
    (
        "4 Read",
        "Only sender and recipient can read a message; everybody can read the chain.",
        [
            Request(
                "The recipient's messages", "recipient", "list_messages", owner=True,
                tests=test(
                    "the payment's message is there", "pm.expect(pm.response.text()).to.include('Here are 5 for the cheese.');"
                ),
            ),
            Request(
                "The sender's messages", "sender", "list_messages", owner=True,
                tests=test("what was sent can be read, too", "pm.expect(pm.response.text()).to.include('Is there any cheese left?');"),
            ),
            Request(
                "With whom the recipient writes", "recipient", "list_conversations", owner=True,
                tests=test("the sender is among them", "pm.expect(pm.response.text()).to.include(pm.collectionVariables.get('sender_name'));"),
            ),
            Request(
                "The conversation with the sender", "recipient", "get_conversation", owner=True, path={"name": "{{sender_name}}"},
                query={"limit": "10"},
                tests=test("the newest came with 5", JSON, "pm.expect(answer.messages[0].amount).to.equal(5);"),
            ),
            Request(
                "The newest blocks", "witness", "list_blocks", query={"limit": "5"},
                tests=test("there are blocks", JSON, "pm.expect(answer.blocks.length).to.be.above(0);"),
            ),
            Request(
                "The first block", "witness", "get_block", path={"id": "0"},
                tests=test("it says RacletteCheese", "pm.expect(pm.response.text()).to.include('RacletteCheese');"),
            ),
            Request(
                "Headers alone", "witness", "list_headers", query={"limit": "5"},
                tests=test("there are headers", JSON, "pm.expect(answer.headers.length).to.be.above(0);"),
            ),
            Request(
                "What could not be delivered", "sender", "list_queue", owner=True,
                tests=test("it is a list", JSON, "pm.expect(Array.isArray(answer.entries)).to.equal(true);"),
            ),
        ],
    ),
    (
        "5 Agree",
        "All peers come to the same chain. If a test fails here because the news is still on its way, send it again.",
        [
            Request(
                "The recipient's tip", "recipient", "get_status",
                tests=["pm.collectionVariables.set('tip', pm.response.json().tip.hash);",
                       "pm.collectionVariables.set('state_hash', pm.response.json().tip.state_hash);"]
                + test("the chain has grown", JSON, "pm.expect(answer.tip.height).to.be.above(Number(pm.collectionVariables.get('height')));"),
            ),
            Request(
                "The sender has the same tip", "sender", "get_status",
                tests=test("same block, same balances", JSON,
                           "pm.expect(answer.tip.hash).to.equal(pm.collectionVariables.get('tip'));",
                           "pm.expect(answer.tip.state_hash).to.equal(pm.collectionVariables.get('state_hash'));"),
            ),
            Request(
                "So has the witness", "witness", "get_status",
                tests=test("same block, same balances", JSON,
                           "pm.expect(answer.tip.hash).to.equal(pm.collectionVariables.get('tip'));",
                           "pm.expect(answer.tip.state_hash).to.equal(pm.collectionVariables.get('state_hash'));"),
            ),
            Request(
                "The witness knows the payment", "witness", "get_transaction", path={"id": "{{payment}}"},
                tests=test("it was 5", JSON, "pm.expect(answer.transaction.amount).to.equal(5);"),
            ),
        ],
    ),
    (
        "6 Errors",
        "What goes wrong is told in problem documents (RFC 9457): a stable code, what was expected, and how to mend it.",
        [
            Request("Without the token", "sender", "get_wallet", 401, tests=problem("token_missing")),
            Request(
                "With a wrong token", "sender", "get_wallet", 401, headers={"Authorization": "Bearer this-is-not-the-token"},
                tests=problem("token_wrong"),
            ),
            Request(
                "More money than there is", "sender", "send", 409, owner=True,
                body={"to": "{{recipient_name}}", "amount": 9007199254740991},
                tests=problem("insufficient_funds"),
            ),
            Request(
                "Somebody unknown", "sender", "send", 404, owner=True, body={"to": "nobody-by-this-name", "message": "Hello?"},
                tests=problem("unknown_peer"),
            ),
            Request("No JSON", "sender", "send", 400, owner=True, raw='{"to": ', tests=problem("malformed_json")),
            Request(
                "A body that is not what is wanted", "sender", "send", 422, owner=True, body={"to": "{{recipient_name}}", "sum": 5},
                tests=problem("invalid_body"),
            ),
            Request(
                "Another request with a key that was used", "sender", "send", 409, owner=True, headers=KEYED,
                body={"to": "{{recipient_name}}", "message": "Something else."},
                tests=problem("idempotency_key_reused"),
            ),
            Request(
                "A transaction that nobody knows", "witness", "get_transaction", 404, path={"id": "0" * 64},
                tests=problem("unknown_transaction"),
            ),
            Request("No such page", "witness", "", 404, literal="/cheese", tests=problem("not_found")),
        ],
    ),
]
