//! Requests of the owner that carry a key, so that they can be repeated without being done twice.
//!
//! What came of a request is noted under its key in the very commit that does it: a crash between the two is impossible. While
//! the first request with a key is under way, a [`Turn`] holds the key; the writer looks again, for a request whose caller went
//! away before its commit.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use raclette_chain::encoding::sha256;

use super::{Node, NodeError, command::Command};
use crate::store;
pub use crate::store::idempotency::Noted;

/// The keys of requests that are under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<HashSet<String>>);

impl UnderWay {
    fn keys(&self) -> MutexGuard<'_, HashSet<String>> {
        // The set is whole after every call: a panic elsewhere cannot have left it half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that carries a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    key: String,
    request: [u8; 32],
}

impl Keyed {
    /// A request with this key; `asked` is the same text for the same request only.
    #[must_use]
    pub fn new(key: String, route: &str, asked: &[u8]) -> Self {
        Self { key, request: sha256(&[route.as_bytes(), b"\n", asked].concat()) }
    }

    /// What is noted when `subject` came of it.
    pub(super) fn noted(&self, subject: String, answer: Option<String>) -> Noted {
        Noted { key: self.key.clone(), request: self.request, subject, answer }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The right to be the first request with a key; given back when it is dropped.
#[derive(Debug)]
pub struct Turn {
    keyed: Keyed,
    under_way: Arc<UnderWay>,
}

impl Turn {
    /// The request.
    #[must_use]
    pub fn keyed(&self) -> &Keyed {
        &self.keyed
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.under_way.keys().remove(self.keyed.key());
    }
}

/// What is to be done with a request that carries a key.
#[derive(Debug)]
pub enum Taken {
    /// Do it: it is the first.
    First(Turn),
    /// It has been done: this came of it.
    Again(Noted),
}

/// A change of what is known about a key.
#[derive(Debug)]
pub enum KeyChange {
    /// Something is about to come of a request.
    Note(Noted),
    /// What was answered.
    Answered {
        /// The key.
        key: String,
        /// The answer.
        answer: String,
    },
    /// Nothing came of it.
    Forget {
        /// The key.
        key: String,
    },
}

impl Node {
    /// Says whether a request is the first with its key.
    ///
    /// # Errors
    /// [`NodeError::KeyReused`], [`NodeError::KeyInUse`], or the file cannot be read.
    pub async fn take_key(&self, keyed: Keyed) -> Result<Taken, NodeError> {
        if !self.under_way.keys().insert(keyed.key.clone()) {
            return Err(NodeError::KeyInUse { key: keyed.key });
        }
        let turn = Turn { keyed, under_way: Arc::clone(&self.under_way) };
        match store::idempotency::get(&self.readers, &turn.keyed.key).await? {
            None => Ok(Taken::First(turn)),
            Some(noted) if noted.request == turn.keyed.request => Ok(Taken::Again(noted)),
            Some(_) => Err(NodeError::KeyReused { key: turn.keyed.key.clone() }),
        }
    }

    /// Notes what is about to come of a request.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn note_key(&self, keyed: &Keyed, subject: String, answer: String) -> Result<(), NodeError> {
        self.change_key(KeyChange::Note(keyed.noted(subject, Some(answer)))).await
    }

    /// Notes what was answered. Without it, a repeated request is answered by what can be seen of its effect.
    pub async fn answered(&self, key: &str, answer: String) {
        if let Err(error) = self.change_key(KeyChange::Answered { key: key.to_owned(), answer }).await {
            tracing::warn!(key, %error, "what was answered to a request is not remembered");
        }
    }

    /// Forgets a key that was noted, since nothing came of its request.
    pub async fn forget_key(&self, keyed: &Keyed) {
        let key = keyed.key.clone();
        if let Err(error) = self.change_key(KeyChange::Forget { key }).await {
            tracing::warn!(key = keyed.key, %error, "a key of which nothing came is not forgotten");
        }
    }

    async fn change_key(&self, change: KeyChange) -> Result<(), NodeError> {
        self.ask(|answer| Command::Key(change, answer)).await
    }
}
