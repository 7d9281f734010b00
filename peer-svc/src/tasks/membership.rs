//! Keeps this peer registered with the tracker, and its list of members up to date.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use raclette_api::{
    ApiError, encoding,
    membership::{Leave, NewRegistration, PeerRecord, RegisterResponse, RegisterStatus, Registration},
    network::{GenesisReport, NetworkInfo},
    notice::MAX_NOTICE_CHANGES,
};
use raclette_chain::{genesis::Genesis, hash::NetworkId, keys::PublicKey, parameters::Parameters, time::Timestamp};
use raclette_service::{client::SendError, clock::now_ms, membership::News, problem::Code, queue::QueueHandle};

use crate::{
    net::Net,
    node::{Node, NodeError, verified_news},
    status::Status,
    store::meta,
};

/// After how long the tracker is asked again while it does not answer, or the network does not exist yet.
const SOON: Duration = Duration::from_millis(500);

/// Why this peer could not register.
#[derive(Debug, thiserror::Error)]
enum RegisterError {
    #[error("the tracker: {0}")]
    Send(#[from] SendError),
    #[error("the tracker's answer makes no sense: {0}")]
    Answer(#[from] ApiError),
    #[error("{0}")]
    Node(#[from] NodeError),
    #[error(
        "the tracker has another key than the one this peer registered with first ({pinned}, now {found}): somebody else \
         may be answering in its place. If the tracker was really set up anew, start this peer once with --tracker-key {found}"
    )]
    OtherTracker { pinned: String, found: String },
}

/// Registers, and keeps in touch.
#[derive(Debug)]
pub struct Membership {
    node: Arc<Node>,
    net: Net,
    status: Arc<Status>,
    queue: QueueHandle,
    advertised: (String, u16),
    period: Duration,
    registered: AtomicBool,
    /// What the tracker's list says up to this version has been read.
    read: AtomicU64,
}

impl Membership {
    /// A member to be, which can be reached at the advertised host and port.
    #[must_use]
    pub fn new(
        node: Arc<Node>,
        net: Net,
        status: Arc<Status>,
        queue: QueueHandle,
        advertised: (String, u16),
        period: Duration,
    ) -> Self {
        Self {
            node,
            net,
            status,
            queue,
            advertised,
            period,
            registered: AtomicBool::new(false),
            read: AtomicU64::new(0),
        }
    }

    /// Registers if that is needed, and reads the tracker's list. Returns after how long to do it again.
    pub async fn activate(&self) -> Duration {
        match self.keep_in_touch().await {
            Ok(true) => {
                self.status.set_trouble(None);
                self.status.set_tracker_reachable(true);
                self.period
            }
            Ok(false) => SOON,
            Err(error) => {
                let unreachable = matches!(error, RegisterError::Send(SendError::Unreachable { .. }));
                self.status.set_tracker_reachable(!unreachable && !matches!(error, RegisterError::OtherTracker { .. }));
                let trouble = error.to_string();
                // Once: the rounds come every half second.
                if self.status.set_trouble(Some(trouble.clone())) {
                    tracing::warn!(error = trouble, "not in touch with the tracker; trying again until it works");
                }
                // Another peer's genesis block was first: the next registration brings it.
                let late = matches!(
                    error,
                    RegisterError::Send(SendError::Refused { code: Some(Code::GenesisExists | Code::StaleEpoch), .. })
                );
                if unreachable || late { SOON } else { self.period.min(Duration::from_secs(5)) }
            }
        }
    }

    /// One round; whether this peer is a member of a network that exists.
    async fn keep_in_touch(&self) -> Result<bool, RegisterError> {
        let info = self.net.network().await?;
        let tracker = self.check_tracker(&info).await?;
        if self.registered.load(Ordering::Relaxed) && self.is_listed().await? {
            self.read_changes(&info, &tracker).await?;
            return Ok(true);
        }
        self.registered.store(false, Ordering::Relaxed);
        let response = match self.register(&tracker).await {
            Err(RegisterError::Send(SendError::Refused { code: Some(Code::StaleEpoch), .. })) => {
                self.catch_up_epoch().await?;
                self.register(&tracker).await?
            }
            other => other?,
        };
        self.take_answer(response).await
    }

    /// Holds the tracker's key against the pinned one, or pins it.
    async fn check_tracker(&self, info: &NetworkInfo) -> Result<PublicKey, RegisterError> {
        let key = encoding::public_key("tracker_key", &info.tracker_key)?;
        if let Some(trusted) = self.status.trusted_tracker().filter(|trusted| *trusted != key.address()) {
            let (pinned, found) = (trusted.to_string(), key.address().to_string());
            return Err(RegisterError::OtherTracker { pinned, found });
        }
        if self.status.tracker_key().is_none() {
            self.node.store_value(meta::key::TRACKER_KEY, key.to_pem()).await?;
            self.status.set_tracker_key(key.clone());
        }
        Ok(key)
    }

    async fn register(&self, tracker: &PublicKey) -> Result<RegisterResponse, RegisterError> {
        let epoch = self.status.epoch() + 1;
        let identity = self.node.identity();
        let new = NewRegistration {
            network: self.node.network().unwrap_or(NetworkId::ZERO),
            tracker: tracker.address(),
            name: &identity.name,
            host: &self.advertised.0,
            port: self.advertised.1,
            epoch,
            time: Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX),
        };
        let registration = Registration::signed(&new, &identity.key);
        // Before it is sent: the tracker calls back, and an epoch must never be used twice.
        self.node.store_value(meta::key::EPOCH, epoch.to_string()).await?;
        self.status.set_epoch(epoch);
        Ok(self.net.register(&registration).await?)
    }

    /// Makes, adopts or waits for the network.
    async fn take_answer(&self, response: RegisterResponse) -> Result<bool, RegisterError> {
        // Before the network is known here: the history is compared with these members as soon as it is.
        self.take_list(&response.peers).await?;
        match response.status {
            RegisterStatus::Member => {
                if let Some(genesis) = &response.network.genesis {
                    self.node.found(Genesis::try_from(genesis)?).await?;
                }
            }
            RegisterStatus::CreateGenesis => {
                let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
                let genesis = match self.node.state() {
                    // The tracker has lost its file: it hears of the network from those who are in it.
                    Ok(state) => Genesis::clone(&state.genesis),
                    Err(_) => Genesis { parameters: Parameters::try_from(&response.network.parameters)?, time: now },
                };
                let report = GenesisReport::signed(&genesis, now, &self.node.identity().key);
                // If another's was first, the next registration brings the winner's.
                let accepted = self.net.report_genesis(&report).await?;
                self.node.found(Genesis::try_from(&accepted.genesis)?).await?;
                tracing::info!(network = accepted.network_id, "this peer reported the genesis block");
            }
            RegisterStatus::GenesisPending => {
                let pause = response.retry_after_ms.unwrap_or(0).min(2_000);
                tokio::time::sleep(Duration::from_millis(pause)).await;
                return Ok(false);
            }
        }
        self.registered.store(true, Ordering::Relaxed);
        let members = response.peers.len();
        tracing::info!(
            name = self.node.identity().name,
            epoch = response.epoch,
            members,
            "registered with the tracker"
        );
        self.status.sync.notify_one();
        Ok(true)
    }

    /// Whether this peer is in the tracker's list, online and with its newest epoch.
    async fn is_listed(&self) -> Result<bool, RegisterError> {
        let epoch = self.status.epoch();
        Ok(self.own_record().await?.is_some_and(|record| record.epoch >= epoch && record.registration.is_some()))
    }

    async fn own_record(&self) -> Result<Option<PeerRecord>, RegisterError> {
        let identity = self.node.identity();
        let own = identity.address().to_string();
        Ok(self.net.tracker_record(&identity.name).await?.filter(|record| record.address == own))
    }

    /// Anti-entropy: reads what changed in the tracker's list since it was read last, which brings what lost notices would
    /// have told. It is signed like a notice, so that it is believed when it says that somebody went.
    async fn read_changes(&self, info: &NetworkInfo, tracker: &PublicKey) -> Result<(), RegisterError> {
        let mut read = self.read.load(Ordering::Relaxed);
        if info.membership_version < read {
            // The tracker has lost its file, or its clock was set back.
            read = 0;
        }
        while read < info.membership_version {
            let page = self.net.tracker_changes(read, MAX_NOTICE_CHANGES).await?;
            let full = page.peers.len() >= MAX_NOTICE_CHANGES;
            let last = page.peers.last().map_or(read, |record| record.version);
            if let Some(notice) = page.notice {
                let (network, tracker) = (self.node.network(), tracker.clone());
                let verified = tokio::task::spawn_blocking(move || verified_news(&notice, network, &tracker));
                let news = verified.await.map_err(|_| NodeError::ShuttingDown)??;
                let (applied, _) = self.node.take_news(news, &self.queue).await?;
                if applied > 0 {
                    tracing::info!(applied, "the tracker's list knew what no notice had told");
                }
            }
            // A member that was forgotten since may have had the highest version.
            read = if full { last } else { page.membership_version };
            self.read.store(read, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The tracker knows a higher epoch: the data of this peer were restored from a backup, or only its key was kept.
    async fn catch_up_epoch(&self) -> Result<(), RegisterError> {
        if let Some(record) = self.own_record().await? {
            self.status.set_epoch(record.epoch.max(self.status.epoch()));
        }
        Ok(())
    }

    /// Adds what the list says of members that can be reached. That somebody went offline is only believed in a signed
    /// notice: the list is not signed, but the registrations in it are.
    async fn take_list(&self, records: &[PeerRecord]) -> Result<(), RegisterError> {
        let news = records
            .iter()
            .filter(|record| record.registration.is_some() || !self.is_known(record))
            .filter_map(|record| News::of_record(record).ok());
        self.node.take_news(news, &self.queue).await?;
        Ok(())
    }

    fn is_known(&self, record: &PeerRecord) -> bool {
        record.address.parse().is_ok_and(|address| self.node.members().is_registered(&address))
    }

    /// Tells the tracker that this peer goes, so that the others know at once.
    pub async fn leave(&self) {
        if !self.registered.load(Ordering::Relaxed) {
            return;
        }
        let network = self.node.network().unwrap_or(NetworkId::ZERO);
        let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
        let leave = Leave::signed(&network, self.status.epoch(), now, &self.node.identity().key);
        if let Err(error) = self.net.leave(&leave).await {
            tracing::info!(%error, "the tracker was not told that this peer goes");
        }
    }
}
