#!/usr/bin/env python3
"""Checks a running local network from outside, with stock tools only.

    python3 interop/live.py BASE_PORT DATA_DIR

The tracker listens on BASE_PORT of 127.0.0.1, alice, bob and carol on the three ports behind it; DATA_DIR holds
<name>/key.pem and <name>/token. Alice sends bob a message; openssl verifies the transaction's signature by the commands
of openapi/PROTOCOL.md; jwcrypto opens the message with bob's key and with alice's, and carol's key cannot. A key that openssl
makes and no peer has sends money.
"""

import json
import pathlib
import secrets
import sys
import tempfile

import protocol as p
import shell
from network import NAMES, Network, call, eventually


def check(what, right, detail=""):
    print(f"{'ok' if right else 'WRONG':5} {what}")
    if not right:
        sys.exit(f"{what}: {detail}")


def same(what, found, expected):
    check(what, found == expected, f"expected {expected!r}, found {found!r}")


def send(network, text):
    status, answer = network.owner("alice", "/send", {"to": "bob", "message": text}, prefer="wait=30")
    check("alice's peer takes the message", status == 201, f"{status} {answer}")
    return answer["transaction"]["id"]


def check_network(network):
    """The network's id is the hash of the genesis block, computed here from its parameters; its bytes."""
    info = eventually("the tracker's network", lambda: call(network.tracker + "/network"))
    network_id = p.sha256(p.header_bytes(p.genesis_header(info["genesis"])))
    same("the network's id follows from its genesis block", info["network_id"], network_id.hex())
    same("the tracker's address follows from its key", info["tracker"], address_of(info["tracker_key"]))
    for name in NAMES:
        same(f"{name}'s peer is in this network", network.public(name, "/status")[1]["network_id"], network_id.hex())
    return network_id


def address_of(pem):
    return p.address_text(p.sha256(p.der_from_pem(pem)))


def public_address(private_pem):
    """The address of a key file."""
    private = p.serialization.load_pem_private_key(private_pem.encode(), None)
    der = private.public_key().public_bytes(
        p.serialization.Encoding.DER, p.serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return p.address_text(p.sha256(der))


def check_transaction(network, network_id, transaction_id):
    """Carol, who is neither sender nor recipient, has the transaction, and everything in it fits."""
    path = f"/tx/{transaction_id}"
    answer = eventually("carol has the transaction", lambda: network.public("carol", path))
    transaction = answer["transaction"]
    signed = p.transaction_bytes(network_id, transaction)
    same("the signed bytes can be rebuilt", answer["signed_bytes"], signed.hex())
    same("their hash is the id", p.sha256(signed).hex(), transaction_id)
    same("the sender is alice's key", transaction["sender"], public_address(network.key("alice")))
    same("the recipient is bob's key", transaction["recipient"], public_address(network.key("bob")))
    der = p.der_from_pem(transaction["sender_key"])
    check("cryptography verifies the signature", p.verify(der, p.unbase64(transaction["signature"]), signed))
    with tempfile.TemporaryDirectory() as directory:
        variables = {"PEER": network.urls["carol"], "ID": transaction_id}
        printed = shell.run("verify", directory, **variables)
        check("openssl verifies the signature as PROTOCOL.md says", printed is not None and "Verified OK" in printed)
        check("and the hash that it prints is the id", transaction_id in printed)
        printed = shell.run("rebuild", directory, **variables)
        check("the shell rebuilds the signed bytes", printed is not None and "the same bytes" in printed)
    return transaction


def check_message(network, network_id, transaction, text):
    path = f"/tx/{transaction['id']}/message"
    message = eventually("bob's peer serves the sealed message", lambda: network.public("bob", path))
    binding = p.binding_bytes(
        network_id,
        p.address_bytes(transaction["sender"]),
        p.address_bytes(transaction["recipient"]),
        transaction["sequence"],
        transaction["amount"],
        transaction["fee"],
    )
    sealed = p.sealed_bytes(network_id, message)
    same("the message is bound to the transaction", p.unbase64url(message["aad"]), binding)
    same("the transaction commits to the message", transaction["message_digest"], p.sha256(sealed).hex())
    same("and to its length", transaction["message_length"], len(sealed))
    same("jwcrypto opens it with bob's key", p.open_message(message, network.key("bob")), text)
    same("jwcrypto opens it with alice's key", p.open_message(message, network.key("alice")), text)
    check("carol's key does not open it", not p.opens(message, network.key("carol")))
    check("the text is nowhere in it", text not in json.dumps(message))


def check_proof(network, transaction):
    """Alice mines the transaction; carol's peer proves it, and nothing but SHA-256 checks the proof."""
    transaction_id = transaction["id"]
    status, job = network.owner("alice", "/mine", prefer="wait=30", body={})
    check("alice's peer mines it", status == 200 and job.get("outcome") == "mined", f"{status} {job}")
    proof = eventually("carol's peer proves it", lambda: network.public("carol", f"/tx/{transaction_id}/proof"))
    leaf = p.leaf_hash(bytes.fromhex(transaction_id), p.unbase64(transaction["signature"]))
    same("the leaf covers id and signature", proof["leaf"], leaf.hex())
    root = p.root_from_proof(leaf, proof["siblings"])
    same("the siblings lead to the root in the header", proof["header"]["merkle_root"], root.hex())
    same("the header has the hash that it says", proof["header"]["hash"], p.sha256(p.header_bytes(proof["header"])).hex())
    target = p.expand(int(proof["header"]["target"], 16))
    check("and it meets its target", int(proof["header"]["hash"], 16) <= target)
    with tempfile.TemporaryDirectory() as directory:
        variables = {"PEER": network.urls["carol"], "ID": transaction_id}
        shell.run("verify", directory, **variables)
        printed = shell.run("prove", directory, **variables)
        check("the shell checks the proof as PROTOCOL.md says", printed is not None and "it stands in block" in printed)
    status, verification = network.public("carol", f"/block/{proof['header']['hash']}/verification")
    check("carol's peer verifies the block again", status == 200 and verification["valid"], f"{verification}")
    status, report = network.owner("carol", "/audit")
    check("carol's peer finds its chain sound", status == 200 and report["sound"], f"{status} {report}")


def check_key_elsewhere(network):
    """A key that openssl makes and no peer has gets money from alice and sends some of it to bob, by the commands of
    PROTOCOL.md."""
    with tempfile.TemporaryDirectory() as directory:
        peer = {"PEER": network.urls["carol"]}
        address = (shell.run("key", directory, **peer) or "").strip()
        same("carol's peer knows the new key's address", address, public_address((pathlib.Path(directory) / "mine.pem").read_text()))
        status, answer = network.owner("alice", "/send", {"to": address, "amount": 10})
        check("alice sends money there", status == 201, f"{status} {answer}")
        status, job = network.owner("alice", "/mine", prefer="wait=30", body={})
        check("and mines it", status == 200 and job.get("outcome") == "mined", f"{status} {job}")

        def arrived():
            status, account = network.public("carol", f"/accounts/{address}")
            return status, account.get("balance") == 10

        eventually("carol's peer sees the money", arrived)
        printed = shell.run("build", directory, **peer)
        check("carol's peer takes what openssl signed", '"accepted"' in (printed or ""), printed)
        built = json.loads((pathlib.Path(directory) / "built.json").read_text())
    transaction_id = json.loads(printed)["id"]
    same("its id is the hash of the signed bytes", transaction_id, p.sha256(bytes.fromhex(built["bytes_to_sign"])).hex())
    # The one that is sure to have it by now.
    status, job = network.owner("carol", "/mine", prefer="wait=30", body={})
    check("carol's peer mines it", status == 200 and job.get("outcome") == "mined", f"{status} {job}")

    def paid():
        status, conversation = network.owner("bob", f"/conversations/{address}")
        return status, status == 200 and [(one["amount"], one["status"]) for one in conversation["messages"]] == [(5, "confirmed")]

    eventually("bob's peer shows the 5, confirmed", paid)


def check_inbox(network, transaction_id, text):
    def inbox():
        status, page = network.owner("bob", "/messages")
        found = [entry for entry in page["messages"] if entry["id"] == transaction_id] if status == 200 else page
        return status, found

    entry = eventually("bob's peer shows the message to bob", inbox)[0]
    same("bob's peer has opened it", entry.get("text"), text)
    same("and knows the sender's name", entry.get("from_name"), "alice")
    status, _ = network.public("bob", "/messages")
    same("it shows no messages without the token", status, 401)


def main():
    if len(sys.argv) != 3 or not sys.argv[1].isdigit():
        sys.exit(__doc__)
    network = Network(int(sys.argv[1]), pathlib.Path(sys.argv[2]))
    for name in NAMES:
        eventually(f"{name}'s peer is ready", lambda name=name: (network.public(name, "/readyz")[0], "ready"))
    network_id = check_network(network)
    text = f"Grüezi bob, the cheese is ready ({secrets.token_hex(4)})."
    transaction = check_transaction(network, network_id, send(network, text))
    check_message(network, network_id, transaction, text)
    check_inbox(network, transaction["id"], text)
    check_proof(network, transaction)
    check_key_elsewhere(network)
    print("everything fits")


if __name__ == "__main__":
    main()
