//! The tables, and the formats that the file went through.

use raclette_service::sqlite::Formats;

/// The formats of the file.
pub(super) const FORMATS: Formats = &[&[TABLES, raclette_service::queue::SCHEMA], FORMAT_2, FORMAT_3];

const TABLES: &str = "
-- Single values: network, genesis, tracker, epoch.
create table meta (key text primary key, value blob not null) strict;

-- Every block on every branch. Undo and state hash are known once a block has been connected.
create table blocks (
    id integer primary key,
    hash blob not null,
    height integer not null,
    header blob not null,
    state_hash blob,
    active integer not null default 0,
    invalid integer not null default 0,
    -- Still to be sent to others.
    unrelayed integer not null default 0,
    received integer not null,
    body blob not null,
    undo blob
) strict;
create unique index blocks_hash on blocks (hash);
create unique index blocks_active on blocks (height) where active = 1;
create index blocks_unrelayed on blocks (id) where unrelayed = 1;

-- Where the transactions of active blocks stand.
create table transactions (
    id integer primary key,
    txid blob not null,
    height integer not null,
    position integer not null
) strict;
create unique index transactions_txid on transactions (txid);
create index transactions_height on transactions (height);

-- Accounts after the active tip.
create table accounts (
    id integer primary key,
    address blob not null,
    balance integer not null,
    next_sequence integer not null
) strict;
create unique index accounts_address on accounts (address);

-- Pending transactions.
create table ledger (
    id integer primary key,
    txid blob not null,
    received integer not null,
    -- Still to be sent to others.
    unrelayed integer not null default 0,
    body blob not null
) strict;
create unique index ledger_txid on ledger (txid);
create index ledger_unrelayed on ledger (id) where unrelayed = 1;

-- Sealed messages, by the digest that their transactions commit to.
create table messages (id integer primary key, digest blob not null, sealed blob not null) strict;
create unique index messages_digest on messages (digest);

-- What the owner of this peer sent and received, whatever became of it.
create table mail (
    id integer primary key,
    txid blob not null,
    sent integer not null,
    received integer not null,
    -- When the recipient's peer acknowledged it.
    delivered integer,
    body blob not null
) strict;
create unique index mail_txid on mail (txid);

-- Other members; without connection details while they are offline.
create table peers (address text primary key, record text not null) strict;
";

/// What format 2 adds.
const FORMAT_2: &[&str] = &[
    raclette_service::events::SCHEMA,
    raclette_service::queue::sql::depth::INDEX,
    LIVES,
    "
-- Where the transactions of the newest active blocks stand, until they go into the index of `transactions`. Their rows in the
-- ledger are deleted then.
create table recent_transactions (
    height integer not null,
    position integer not null,
    txid blob not null,
    primary key (height, position)
) strict, without rowid;
",
    "
-- The owner's transactions that left the ledger without a block, and are offered again.
create table waiting (sequence integer primary key, body blob not null) strict;
",
    "
-- The transaction that was signed in place of one that expired.
alter table mail add column replaced_by blob;
",
    "
-- Who sent, or to whom: the other side of what the owner sent or received. Older rows get theirs at start.
alter table mail add column counterpart blob;
create index mail_counterpart on mail (counterpart, id, sent, received);
",
    "
-- Requests of the owner that may come again, by the key that they carried. The oldest are forgotten.
create table idempotency_keys (
    id integer primary key,
    key text not null,
    -- SHA-256 of the route and of what was asked for.
    request blob not null,
    -- What came of it: the id of a transaction or of a mining job.
    subject text not null,
    -- What was answered, as JSON, as far as it does not follow from the subject; null until it was.
    answer text
) strict;
create unique index idempotency_keys_key on idempotency_keys (key);
",
    raclette_service::queue::SCHEMA_2,
    "
-- The recipient's signed receipt, verified: when its peer got the transaction, and the signature in base64.
alter table mail add column receipt_time integer;
alter table mail add column receipt text;
create index mail_without_receipt on mail (id) where sent = 1 and receipt is null;
",
];

/// What format 3 adds.
const FORMAT_3: &[&str] = &[raclette_service::events::SCHEMA_2];

/// What became of transactions and branches.
const LIVES: &str = "
-- When a block was put on the active branch the last time, and since when its transactions had been pending here.
alter table blocks add column connected integer;
alter table transactions add column received integer;

-- What became of transactions, as far as it does not follow from ledger and blocks. The oldest are forgotten.
create table transaction_events (
    id integer primary key,
    txid blob not null,
    time integer not null,
    kind text not null,
    -- The block that lost, when it had become active, and since when the transaction had been pending.
    block blob,
    connected integer,
    since integer,
    -- The transaction that took its place.
    other blob,
    -- The rule or policy that keeps it out.
    rule text,
    detail text,
    reorg integer,
    -- The transaction itself, if it is gone.
    body blob
) strict;
create index transaction_events_txid on transaction_events (txid);
create index transaction_events_reorg on transaction_events (reorg, kind) where reorg is not null;

-- Reorganisations: hashes of blocks are joined, from low to high. The oldest are forgotten.
create table reorgs (
    id integer primary key,
    time integer not null,
    ancestor blob not null,
    height integer not null,
    depth integer not null,
    lost blob not null,
    won blob not null,
    returned integer not null,
    moved integer not null,
    refused integer not null
) strict;
";
