//! The vectors of signed membership messages in `openapi/vectors`, and those of the chain read as messages.

use std::fs;

use raclette_api::{
    membership::{ChallengeAnswer, Leave, NewProbe, NewRegistration, ProbeRequest, Registration},
    message::SealedMessageJson,
    mining::MiningComplete,
    network::GenesisReport,
    notice::{ChangeKind, Notice, NoticeChange},
    receipt::Receipt,
    signing,
    transaction::TransactionMessage,
};
use raclette_chain::{
    genesis::Genesis,
    hash::{BlockHash, MerkleRoot, NetworkId, TransactionId},
    header::{BLOCK_VERSION, Header},
    keys::{PrivateKey, PublicKey},
    message::SealedMessage,
    parameters::Parameters,
    target::Target,
    testing::{ALICE_PEM, BOB_PEM, DAVE_PEM, key},
    time::Timestamp,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::file;

/// When the genesis block is made: the first second of 2026.
const START: u64 = 1_767_225_600_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::new(START + seconds * 1000).unwrap()
}

/// Who signs what: alice and bob are peers, the tracker has dave's key.
struct Signers {
    alice: PrivateKey,
    bob: PrivateKey,
    tracker: PrivateKey,
    genesis: Genesis,
}

impl Signers {
    fn new() -> Self {
        let [alice, bob, tracker] = [ALICE_PEM, BOB_PEM, DAVE_PEM].map(key);
        Self { alice, bob, tracker, genesis: Genesis { parameters: Parameters::default(), time: at(0) } }
    }

    fn registration<'a>(&self, network: NetworkId, name: &'a str, host: &'a str) -> NewRegistration<'a> {
        let tracker = self.tracker.public().address();
        NewRegistration { network, tracker, name, host, port: 7701, epoch: 1, time: at(1) }
    }
}

/// The message that the file holds at `pointer` if it is the same but for its signature and its signature holds, and
/// otherwise the one just made.
fn keep<T>(stored: &Value, pointer: &str, made: T, holds: impl Fn(&T) -> bool) -> T
where
    T: Serialize + DeserializeOwned,
{
    let unsigned = |message: &T| {
        let mut json = serde_json::to_value(message).unwrap();
        json["signature"].take();
        json
    };
    let kept = stored.pointer(pointer).and_then(|json| serde_json::from_value::<T>(json.clone()).ok());
    match kept {
        Some(kept) if unsigned(&kept) == unsigned(&made) && holds(&kept) => kept,
        Some(_) | None => made,
    }
}

fn vector<T: Serialize>(name: &str, signer: &str, message: &T, bytes: &[u8]) -> Value {
    let hex = raclette_api::encoding::to_hex(bytes);
    json!({ "name": name, "signer": signer, "message": message, "signed_bytes": hex })
}

fn registration(stored: &Value, pointer: &str, new: &NewRegistration<'_>, key: &PrivateKey) -> Registration {
    keep(stored, pointer, Registration::signed(new, key), |kept| kept.verify().is_ok())
}

#[test]
fn signed_messages_have_the_bytes_of_the_vectors() {
    file::check("membership.json", |stored| {
        let signers = Signers::new();
        let network = signers.genesis.network();
        let messages = [
            first_registration(stored, &signers),
            challenge(stored, &signers, &network),
            genesis_report(stored, &signers),
            leave(stored, &signers, &network),
            notice(stored, &signers, &network),
            mining_complete(stored, &signers, &network),
            probe(stored, &signers, &network),
            receipt(stored, &signers, &network),
        ];
        json!({
            "about": "Messages outside of the chain, the bytes that are signed, and whose key signs. The tracker has dave's key.",
            "network_id": network.to_string(),
            "messages": messages,
        })
    });
}

fn first_registration(stored: &Value, signers: &Signers) -> Value {
    let new = signers.registration(NetworkId::ZERO, "alice", "127.0.0.1");
    let message = registration(stored, "/messages/0/message", &new, &signers.alice);
    vector("registration", "alice", &message, &signing::registration(&new, signers.alice.public()))
}

fn challenge(stored: &Value, signers: &Signers, network: &NetworkId) -> Value {
    let (nonce, epoch) = ([0xab; 32], 1);
    let holds = |kept: &ChallengeAnswer| kept.verify(&nonce, signers.alice.public()).is_ok();
    let made = ChallengeAnswer::signed(Some(network), &nonce, epoch, &signers.alice);
    let message = keep(stored, "/messages/1/message", made, holds);
    let bytes = signing::challenge(network, &nonce, &signers.alice.public().address(), epoch);
    vector("challenge", "alice", &message, &bytes)
}

fn genesis_report(stored: &Value, signers: &Signers) -> Value {
    let made = GenesisReport::signed(&signers.genesis, at(2), &signers.alice);
    let message = keep(stored, "/messages/2/message", made, |kept| kept.verify(signers.alice.public()).is_ok());
    let bytes = signing::genesis_report(&signers.genesis.network(), &signers.alice.public().address(), at(2));
    vector("genesis_report", "alice", &message, &bytes)
}

fn leave(stored: &Value, signers: &Signers, network: &NetworkId) -> Value {
    let made = Leave::signed(network, 3, at(3), &signers.bob);
    let message = keep(stored, "/messages/3/message", made, |kept| kept.verify(network, signers.bob.public()).is_ok());
    let bytes = signing::leave(network, &signers.bob.public().address(), 3, at(3));
    vector("leave", "bob", &message, &bytes)
}

/// One change of each kind.
fn notice(stored: &Value, signers: &Signers, network: &NetworkId) -> Value {
    let change = |kind, name: &str, key: &PublicKey, version, registration| NoticeChange {
        kind,
        name: name.to_owned(),
        address: key.address().to_string(),
        epoch: 1,
        version,
        registration,
    };
    let new = signers.registration(*network, "bob", "bob.example.org");
    let registration = registration(stored, "/messages/4/message/changes/0/registration", &new, &signers.bob);
    let changes = vec![
        change(ChangeKind::Online, "bob", signers.bob.public(), START + 4_000, Some(registration)),
        change(ChangeKind::Offline, "alice", signers.alice.public(), START + 4_001, None),
        change(ChangeKind::Left, "carol", key(raclette_chain::testing::CAROL_PEM).public(), START + 4_002, None),
    ];
    let checked: Vec<_> = changes.iter().map(|change| change.check().unwrap()).collect();
    let bytes = signing::notice(network, at(4), &checked);
    let made = Notice::signed(network, at(4), changes.clone(), &signers.tracker).unwrap();
    let holds = |kept: &Notice| kept.verify(network, signers.tracker.public()).is_ok();
    vector("notice", "dave", &keep(stored, "/messages/4/message", made, holds), &bytes)
}

fn mining_complete(stored: &Value, signers: &Signers, network: &NetworkId) -> Value {
    let header = Header {
        previous: BlockHash::from(*network),
        merkle_root: MerkleRoot::from_bytes([5; 32]),
        version: BLOCK_VERSION,
        height: 1,
        time: at(10),
        target: Target::of_bits(22).compact(),
        nonce: 0x0123_4567_89ab_cdef,
    };
    let made = MiningComplete::signed(&header, network, at(11), &signers.bob);
    let message = keep(stored, "/messages/5/message", made, |kept| kept.verify(network).is_ok());
    let bytes = signing::mining_complete(network, &header, &signers.bob.public().address(), at(11));
    vector("mining_complete", "bob", &message, &bytes)
}

/// The tracker asks alice to look for bob.
fn probe(stored: &Value, signers: &Signers, network: &NetworkId) -> Value {
    let new = signers.registration(*network, "bob", "bob.example.org");
    let subject = registration(stored, "/messages/6/message/registration", &new, &signers.bob);
    let probe = NewProbe {
        network: *network,
        helper: signers.alice.public().address(),
        subject: &subject,
        nonce: [0xcd; 32],
        timeout_ms: 2_500,
        time: at(5),
    };
    let made = ProbeRequest::signed(&probe, &signers.tracker).unwrap();
    let tracker = signers.tracker.public();
    let message = keep(stored, "/messages/6/message", made, |kept| kept.verify(network, tracker).is_ok());
    let bytes = signing::probe(network, &message.verify(network, tracker).unwrap());
    vector("probe", "dave", &message, &bytes)
}

/// Bob has got a transaction.
fn receipt(stored: &Value, signers: &Signers, network: &NetworkId) -> Value {
    let id = TransactionId::from_bytes([0xef; 32]);
    let made = Receipt::signed(network, &id, at(12), &signers.bob);
    let holds = |kept: &Receipt| kept.verify(network, &id, signers.bob.public()).is_ok();
    let message = keep(stored, "/messages/7/message", made, holds);
    vector("receipt", "bob", &message, &signing::receipt(network, &id, &signers.bob.public().address(), at(12)))
}

fn stored(name: &str) -> Value {
    let path = format!("{}/../../openapi/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn transactions_of_the_vectors_are_read_and_written_as_they_stand() {
    let file = stored("transactions.json");
    let network: NetworkId = file["network_id"].as_str().unwrap().parse().unwrap();
    for vector in file["transactions"].as_array().unwrap() {
        let message: TransactionMessage = serde_json::from_value(vector["transaction"].clone()).unwrap();
        let (signed, _) = message.decode(&network).unwrap();
        assert_eq!(vector["id"], signed.id().to_string());
        assert_eq!(vector["leaf"], signed.leaf().to_string());
        assert_eq!(signed.verify(&network), Ok(()));
        assert_eq!(serde_json::to_value(TransactionMessage::new(&signed, None)).unwrap(), vector["transaction"]);
    }
}

#[test]
fn sealed_messages_of_the_vectors_are_read_and_written_as_they_stand() {
    let file = stored("messages.json");
    let network: NetworkId = file["network_id"].as_str().unwrap().parse().unwrap();
    for vector in file["messages"].as_array().unwrap() {
        let message: SealedMessageJson = serde_json::from_value(vector["jwe"].clone()).unwrap();
        let sealed = SealedMessage::try_from(&message).unwrap();
        assert_eq!(vector["digest"], sealed.digest(&network).0.to_string());
        assert_eq!(serde_json::to_value(SealedMessageJson::from(&sealed)).unwrap(), vector["jwe"]);
    }
}
