//! Who has what: which other members have acknowledged a transaction or a block, and which are being sent it.
//!
//! It is kept in memory only, and bounded: what nobody could be brought waits in the queue's table, and a delivery that was
//! acknowledged is noted in the owner's mail, so that nothing but a picture is lost with it. A row in a table for each member
//! and transaction would cost more than the transactions themselves.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use raclette_chain::{
    address::Address,
    hash::{BlockHash, TransactionId},
};
use raclette_service::queue::{Row, sql};

use super::{DELIVERY, Node, NodeError, RELAYED_BLOCK, RELAYED_TRANSACTION};

/// How many marks are kept: some 20 MB.
const MOST_MARKS: usize = 200_000;

/// What is brought to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemId {
    /// A transaction.
    Transaction(TransactionId),
    /// A block.
    Block(BlockHash),
}

impl ItemId {
    /// What a row of the queue brings, if it is one of these.
    #[must_use]
    pub fn of_row(row: &Row) -> Option<Self> {
        let subject = &row.request.subject;
        match row.request.kind.as_str() {
            DELIVERY | RELAYED_TRANSACTION => subject.parse().ok().map(Self::Transaction),
            RELAYED_BLOCK => subject.parse().ok().map(Self::Block),
            _ => None,
        }
    }

    /// The kinds of the rows that bring it, and what these are about.
    fn rows(&self) -> (&'static [&'static str], String) {
        match self {
            Self::Transaction(id) => (&[DELIVERY, RELAYED_TRANSACTION], id.to_string()),
            Self::Block(hash) => (&[RELAYED_BLOCK], hash.to_string()),
        }
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transaction(id) => write!(f, "transaction {id}"),
            Self::Block(hash) => write!(f, "block {hash}"),
        }
    }
}

/// What is known of a member and an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// It is being sent.
    Sending,
    /// The member sent it here.
    Shown,
    /// The member has acknowledged it.
    Acknowledged,
    /// The member does not take it, for this reason.
    Refused(String),
}

/// Marks of one item, each with its time in milliseconds since 1970.
pub type Marks = BTreeMap<Address, (Mark, u64)>;

/// Who has what.
#[derive(Debug)]
pub struct Propagation {
    book: Mutex<Book>,
    most: usize,
}

#[derive(Debug, Default)]
struct Book {
    items: HashMap<ItemId, Marks>,
    /// The oldest first.
    order: VecDeque<ItemId>,
    /// How many marks there are.
    marks: usize,
}

impl Default for Propagation {
    fn default() -> Self {
        Self::with_room_for(MOST_MARKS)
    }
}

impl Propagation {
    fn with_room_for(most: usize) -> Self {
        Self { book: Mutex::default(), most }
    }

    /// Notes what is known of a member and an item now. Who has it keeps it, whatever is tried later.
    pub fn mark(&self, item: ItemId, member: Address, mark: Mark, now: u64) {
        let mut book = self.book();
        let Book { items, order, marks: count } = &mut *book;
        let marks = items.entry(item).or_insert_with(|| {
            order.push_back(item);
            Marks::new()
        });
        match marks.get(&member) {
            Some((Mark::Acknowledged | Mark::Shown, _)) => {}
            Some(_) => drop(marks.insert(member, (mark, now))),
            None => {
                marks.insert(member, (mark, now));
                *count += 1;
            }
        }
        book.trim(self.most);
    }

    /// An attempt failed: what is known now stands in the queue.
    pub fn failed(&self, item: ItemId, member: &Address) {
        let mut book = self.book();
        if let Some(marks) = book.items.get_mut(&item)
            && matches!(marks.get(member), Some((Mark::Sending, _)))
        {
            marks.remove(member);
            book.marks -= 1;
        }
    }

    /// All marks of an item; none if it is not, or no longer, known.
    #[must_use]
    pub fn of(&self, item: &ItemId) -> Option<Marks> {
        self.book().items.get(item).cloned()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Only a picture: should a panic elsewhere have left it half written, a mark may be missing.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn trim(&mut self, most: usize) {
        while self.marks > most
            && let Some(oldest) = self.order.pop_front()
        {
            let gone = self.items.remove(&oldest).map_or(0, |marks| marks.len());
            self.marks = self.marks.saturating_sub(gone);
        }
    }
}

impl Node {
    /// Who has what.
    #[must_use]
    pub fn propagation(&self) -> &Propagation {
        &self.propagation
    }

    /// The rows of the queue that bring an item to somebody.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn rows_about(&self, item: &ItemId) -> Result<Vec<Row>, NodeError> {
        let (kinds, subject) = item.rows();
        let mut connection = self.readers().acquire().await?;
        Ok(sql::about(&mut connection, kinds, &subject).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(byte: u8) -> ItemId {
        ItemId::Transaction(TransactionId::from_bytes([byte; 32]))
    }

    fn member(byte: u8) -> Address {
        Address::from_bytes([byte; 32])
    }

    #[test]
    fn who_has_something_keeps_it_and_a_failed_attempt_leaves_nothing() {
        let propagation = Propagation::default();
        propagation.mark(item(1), member(1), Mark::Sending, 1);
        propagation.mark(item(1), member(2), Mark::Sending, 1);
        propagation.mark(item(1), member(1), Mark::Acknowledged, 2);
        propagation.mark(item(1), member(1), Mark::Sending, 3);
        propagation.failed(item(1), &member(1));
        propagation.failed(item(1), &member(2));
        let marks = propagation.of(&item(1)).unwrap();
        assert_eq!(marks, Marks::from([(member(1), (Mark::Acknowledged, 2))]));
        assert_eq!(propagation.of(&item(2)), None);
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many_marks() {
        let propagation = Propagation::with_room_for(4);
        for byte in 0..10 {
            propagation.mark(item(byte), member(1), Mark::Shown, 1);
            propagation.mark(item(byte), member(2), Mark::Acknowledged, 1);
        }
        let kept: Vec<u8> = (0..10).filter(|byte| propagation.of(&item(*byte)).is_some()).collect();
        assert_eq!(kept, [8, 9]);
        assert_eq!(propagation.book().marks, 4);
        assert_eq!(propagation.book().order.len(), 2);
    }
}
