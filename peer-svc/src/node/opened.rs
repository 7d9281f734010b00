//! Texts of messages that were opened lately: to open one takes the private key some milliseconds, and an owner reads the same
//! page of messages again and again.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use raclette_chain::{
    hash::MessageDigest,
    message::{OpenError, Reader},
};

/// What one generation remembers, in bytes: some hundred of the longest messages, or thousands of short ones.
const GENERATION: usize = 2 << 20;
/// What an entry takes besides its text, about, in bytes.
const ENTRY: usize = 100;

/// What came of opening a message.
pub(super) type Opened = Result<Arc<str>, OpenError>;

/// Sender and recipient each have a key of their own in a message, and a liar can make it say something else to each.
type Key = (MessageDigest, bool);

/// Texts in two generations: when the young one is full, the old one is forgotten.
#[derive(Debug, Default)]
pub(super) struct OpenedTexts(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<Key, Opened>,
    old: HashMap<Key, Opened>,
    /// What the young generation takes, in bytes.
    size: usize,
}

impl OpenedTexts {
    /// What came of opening this message lately.
    pub(super) fn get(&self, digest: MessageDigest, reader: Reader) -> Option<Opened> {
        let key = (digest, reader == Reader::Sender);
        let generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.young.get(&key).or_else(|| generations.old.get(&key)).cloned()
    }

    /// Remembers what came of opening a message.
    pub(super) fn put(&self, digest: MessageDigest, reader: Reader, opened: Opened) {
        let size = ENTRY + opened.as_ref().map_or(0, |text| text.len());
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.size + size > GENERATION {
            generations.old = mem::take(&mut generations.young);
            generations.size = 0;
        }
        if generations.young.insert((digest, reader == Reader::Sender), opened).is_none() {
            generations.size += size;
        }
    }
}

/// Without the texts: those are nobody's business, in a log least of all.
impl std::fmt::Debug for Generations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generations").field("size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u32) -> MessageDigest {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        MessageDigest::from_bytes(bytes)
    }

    #[test]
    fn what_was_opened_is_known_to_the_same_reader_only() {
        let texts = OpenedTexts::default();
        texts.put(digest(1), Reader::Sender, Ok("hello".into()));
        texts.put(digest(2), Reader::Recipient, Err(OpenError));
        assert_eq!(texts.get(digest(1), Reader::Sender), Some(Ok("hello".into())));
        assert_eq!(texts.get(digest(1), Reader::Recipient), None);
        assert_eq!(texts.get(digest(2), Reader::Recipient), Some(Err(OpenError)));
    }

    #[test]
    fn the_oldest_texts_make_room_and_no_text_shows_in_a_log() {
        let texts = OpenedTexts::default();
        let long = "x".repeat(4_000);
        for number in 0..2_000 {
            texts.put(digest(number), Reader::Recipient, Ok(long.as_str().into()));
        }
        assert_eq!(texts.get(digest(0), Reader::Recipient), None);
        assert!(texts.get(digest(1_999), Reader::Recipient).is_some());
        let kept = (0..2_000).filter(|number| texts.get(digest(*number), Reader::Recipient).is_some()).count();
        assert!(kept * (4_000 + ENTRY) <= 2 * GENERATION, "{kept}");
        assert!(!format!("{texts:?}").contains("xx"));
    }
}
