//! What goes wrong in the node, as problems: the one table of it.

use raclette_api::ApiError;
use raclette_chain::{
    amount::Amount,
    hash::BlockHash,
    ledger::LedgerError,
    message::SealError,
    rules::{BlockError, Sides, TransactionError},
};
use raclette_service::problem::{Code, Problem};

use crate::{miner::MineError, node::NodeError};

/// In how many seconds it makes sense to repeat a request whose first answer is under way.
const AT_ONCE: u64 = 1;
/// In how many seconds it makes sense to ask a peer again that is not ready.
const SOON: u64 = 2;
/// In how many seconds a full ledger may have room again.
const LATER: u64 = 10;

/// What mends a damaged file.
const REBUILD: &str =
    "stop the peer and start it once with --rebuild: it makes its database anew and fetches what is lost from others";

/// The extension member that names the rule that was broken.
const RULE: &str = "rule";

impl From<NodeError> for Problem {
    fn from(error: NodeError) -> Self {
        let detail = error.to_string();
        match error {
            NodeError::NotReady { .. } => Self::new(Code::NotReady, detail).retry_after(SOON),
            NodeError::ShuttingDown => Self::new(Code::ShuttingDown, detail).retry_after(SOON),
            NodeError::ProbeRefused { .. } => {
                Self::new(Code::Conflict, detail).mend("set the clocks of both machines, for instance with NTP")
            }
            NodeError::StorageFull => Self::new(Code::StorageFull, detail)
                .mend("free some space on the disk that holds the peer's data directory, then try again"),
            NodeError::Storage(cause) => Self::internal(cause),
            NodeError::Damaged(_) => Self::new(Code::StorageDamaged, detail).mend(REBUILD),
            NodeError::Block(error) => block(&error),
            NodeError::KnownInvalid { .. } => Self::new(Code::BlockRefused, detail).with(RULE, "known_invalid"),
            NodeError::Ledger(error) => ledger(&error),
            NodeError::InsufficientFunds { needed, confirmed, pending_in, pending_out } => {
                no_funds(detail, needed, confirmed)
                    .with("pending", pending_in.units())
                    .with("pending_out", pending_out.units())
            }
            NodeError::UnknownRecipient { .. } => Self::new(Code::UnknownPeer, detail)
                .mend("GET /peers lists the members; an address (rac1...) will do as well"),
            NodeError::RecipientKeyUnknown { .. } => Self::new(Code::RecipientKeyUnknown, detail)
                .mend("send without a message, or wait until the recipient has registered with the tracker"),
            NodeError::SenderKeyUnknown { .. } => {
                Self::new(Code::UnknownPeer, detail).mend("name the key itself: sender_key")
            }
            NodeError::Seal(error) => seal(&error),
            NodeError::UnknownTransaction { .. } => Self::new(Code::UnknownTransaction, detail),
            NodeError::KeyReused { .. } => Self::new(Code::IdempotencyKeyReused, detail)
                .mend("give another request another key, best a random one"),
            NodeError::KeyInUse { .. } => Self::new(Code::IdempotencyKeyInUse, detail).retry_after(AT_ONCE),
            NodeError::NoReceipt { .. } => Self::new(Code::NotFound, detail),
            NodeError::MessageMissing { .. } => Self::new(Code::UnknownMessage, detail),
            NodeError::OtherNetwork { ours, theirs } => {
                Self::new(Code::WrongNetwork, detail).expected(ours).seen(theirs)
            }
        }
    }
}

impl From<MineError> for Problem {
    fn from(error: MineError) -> Self {
        let detail = error.to_string();
        match error {
            MineError::Busy { id } => Self::new(Code::Conflict, detail)
                .mend(format!("wait for it (GET /mine/{id}), or cancel it (DELETE /mine/{id})"))
                .with("job", id),
            MineError::Node(error) => error.into(),
        }
    }
}

fn block(error: &BlockError) -> Problem {
    compared(Problem::new(Code::BlockRefused, error.to_string()), error.sides()).with(RULE, error.code())
}

/// Both sides of the comparison that went wrong.
fn compared(problem: Problem, Sides { expected, found }: Sides) -> Problem {
    problem.expected(expected).seen(found)
}

fn seal(error: &SealError) -> Problem {
    match error {
        SealError::TooLong { .. } => {
            let text = error.to_string();
            Problem::new(Code::InvalidBody, format!("message: {text}")).field("message", text)
        }
        SealError::Encryption => Problem::internal(error),
    }
}

fn ledger(error: &LedgerError) -> Problem {
    let detail = error.to_string();
    match error {
        LedgerError::Rule(error) => transaction(error),
        LedgerError::SequenceUsed { expected, found } => wrong_sequence(detail, *expected, *found),
        LedgerError::InsufficientFunds { confirmed, pending, needed } => {
            no_funds(detail, *needed, *confirmed).with("pending_out", pending.units())
        }
        LedgerError::Full { .. } => {
            compared(Problem::new(Code::LedgerFull, detail), error.sides()).with(RULE, error.code()).retry_after(LATER)
        }
        LedgerError::FromTheFuture { .. }
        | LedgerError::TooOld { .. }
        | LedgerError::TooEarly { .. }
        | LedgerError::TooMany { .. }
        | LedgerError::FeeTooLowToReplace { .. }
        | LedgerError::FreeForMembersOnly
        | LedgerError::TooManyFree { .. } => refused(detail, error.code(), error.sides()),
    }
}

fn transaction(error: &TransactionError) -> Problem {
    let detail = error.to_string();
    match error {
        TransactionError::Signature(_) => {
            compared(Problem::new(Code::BadSignature, detail), error.sides()).field("signature", error.to_string())
        }
        TransactionError::WrongSequence { expected, found } => wrong_sequence(detail, *expected, *found),
        TransactionError::InsufficientFunds { cost, balance } => no_funds(detail, *cost, *balance),
        TransactionError::CostTooLarge { .. }
        | TransactionError::FeeTooLow { .. }
        | TransactionError::Expired { .. }
        | TransactionError::MessageContradiction { .. }
        | TransactionError::MessageTooLong { .. }
        | TransactionError::WrongMessage { .. } => refused(detail, error.code(), error.sides()),
    }
}

fn refused(detail: String, rule: &'static str, sides: Sides) -> Problem {
    compared(Problem::new(Code::TransactionRefused, detail), sides).with(RULE, rule)
}

fn wrong_sequence(detail: String, expected: u64, found: u64) -> Problem {
    Problem::new(Code::WrongSequence, detail).expected(expected).seen(found)
}

fn no_funds(detail: String, needed: Amount, confirmed: Amount) -> Problem {
    Problem::new(Code::InsufficientFunds, detail)
        .expected(needed.units())
        .seen(confirmed.units())
        .mend("money can be spent once a block confirms it: have a peer mine one (POST /mine), then try again")
        .with("needed", needed.units())
        .with("confirmed", confirmed.units())
}

/// A path or query parameter that is malformed in its own way.
pub(super) fn parameter(name: &str, expected: &str, found: &str) -> Problem {
    Problem::parameter(ApiError::malformed(name, expected, found))
}

/// A block whose header is known, but whose body is not in the store: the store is damaged.
pub(super) fn body_missing(hash: &BlockHash) -> Problem {
    Problem::new(Code::StorageDamaged, format!("The body of block {hash} is missing.")).mend(REBUILD)
}
