//! What peers ask of the tracker: to register, to leave, to report the genesis block.

use raclette_api::{
    membership::{Leave, PeerPage, PeerRecord, PeerState, RegisterResponse, RegisterStatus, Registration},
    network::{GenesisAccepted, GenesisReport},
    notice::{MAX_NOTICE_CHANGES, Notice},
};
use raclette_chain::{hash::NetworkId, keys::PublicKey};
use raclette_service::membership::{Member, Newcomer, Refusal};

use super::{Change, Node, NodeError, State, genesis::Task, now};

/// Which members to list.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Only those that changed after this version, in the order of their versions.
    pub since: Option<u64>,
    /// Only the one with this name.
    pub name: Option<String>,
    /// Only those whose names come after this one.
    pub after: Option<String>,
    /// Only those in this state.
    pub state: Option<PeerState>,
}

impl Listing {
    fn includes(&self, member: &Member) -> bool {
        let named = self.name.as_deref().is_none_or(|name| member.name == name);
        let behind = self.after.as_deref().is_none_or(|after| member.name.as_str() > after);
        named && behind && self.state.is_none_or(|state| member.record().state == state)
    }
}

/// The outcome of a registration or a report.
#[derive(Debug)]
pub struct Registered<T> {
    /// The answer.
    pub answer: T,
    /// Whether it was not known before.
    pub new: bool,
}

impl Node {
    /// Registers a peer: checks what it says, calls it back, stores it. The others hear of it soon after.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn register(
        &self,
        registration: Registration,
        join_token: Option<&[u8]>,
    ) -> Result<Registered<RegisterResponse>, NodeError> {
        self.check_join_token(join_token)?;
        let newcomer = Newcomer::verified(registration)?;
        let (expected, found) = (self.identity().address(), newcomer.registration.parts()?.tracker);
        if found != expected {
            return Err(NodeError::WrongTracker { expected, found });
        }
        let state = self.state();
        state.check_network(&newcomer)?;
        state.register.admits(&newcomer)?;
        self.call_back(&newcomer, state.network()).await?;
        let epoch = newcomer.registration.epoch;
        let done = self.change(Change::Register(Box::new(newcomer))).await?;
        let (status, retry_after_ms) = match done.task {
            Task::Nothing => (RegisterStatus::Member, None),
            Task::Make => (RegisterStatus::CreateGenesis, None),
            Task::Wait(pause) => {
                (RegisterStatus::GenesisPending, Some(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)))
            }
        };
        let peers = done.state.register.by_name(None).map(|member| member.record()).collect();
        let network = self.info(&done.state);
        Ok(Registered { answer: RegisterResponse { status, network, epoch, peers, retry_after_ms }, new: done.new })
    }

    fn check_join_token(&self, presented: Option<&[u8]>) -> Result<(), NodeError> {
        let Some(token) = &self.join_token else { return Ok(()) };
        let Some(presented) = presented else { return Err(NodeError::JoinToken { missing: true }) };
        if token.matches(presented) { Ok(()) } else { Err(NodeError::JoinToken { missing: false }) }
    }

    /// Takes a farewell.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn leave(&self, leave: &Leave) -> Result<(), NodeError> {
        let address = leave.address()?;
        let state = self.state();
        let key = key_of(&state, &address)?;
        // A peer that registered before there was a network may leave before it knows of one.
        let zeros = NetworkId::ZERO;
        let network = state.network().filter(|_| leave.network_id != zeros.to_string()).unwrap_or(zeros);
        leave.verify(&network, &key)?;
        self.change(Change::Leave { address, epoch: leave.epoch }).await?;
        Ok(())
    }

    /// Takes the report of a genesis block. The first one wins; the same one again is fine.
    ///
    /// # Errors
    /// See [`NodeError`]; [`NodeError::GenesisExists`] carries the winner's.
    pub async fn report_genesis(&self, report: &GenesisReport) -> Result<Registered<GenesisAccepted>, NodeError> {
        let reporter = report.address()?;
        let key = key_of(&self.state(), &reporter)?;
        let genesis = report.verify(&key)?;
        let answer = GenesisAccepted::from(&genesis);
        let done = self.change(Change::Genesis { genesis: Box::new(genesis), reporter }).await?;
        Ok(Registered { answer, new: done.new })
    }

    /// A part of the list of members.
    ///
    /// # Errors
    /// A notice cannot be signed.
    pub fn peers(&self, listing: &Listing, limit: usize) -> Result<PeerPage, NodeError> {
        match listing.since {
            Some(since) => self.peers_since(since, listing, limit),
            None => Ok(self.peers_by_name(listing, limit)),
        }
    }

    /// Members that changed after a version, with the tracker's signature: what lost notices would have told.
    fn peers_since(&self, since: u64, listing: &Listing, limit: usize) -> Result<PeerPage, NodeError> {
        let state = self.state();
        let mut members = state.register.since(since);
        members.retain(|member| listing.includes(member));
        members.truncate(limit.min(MAX_NOTICE_CHANGES));
        let notice = match state.network() {
            Some(network) if !members.is_empty() => {
                let changes = members.iter().map(|member| member.change()).collect();
                Some(Notice::signed(&network, now(), changes, self.identity().key())?)
            }
            Some(_) | None => None,
        };
        let peers = members.into_iter().map(|member| member.record()).collect();
        Ok(PeerPage { peers, membership_version: state.register.version(), next_cursor: None, notice })
    }

    fn peers_by_name(&self, listing: &Listing, limit: usize) -> PeerPage {
        let state = self.state();
        let members = state.register.by_name(listing.after.as_deref()).filter(|member| listing.includes(member));
        let mut peers: Vec<PeerRecord> = members.take(limit + 1).map(|member| member.record()).collect();
        let more = peers.len() > limit;
        peers.truncate(limit);
        let next_cursor = peers.last().filter(|_| more).map(|record| record.name.clone());
        PeerPage { peers, membership_version: state.register.version(), next_cursor, notice: None }
    }
}

fn key_of(state: &State, address: &raclette_chain::address::Address) -> Result<PublicKey, NodeError> {
    let member = state.register.member(address).ok_or(Refusal::UnknownAddress { address: *address })?;
    Ok(member.key.clone())
}
