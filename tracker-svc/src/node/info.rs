//! What the tracker says about its network to everybody who asks.

use raclette_api::{
    PROTOCOL_VERSION,
    network::{GenesisLease, NetworkInfo},
};

use super::{Node, State, now};

impl Node {
    /// What is said about the network now.
    #[must_use]
    pub fn network_info(&self) -> NetworkInfo {
        self.info(&self.state())
    }

    pub(super) fn info(&self, state: &State) -> NetworkInfo {
        let lease = state.lease.as_ref().filter(|lease| state.genesis.is_none() && lease.until > now());
        NetworkInfo {
            protocol: PROTOCOL_VERSION,
            tracker_key: self.identity().key().public().to_pem(),
            tracker: self.identity().address().to_string(),
            network_id: state.network().map(|network| network.to_string()),
            genesis: state.genesis.as_ref().map(Into::into),
            parameters: (&self.parameters).into(),
            genesis_lease: lease.map(|lease| GenesisLease {
                name: lease.name.clone(),
                address: lease.holder.to_string(),
                until: lease.until.milliseconds(),
            }),
            peers: state.register.counts(),
            self_preservation: state.register.self_preservation(),
            join_token_required: self.join_token.is_some(),
            membership_version: state.register.version(),
            version: env!("RACLETTE_VERSION").to_owned(),
        }
    }
}
