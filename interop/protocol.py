"""The bytes of the Raclette protocol, written a second time from openapi/PROTOCOL.md.

Nothing in here shares code with the Rust crates: SHA-256 is hashlib's, RSA is the `cryptography` package's, JWE is
jwcrypto's, and bech32m, the Merkle tree and the rule for targets are written out below.
"""

import base64
import hashlib
import json
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from jwcrypto import jwe, jwk

ZERO = bytes(32)
NOTE = b"RacletteCheese"
PROTECTED_HEADER = b'{"alg":"RSA-OAEP-256","enc":"A256GCM"}'


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# Byte strings: a tag, the network's id, and fields in a fixed order.


def var(value):
    """A byte string of variable length, behind its length."""
    return struct.pack(">I", len(value)) + value


def u8(value):
    return struct.pack(">B", value)


def u16(value):
    return struct.pack(">H", value)


def u32(value):
    return struct.pack(">I", value)


def u64(value):
    return struct.pack(">Q", value)


def preimage(tag, network, *fields):
    return var(tag.encode("ascii")) + fixed(network) + b"".join(fields)


def fixed(value):
    """A hash or an address: 32 bytes as they are."""
    assert len(value) == 32, f"expected 32 bytes, found {len(value)}"
    return value


# Spellings in JSON. Each value has exactly one.


def unbase64(text):
    value = base64.b64decode(text, validate=True)
    assert base64.b64encode(value).decode() == text, "not the only spelling in base64"
    return value


def unbase64url(text):
    value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert base64.urlsafe_b64encode(value).decode().rstrip("=") == text, "not the only spelling in base64url"
    return value


def unhex(text, length):
    value = bytes.fromhex(text)
    assert len(value) == length and value.hex() == text, f"not {2 * length} lower-case hex digits: {text}"
    return value


# Keys and addresses.


class Invalid(Exception):
    """Not a value of the protocol."""


def der_from_pem(pem):
    """The SubjectPublicKeyInfo in a PEM block, in its only spelling."""
    begin, end = "-----BEGIN PUBLIC KEY-----\n", "-----END PUBLIC KEY-----\n"
    if not (pem.startswith(begin) and pem.endswith(end)):
        raise Invalid("not a PEM block PUBLIC KEY")
    try:
        der = base64.b64decode(pem[len(begin) : -len(end)].replace("\n", ""), validate=True)
    except ValueError as error:
        raise Invalid("not base64") from error
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    if begin + "".join(line + "\n" for line in lines) + end != pem:
        raise Invalid("another spelling of the PEM block")
    return der


def check_key(der):
    """The RSA key in a SubjectPublicKeyInfo, if the protocol allows it."""
    try:
        key = serialization.load_der_public_key(der)
    except Exception as error:
        raise Invalid("not a public key") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size not in (2048, 3072, 4096):
        raise Invalid("not an RSA key of 2048, 3072 or 4096 bits")
    numbers = key.public_numbers()
    if numbers.e != 65537 or numbers.n % 2 == 0:
        raise Invalid("another exponent than 65537, or an even modulus")
    again = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if again != der:
        raise Invalid("another encoding of the key")
    return key


def verify(der, signature, message):
    """RSASSA-PSS with SHA-256 and a salt of exactly 32 bytes, as long as the modulus and below it."""
    key = check_key(der)
    modulus = key.public_numbers().n
    if len(signature) * 8 != key.key_size or int.from_bytes(signature, "big") >= modulus:
        return False
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    try:
        key.verify(signature, message, scheme, hashes.SHA256())
    except InvalidSignature:
        return False
    return True


ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32M = 0x2BC830A3


def polymod(values):
    generators = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for position, generator in enumerate(generators):
            if top >> position & 1:
                checksum ^= generator
    return checksum


def expanded(prefix):
    return [ord(character) >> 5 for character in prefix] + [0] + [ord(character) & 31 for character in prefix]


def address_text(value):
    """32 bytes as bech32m (BIP 350) with the prefix rac."""
    number, groups = int.from_bytes(fixed(value), "big") << 4, []
    for position in range(52):
        groups.append(number >> 5 * (51 - position) & 31)
    residue = polymod(expanded("rac") + groups + [0] * 6) ^ BECH32M
    checksum = [residue >> 5 * (5 - position) & 31 for position in range(6)]
    return "rac1" + "".join(ALPHABET[group] for group in groups + checksum)


def address_bytes(text):
    if not text.startswith("rac1") or len(text) != 4 + 52 + 6:
        raise Invalid("not rac1 and 58 characters")
    groups = [ALPHABET.find(character) for character in text[4:]]
    if -1 in groups or polymod(expanded("rac") + groups) != BECH32M:
        raise Invalid("a wrong character or checksum")
    number = 0
    for group in groups[:52]:
        number = number << 5 | group
    if number & 15:
        raise Invalid("padding bits that are not zero")
    return (number >> 4).to_bytes(32, "big")


# Transactions, rewards and messages.


def transaction_bytes(network, transaction):
    digest = transaction.get("message_digest")
    assert digest is None or digest != ZERO.hex(), "no message is said by leaving the digest out"
    return preimage(
        "raclette/tx/1",
        network,
        var(der_from_pem(transaction["sender_key"])),
        fixed(address_bytes(transaction["recipient"])),
        u64(transaction["amount"]),
        u64(transaction["fee"]),
        u64(transaction["sequence"]),
        u64(transaction["created"]),
        u32(transaction["valid_until"]),
        unhex(digest, 32) if digest else ZERO,
        u32(transaction["message_length"]),
    )


def transaction_size(network, transaction):
    signature = unbase64(transaction["signature"])
    return len(transaction_bytes(network, transaction)) + len(signature) + transaction["message_length"]


def reward_bytes(network, previous, height, miner, amount):
    return preimage("raclette/reward/1", network, fixed(previous), u32(height), fixed(miner), u64(amount))


def binding_bytes(network, sender, recipient, sequence, amount, fee):
    fields = (fixed(sender), fixed(recipient), u64(sequence), u64(amount), u64(fee))
    return preimage("raclette/aad/1", network, *fields)


def sealed_bytes(network, message):
    """The bytes behind a sealed message's digest."""
    recipient, sender = message["recipients"]
    assert unbase64url(message["protected"]) == PROTECTED_HEADER
    iv, tag = unbase64url(message["iv"]), unbase64url(message["tag"])
    assert (len(iv), len(tag)) == (12, 16)
    return preimage(
        "raclette/sealed/1",
        network,
        var(PROTECTED_HEADER),
        var(unbase64url(recipient["encrypted_key"])),
        var(unbase64url(sender["encrypted_key"])),
        var(unbase64url(message["aad"])),
        iv,
        var(unbase64url(message["ciphertext"])),
        tag,
    )


def open_message(message, private_pem):
    """Opens a sealed message with a stock JOSE library, which finds the right recipient by itself."""
    token = jwe.JWE(algs=["RSA-OAEP-256", "A256GCM"])
    token.deserialize(json.dumps(message), key=jwk.JWK.from_pem(private_pem.encode()))
    return token.payload.decode("utf-8")


def opens(message, private_pem):
    try:
        open_message(message, private_pem)
    except jwe.InvalidJWEData:
        return False
    return True


# The Merkle tree of RFC 6962, by its recursive definition.


def leaf_hash(transaction_id, signature):
    return sha256(b"\x00", fixed(transaction_id), signature)


def merkle_root(leaves):
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01", merkle_root(leaves[:split]), merkle_root(leaves[split:]))


def root_from_proof(leaf, path):
    for step in path:
        sibling = unhex(step["hash"], 32)
        leaf = sha256(b"\x01", sibling, leaf) if step["side"] == "left" else sha256(b"\x01", leaf, sibling)
    return leaf


# Headers, targets and work.


def header_bytes(header):
    return b"".join(
        (
            unhex(header["previous"], 32),
            unhex(header["merkle_root"], 32),
            u32(header["version"]),
            u32(header["height"]),
            u64(header["time"]),
            unhex(header["target"], 4),
            unhex(header["nonce"], 8),
        )
    )


def expand(compact):
    """The target behind 32 bits, if they are its canonical form."""
    exponent, mantissa = compact >> 24, compact & 0xFFFFFF
    shift = 8 * (exponent - 3)
    target = mantissa << shift if shift >= 0 else mantissa >> -shift
    if not 1 <= target < 2**256 or compact_form(target) != compact:
        raise Invalid("not the canonical form of a target")
    return target


def compact_form(target):
    length = (target.bit_length() + 7) // 8
    mantissa = target << 8 * (3 - length) if length <= 3 else target >> 8 * (length - 3)
    if mantissa & 0x800000:
        mantissa, length = mantissa >> 8, length + 1
    return length << 24 | mantissa


def work(target):
    return 2**256 // (target + 1)


def next_target(parent_target, parent_time, time, spacing_seconds, half_life_seconds, first_target):
    """The compact target of a block made at `time` on top of a parent (aserti3-2d from parent to block)."""
    easiest = expand(first_target)
    if half_life_seconds == 0:
        return first_target
    numerator = (time - parent_time - spacing_seconds * 1000) * 65536
    denominator = half_life_seconds * 1000
    # Towards zero, as integer division is in C and Rust, and not towards minus infinity as Python's.
    exponent = abs(numerator) // denominator * (1 if numerator >= 0 else -1)
    shifts, fraction = exponent >> 16, exponent & 0xFFFF
    cubic = 195766423245049 * fraction + 971821376 * fraction**2 + 5127 * fraction**3 + 2**47
    product = expand(parent_target) * (65536 + (cubic >> 48))
    shifts -= 16
    target = product << shifts if shifts >= 0 else product >> -shifts
    return compact_form(min(max(target, 1), easiest))


# Genesis, state and messages of members.


def genesis_bytes(genesis):
    parameters = genesis["parameters"]
    assert genesis["note"].encode() == NOTE
    return preimage(
        "raclette/genesis/1",
        ZERO,
        var(NOTE),
        var(parameters["name"].encode("ascii")),
        u64(parameters["spacing_seconds"]),
        u64(parameters["half_life_seconds"]),
        unhex(parameters["first_target"], 4),
        u64(parameters["reward"]),
        u32(parameters["halving_interval"]),
        u32(parameters["max_block_transactions"]),
        u32(parameters["max_block_bytes"]),
        u32(parameters["max_message_length"]),
        u64(parameters["minimum_fee"]),
        u64(genesis["time"]),
    )


def genesis_header(genesis):
    return {
        "previous": ZERO.hex(),
        "merkle_root": sha256(genesis_bytes(genesis)).hex(),
        "version": 1,
        "height": 0,
        "time": genesis["time"],
        "target": genesis["parameters"]["first_target"],
        "nonce": "0" * 16,
    }


def state_bytes(network, before, block, accounts):
    """`accounts`: address -> (balance, next sequence number), those that the block changed."""
    entries = [fixed(address) + u64(balance) + u64(sequence) for address, (balance, sequence) in sorted(accounts.items())]
    return preimage("raclette/state/1", network, fixed(before), fixed(block), u32(len(entries)), *entries)


def registration_bytes(message):
    return preimage(
        "raclette/register/1",
        unhex(message["network_id"], 32),
        address_bytes(message["tracker"]),
        var(message["name"].encode("ascii")),
        var(der_from_pem(message["public_key"])),
        var(message["host"].encode("ascii")),
        u16(message["port"]),
        u64(message["epoch"]),
        u64(message["time"]),
    )


def challenge_bytes(message):
    network = unhex(message.get("network_id", ZERO.hex()), 32)
    fields = (unhex(message["nonce"], 32), address_bytes(message["address"]), u64(message["epoch"]))
    return preimage("raclette/challenge/1", network, *fields)


def genesis_report_bytes(message):
    network = sha256(header_bytes(genesis_header(message["genesis"])))
    return preimage("raclette/genesis-report/1", network, address_bytes(message["address"]), u64(message["time"]))


def leave_bytes(message):
    fields = (address_bytes(message["address"]), u64(message["epoch"]), u64(message["time"]))
    return preimage("raclette/leave/1", unhex(message["network_id"], 32), *fields)


def receipt_bytes(message):
    fields = (unhex(message["transaction"], 32), address_bytes(message["recipient"]), u64(message["received"]))
    return preimage("raclette/receipt/1", unhex(message["network_id"], 32), *fields)


KINDS = {"online": 1, "offline": 2, "left": 3}


def notice_bytes(message):
    changes = [
        b"".join(
            (
                u8(KINDS[change["kind"]]),
                var(change["name"].encode("ascii")),
                address_bytes(change["address"]),
                u64(change["epoch"]),
                u64(change["version"]),
                var(unbase64(change["registration"]["signature"]) if "registration" in change else b""),
            )
        )
        for change in message["changes"]
    ]
    network = unhex(message["network_id"], 32)
    return preimage("raclette/notice/1", network, u64(message["issued"]), u32(len(changes)), *changes)


def probe_bytes(message):
    registration = message["registration"]
    fields = (
        address_bytes(message["helper"]),
        sha256(der_from_pem(registration["public_key"])),
        u64(registration["epoch"]),
        var(unbase64(registration["signature"])),
        unhex(message["nonce"], 32),
        u32(message["timeout_ms"]),
        u64(message["time"]),
    )
    return preimage("raclette/probe/1", unhex(message["network_id"], 32), *fields)


def mining_complete_bytes(message):
    network = unhex(message["network_id"], 32)
    fields = (header_bytes(message["header"]), address_bytes(message["miner"]), u64(message["time"]))
    return preimage("raclette/mining-complete/1", network, *fields)


MEMBERSHIP_BYTES = {
    "registration": registration_bytes,
    "challenge": challenge_bytes,
    "genesis_report": genesis_report_bytes,
    "leave": leave_bytes,
    "notice": notice_bytes,
    "mining_complete": mining_complete_bytes,
    "probe": probe_bytes,
    "receipt": receipt_bytes,
}
