//! What the node's errors are in HTTP: one table.

use raclette_api::{
    ApiError, Fault,
    network::{GenesisMessage, ParametersMessage},
};
use raclette_chain::{genesis::Genesis, parameters::Parameters};
use raclette_service::{
    membership::{MemberState, Refusal},
    problem::{Code, Problem, ProblemDetails},
};
use utoipa::IntoResponses;

use super::App;
use crate::node::NodeError;

/// What a registration or a farewell may be refused with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants describe the answers and are never made")]
pub(super) enum RegisterProblems {
    /// `bad_signature`, or `join_token_wrong`
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDetails),
    /// `name_taken`, `stale_epoch` (with the current one as `epoch`), `wrong_tracker`, `wrong_network`,
    /// `unreachable_address`, `forbidden_address`, `unsupported_protocol`, or `inconsistent_body`
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
}

/// What the report of a genesis block may be refused with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants describe the answers and are never made")]
pub(super) enum GenesisProblems {
    /// `bad_signature`
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDetails),
    /// `genesis_exists` (with the winner's as `genesis`), `wrong_network` (other parameters), `unsupported_protocol`, or
    /// `inconsistent_body`
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
}

/// What only a member may do, for somebody who is none.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants describe the answers and are never made")]
pub(super) enum NoMember {
    /// `unknown_peer`: the sender is not registered
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDetails),
}

/// What freeing a name may be refused with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants describe the answers and are never made")]
pub(super) enum NameProblems {
    /// `conflict`: its owner is online
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
}

/// What ending self-preservation may be refused with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants describe the answers and are never made")]
pub(super) enum OverrideProblems {
    /// `conflict`: the tracker does not doubt itself
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
}

impl App {
    /// The problem, with the command that mends it if only the operator can.
    pub(super) fn explained(&self, error: NodeError) -> Problem {
        let free = match &error {
            NodeError::Refused(Refusal::NameTaken {
                name, state: MemberState::Offline | MemberState::Left, ..
            }) => Some(format!("{} -X DELETE {}/names/{name}", self.operator_curl, self.url)),
            _ => None,
        };
        let problem = Problem::from(error);
        match free {
            Some(command) => problem.mend(format!(
                "start the peer with another --name, or with the key file that the name belongs to; or let the operator \
                 free the name: {command}"
            )),
            None => problem,
        }
    }
}

impl From<NodeError> for Problem {
    fn from(error: NodeError) -> Self {
        let detail = error.to_string();
        match error {
            NodeError::Message(error) => malformed(&error),
            NodeError::Refused(refusal) => refused(&refusal),
            NodeError::JoinToken { .. } => Self::new(Code::JoinTokenWrong, detail)
                .mend("ask the operator of the network for its join token, and start the peer with --join-token TOKEN"),
            NodeError::WrongTracker { expected, found } => Self::new(Code::WrongTracker, detail)
                .expected(expected.to_string())
                .seen(found.to_string())
                .mend("register with the address of the tracker's key that GET /network tells"),
            NodeError::WrongNetwork { expected, found } => Self::new(Code::WrongNetwork, detail)
                .expected(expected.to_string())
                .seen(found.to_string())
                .mend("start the peer with the tracker of its own network, or with a new --data-dir to join this one"),
            NodeError::ForbiddenAddress(error) => error.into(),
            NodeError::Unreachable { place, .. } => Self::new(Code::UnreachableAddress, detail).mend(format!(
                "start the peer with --advertise and an address that this tracker can reach; here {place}/challenge must \
                 be answered by it"
            )),
            NodeError::GenesisExists(genesis) => genesis_exists(detail, &genesis),
            NodeError::OtherParameters { expected, found } => {
                let json = |parameters: &Parameters| {
                    serde_json::to_value(ParametersMessage::from(parameters)).unwrap_or_default()
                };
                Self::new(Code::WrongNetwork, detail).expected(json(&expected)).seen(json(&found))
            }
            NodeError::FutureGenesis { now, found } => Self::new(Code::WrongNetwork, detail)
                .expected(now.milliseconds())
                .seen(found.milliseconds())
                .mend("set the clocks of both machines, for instance with NTP"),
            NodeError::Store(error) if error.is_full() => {
                tracing::error!(%error, "the disk is full");
                Self::new(Code::StorageFull, "The disk is full: nothing can be stored.")
            }
            NodeError::Store(error) if error.is_damaged() => {
                tracing::error!(%error, "the file is damaged");
                Self::new(Code::StorageDamaged, error.to_string())
                    .mend("restart the tracker: at its start it says what to do with a damaged file")
            }
            NodeError::Store(error) => Self::internal(error),
            NodeError::Stopping => Self::new(Code::ShuttingDown, detail).retry_after(2),
        }
    }
}

fn malformed(error: &ApiError) -> Problem {
    let code = match error.fault {
        Fault::Malformed => Code::InvalidBody,
        Fault::Inconsistent => Code::InconsistentBody,
        Fault::Protocol => Code::UnsupportedProtocol,
        Fault::Network => Code::WrongNetwork,
        Fault::Signature => Code::BadSignature,
    };
    Problem::new(code, error.to_string())
        .expected(error.expected.clone())
        .seen(error.found.clone())
        .field(&error.field, format!("expected {}", error.expected))
}

fn refused(refusal: &Refusal) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        Refusal::NameTaken { .. } => Problem::new(Code::NameTaken, detail)
            .mend("start the peer with another --name, or with the key file that the name belongs to"),
        Refusal::KeyHasName { name } => Problem::new(Code::NameTaken, detail)
            .mend(format!("start the peer with --name {name}, or with another --data-dir for another key")),
        Refusal::StaleEpoch { current, found } => Problem::new(Code::StaleEpoch, detail)
            .expected(format!("above {current}"))
            .seen(*found)
            .with("epoch", *current)
            .mend(format!("register with epoch {} or higher", current.saturating_add(1))),
        Refusal::UnknownAddress { .. } => {
            Problem::new(Code::UnknownPeer, detail).mend("register first: POST /register")
        }
        Refusal::UnknownName { .. } => Problem::new(Code::UnknownPeer, detail).mend("GET /peers lists the members"),
        Refusal::NoSelfPreservation => Problem::new(Code::Conflict, detail)
            .mend("GET /network shows as self_preservation whether the tracker doubts itself"),
        Refusal::StillThere { .. } => Problem::new(Code::Conflict, detail)
            .mend("stop it first; a name is free to be freed when its owner is offline"),
    }
}

fn genesis_exists(detail: String, genesis: &Genesis) -> Problem {
    match serde_json::to_value(GenesisMessage::from(genesis)) {
        Ok(message) => Problem::new(Code::GenesisExists, detail)
            .with("genesis", message)
            .with("network_id", genesis.network().to_string()),
        Err(error) => Problem::internal(error),
    }
}
