//! A blockchain in one file: two keys, three blocks, one transfer and one sealed message. No network, no disk.
//!
//! ```text
//! cargo run -p raclette-chain --example without_network
//! ```
//!
//! Everything that a peer does with the network in between is here as a plain function call. The comments say what each
//! step is for; `openapi/PROTOCOL.md` says what the bytes are.

#![expect(clippy::print_stdout, reason = "showing what happens is what an example is for")]

use std::{error::Error, time::SystemTime};

use raclette_chain::{
    accounts::{Accounts, Overlay, write},
    address::Address,
    amount::Amount,
    block::{Block, Checked, merkle_root},
    difficulty::next_target,
    genesis::{Genesis, NOTE},
    hash::{MerkleRoot, MessageDigest, StateHash},
    header::{BLOCK_VERSION, Header},
    index::{Index, Path},
    keys::{KeySize, PrivateKey},
    message::{Reader, SealedMessage},
    parameters::Parameters,
    rules::{Rules, check_block, check_message},
    target::Target,
    time::Timestamp,
    transaction::{Reward, SignedTransaction, Transaction},
};
use raclette_pow::Search;

fn main() -> Result<(), Box<dyn Error>> {
    // An account is a key. Whoever has the private half can spend; the address is a hash of the public half.
    println!("Making two keys ...");
    let alice = PrivateKey::generate(KeySize::Bits2048)?;
    let bob = PrivateKey::generate(KeySize::Bits2048)?;
    let (alice_address, bob_address) = (alice.public().address(), bob.public().address());
    println!("  alice is {alice_address}\n  bob is   {bob_address}");

    // The genesis block fixes the parameters of the network for ever. It mints nothing, and its hash names the network.
    let parameters = Parameters { first_target: Target::of_bits(16).compact(), ..Parameters::default() };
    let genesis = Genesis { parameters, time: now()? };
    let mut chain = Chain::new(&genesis);
    println!("\nGenesis: \"{NOTE}\"\n  network {}", chain.rules.network);

    // Mining is how money begins: the first block brings its miner 50.
    let block = chain.mine(Vec::new(), alice_address)?;
    chain.append(block)?;
    chain.show("Block 1, mined by alice", [alice_address, bob_address]);

    // Alice sends 25 and a message. The message is sealed first, because the transaction commits to its digest; and it is
    // bound to this very transaction, so that nobody can cut it out and put it into another.
    let mut transaction = Transaction {
        sender: alice.public().clone(),
        recipient: bob_address,
        amount: Amount::new(25)?,
        fee: Amount::new(1)?,
        sequence: 0,
        created: now()?,
        valid_until: 0,
        message_digest: MessageDigest::ZERO,
        message_length: 0,
    };
    let binding = transaction.binding(chain.rules.network);
    let message = SealedMessage::seal("Here are 25 for the cheese.", bob.public(), alice.public(), &binding)?;
    (transaction.message_digest, transaction.message_length) = message.digest(&chain.rules.network);
    let signed = transaction.sign(&alice, &chain.rules.network);
    println!("\nAlice signs transaction {}", signed.id());

    // Anybody can check the signature, and that the message is the one that was signed. Nobody has to be able to read it.
    signed.verify(&chain.rules.network)?;
    check_message(&signed, &message, &chain.rules)?;

    // Bob mines it. He gets the reward of 50, the fee of 1, and the 25 that alice sent.
    let block = chain.mine(vec![signed], bob_address)?;
    chain.append(block)?;
    chain.show("Block 2, mined by bob", [alice_address, bob_address]);

    println!("\nBob opens the message:   {:?}", message.open(&bob, Reader::Recipient)?);
    println!("Alice can read it, too:  {:?}", message.open(&alice, Reader::Sender)?);
    let carol = PrivateKey::generate(KeySize::Bits2048)?;
    match message.open(&carol, Reader::Recipient) {
        Ok(_) => Err("carol must not be able to read it".into()),
        Err(error) => {
            println!("Carol tries:             {error}");
            Ok(())
        }
    }
}

/// What a node remembers: the tree of headers, the accounts, and a hash over all that ever happened to them.
struct Chain {
    rules: Rules,
    index: Index,
    accounts: Accounts,
    state_hash: StateHash,
}

impl Chain {
    fn new(genesis: &Genesis) -> Self {
        Self {
            rules: Rules { network: genesis.network(), parameters: genesis.parameters.clone() },
            index: Index::new(genesis.header(), StateHash::ZERO),
            accounts: Accounts::default(),
            state_hash: StateHash::ZERO,
        }
    }

    /// Puts a block together and searches its nonce.
    fn mine(&self, transactions: Vec<SignedTransaction>, miner: Address) -> Result<Block, Box<dyn Error>> {
        let parent = self.index.tip().header;
        let height = parent.height + 1;
        // A block must be later than its parent here; two in one millisecond are one too many.
        let time = now()?.max(Timestamp::new(parent.time.milliseconds() + 1)?);
        let target = next_target(&parent, time, &self.rules.parameters);

        // The miner gets the new money and all fees, not one unit more or less.
        let fees = transactions.iter().try_fold(Amount::ZERO, |sum, signed| sum.checked_add(signed.transaction().fee));
        let amount = fees.and_then(|fees| fees.checked_add(self.rules.parameters.subsidy(height)));
        let reward = Reward { miner, amount: amount.ok_or("more money than there can be")? };

        let mut header = Header {
            previous: parent.hash(),
            merkle_root: MerkleRoot::ZERO,
            version: BLOCK_VERSION,
            height,
            time,
            target: target.compact(),
            nonce: 0,
        };
        // The root commits the header to every transaction, so that the work done for the header secures them all.
        header.merkle_root = merkle_root(&header, &reward, &transactions, &self.rules.network);

        // The work: nonces are tried until the header's hash, as a number, does not exceed the target.
        let found =
            Search::new(&header.bytes(), &target.bytes()).run(0, u64::MAX).ok_or("no nonce meets the target")?;
        header.nonce = found.nonce;
        println!("\nFound nonce {} for block {height} below target {target}", found.nonce);
        Ok(Block::new(header, reward, transactions))
    }

    /// Checks a block by every rule and makes it the tip, as every node does with every block, whoever sent it.
    fn append(&mut self, block: Block) -> Result<(), Box<dyn Error>> {
        let parent = self.index.parent(&block.header().previous).ok_or("the block before is unknown")?;
        let mut overlay = Overlay::new(&self.accounts);
        let verified_before = |_: &_| false;
        let (block, connected): (Block<Checked>, _) =
            check_block(block, &parent, &mut overlay, &self.state_hash, &self.rules, now()?, verified_before)?;
        let changed = overlay.into_changed();
        write(&mut self.accounts, changed);
        self.state_hash = connected.state_hash;
        self.index.insert(*block.header());
        self.index.follow(&Path { disconnect: Vec::new(), connect: vec![block.hash()] });
        Ok(())
    }

    fn show(&self, title: &str, [alice, bob]: [Address; 2]) {
        let balance = |address| self.accounts.get(&address).copied().unwrap_or_default().balance;
        println!("{title}: {}", self.index.tip().hash);
        println!("  alice has {}, bob has {}", balance(alice), balance(bob));
        println!("  state {}", self.state_hash);
    }
}

/// The chain itself has no clock: whoever uses it says what time it is.
fn now() -> Result<Timestamp, Box<dyn Error>> {
    let milliseconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    Ok(Timestamp::new(u64::try_from(milliseconds)?)?)
}
