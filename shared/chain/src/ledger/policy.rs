//! The policies by which the ledger takes a transaction, one function each, in the order in which PROTOCOL.md lists them.
//! Room is not among them: making it changes the ledger.

use crate::{
    accounts::Account,
    amount::Amount,
    ledger::{
        Context, LedgerError, MAX_AGE, MAX_CREATED_AHEAD, MAX_EARLY, MAX_EARLY_PER_SENDER, MAX_FREE, MAX_FREE_BYTES,
        MAX_FREE_PER_SENDER, MAX_PER_SENDER, pending::Pending,
    },
    rules::{
        check_transaction,
        rule::{Finding, Rule},
    },
    transaction::{SignedTransaction, Transaction},
};

/// A transaction, and what the policies compare it with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) transaction: &'a SignedTransaction,
    /// The sender's account after the tip.
    pub(super) account: &'a Account,
    pub(super) context: &'a Context<'a>,
    /// What else of the sender is pending.
    pub(super) pending: &'a Pending,
    /// What is pending of all senders.
    pub(super) all: All,
}

/// Sums over all senders.
#[derive(Debug, Clone, Copy)]
pub(super) struct All {
    /// How many transactions without fee there are, and how many bytes they take.
    pub(super) free: usize,
    pub(super) free_bytes: usize,
    /// How many wait for an earlier one, and of whoever has the most of them.
    pub(super) early: usize,
    pub(super) most_early: usize,
}

impl Case<'_> {
    fn content(&self) -> &Transaction {
        self.transaction.transaction()
    }

    /// The pending transaction that this one would replace.
    fn existing(&self) -> Option<&SignedTransaction> {
        self.pending.get(self.content().sequence).map(|existing| &**existing)
    }

    /// What the sender's other pending transactions cost, without the one that this one would replace.
    fn others(&self) -> Amount {
        let replaced = self.existing().and_then(SignedTransaction::cost).unwrap_or(Amount::ZERO);
        self.pending.cost().checked_sub(replaced).unwrap_or(Amount::ZERO)
    }

    /// The rules that need no account and the policies that need no other pending transaction.
    pub(super) fn check_alone(&self) -> Result<(), LedgerError> {
        check_transaction(self.content(), self.context.next_height, self.context.parameters)?;
        ALONE.iter().try_for_each(|policy| (policy.check)(self).result())
    }

    /// All of them.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        self.check_alone()?;
        BESIDE_OTHERS.iter().try_for_each(|policy| (policy.check)(self).result())
    }
}

type Policy = Rule<fn(&Case<'_>) -> Finding<LedgerError>>;

/// The policies that need no other pending transaction, in order.
pub(super) const ALONE: [Policy; 3] = [
    Rule { code: "from_the_future", check: created_is_not_ahead },
    Rule { code: "too_old", check: created_is_not_too_old },
    Rule { code: "free_for_members_only", check: fee_is_paid_by_strangers },
];

/// The policies that come after them, in order.
pub(super) const BESIDE_OTHERS: [Policy; 6] = [
    Rule { code: "wrong_sequence", check: sequence_is_unused },
    Rule { code: "fee_too_low_to_replace", check: replaces_only_what_pays_less },
    Rule { code: "too_many_pending", check: sender_is_below_limit },
    Rule { code: "too_early", check: is_not_too_early },
    Rule { code: "too_many_free", check: free_ones_are_within_limits },
    Rule { code: "insufficient_funds", check: balance_covers_all_pending },
];

fn created_is_not_ahead(case: &Case<'_>) -> Finding<LedgerError> {
    let (latest, found) = (case.context.now.saturating_add(MAX_CREATED_AHEAD), case.content().created);
    Finding::new(found <= latest, LedgerError::FromTheFuture { latest, found })
}

fn created_is_not_too_old(case: &Case<'_>) -> Finding<LedgerError> {
    let (earliest, found) = (case.context.now.saturating_sub(MAX_AGE), case.content().created);
    Finding::new(found >= earliest, LedgerError::TooOld { earliest, found })
}

fn fee_is_paid_by_strangers(case: &Case<'_>) -> Finding<LedgerError> {
    if case.context.registered || case.content().fee > Amount::ZERO {
        Finding::HoldsForAll
    } else {
        Finding::Broken(LedgerError::FreeForMembersOnly)
    }
}

fn sequence_is_unused(case: &Case<'_>) -> Finding<LedgerError> {
    let (expected, found) = (case.account.next_sequence, case.content().sequence);
    Finding::new(found >= expected, LedgerError::SequenceUsed { expected, found })
}

fn replaces_only_what_pays_less(case: &Case<'_>) -> Finding<LedgerError> {
    let Some(existing) = case.existing() else { return Finding::HoldsForAll };
    let (existing, found) = (existing.transaction().fee, case.content().fee);
    Finding::new(found > existing, LedgerError::FeeTooLowToReplace { existing, found })
}

fn sender_is_below_limit(case: &Case<'_>) -> Finding<LedgerError> {
    let found = case.pending.len() + usize::from(case.existing().is_none());
    Finding::new(found <= MAX_PER_SENDER, LedgerError::TooMany { limit: MAX_PER_SENDER, found })
}

/// A transaction replaces another, continues the run of its sender, or is one of not too many that came early.
fn is_not_too_early(case: &Case<'_>) -> Finding<LedgerError> {
    if case.existing().is_some() {
        return Finding::HoldsForAll;
    }
    let (expected, found) = (case.pending.end_of_run(case.account.next_sequence), case.content().sequence);
    let waiting = case.pending.early();
    let (limit, of) = (MAX_EARLY_PER_SENDER, "of one sender");
    if found != expected && waiting < limit && case.all.early >= MAX_EARLY && case.all.most_early <= waiting {
        let (waiting, limit, of) = (case.all.early, MAX_EARLY, "of all senders");
        return Finding::Broken(LedgerError::TooEarly { expected, found, waiting, limit, of });
    }
    let holds = found == expected || waiting < limit;
    Finding::new(holds, LedgerError::TooEarly { expected, found, waiting, limit, of })
}

fn free_ones_are_within_limits(case: &Case<'_>) -> Finding<LedgerError> {
    if case.content().fee > Amount::ZERO {
        return Finding::HoldsForAll;
    }
    // It replaces nothing: a replacement pays more than what was there.
    let of_one = (MAX_FREE_PER_SENDER, case.pending.free() + 1, "pending transactions of one sender");
    let of_all = [
        (MAX_FREE, case.all.free + 1, "pending transactions of all senders"),
        (MAX_FREE_BYTES, case.all.free_bytes + case.transaction.size(), "bytes of all senders"),
    ];
    let mut limits = std::iter::once(of_one).chain(of_all);
    let broken = limits.find(|(limit, found, _)| found > limit);
    let (limit, found, of) = broken.unwrap_or(of_one);
    Finding::new(broken.is_none(), LedgerError::TooManyFree { limit, found, of })
}

fn balance_covers_all_pending(case: &Case<'_>) -> Finding<LedgerError> {
    balance_covers(case.others(), case.transaction, case.account)
}

/// Whether the confirmed balance covers a transaction besides what `pending` of the same sender costs.
pub(super) fn balance_covers(
    pending: Amount,
    transaction: &SignedTransaction,
    account: &Account,
) -> Finding<LedgerError> {
    // The rules that need no account come first, and refuse what costs more than there can be.
    let sum = transaction.cost().and_then(|cost| pending.checked_add(cost));
    let (confirmed, needed) = (account.balance, sum.unwrap_or(Amount::MAX));
    let holds = sum.is_some_and(|sum| sum <= confirmed);
    Finding::new(holds, LedgerError::InsufficientFunds { confirmed, pending, needed })
}
