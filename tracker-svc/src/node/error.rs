//! Why the node does not do what it was asked. Knows nothing of HTTP.

use raclette_api::ApiError;
use raclette_chain::{address::Address, genesis::Genesis, hash::NetworkId, parameters::Parameters, time::Timestamp};
use raclette_service::{client::AddressError, membership::Refusal};

use crate::store::StoreError;

/// Why the node does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The message is malformed, of another protocol or network, or its signature does not hold.
    #[error(transparent)]
    Message(#[from] ApiError),
    /// The register does not take it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The network asks newcomers for a join token.
    #[error("the join token is {}", if *.missing { "missing" } else { "wrong" })]
    JoinToken {
        /// Whether there was none at all.
        missing: bool,
    },
    /// The registration is for another tracker.
    #[error("this registration is for the tracker {found}, this is {expected}")]
    WrongTracker {
        /// This tracker.
        expected: Address,
        /// The tracker that was meant.
        found: Address,
    },
    /// The newcomer belongs to another network.
    #[error("the newcomer belongs to the network {found}, this is {expected}")]
    WrongNetwork {
        /// This network.
        expected: NetworkId,
        /// The newcomer's.
        found: NetworkId,
    },
    /// The address given is one that this service does not call.
    #[error(transparent)]
    ForbiddenAddress(AddressError),
    /// The newcomer does not answer at the address given, or somebody else does.
    #[error("the newcomer was called back at {place}, in vain: {reason}")]
    Unreachable {
        /// The base URL that was called.
        place: String,
        /// What happened.
        reason: String,
    },
    /// There is another genesis block already.
    #[error("the network has its genesis block already: {}", .0.network())]
    GenesisExists(Box<Genesis>),
    /// The genesis block has other parameters than this tracker's configuration.
    #[error("the genesis block has other parameters than this network")]
    OtherParameters {
        /// This network's.
        expected: Box<Parameters>,
        /// The genesis block's.
        found: Box<Parameters>,
    },
    /// The genesis block is too far ahead of this tracker's clock.
    #[error("the genesis block was made at {found}, more than two minutes ahead of the tracker's clock ({now})")]
    FutureGenesis {
        /// The tracker's clock.
        now: Timestamp,
        /// The block's time.
        found: Timestamp,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service is about to stop.
    #[error("the service is about to stop")]
    Stopping,
}
