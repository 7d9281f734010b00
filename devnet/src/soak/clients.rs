//! Who sends and mines, as people would, whatever happens; and submits again what it has sent, as people would who are not
//! sure.

use std::{sync::Arc, time::Duration};

use raclette_service::{client::SendError, dice::Dice};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use trials::verdict::{Again, Mined, Outcome, Sent};

use super::{
    Failure,
    ask::{Caller, text},
    diary::Diary,
    ground::Ground,
};
use crate::plan::Service;

/// The owner of one peer.
#[derive(Debug)]
pub(super) struct Client {
    own: Caller,
    others: Vec<String>,
    diary: Arc<Diary>,
    dice: Dice,
    sent: u32,
    acknowledged: Vec<Value>,
}

impl Client {
    /// The owner of this peer.
    pub(super) fn new(peer: &Service, ground: &Ground, diary: &Arc<Diary>, dice: Dice) -> Result<Self, Failure> {
        let others = ground.peers().map(|other| other.name.clone()).filter(|name| *name != peer.name).collect();
        let own = Caller::new(peer)?;
        Ok(Self { own, others, diary: Arc::clone(diary), dice, sent: 0, acknowledged: Vec::new() })
    }

    /// Works until `stop`. What is under way then is finished.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let pause = Duration::from_millis(30 + self.dice.pick(220) as u64);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            match self.dice.pick(100) {
                0..75 => self.send().await,
                75..88 => self.mine().await,
                _ => self.send_again().await,
            }
        }
    }

    async fn send(&mut self) {
        let to = self.others[self.dice.pick(self.others.len())].clone();
        let text = format!("{}'s {}", self.own.name(), self.sent);
        self.sent += 1;
        // Money for some; most messages are free, and possible before there is any money.
        let amount = if self.dice.pick(4) == 0 { 1 + self.dice.pick(9) } else { 0 };
        let order = json!({ "to": to, "amount": amount, "message": text });
        let answer = self.own.post("/send", &order, &[]).await;
        let outcome = match answer {
            Ok(answer) => {
                let transaction = answer["transaction"].clone();
                let id = self::text(&transaction, "id");
                if amount == 0 {
                    self.acknowledged.push(transaction);
                }
                Outcome::Acknowledged(id)
            }
            Err(error) => judge(&error),
        };
        let from = self.own.name().to_owned();
        self.diary.write(|history| history.sent.push(Sent { from, to, text, outcome }));
    }

    async fn mine(&mut self) {
        // Only what is answered as mined is a promise.
        let Ok(job) = self.own.post("/mine", &json!({ "threads": 1 }), &[("prefer", "wait=3")]).await else { return };
        if job["outcome"] == "mined" {
            let mined = Mined { peer: self.own.name().to_owned(), block: text(&job, "block") };
            self.diary.write(|history| history.mined.push(mined));
        }
    }

    /// Submits something that its own peer has taken to that peer once more.
    async fn send_again(&mut self) {
        if self.acknowledged.is_empty() {
            return;
        }
        let transaction = &self.acknowledged[self.dice.pick(self.acknowledged.len())];
        let id = text(transaction, "id");
        let answer = match self.own.post("/tx", transaction, &[]).await {
            Ok(answer) => Ok(text(&answer, "id")),
            Err(error) => match judge(&error) {
                Outcome::Refused(code) if code != "storage_full" && code != "not_ready" => Err(code),
                // A full disk refuses everything, and says nothing of this one.
                _ => return,
            },
        };
        let peer = self.own.name().to_owned();
        self.diary.write(|history| history.again.push(Again { id, peer, answer }));
    }
}

/// What a failed request means: only our own problem codes say that nothing was done.
fn judge(error: &SendError) -> Outcome {
    match error {
        SendError::Refused { status, code: Some(code), .. } if *status < 500 || *status == 507 => {
            Outcome::Refused(code.to_string())
        }
        _ => Outcome::Unknown,
    }
}
