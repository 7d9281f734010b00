#!/usr/bin/env python3
"""Runs the shell commands of openapi/PROTOCOL.md against a little server that serves the test vectors.

    pip install -r interop/requirements.txt
    python3 interop/check_shell.py
"""

import http.server
import json
import pathlib
import sys
import tempfile
import threading

import protocol as p
import shell

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "openapi" / "vectors"


def status(vector, **changes):
    """What `GET /tx/{id}` answers."""
    transaction = {**vector["transaction"], **changes}
    return {"transaction": transaction, "status": "pending", "signed_bytes": vector["signed_bytes"]}


def proof(vector, before, after):
    """What `GET /tx/{id}/proof` answers for a transaction among others in a block; its header need not meet any target."""
    own = p.leaf_hash(bytes.fromhex(vector["id"]), p.unbase64(vector["transaction"]["signature"]))
    root = p.sha256(b"\x01", p.sha256(b"\x01", before, own), after)
    header = {
        "previous": "11" * 32,
        "merkle_root": root.hex(),
        "version": 1,
        "height": 7,
        "time": 1_767_225_600_000,
        "target": "1e03ffff",
        "nonce": "00000000003c41d7",
    }
    header["hash"] = p.sha256(p.header_bytes(header)).hex()
    siblings = [{"side": "left", "hash": before.hex()}, {"side": "right", "hash": after.hex()}]
    return {"id": vector["id"], "leaf": own.hex(), "siblings": siblings, "root": root.hex(), "header": header}


def build(network_id, recipient, request):
    """What `POST /tx/build` answers."""
    transaction = {
        "sender_key": request["sender_key"],
        "sender": p.address_text(p.sha256(p.der_from_pem(request["sender_key"]))),
        "recipient": recipient,
        "amount": request.get("amount", 0),
        "fee": 1,
        "sequence": 0,
        "created": 1_767_225_600_000,
        "valid_until": 0,
        "message_length": 0,
    }
    signed = p.transaction_bytes(network_id, transaction)
    return {"bytes_to_sign": signed.hex(), "transaction": {"id": p.sha256(signed).hex(), **transaction}}


def submit(network_id, transaction):
    """What `POST /tx` answers."""
    signed = p.transaction_bytes(network_id, transaction)
    good = p.verify(p.der_from_pem(transaction["sender_key"]), p.unbase64(transaction["signature"]), signed)
    return {"id": p.sha256(signed).hex(), "status": "accepted"} if good else {"code": "bad_signature"}


def serve(answers, posts=None):
    """Serves JSON by path on a free port of the loopback interface; what is posted is answered by functions."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(answers[self.path])

        def do_POST(self):
            request = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(posts[self.path](json.loads(request)))

        def answer(self, answer):
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def expect(what, right):
    print(f"{what}: {'as it should be' if right else 'WRONG'}")
    if not right:
        sys.exit(1)


def main():
    file = json.loads((VECTORS / "transactions.json").read_text(encoding="utf-8"))
    vectors = file["transactions"]
    answers = {f"/tx/{vector['id']}": status(vector) for vector in vectors}
    answers["/status"] = {"network_id": file["network_id"]}
    answers["/tx/forged"] = status(vectors[0], signature=vectors[1]["transaction"]["signature"])
    answers["/tx/richer"] = status(vectors[0], amount=26)
    for vector in vectors:
        answers[f"/tx/{vector['id']}/proof"] = proof(vector, b"\x07" * 32, b"\x08" * 32)
    answers["/tx/elsewhere"] = status(vectors[0])
    answers["/tx/elsewhere/proof"] = proof(vectors[1], b"\x07" * 32, b"\x08" * 32)
    network_id = bytes.fromhex(file["network_id"])
    recipient = vectors[0]["transaction"]["recipient"]
    posts = {
        "/tx/build": lambda request: build(network_id, recipient, request),
        "/tx": lambda transaction: submit(network_id, transaction),
    }
    peer = serve(answers, posts)
    for vector in vectors:
        with tempfile.TemporaryDirectory() as directory:
            printed = shell.run("verify", directory, PEER=peer, ID=vector["id"])
            expect(f"signature of {vector['name']}", printed is not None and "Verified OK" in printed)
            expect(f"id of {vector['name']}", vector["id"] in printed)
            printed = shell.run("rebuild", directory, PEER=peer, ID=vector["id"])
            expect(f"signed bytes of {vector['name']}", printed is not None and "the same bytes" in printed)
            printed = shell.run("prove", directory, PEER=peer, ID=vector["id"])
            proven = printed is not None and "it stands in block" in printed
            expect(f"proof of {vector['name']}", proven)
    with tempfile.TemporaryDirectory() as directory:
        expect("another transaction verifies", shell.run("verify", directory, PEER=peer, ID="elsewhere") is not None)
        expect("but a proof of another is none", shell.run("prove", directory, PEER=peer, ID="elsewhere") is None)
    with tempfile.TemporaryDirectory() as directory:
        printed = shell.run("key", directory, PEER=peer)
        expect("a key of one's own has an address", printed is not None and printed.startswith("rac1"))
        printed = shell.run("build", directory, PEER=peer)
        expect("what it signs is good", printed is not None and '"accepted"' in printed)
        # The bytes are one thing, what is handed in another: a transaction that was changed behind the signature.
        signed = json.loads((pathlib.Path(directory) / "signed.json").read_text(encoding="utf-8"))
        expect("another amount is not", submit(network_id, {**signed, "amount": 6}) == {"code": "bad_signature"})
    with tempfile.TemporaryDirectory() as directory:
        expect("a forged signature is refused", shell.run("verify", directory, PEER=peer, ID="forged") is None)
        printed = shell.run("verify", directory, PEER=peer, ID="richer")
        expect("another amount beside the same signed bytes", printed is not None)
        expect("is noticed when they are rebuilt", shell.run("rebuild", directory, PEER=peer, ID="richer") is None)


if __name__ == "__main__":
    main()
