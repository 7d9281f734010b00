//! Bytes on disk: every value has one encoding, and any other bytes are refused.

use std::sync::LazyLock;

use proptest::{prelude::*, sample::Index};
use raclette_chain::{
    block::Block,
    codec::{
        decode_body, decode_header, decode_message, decode_one_of_body, decode_transaction, decode_undo, encode_body,
        encode_message, encode_transaction, encode_undo,
    },
    hash::NetworkId,
    header::Header,
    message::SealedMessage,
    transaction::SignedTransaction,
};

use crate::{
    arbitrary,
    test_chain::{ALICE, BOB, TestChain, parameters, transfer},
};

struct Sample {
    network: NetworkId,
    block: Block,
    transaction: SignedTransaction,
    message: SealedMessage,
}

/// A block of two transactions, the second of which carries a message.
static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
    let chain = TestChain::with_blocks(parameters(), 1);
    let network = chain.rules.network;
    let first = chain.sign(transfer(&ALICE, BOB.public().address(), 25, 1, 0), &ALICE);
    let mut second = transfer(&ALICE, BOB.public().address(), 0, 0, 1);
    let message = SealedMessage::seal("hello", BOB.public(), ALICE.public(), &second.binding(network)).unwrap();
    (second.message_digest, second.message_length) = message.digest(&network);
    let second = chain.sign(second, &ALICE);
    let block = chain.mine(chain.draft(vec![first, second.clone()]));
    Sample { network, block, transaction: second, message }
});

#[test]
fn what_is_written_is_read_back() {
    let Sample { network, block, transaction, message } = &*SAMPLE;
    assert_eq!(decode_transaction(&encode_transaction(transaction), network).as_ref(), Ok(transaction));
    assert_eq!(decode_body(*block.header(), &encode_body(block), network).as_ref(), Ok(block));
    assert_eq!(decode_header(&block.header().bytes()), Ok(*block.header()));
    assert_eq!(decode_message(&encode_message(message)).as_ref(), Ok(message));
}

#[test]
fn one_transaction_of_a_body_is_read_without_the_others() {
    let Sample { network, block, .. } = &*SAMPLE;
    let body = encode_body(block);
    for (position, transaction) in block.transactions().iter().enumerate() {
        assert_eq!(decode_one_of_body(&body, position, network).unwrap().as_ref(), Some(transaction));
    }
    assert_eq!(decode_one_of_body(&body, 2, network), Ok(None));
    assert_eq!(decode_one_of_body(&body, 7, network), Ok(None));
    assert!(decode_one_of_body(&body[..body.len() - 1], 1, network).is_err());
    assert!(decode_one_of_body(&body[..30], 0, network).is_err());
}

/// One way to damage a byte string.
#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    SetEarly(usize, u8),
    Cut(Index),
    Append(Vec<u8>),
    Insert(Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(position, byte)| Damage::Set(position, byte)),
        // Damage in the first bytes hits lengths and keys, where it matters most.
        4 => (0..400_usize, any::<u8>()).prop_map(|(position, byte)| Damage::SetEarly(position, byte)),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => prop::collection::vec(any::<u8>(), 1..80).prop_map(Damage::Append),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(position, byte)| Damage::Insert(position, byte)),
    ]
}

fn damaged(mut bytes: Vec<u8>, damage: &[Damage]) -> Vec<u8> {
    for one in damage {
        match one {
            Damage::Set(position, byte) if !bytes.is_empty() => {
                let position = position.index(bytes.len());
                bytes[position] = *byte;
            }
            Damage::SetEarly(position, byte) if *position < bytes.len() => bytes[*position] = *byte,
            Damage::Set(..) | Damage::SetEarly(..) => {}
            Damage::Cut(length) => bytes.truncate(length.index(bytes.len() + 1)),
            Damage::Append(more) => bytes.extend_from_slice(more),
            Damage::Insert(position, byte) => bytes.insert(position.index(bytes.len() + 1), *byte),
        }
    }
    bytes
}

/// Either the bytes are refused, or they are exactly what is written for the value they are read as.
fn has_one_encoding(bytes: &[u8], header: Header, network: &NetworkId) -> Result<(), TestCaseError> {
    if let Ok(transaction) = decode_transaction(bytes, network) {
        prop_assert_eq!(encode_transaction(&transaction), bytes);
    }
    if let Ok(block) = decode_body(header, bytes, network) {
        prop_assert_eq!(encode_body(&block), bytes);
    }
    if let Ok(header) = decode_header(bytes) {
        prop_assert_eq!(&header.bytes()[..], bytes);
    }
    if let Ok(message) = decode_message(bytes) {
        prop_assert_eq!(encode_message(&message), bytes);
    }
    if let Ok(undo) = decode_undo(bytes) {
        prop_assert_eq!(encode_undo(&undo), bytes);
    }
    Ok(())
}

proptest! {
    #[test]
    fn damaged_records_are_refused_or_are_another_value(damage in prop::collection::vec(damage(), 1..4)) {
        let Sample { network, block, transaction, message } = &*SAMPLE;
        let records =
            [encode_transaction(transaction), encode_body(block), block.header().bytes().to_vec(), encode_message(message)];
        for record in records {
            has_one_encoding(&damaged(record, &damage), *block.header(), network)?;
        }
    }

    #[test]
    fn any_transaction_header_and_block_is_read_back(
        transaction in arbitrary::transaction(),
        header in arbitrary::header(),
        block in arbitrary::block(),
    ) {
        let bytes = encode_transaction(&transaction);
        prop_assert_eq!(decode_transaction(&bytes, &arbitrary::NETWORK), Ok(transaction));
        prop_assert_eq!(decode_header(&header.bytes()), Ok(header));
        let body = encode_body(&block);
        prop_assert_eq!(decode_body(*block.header(), &body, &arbitrary::NETWORK), Ok(block.clone()));
        for (position, transaction) in block.transactions().iter().enumerate() {
            prop_assert_eq!(decode_one_of_body(&body, position, &arbitrary::NETWORK), Ok(Some(transaction.clone())));
        }
    }

    #[test]
    fn random_bytes_are_refused_or_are_a_value(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        has_one_encoding(&bytes, *SAMPLE.block.header(), &SAMPLE.network)?;
    }

    #[test]
    fn random_headers_are_refused_or_are_a_value(bytes in prop::collection::vec(any::<u8>(), 92..=92), early in any::<bool>()) {
        let mut bytes = bytes;
        if early {
            // A time that can be one: below 2^53.
            bytes[72..74].fill(0);
        }
        prop_assert_eq!(decode_header(&bytes).is_ok(), bytes[72] == 0 && bytes[73] < 0x20);
        has_one_encoding(&bytes, *SAMPLE.block.header(), &SAMPLE.network)?;
    }

    #[test]
    fn undo_records_are_read_back(entries in prop::collection::vec(any::<([u8; 32], u32, u64)>(), 0..20)) {
        let mut bytes = Vec::new();
        for (address, balance, sequence) in entries {
            bytes.extend_from_slice(&address);
            bytes.extend_from_slice(&u64::from(balance).to_be_bytes());
            bytes.extend_from_slice(&sequence.to_be_bytes());
        }
        prop_assert_eq!(encode_undo(&decode_undo(&bytes).unwrap()), bytes);
    }
}
