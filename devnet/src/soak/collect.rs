//! What the services say when all is calm.

use std::collections::BTreeSet;

use raclette_service::client::SendError;
use serde_json::Value;
use trials::verdict::{Block, Evidence, Mail, Member, MemberState, Node, Outcome, Payment, QueueRow, Told};

use super::{
    Failure,
    ask::{Caller, number, text},
    diary::Diary,
    ground::Ground,
};

/// Asks all services for what they hold; what only their files say comes later.
pub(super) async fn evidence(ground: &Ground, diary: &Diary) -> Result<Evidence, Failure> {
    let mut evidence = Evidence::default();
    let mut services = ground.services();
    let tracker = Caller::new(services.next().ok_or("there is no tracker")?)?;
    let timeline = tracker.all("/timeline?limit=500", "events").await?;
    let members = tracker.all("/peers?limit=500", "peers").await?;
    evidence.told =
        timeline.iter().chain(&members).map(|told| (text(told, "address"), number(told, "version"))).collect();
    evidence.members = members.iter().map(member).collect();
    let offline = timeline.iter().filter(|event| event["kind"] == "offline");
    let told: Vec<_> = offline
        .map(|event| Told { at: number(event, "time").saturating_sub(diary.began_at), name: text(event, "name") })
        .collect();
    diary.write(|history| history.told = told);
    for peer in services {
        let own = Caller::new(peer)?;
        let mut acknowledged = Vec::new();
        diary.write(|history| {
            let own = history.sent.iter().filter(|sent| sent.from == peer.name);
            acknowledged.extend(own.filter_map(|sent| match &sent.outcome {
                Outcome::Acknowledged(id) => Some(id.clone()),
                Outcome::Refused(_) | Outcome::Unknown => None,
            }));
        });
        evidence.nodes.push(node(&own, &acknowledged).await?);
    }
    Ok(evidence)
}

async fn node(own: &Caller, acknowledged: &[String]) -> Result<Node, SendError> {
    let status = own.get_in_calm("/status").await?;
    let mut node = Node { name: own.name().to_owned(), address: text(&status, "address"), ..Node::default() };
    node.chain = chain(own).await?;
    node.ledger = own.all("/ledger?limit=500", "transactions").await?.iter().map(|found| text(found, "id")).collect();
    node.members = own.all("/peers?limit=500", "peers").await?.iter().map(member).collect();
    node.queue = own.all("/queue?limit=500", "entries").await?.iter().map(queue_row).collect();
    node.mail = own.all("/messages?limit=500", "messages").await?.iter().map(mail).collect();
    let audit = own.get_in_calm("/audit").await?;
    if audit["sound"] != true {
        node.audit.push(audit.to_string());
    }
    let confirmed: BTreeSet<_> =
        node.chain.iter().flat_map(|block| &block.payments).map(|payment| &payment.id).collect();
    let sent = node.mail.iter().filter(|item| item.sent).map(|item| &item.id);
    let mut gone = Vec::new();
    for id in acknowledged.iter().chain(sent).filter(|id| !confirmed.contains(id) && !node.ledger.contains(*id)) {
        // A transaction that is not known is told so: then it is lost.
        if let Ok(found) = own.get_in_calm(&format!("/tx/{id}")).await
            && let Some(reason) = found["reason"].as_str()
        {
            gone.push((id.clone(), reason.to_owned()));
        }
    }
    node.gone = gone.into_iter().collect();
    Ok(node)
}

async fn chain(own: &Caller) -> Result<Vec<Block>, SendError> {
    let mut chain = Vec::new();
    let mut from = Some(1);
    while let Some(height) = from {
        let page = match own.get_in_calm(&format!("/chain?from={height}&limit=100")).await {
            Ok(page) => page,
            // There is nothing behind the genesis block.
            Err(SendError::Refused { status: 404, .. }) if chain.is_empty() => return Ok(chain),
            Err(error) => return Err(error),
        };
        chain.extend(page["blocks"].as_array().into_iter().flatten().map(block));
        from = page["next"].as_u64();
    }
    Ok(chain)
}

fn block(block: &Value) -> Block {
    let (header, reward) = (&block["header"], &block["reward"]);
    Block {
        hash: text(header, "hash"),
        previous: text(header, "previous"),
        height: u32::try_from(number(header, "height")).unwrap_or(u32::MAX),
        state_hash: text(block, "state_hash"),
        miner: text(reward, "miner"),
        reward: number(reward, "amount"),
        payments: block["transactions"].as_array().into_iter().flatten().map(payment).collect(),
    }
}

fn payment(transaction: &Value) -> Payment {
    Payment {
        id: text(transaction, "id"),
        sender: text(transaction, "sender"),
        recipient: text(transaction, "recipient"),
        amount: number(transaction, "amount"),
        fee: number(transaction, "fee"),
        sequence: number(transaction, "sequence"),
    }
}

fn member(record: &Value) -> Member {
    let here = record["registration"].is_object();
    Member {
        address: text(record, "address"),
        state: if here { MemberState::Here } else { MemberState::Gone },
        epoch: number(record, "epoch"),
        version: number(record, "version"),
    }
}

fn queue_row(row: &Value) -> QueueRow {
    let dead = (row["state"] == "dead").then(|| text(row, "last_error"));
    QueueRow { destination: text(row, "destination"), subject: text(row, "subject"), dead }
}

fn mail(entry: &Value) -> Mail {
    let sent = entry["direction"] == "sent";
    Mail {
        id: text(entry, "id"),
        sent,
        other: text(entry, if sent { "to" } else { "from" }),
        text: entry["text"].as_str().map(str::to_owned),
        // What is confirmed shows as that; whether it was acknowledged as well, the file says.
        delivered: false,
    }
}
