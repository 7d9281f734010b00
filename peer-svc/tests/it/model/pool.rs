//! Everybody in the model, and every transaction that they ever sign: each is made once in a process, since a signature costs
//! more than a step of the model.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use proptest::prelude::*;
use raclette_chain::{
    address::Address,
    amount::Amount,
    hash::{MessageDigest, NetworkId},
    keys::{PrivateKey, Signature},
    testing::{ALICE_PEM, BOB_PEM, CAROL_PEM, DAVE_PEM, key},
    time::Timestamp,
    transaction::{SignedTransaction, Transaction},
};
use raclette_service::clock::now_ms;

use crate::peer::{EASY, genesis};

/// How many people there are. The first owns the peer, the last is no member.
pub(crate) const PEOPLE: usize = 4;
/// The peer's owner.
pub(crate) const OWNER: usize = 0;
/// The one who is no member.
pub(crate) const STRANGER: usize = 3;

const DAY: u64 = 86_400_000;

pub(crate) static KEYS: LazyLock<[PrivateKey; PEOPLE]> =
    LazyLock::new(|| [ALICE_PEM, BOB_PEM, CAROL_PEM, DAVE_PEM].map(key));
pub(crate) static NETWORK: LazyLock<NetworkId> = LazyLock::new(|| genesis(EASY).network());
static NOW: LazyLock<u64> = LazyLock::new(now_ms);

pub(crate) fn address(person: usize) -> Address {
    KEYS[person].public().address()
}

/// What a transaction is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// One unit, without fee.
    Free,
    /// Two units, with this fee.
    Paying(u64),
    /// More than half of what a block brings.
    Large,
    /// More than anybody ever has.
    TooLarge,
    /// One unit, to be confirmed at this height at the latest.
    Until(u32),
    /// Made fifteen days ago.
    Old,
    /// Made a day ahead of now.
    Early,
    /// The one with a fee of 1, under another signature.
    SignedAgain,
    /// The one with a fee of 1, under a signature that does not hold.
    Forged,
}

impl Kind {
    /// Those that a block may hold.
    pub(crate) fn fits_a_block(self) -> bool {
        !matches!(self, Self::TooLarge | Self::Forged)
    }

    /// Those that the ledger's policy refuses for their time of making.
    pub(crate) fn refused_for_its_time(self) -> Option<&'static str> {
        match self {
            Self::Old => Some("too_old"),
            Self::Early => Some("from_the_future"),
            _ => None,
        }
    }

    fn amount_and_fee(self) -> (u64, u64) {
        match self {
            Self::Free => (1, 0),
            Self::Paying(fee) => (2, fee),
            Self::Large => (28, 1),
            Self::TooLarge => (1_000_000, 9),
            Self::Until(_) => (1, 2),
            Self::Old | Self::Early => (1, 4),
            Self::SignedAgain | Self::Forged => Self::Paying(1).amount_and_fee(),
        }
    }

    fn created(self) -> u64 {
        match self {
            Self::Old => *NOW - 15 * DAY,
            Self::Early => *NOW + DAY,
            _ => *NOW,
        }
    }
}

pub(crate) fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::Free),
        6 => (1..4_u64).prop_map(Kind::Paying),
        3 => Just(Kind::Large),
        1 => Just(Kind::TooLarge),
        3 => (5..16_u32).prop_map(Kind::Until),
        1 => Just(Kind::Old),
        1 => Just(Kind::Early),
        1 => Just(Kind::SignedAgain),
        1 => Just(Kind::Forged),
    ]
}

/// A transaction with all that the model needs to know of it.
#[derive(Debug, Clone)]
pub(crate) struct Paper {
    pub(crate) signed: SignedTransaction,
    pub(crate) kind: Kind,
    pub(crate) sender: usize,
    pub(crate) recipient: usize,
    pub(crate) sequence: u64,
    pub(crate) amount: u64,
    pub(crate) fee: u64,
    /// 0: for ever.
    pub(crate) valid_until: u32,
}

impl Paper {
    pub(crate) fn cost(&self) -> u64 {
        self.amount + self.fee
    }
}

type Made = HashMap<(usize, u64, Kind), Paper>;

/// The transaction of this sender with this sequence number and of this kind: always the same one.
pub(crate) fn paper(sender: usize, sequence: u64, kind: Kind) -> Paper {
    static MADE: LazyLock<Mutex<Made>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry((sender, sequence, kind)).or_insert_with(|| sign(sender, sequence, kind)).clone()
}

fn sign(sender: usize, sequence: u64, kind: Kind) -> Paper {
    let (amount, fee) = kind.amount_and_fee();
    let recipient = (sender + 1 + usize::try_from(sequence).unwrap()) % PEOPLE;
    let valid_until = if let Kind::Until(height) = kind { height } else { 0 };
    let transaction = Transaction {
        sender: KEYS[sender].public().clone(),
        recipient: address(recipient),
        amount: Amount::new(amount).unwrap(),
        fee: Amount::new(fee).unwrap(),
        sequence,
        created: Timestamp::new(kind.created()).unwrap(),
        valid_until,
        message_digest: MessageDigest::ZERO,
        message_length: 0,
    };
    let signed = if kind == Kind::Forged {
        SignedTransaction::new(transaction, Signature::from_bytes(vec![1; 256]), &NETWORK)
    } else {
        transaction.sign(&KEYS[sender], &NETWORK)
    };
    Paper { signed, kind, sender, recipient, sequence, amount, fee, valid_until }
}
