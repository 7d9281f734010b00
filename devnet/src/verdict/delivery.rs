//! What was acknowledged, and what became of it: invariants 7 to 11, and 15.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Evidence, History, Mail, Node, Outcome};

fn node<'a>(evidence: &'a Evidence, name: &str) -> Option<&'a Node> {
    evidence.nodes.iter().find(|node| node.name == name)
}

/// What each node has confirmed, by the node's name: an hour brings a hundred thousand transactions.
fn confirmed(evidence: &Evidence) -> BTreeMap<&str, BTreeSet<&str>> {
    evidence.nodes.iter().map(|node| (node.name.as_str(), node.confirmed())).collect()
}

impl Node {
    fn confirmed(&self) -> BTreeSet<&str> {
        self.chain.iter().flat_map(|block| &block.payments).map(|payment| payment.id.as_str()).collect()
    }

    /// Whether a transaction is confirmed or pending here, or told to be gone for good.
    fn accounts_for(&self, confirmed: &BTreeSet<&str>, id: &str) -> bool {
        confirmed.contains(id) || self.ledger.contains(id) || self.gone.contains_key(id)
    }
}

/// 7. What a peer has acknowledged is in its chain or its ledger, or it says why it is gone.
pub(super) fn transactions_kept(history: &History, evidence: &Evidence) -> Vec<String> {
    let confirmed = confirmed(evidence);
    let mut found = Vec::new();
    for sent in &history.sent {
        let (Outcome::Acknowledged(id), Some(node)) = (&sent.outcome, node(evidence, &sent.from)) else { continue };
        if !node.accounts_for(&confirmed[node.name.as_str()], id) {
            found.push(format!("{} acknowledged {id} and does not know it", node.name));
        }
    }
    found
}

/// 8. What a peer says it has mined is stored there.
pub(super) fn blocks_kept(history: &History, evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    for mined in &history.mined {
        let Some(node) = node(evidence, &mined.peer) else { continue };
        if !node.stored.iter().any(|block| block.hash == mined.block) {
            found.push(format!("{} has mined {} and does not have it", node.name, mined.block));
        }
    }
    found
}

/// 9. What was not answered is there once, with its transaction, or not at all; whoever received it has it from somebody
///    who knows it.
pub(super) fn unknown_is_atomic(history: &History, evidence: &Evidence) -> Vec<String> {
    let confirmed = confirmed(evidence);
    let mut found = Vec::new();
    for sent in history.sent.iter().filter(|sent| sent.outcome == Outcome::Unknown) {
        let Some(sender) = node(evidence, &sent.from) else { continue };
        let is_it = |text: &Option<String>| text.as_deref() == Some(sent.text.as_str());
        let items: Vec<_> = sender.mail.iter().filter(|item| item.sent && is_it(&item.text)).collect();
        if items.len() > 1 {
            found.push(format!("{} was asked once for {:?} and sent it {} times", sent.from, sent.text, items.len()));
        }
        for item in &items {
            if !sender.accounts_for(&confirmed[sender.name.as_str()], &item.id) {
                found.push(format!("{} sent {} and does not know its transaction", sent.from, item.id));
            }
        }
        let arrived = evidence.nodes.iter().any(|node| node.mail.iter().any(|item| !item.sent && is_it(&item.text)));
        if arrived && items.is_empty() {
            found.push(format!("{:?} arrived, but {} never sent it", sent.text, sent.from));
        }
    }
    found
}

/// 10. A transaction that is submitted again has the same id, is received once, and is refused only by a peer that tells what
///     became of it: in a reorganisation another one of its sender's can have taken its number.
pub(super) fn idempotence(history: &History, evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    let gone = |peer: &str, id: &str| evidence.nodes.iter().any(|node| node.name == peer && node.gone.contains_key(id));
    for again in &history.again {
        match &again.answer {
            Ok(id) if *id == again.id => {}
            Ok(id) => found.push(format!("{} calls {} {id} when it comes again", again.peer, again.id)),
            Err(_) if gone(&again.peer, &again.id) => {}
            Err(code) => found.push(format!("{} refuses {} when it comes again: {code}", again.peer, again.id)),
        }
    }
    for node in &evidence.nodes {
        let mut texts = BTreeSet::new();
        for text in node.mail.iter().filter(|item| !item.sent).filter_map(|item| item.text.as_ref()) {
            if !texts.insert(text) {
                found.push(format!("{} received {text:?} twice", node.name));
            }
        }
    }
    found
}

/// 11. What a peer has sent to a member's peer is acknowledged by it, waits in the queue, was set aside with a reason, or
///     is told to be gone.
pub(super) fn outbox(_: &History, evidence: &Evidence) -> Vec<String> {
    let members: BTreeSet<_> = evidence.nodes.iter().map(|node| node.address.as_str()).collect();
    let mut found = Vec::new();
    for node in &evidence.nodes {
        for item in node.mail.iter().filter(|item| item.sent && item.other != node.address) {
            let waits = node.queue.iter().any(|row| row.subject == item.id && row.destination == item.other);
            if members.contains(item.other.as_str()) && !item.delivered && !waits && !node.gone.contains_key(&item.id) {
                found.push(format!("{}: {} is neither delivered nor waiting", node.name, item.id));
            }
        }
    }
    found
}

/// 15. Whoever received a message reads what was sent, and nobody else has it. What is confirmed has arrived.
pub(super) fn messages(history: &History, evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    let confirmed = confirmed(evidence);
    let received: Vec<(&Node, HashMap<&str, &Mail>)> = evidence
        .nodes
        .iter()
        .map(|node| (node, node.mail.iter().filter(|item| !item.sent).map(|item| (item.id.as_str(), item)).collect()))
        .collect();
    for sent in &history.sent {
        let Outcome::Acknowledged(id) = &sent.outcome else { continue };
        for (node, mail) in &received {
            match mail.get(id.as_str()) {
                Some(item) if node.name != sent.to => {
                    found.push(format!("{} has {}, sent to {}", node.name, item.id, sent.to))
                }
                Some(item) if item.text.as_deref() != Some(sent.text.as_str()) => {
                    found.push(format!("{} reads {:?} in {id}, {:?} was sent", node.name, item.text, sent.text));
                }
                None if node.name == sent.to && confirmed[node.name.as_str()].contains(id.as_str()) => {
                    found.push(format!("{id} is confirmed, and {} has no message", node.name));
                }
                Some(_) | None => {}
            }
        }
    }
    found
}
