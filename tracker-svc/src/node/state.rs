//! What the tracker knows: the register, the genesis block, and who is making it.

use raclette_chain::{address::Address, genesis::Genesis, hash::NetworkId};
use raclette_service::{
    membership::{Newcomer, Register},
    queue::{Destination, Directory},
};

use super::{Node, NodeError, genesis::Lease};

/// What is known at one moment.
#[derive(Debug, Clone)]
pub struct State {
    /// Everybody who ever registered.
    pub register: Register,
    /// The genesis block, once it was reported.
    pub genesis: Option<Genesis>,
    /// Who may make it until when.
    pub lease: Option<Lease>,
}

impl State {
    /// The network's id, once there is a genesis block.
    #[must_use]
    pub fn network(&self) -> Option<NetworkId> {
        self.genesis.as_ref().map(Genesis::network)
    }

    /// Checks that a newcomer means this network, or knows of none yet. Before there is a genesis block any network is
    /// welcome: a newcomer that has one may be asked for it.
    pub(super) fn check_network(&self, newcomer: &Newcomer) -> Result<(), NodeError> {
        let Some(expected) = self.network() else { return Ok(()) };
        let found = newcomer.registration.parts()?.network;
        if found.is_zero() || found == expected { Ok(()) } else { Err(NodeError::WrongNetwork { expected, found }) }
    }
}

impl Directory for Node {
    /// Where a member is; none unless it is online.
    fn find(&self, address: &Address) -> Option<Destination> {
        let state = self.state();
        let member = state.register.member(address)?;
        member.is_online().then(|| member.destination())
    }
}
