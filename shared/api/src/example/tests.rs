//! The examples are real: each is what its type writes, and what must be signed or worked for is.

use std::{fmt::Debug, fs};

use raclette_chain::{
    genesis::Genesis,
    hash::NetworkId,
    header::Header,
    keys::PublicKey,
    merkle::{Side, root_from_proof},
    message::SealedMessage,
    parameters::Parameters,
    rules::{Rules, check_body, check_message},
    testing::{ALICE_PEM, CAROL_PEM, DAVE_PEM, key},
};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::{PartialSchema, ToSchema};

use super::{of, story::Story, type_name};
use crate::{
    agreement::*, ban::*, block::*, build::*, chain::*, chaos::*, conversation::*, encoding::from_hex, event::*,
    explain::*, history::*, membership::*, message::*, mining::*, network::*, notice::*, propagation::*, queue::*,
    receipt::*, timeline::*, transaction::*, wallet::*,
};

#[test]
#[ignore = "writes the file that the other tests read"]
fn write_the_examples() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/example/examples.json");
    let text = serde_json::to_string_pretty(&Story::tell().examples()).unwrap();
    fs::write(path, text + "\n").unwrap();
}

#[track_caller]
fn example<T: DeserializeOwned>() -> T {
    serde_json::from_value(of::<T>()).unwrap_or_else(|error| panic!("{}: {error}", type_name::<T>()))
}

#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug + ToSchema + PartialSchema>() {
    let message: T = example();
    assert_eq!(serde_json::to_value(&message).unwrap(), of::<T>(), "{}", type_name::<T>());
    let text = serde_json::to_string(&message).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), message);
    let schema = serde_json::to_value(T::schema()).unwrap();
    assert_eq!(schema["examples"][0], of::<T>(), "the schema of {} carries the example", type_name::<T>());
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for member in required {
        assert!(of::<T>().get(member.as_str().unwrap()).is_some(), "{} lacks {member}", type_name::<T>());
    }
}

fn network() -> NetworkId {
    Genesis::try_from(&example::<GenesisMessage>()).unwrap().network()
}

#[test]
fn every_example_is_what_its_type_writes() {
    check::<ParametersMessage>();
    check::<GenesisMessage>();
    check::<GenesisReport>();
    check::<GenesisAccepted>();
    check::<NetworkInfo>();
    check::<Registration>();
    check::<PeerRecord>();
    check::<PeerPage>();
    check::<RegisterResponse>();
    check::<Leave>();
    check::<ChallengeAnswer>();
    check::<NoticeChange>();
    check::<Notice>();
    check::<NoticeAck>();
    check::<ProbeRequest>();
    check::<ProbeAnswer>();
    check::<TimelineEvent>();
    check::<TimelinePage>();
    check::<Agreement>();
    check::<SealedMessageJson>();
    check::<TransactionMessage>();
    check::<SubmitAnswer>();
    check::<SubmitResults>();
    check::<TransactionStatus>();
    check::<LedgerPage>();
    check::<HeaderMessage>();
    check::<RewardMessage>();
    check::<BlockMessage>();
    check::<BlockAnswer>();
    check::<TipMessage>();
    check::<ChainPage>();
    check::<HeadersPage>();
    check::<AccountMessage>();
    check::<StatusMessage>();
    check::<Wallet>();
    check::<SendRequest>();
    check::<SendResponse>();
    check::<MessageEntry>();
    check::<MessagePage>();
    check::<BuildRequest>();
    check::<UnsignedTransaction>();
    check::<BuiltTransaction>();
    check::<Conversation>();
    check::<ConversationList>();
    check::<ConversationPage>();
    check::<MiningComplete>();
    check::<MiningCompleteAnswer>();
    check::<MineRequest>();
    check::<MiningJob>();
    check::<Ban>();
    check::<BanPage>();
    check::<QueueEntry>();
    check::<QueueDestination>();
    check::<QueueDestinations>();
    check::<QueuePage>();
    check::<Receipt>();
    check::<ChaosState>();
    check::<Propagation>();
    check::<EventMessage>();
    check::<EventGap>();
    check::<EventPage>();
    check::<TransactionCheck>();
    check::<BlockVerification>();
    check::<MerkleProof>();
    check::<Reorganisation>();
    check::<ReorganisationPage>();
    check::<AuditReport>();
    check::<AuditProgress>();
}

#[test]
fn every_signature_in_the_examples_holds() {
    let network = network();
    let public = |pem| -> PublicKey { key(pem).public().clone() };
    let report = example::<GenesisReport>().verify(&public(ALICE_PEM)).unwrap();
    assert_eq!(report.network(), network);
    assert_eq!(example::<Registration>().verify().unwrap(), public(CAROL_PEM));
    example::<Leave>().verify(&network, &public(CAROL_PEM)).unwrap();
    example::<ChallengeAnswer>().verify(&[0xa5; 32], &public(CAROL_PEM)).unwrap();
    example::<Notice>().verify(&network, &public(DAVE_PEM)).unwrap();
    example::<ProbeRequest>().verify(&network, &public(DAVE_PEM)).unwrap();
    let (header, miner) = example::<MiningComplete>().verify(&network).unwrap();
    assert_eq!(header, Header::try_from(&example::<HeaderMessage>()).unwrap());
    assert_eq!(miner, public(CAROL_PEM));
}

#[test]
fn the_proof_in_the_examples_leads_to_the_root_in_the_header() {
    let proof: MerkleProof = example();
    let (signed, _) = example::<TransactionMessage>().decode(&network()).unwrap();
    assert_eq!((proof.leaf, proof.id), (signed.leaf().to_string(), signed.id().to_string()));
    let path: Vec<_> = proof
        .siblings
        .iter()
        .map(|sibling| {
            let side = if sibling.side == ProofSide::Left { Side::Left } else { Side::Right };
            (side, from_hex("hash", &sibling.hash).unwrap())
        })
        .collect();
    let root = root_from_proof(&signed.leaf(), &path).to_string();
    assert_eq!((&root, &root), (&proof.root, &proof.header.merkle_root));
}

#[test]
fn the_transaction_and_the_block_in_the_examples_keep_the_rules() {
    let rules = Rules { network: network(), parameters: Parameters::default() };
    let (signed, message) = example::<TransactionMessage>().decode(&rules.network).unwrap();
    signed.verify(&rules.network).unwrap();
    check_message(&signed, &message.unwrap(), &rules).unwrap();
    let sealed = SealedMessage::try_from(&example::<SealedMessageJson>()).unwrap();
    assert!(sealed.open(&key(ALICE_PEM), raclette_chain::message::Reader::Sender).is_ok());
    let (block, _) = example::<BlockMessage>().decode(&rules.network).unwrap();
    check_body(&block, &rules).unwrap();
    let tip = Tip::try_from(&example::<TipMessage>()).unwrap();
    assert_eq!(tip.hash, block.hash());
    assert!(block.header().target.expand().unwrap().is_met_by(&tip.hash));
}
