"""A network in which there is something to ask for, and bodies that only somebody with the right keys can make.

A schema says what an address looks like, not which ones there are, and no schema makes a signature. So the requests that
schemathesis makes up would hardly ever get behind the first checks. `Stage` knows what a running network holds, and signs.
"""

import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))

import network
import protocol
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ABSENT = ("dave", "erin")
BLOCKS = 3


class Key:
    """A private key with the address that it makes."""

    def __init__(self, private):
        self.private = private
        public = private.public_key()
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        self.pem = public.public_bytes(serialization.Encoding.PEM, spki).decode()
        self.address = protocol.address_text(protocol.sha256(public.public_bytes(serialization.Encoding.DER, spki)))

    @classmethod
    def read(cls, path):
        return cls(serialization.load_pem_private_key(path.read_bytes(), None))

    @classmethod
    def fresh(cls):
        return cls(rsa.generate_private_key(65537, 2048))

    def sign(self, message):
        scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        return protocol.base64.b64encode(self.private.sign(message, scheme, hashes.SHA256())).decode()


def now():
    return int(time.time() * 1000)


def prepare(running):
    """Gives a network blocks, payments, messages, somebody who is offline, and requests that wait for them."""
    for _ in range(BLOCKS):
        mine(running, "alice")
    for name in ("bob", "carol", *ABSENT):
        status, answer = running.owner("alice", "/send", {"to": name, "amount": 3, "message": f"Hello, {name}."})
        assert status == 201, answer
    mine(running, "bob")
    # One takes its leave, the other does not come to it.
    for command in ("stop erin", "kill dave"):
        running.process.stdin.write(f"{command}\n".encode())
        running.process.stdin.flush()

    def absent():
        status, page = network.call(f"{running.tracker}/peers")
        return status, {"offline", "left"} <= {peer["state"] for peer in page["peers"]}

    network.eventually("the tracker notices who is gone", absent)
    for name in ABSENT:
        for text in ("Are you there?", "Still not there?"):
            status, answer = running.owner("alice", "/send", {"to": name, "message": text})
            assert status == 201, answer


def mine(running, name):
    status, job = running.owner(name, "/mine", {}, prefer="wait=30")
    assert (status, job.get("outcome")) == (200, "mined"), job


class Stage:
    """What a network holds that was prepared, seen from outside, and who may sign what in it."""

    def __init__(self, base_port, data_dir):
        self.network = network.Network(base_port, pathlib.Path(data_dir))
        keys = {path.parent.name: path for path in self.network.data_dir.glob("*/key.pem")}
        self.keys = {name: Key.read(path) for name, path in keys.items()}
        self.stranger = Key.fresh()
        self.id = self.alice("/status")["network_id"]
        self.blocks = self.alice("/chain?limit=100")["blocks"]
        sent = [one for block in self.blocks for one in block["transactions"]]
        self.transactions = [one["id"] for one in sent]
        self.addresses = [key.address for key in self.keys.values()]
        self.genesis = network.call(f"{self.network.tracker}/network")[1]["genesis"]

    def alice(self, path):
        return self.network.public("alice", path)[1]

    def member(self, name):
        """What the tracker knows about a member, as long as it has its name."""
        peers = network.call(f"{self.network.tracker}/peers?name={name}")[1]["peers"]
        return peers[0] if peers else None

    def queue(self, service):
        """The ids of what waits at a service."""
        if service == "tracker":
            token = self.network.token("tracker")
            page = network.call(f"{self.network.tracker}/queue", None, {"Authorization": f"Bearer {token}"})[1]
        else:
            page = self.network.owner(service, "/queue")[1]
        return [entry["id"] for entry in page["entries"]]

    def ban(self):
        """Has alice cut off a member that seems to send blocks without their work; from where they come."""
        header = {**self.blocks[-1]["header"], "nonce": "f" * 16, "time": now()}
        header["hash"] = protocol.sha256(protocol.header_bytes(header)).hex()
        block = {**self.blocks[-1], "header": header}
        network.call(f"{self.network.urls['alice']}/block", block, {"Raclette-From": self.keys["erin"].address})
        return "127.0.0.1"

    # Bodies. Each takes one that was made up, and keeps of it what it may.

    def transaction(self, made_up):
        """A transaction that nobody can object to but for what the account holds."""
        transaction = {
            "sender_key": self.keys["carol"].pem,
            "recipient": self.addresses[made_up.get("sequence", 0) % len(self.addresses)],
            "amount": made_up.get("amount", 0) % 2,
            "fee": made_up.get("fee", 0) % 2,
            "sequence": self.alice(f"/accounts/{self.keys['carol'].address}")["next_sequence"],
            "created": now(),
            "valid_until": 0,
            "message_length": 0,
        }
        message = protocol.transaction_bytes(protocol.unhex(self.id, 32), transaction)
        return {**transaction, "signature": self.keys["carol"].sign(message)}

    def block(self, made_up):
        """A block of the chain, whole or compact."""
        number = made_up.get("header", {}).get("height", 0)
        block = {name: value for name, value in self.blocks[1:][number % (len(self.blocks) - 1)].items()}
        return {name: block[name] for name in ("header", "reward", "transactions")}

    def mining_complete(self, made_up):
        message = {
            "protocol": 1,
            "network_id": self.id,
            "header": self.blocks[-1]["header"],
            "miner": self.keys["bob"].address,
            "miner_key": self.keys["bob"].pem,
            "time": now(),
        }
        return self.signed("mining_complete", message, "bob")

    def notice(self, made_up):
        """What the tracker would tell, in its own words."""
        return network.call(f"{self.network.tracker}/peers?since=0")[1]["notice"]

    def probe(self, made_up):
        message = {
            "protocol": 1,
            "network_id": self.id,
            "helper": self.keys["alice"].address,
            "registration": self.member("bob")["registration"],
            "nonce": made_up.get("nonce", "00" * 32),
            "timeout_ms": 500,
            "time": now(),
        }
        return self.signed("probe", message, "tracker")

    def registration(self, made_up):
        """The very registration that a member has made, or a newer one of somebody who does not answer."""
        if made_up.get("epoch", 0) % 2:
            return self.member("bob")["registration"]
        there = {"tracker": self.keys["tracker"].address, "network_id": self.id, "public_key": self.keys["erin"].pem}
        message = {"protocol": 1, "name": "erin", "host": "127.0.0.1", "port": 1, "epoch": now(), "time": now(), **there}
        return self.signed("registration", message, "erin")

    def leave(self, made_up):
        member = self.member("dave")
        if member is None:
            return made_up
        epoch = member["epoch"]
        address = self.keys["dave"].address
        message = {"protocol": 1, "network_id": self.id, "address": address, "epoch": epoch, "time": now()}
        return self.signed("leave", message, "dave")

    def genesis_report(self, made_up):
        message = {"protocol": 1, "genesis": self.genesis, "address": self.keys["alice"].address, "time": now()}
        return self.signed("genesis_report", message, "alice")

    def signed(self, kind, message, name):
        return {**message, "signature": self.keys[name].sign(protocol.MEMBERSHIP_BYTES[kind](message))}


def fingerprint(value):
    """A number that depends on a value only, so that choices made by it are the same in each run."""
    return int.from_bytes(protocol.sha256(json.dumps(value, sort_keys=True, default=str).encode())[:4], "big")
