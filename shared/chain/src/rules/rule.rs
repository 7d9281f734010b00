//! What a rule is: a code, and a function that says what it compared and whether that holds.
//!
//! Checking and explaining call the same functions: checking stops at the first that is broken, explaining also tells what
//! was compared by those that hold, so that the two cannot differ.

use super::{BlockError, Sides, TransactionError};

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding<E> {
    /// It holds. What it compared is in the words of the error that it would be.
    Holds(E),
    /// It holds, and there is no pair of values to show for it.
    HoldsForAll,
    /// It is broken.
    Broken(E),
}

impl<E> Finding<E> {
    /// A comparison that holds or not.
    pub(crate) fn new(holds: bool, compared: E) -> Self {
        if holds { Self::Holds(compared) } else { Self::Broken(compared) }
    }

    /// The error, if the rule is broken.
    pub(crate) fn result(self) -> Result<(), E> {
        match self {
            Self::Holds(_) | Self::HoldsForAll => Ok(()),
            Self::Broken(error) => Err(error),
        }
    }
}

/// A rule in a list: the code that never changes, and the function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule<F> {
    /// The code of the error that it gives.
    pub(crate) code: &'static str,
    /// Compares.
    pub(crate) check: F,
}

/// An error that is a broken rule.
pub trait Broken {
    /// The code of the rule.
    fn rule(&self) -> &'static str;

    /// Both sides of what it compared.
    fn sides(&self) -> Sides;

    /// Which transaction of a block broke it, the first behind the reward being 0.
    fn position(&self) -> Option<usize> {
        None
    }
}

/// How a rule fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It is broken.
    Failed,
    /// One before it is broken, so it was not looked at.
    NotReached,
}

/// One rule in an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The code of the rule.
    pub rule: &'static str,
    /// Whether it is a rule of consensus; otherwise it is policy.
    pub consensus: bool,
    /// How it fared.
    pub verdict: Verdict,
    /// Both sides of the comparison, where it was looked at and there is one to show.
    pub compared: Option<Sides>,
    /// Which transaction of a block broke it, the first behind the reward being 0.
    pub position: Option<usize>,
}

/// Rules in the order in which they are checked, and how each fared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explanation {
    steps: Vec<Step>,
    broken: bool,
}

impl Explanation {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every rule so far.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The rule that is broken, if one is.
    #[must_use]
    pub fn broken(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.verdict == Verdict::Failed)
    }

    /// Whether a rule is broken: those that follow are not reached.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    fn push<E: Broken>(&mut self, rule: &'static str, consensus: bool, finding: Option<Finding<E>>) {
        let (verdict, compared, position) = match finding {
            None => (Verdict::NotReached, None, None),
            Some(Finding::HoldsForAll) => (Verdict::Passed, None, None),
            Some(Finding::Holds(compared)) => (Verdict::Passed, Some(compared.sides()), None),
            Some(Finding::Broken(error)) => (Verdict::Failed, Some(error.sides()), error.position()),
        };
        self.broken |= verdict == Verdict::Failed;
        self.steps.push(Step { rule, consensus, verdict, compared, position });
    }

    /// Looks at a rule of consensus, unless one before it is broken.
    pub(crate) fn rule<E: Broken>(&mut self, code: &'static str, check: impl FnOnce() -> Finding<E>) {
        let finding = (!self.broken).then(check);
        self.push(code, true, finding);
    }

    /// Looks at a policy, unless something before it is broken.
    pub(crate) fn policy<E: Broken>(&mut self, code: &'static str, check: impl FnOnce() -> Finding<E>) {
        let finding = (!self.broken).then(check);
        self.push(code, false, finding);
    }

    /// Looks at several rules that one check goes through, perhaps for one transaction after another. Those before the broken
    /// one passed, those behind it are not reached.
    pub(crate) fn group<E: Broken + Clone>(&mut self, codes: &[&'static str], check: impl FnOnce() -> Result<(), E>) {
        if self.broken {
            return self.not_reached(codes);
        }
        let failed = check().err();
        for code in codes {
            let finding = match &failed {
                Some(error) if error.rule() == *code => Some(Finding::Broken(error.clone())),
                _ => (!self.broken).then_some(Finding::HoldsForAll),
            };
            self.push(code, true, finding);
        }
        // A code that is not in the list would be a mistake in the list; what is broken is never shown as if it held.
        if let Some(error) = failed.filter(|_| !self.broken) {
            self.push(error.rule(), true, Some(Finding::Broken(error)));
        }
    }

    /// Notes rules of consensus that cannot be looked at.
    pub fn not_reached(&mut self, codes: &[&'static str]) {
        for code in codes {
            self.push::<BlockError>(code, true, None);
        }
    }
}

impl Broken for TransactionError {
    fn rule(&self) -> &'static str {
        self.code()
    }

    fn sides(&self) -> Sides {
        Self::sides(self)
    }
}

impl Broken for BlockError {
    fn rule(&self) -> &'static str {
        self.code()
    }

    fn sides(&self) -> Sides {
        Self::sides(self)
    }

    fn position(&self) -> Option<usize> {
        match self {
            Self::Transaction { position, .. } | Self::DuplicateTransaction { position, .. } => Some(*position),
            Self::UnknownVersion { .. }
            | Self::WrongPrevious { .. }
            | Self::WrongHeight { .. }
            | Self::TimeTooOld { .. }
            | Self::TimeTooNew { .. }
            | Self::WrongTarget { .. }
            | Self::NotEnoughWork { .. }
            | Self::TooManyTransactions { .. }
            | Self::TooLarge { .. }
            | Self::WrongMerkleRoot { .. }
            | Self::WrongReward { .. }
            | Self::Overflow => None,
        }
    }
}
