//! A round of probes as it runs: spread over the first part of the interval, tried twice, and then others are asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use raclette_chain::address::Address;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Finding, Member, MemberState, Pace, Probe, Register, round::HELPERS};
use crate::{clock::Clock, dice::Dice};

/// How many probes are under way at once.
const AT_ONCE: usize = 64;
/// How often the round looks whether its own tasks wake up in time.
const PULSE: Duration = Duration::from_millis(250);

/// What another member found when it looked for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Testimony {
    /// The member that was looked for has signed the tracker's nonce.
    Alive,
    /// The helper did not reach it.
    Gone,
}

/// How a round reaches members. Two implementations exist: the tracker's client, and the simulated networks of the tests.
pub trait Prober: Send + Sync {
    /// Whether this very member answers, in the epoch of its registration.
    fn answers(&self, member: &Member, within: Duration) -> impl Future<Output = bool> + Send;

    /// What `helper` finds when it looks for `subject` within `patience`; none if it does not say so `within` that time.
    fn ask(
        &self,
        helper: &Member,
        subject: &Member,
        patience: Duration,
        within: Duration,
    ) -> impl Future<Output = Option<Testimony>> + Send;
}

/// What a round found.
#[derive(Debug)]
pub struct Round {
    /// What was found out about each member that has not left.
    pub probes: Vec<Probe>,
    /// By how much this program's own tasks woke up too late, at worst.
    pub lateness: Duration,
}

/// Runs one round over the members of a register.
pub async fn run_round<P: Prober>(register: &Register, pace: &Pace, prober: &P, clock: &Clock, dice: &Dice) -> Round {
    let probes = async {
        let mut probes = ask_all(register, pace, prober, clock, dice).await;
        ask_others(register, &mut probes, pace, prober, dice).await;
        probes
    };
    tokio::pin!(probes);
    let mut lateness = Duration::ZERO;
    loop {
        let asleep = Instant::now();
        tokio::select! {
            // In this order, so that a simulation can repeat itself.
            biased;
            probes = &mut probes => return Round { probes, lateness },
            () = sleep(PULSE) => lateness = lateness.max(asleep.elapsed().saturating_sub(PULSE)),
        }
    }
}

/// Everybody who has not left, also who is offline and may be back.
async fn ask_all<P: Prober>(register: &Register, pace: &Pace, prober: &P, clock: &Clock, dice: &Dice) -> Vec<Probe> {
    let begun = Instant::now();
    let members = register.by_name(None).filter(|member| member.state != MemberState::Left).cloned();
    let mut plan: Vec<(Duration, Arc<Member>)> = members.map(|member| (pace.offset(dice.roll()), member)).collect();
    plan.sort_by_key(|(offset, member)| (*offset, member.address()));
    let mut probes: Vec<BoxFuture<'_, Probe>> = Vec::with_capacity(plan.len());
    for (offset, member) in plan {
        let probe = async move {
            sleep_until(begun + offset).await;
            let started = clock.now();
            let answered = answers(&member, pace, prober).await;
            let finding = if answered { Finding::Alive } else { Finding::Silent };
            Probe { address: member.address(), epoch: member.epoch(), started, finding }
        };
        probes.push(probe.boxed());
    }
    stream::iter(probes).buffer_unordered(AT_ONCE).collect().await
}

/// A lost packet is no failed round: who is called online is tried twice.
async fn answers<P: Prober>(member: &Member, pace: &Pace, prober: &P) -> bool {
    if prober.answers(member, pace.timeout()).await {
        return true;
    }
    if !member.is_online() {
        return false;
    }
    sleep(pace.pause()).await;
    prober.answers(member, pace.timeout()).await
}

/// Has members that have just answered look for those in question.
async fn ask_others<P: Prober>(register: &Register, probes: &mut [Probe], pace: &Pace, prober: &P, dice: &Dice) {
    let questions = register.in_question(probes);
    if questions.is_empty() {
        return;
    }
    let answering: BTreeSet<Address> =
        probes.iter().filter(|probe| probe.finding == Finding::Alive).map(|probe| probe.address).collect();
    let helpers: Vec<&Arc<Member>> =
        answering.iter().filter_map(|address| register.member(address)).filter(|member| member.is_online()).collect();
    let mut asked: Vec<BoxFuture<'_, (Address, Option<Finding>)>> = Vec::with_capacity(questions.len());
    for subject in questions.iter().filter_map(|subject| register.member(subject)) {
        let chosen = choose(&helpers, dice);
        asked.push(async move { (subject.address(), testimony(&chosen, subject, pace, prober).await) }.boxed());
    }
    let asked: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    let findings: BTreeMap<Address, Finding> =
        asked.into_iter().filter_map(|(subject, finding)| Some((subject, finding?))).collect();
    for probe in probes {
        if let Some(finding) = findings.get(&probe.address) {
            probe.finding = *finding;
        }
    }
}

/// Up to [`HELPERS`] of them, at random.
fn choose<'a>(helpers: &[&'a Arc<Member>], dice: &Dice) -> Vec<&'a Member> {
    let mut rest: Vec<&'a Member> = helpers.iter().copied().map(|member: &'a Arc<Member>| &**member).collect();
    let mut chosen = Vec::with_capacity(HELPERS);
    while !rest.is_empty() && chosen.len() < HELPERS {
        chosen.push(rest.swap_remove(dice.pick(rest.len())));
    }
    chosen
}

/// One who reaches it proves that it lives. If none does, and at least one could look, it is gone.
async fn testimony<'a, P: Prober>(
    helpers: &'a [&'a Member],
    subject: &'a Member,
    pace: &'a Pace,
    prober: &'a P,
) -> Option<Finding> {
    let (patience, within) = (pace.timeout(), pace.question_timeout());
    let mut asked: Vec<BoxFuture<'_, Option<Testimony>>> = Vec::with_capacity(helpers.len());
    for helper in helpers {
        asked.push(prober.ask(helper, subject, patience, within).boxed());
    }
    let mut said = stream::iter(asked).buffer_unordered(HELPERS);
    let mut finding = None;
    while let Some(testimony) = said.next().await {
        match testimony {
            Some(Testimony::Alive) => return Some(Finding::Alive),
            Some(Testimony::Gone) => finding = Some(Finding::Gone),
            None => {}
        }
    }
    finding
}
