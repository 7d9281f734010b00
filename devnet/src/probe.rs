//! Asking the services over HTTP: whether they are ready, and how they are.

use std::{fs, io, time::Duration};

use raclette_api::{
    chain::{StatusMessage, SyncStatus},
    network::NetworkInfo,
    queue::QueuePage,
    wallet::Wallet,
};
use raclette_service::client::{AddressPolicy, CallOptions, Client, SendError, Settings};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::plan::{Role, Service};

/// How long a service may take to answer.
const WITHIN: Duration = Duration::from_secs(2);

/// Asks services.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    client: Client,
}

/// What a service says about itself.
#[derive(Debug)]
pub(crate) enum Report {
    /// A tracker.
    Tracker {
        /// What it says about the network.
        network: Box<NetworkInfo>,
        /// What has not arrived yet, if it was told.
        queue: Option<QueuePage>,
    },
    /// A peer.
    Peer {
        /// What it says about itself.
        status: Box<StatusMessage>,
        /// Its owner's money, if it was told.
        wallet: Option<Wallet>,
        /// What has not arrived yet, if it was told.
        queue: Option<QueuePage>,
    },
}

impl Probe {
    /// Sets up the HTTP client.
    pub(crate) fn new() -> io::Result<Self> {
        let settings = Settings { connect_timeout: WITHIN, call_timeout: WITHIN, ..Settings::default() };
        Ok(Self { client: Client::new(settings, AddressPolicy::private(true))? })
    }

    /// Whether a service is ready for everything.
    pub(crate) async fn ready(&self, service: &Service) -> Result<(), SendError> {
        self.get::<IgnoredAny>(service, "/readyz", CallOptions::default()).await.map(drop)
    }

    /// How far a peer is with fetching the history; none if it does not say, or is no peer.
    pub(crate) async fn history(&self, service: &Service) -> Option<SyncStatus> {
        if service.role != Role::Peer {
            return None;
        }
        self.get::<StatusMessage>(service, "/status", CallOptions::default()).await.ok().map(|status| status.sync)
    }

    /// How a service is.
    pub(crate) async fn report(&self, service: &Service) -> Result<Report, SendError> {
        match service.role {
            Role::Tracker => {
                let network = Box::new(self.get(service, "/network", CallOptions::default()).await?);
                Ok(Report::Tracker { network, queue: self.owners(service, "/queue?limit=1").await })
            }
            Role::Peer => {
                let status = Box::new(self.get(service, "/status", CallOptions::default()).await?);
                let wallet = self.owners(service, "/wallet").await;
                Ok(Report::Peer { status, wallet, queue: self.owners(service, "/queue?limit=1").await })
            }
        }
    }

    /// What only the owner may see. A dash in a table is enough to say that it could not be had.
    async fn owners<T: DeserializeOwned>(&self, service: &Service, path: &str) -> Option<T> {
        let token = fs::read_to_string(service.token_file()).ok()?;
        let mut options = CallOptions::default();
        options.headers.insert("authorization", format!("Bearer {}", token.trim()).parse().ok()?);
        self.get(service, path, options).await.ok()
    }

    async fn get<T: DeserializeOwned>(
        &self,
        service: &Service,
        path: &str,
        options: CallOptions,
    ) -> Result<T, SendError> {
        Ok(self.client.get_json(&service.destination(), path, &options).await?.body)
    }
}
