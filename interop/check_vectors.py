#!/usr/bin/env python3
"""Recomputes every vector in openapi/vectors from scratch, with none of Raclette's own code.

    pip install -r interop/requirements.txt
    python3 interop/check_vectors.py
"""

import json
import pathlib
import sys

import protocol as p

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "openapi" / "vectors"
checks = 0


def load(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def same(what, found, expected):
    """Compares what was computed here with what the file says."""
    global checks
    checks += 1
    if found != expected:
        sys.exit(f"{what}: computed {found!r}, the file says {expected!r}")


def refused(what, function, value):
    """Something that is no value of the protocol must be refused."""
    try:
        function(value)
    except p.Invalid:
        same(what, True, True)
    else:
        sys.exit(f"{what}: {value!r} should have been refused")


KEYS = {key["name"]: key for key in load("keys.json")["keys"]}
DER_OF = {key["address"]: bytes.fromhex(key["der"]) for key in KEYS.values()}


def check_keys():
    file = load("keys.json")
    for key in file["keys"]:
        name = key["name"]
        der = p.der_from_pem(key["public_key"])
        p.check_key(der)
        private = p.serialization.load_pem_private_key(key["private_key"].encode(), None)
        public = private.public_key().public_bytes(
            p.serialization.Encoding.DER, p.serialization.PublicFormat.SubjectPublicKeyInfo
        )
        same(f"{name}: der", der.hex(), key["der"])
        same(f"{name}: public key of the private one", public.hex(), key["der"])
        same(f"{name}: address bytes", p.sha256(der).hex(), key["address_bytes"])
        same(f"{name}: address", p.address_text(p.sha256(der)), key["address"])
        same(f"{name}: address read", p.address_bytes(key["address"]).hex(), key["address_bytes"])
    for bad in file["invalid_addresses"]:
        refused(bad["why"], p.address_bytes, bad["address"])
    for bad in file["invalid_keys"]:
        if "der" in bad:
            refused(bad["why"], p.check_key, bytes.fromhex(bad["der"]))
        else:
            refused(bad["why"], p.der_from_pem, bad["pem"])


def check_transaction(network, vector):
    name, transaction = vector["name"], vector["transaction"]
    der = p.der_from_pem(transaction["sender_key"])
    signed = p.transaction_bytes(network, transaction)
    signature = p.unbase64(transaction["signature"])
    same(f"{name}: signed bytes", signed.hex(), vector["signed_bytes"])
    same(f"{name}: id", p.sha256(signed).hex(), vector["id"])
    same(f"{name}: id in the transaction", transaction["id"], vector["id"])
    same(f"{name}: sender", p.address_text(p.sha256(der)), transaction["sender"])
    same(f"{name}: signature", p.verify(der, signature, signed), True)
    same(f"{name}: signature over other bytes", p.verify(der, signature, signed + b"\x00"), False)
    same(f"{name}: leaf", p.leaf_hash(p.sha256(signed), signature).hex(), vector["leaf"])
    same(f"{name}: size", p.transaction_size(network, transaction), vector["size"])


def check_transactions():
    file = load("transactions.json")
    for vector in file["transactions"]:
        check_transaction(p.unhex(file["network_id"], 32), vector)


def check_messages():
    file = load("messages.json")
    network = p.unhex(file["network_id"], 32)
    for vector in file["messages"]:
        name, message = vector["name"], vector["jwe"]
        sender, recipient = KEYS[vector["sender"]], KEYS[vector["recipient"]]
        binding = p.binding_bytes(
            network,
            p.address_bytes(sender["address"]),
            p.address_bytes(recipient["address"]),
            vector["sequence"],
            vector["amount"],
            vector["fee"],
        )
        same(f"{name}: aad", binding.hex(), vector["aad"])
        same(f"{name}: aad of the JWE", p.unbase64url(message["aad"]), binding)
        same(f"{name}: digest bytes", p.sealed_bytes(network, message).hex(), vector["digest_bytes"])
        same(f"{name}: digest", p.sha256(p.sealed_bytes(network, message)).hex(), vector["digest"])
        same(f"{name}: length", len(p.sealed_bytes(network, message)), vector["length"])
        same(f"{name}: opened by the recipient", p.open_message(message, recipient["private_key"]), vector["text"])
        same(f"{name}: opened by the sender", p.open_message(message, sender["private_key"]), vector["text"])
        same(f"{name}: opened by somebody else", p.opens(message, KEYS["carol"]["private_key"]), False)


def check_merkle():
    file = load("merkle.json")
    for vector in file["leaf_hashes"]:
        leaf = p.leaf_hash(p.unhex(vector["id"], 32), bytes.fromhex(vector["signature"]))
        same("leaf hash", leaf.hex(), vector["leaf"])
    leaves = [p.unhex(leaf, 32) for leaf in file["leaves"]]
    for tree in file["trees"]:
        count = tree["count"]
        same(f"root over {count} leaves", p.merkle_root(leaves[:count]).hex(), tree["root"])
        same(f"proofs over {count} leaves", len(tree["proofs"]), count)
        for index, path in enumerate(tree["proofs"]):
            same(f"proof {index} of {count}", p.root_from_proof(leaves[index], path).hex(), tree["root"])


def check_targets():
    file = load("targets.json")
    for vector in file["targets"]:
        target = p.expand(int(vector["compact"], 16))
        same(f"target {vector['compact']}", f"{target:064x}", vector["target"])
        same(f"work of {vector['compact']}", f"{p.work(target):064x}", vector["work"])
    for vector in file["invalid"]:
        refused(vector["why"], p.expand, int(vector["compact"], 16))
    for vector in file["compacted"]:
        same("compact form", f"{p.compact_form(int(vector['value'], 16)):08x}", vector["compact"])


def check_next_targets():
    for case in load("next_target.json")["cases"]:
        found = p.next_target(
            int(case["parent_target"], 16),
            case["parent_time"],
            case["time"],
            case["spacing_seconds"],
            case["half_life_seconds"],
            int(case["first_target"], 16),
        )
        same(f"next target of {case}", f"{found:08x}", case["target"])


def check_chain():
    """Follows the chain from its genesis block with accounts of its own."""
    file = load("chain.json")
    genesis = file["genesis"]
    header = p.genesis_header(genesis["genesis"])
    same("genesis bytes", p.genesis_bytes(genesis["genesis"]).hex(), genesis["bytes"])
    same("genesis header", p.header_bytes(header).hex(), genesis["header_bytes"])
    network = p.sha256(p.header_bytes(header))
    same("network id", network.hex(), genesis["network_id"])
    same("hash of the genesis header", genesis["header"]["hash"], genesis["network_id"])
    parameters, accounts, state, total_work = genesis["genesis"]["parameters"], {}, p.ZERO, 0
    for block in file["blocks"]:
        name = f"block {block['header']['height']}"
        total_work += check_header(name, block, header, parameters)
        same(f"{name}: work", f"{total_work:064x}", block["work"])
        check_body(name, network, block)
        changed = apply(name, block, accounts, parameters)
        accounts.update(changed)
        block_hash = p.unhex(block["header"]["hash"], 32)
        state_bytes = p.state_bytes(network, state, block_hash, changed)
        same(f"{name}: state bytes", state_bytes.hex(), block["state"]["bytes"])
        same(f"{name}: state before", state.hex(), block["state"]["before"])
        state = p.sha256(state_bytes)
        same(f"{name}: state hash", state.hex(), block["state"]["hash"])
        header = block["header"]


def check_header(name, block, parent, parameters):
    header = block["header"]
    same(f"{name}: header bytes", p.header_bytes(header).hex(), block["header_bytes"])
    block_hash = p.sha256(p.header_bytes(header))
    same(f"{name}: hash", block_hash.hex(), header["hash"])
    same(f"{name}: previous", header["previous"], p.sha256(p.header_bytes(parent)).hex())
    same(f"{name}: height", header["height"], parent["height"] + 1)
    target = p.next_target(
        int(parent["target"], 16),
        parent["time"],
        header["time"],
        parameters["spacing_seconds"],
        parameters["half_life_seconds"],
        int(parameters["first_target"], 16),
    )
    same(f"{name}: target", f"{target:08x}", header["target"])
    same(f"{name}: proof of work", int.from_bytes(block_hash, "big") <= p.expand(target), True)
    return p.work(p.expand(target))


def check_body(name, network, block):
    header, reward = block["header"], block["reward"]
    previous, miner = p.unhex(header["previous"], 32), p.address_bytes(reward["miner"])
    reward_bytes = p.reward_bytes(network, previous, header["height"], miner, reward["amount"])
    same(f"{name}: reward bytes", reward_bytes.hex(), reward["bytes"])
    same(f"{name}: reward id", p.sha256(reward_bytes).hex(), reward["id"])
    leaves = [p.leaf_hash(p.sha256(reward_bytes), b"")]
    for vector in block["transactions"]:
        check_transaction(network, vector)
        leaves.append(p.unhex(vector["leaf"], 32))
    same(f"{name}: leaves", [leaf.hex() for leaf in leaves], block["leaves"])
    same(f"{name}: Merkle root", p.merkle_root(leaves).hex(), header["merkle_root"])
    same(f"{name}: size", sum(vector["size"] for vector in block["transactions"]), block["size"])
    for message in block.get("messages", []):
        transaction = block["transactions"][0]["transaction"]
        same(f"{name}: digest", p.sha256(p.sealed_bytes(network, message)).hex(), transaction["message_digest"])
        same(f"{name}: length", len(p.sealed_bytes(network, message)), transaction["message_length"])


def apply(name, block, accounts, parameters):
    """The accounts that the block changes, as they are after it."""
    changed, fees = {}, 0
    account = lambda address: changed.get(address, accounts.get(address, (0, 0)))
    for vector in block["transactions"]:
        transaction = vector["transaction"]
        sender, recipient = p.address_bytes(transaction["sender"]), p.address_bytes(transaction["recipient"])
        balance, sequence = account(sender)
        same(f"{name}: sequence number", transaction["sequence"], sequence)
        cost = transaction["amount"] + transaction["fee"]
        same(f"{name}: balance covers the cost", balance >= cost, True)
        changed[sender] = (balance - cost, sequence + 1)
        balance, sequence = account(recipient)
        changed[recipient] = (balance + transaction["amount"], sequence)
        fees += transaction["fee"]
    halvings = (block["header"]["height"] - 1) // parameters["halving_interval"]
    same(f"{name}: reward", block["reward"]["amount"], (parameters["reward"] >> halvings) + fees)
    miner = p.address_bytes(block["reward"]["miner"])
    balance, sequence = account(miner)
    changed[miner] = (balance + block["reward"]["amount"], sequence)
    return {address: after for address, after in changed.items() if after != accounts.get(address, (0, 0))}


def check_membership():
    for vector in load("membership.json")["messages"]:
        name, message, der = vector["name"], vector["message"], bytes.fromhex(KEYS[vector["signer"]]["der"])
        signed = p.MEMBERSHIP_BYTES[name](message)
        same(f"{name}: signed bytes", signed.hex(), vector["signed_bytes"])
        same(f"{name}: signature", p.verify(der, p.unbase64(message["signature"]), signed), True)
        for holder in (*message.get("changes", []), message):
            if "registration" in holder:
                inner = holder["registration"]
                key, signature = p.der_from_pem(inner["public_key"]), p.unbase64(inner["signature"])
                same(f"{name}: registration", p.verify(key, signature, p.registration_bytes(inner)), True)


def main():
    steps = {
        "keys.json": check_keys,
        "transactions.json": check_transactions,
        "messages.json": check_messages,
        "merkle.json": check_merkle,
        "targets.json": check_targets,
        "next_target.json": check_next_targets,
        "chain.json": check_chain,
        "membership.json": check_membership,
    }
    unknown = {path.name for path in VECTORS.glob("*.json")} - set(steps)
    if unknown:
        sys.exit(f"nothing checks {', '.join(sorted(unknown))}")
    for name, step in steps.items():
        before = checks
        step()
        print(f"{name}: {checks - before} checks passed")


if __name__ == "__main__":
    main()
