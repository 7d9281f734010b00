//! The list of members, the tracker's news about them, and looking for one on its behalf.

use axum::extract::State;
use raclette_api::{
    ApiError, encoding,
    membership::{PeerPage, PeerState, ProbeAnswer, ProbeRequest},
    notice::{Notice, NoticeAck},
};
use raclette_chain::{keys::PublicKey, time::Timestamp};
use raclette_service::{
    answer::Paged,
    clock::now_ms,
    extract::{Json, Query},
    problem::{CommonProblems, Problem},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{App, answers::SignedProblems, elsewhere, read};
use crate::node::{NodeError, verified_news};

/// Which members, and which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PeersQuery {
    /// Only members in this state.
    #[param(inline, nullable = false)]
    state: Option<PeerState>,
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before: the name behind which this one begins.
    #[param(nullable = false, pattern = "^[a-z0-9][a-z0-9-]{0,31}$", max_length = 32)]
    cursor: Option<String>,
}

/// List the other members that this peer knows, in the order of their names.
///
/// Those that are offline have no connection details; one can send to them all the same.
#[utoipa::path(get, path = "/peers", operation_id = "list_peers", tag = "network", params(PeersQuery), responses(
    (status = 200, description = "A page of the list", body = PeerPage),
    CommonProblems,
))]
pub(super) async fn list_peers(
    State(app): State<App>,
    Query(query): Query<PeersQuery>,
) -> Result<Paged<PeerPage>, Problem> {
    let limit = read::limit(query.limit, 100, 1000)?;
    let after = query.cursor.as_deref().map(|cursor| encoding::name("cursor", cursor)).transpose();
    let members = app.node.members();
    let mut peers = members.page(after.map_err(Problem::parameter)?, query.state, limit + 1);
    let more = read::cut(&mut peers, limit);
    let next_cursor = peers.last().filter(|_| more).map(|last| last.name.clone());
    let page =
        PeerPage { peers, membership_version: members.version(), next_cursor: next_cursor.clone(), notice: None };
    Ok(Paged::new(page, next_cursor))
}

/// Take the tracker's notice about who came and who went.
///
/// It must be signed by the tracker that this peer registered with. Each change counts only if it is newer than what is
/// known.
#[utoipa::path(post, path = "/peers", operation_id = "take_notice", tag = "network", responses(
    (status = 200, description = "The notice is stored", body = NoticeAck),
    CommonProblems,
    SignedProblems,
))]
pub(super) async fn take_notice(
    State(app): State<App>,
    Json(notice): Json<Notice>,
) -> Result<Json<NoticeAck>, Problem> {
    let tracker = app.tracker_key()?;
    let network = app.node.network();
    let news = elsewhere(move || verified_news(&notice, network, &tracker)).await??;
    let (applied, stale) = app.node.take_news(news, &app.queue).await?;
    app.status.set_tracker_reachable(true);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Json(NoticeAck { applied: count(applied), stale: count(stale) }))
}

/// Look whether another member lives, on the tracker's behalf.
///
/// The request must be signed by the tracker that this peer registered with, for this very peer, and not long ago. This peer
/// asks `GET /challenge` where the member's own registration says that it is, and tells what came back: only the member
/// itself can sign that. That nobody answered is no error.
#[utoipa::path(post, path = "/probe", operation_id = "look_for_member", tag = "network", request_body = ProbeRequest, responses(
    (status = 200, description = "What came back, or why nothing did", body = ProbeAnswer),
    CommonProblems,
    SignedProblems,
))]
pub(super) async fn probe(
    State(app): State<App>,
    Json(request): Json<ProbeRequest>,
) -> Result<Json<ProbeAnswer>, Problem> {
    let tracker = app.tracker_key()?;
    let network = app.node.state()?.rules.network;
    let (probe, registration) =
        elsewhere(move || -> Result<_, ApiError> { Ok((request.verify(&network, &tracker)?, request.registration)) })
            .await??;
    let now = Timestamp::new(now_ms()).unwrap_or(Timestamp::MAX);
    Ok(Json(app.probes.look(now, &probe, &registration).await?))
}

impl App {
    /// The key of the tracker that this peer registered with.
    fn tracker_key(&self) -> Result<PublicKey, NodeError> {
        let waiting_for = "its first contact with the tracker";
        self.status.tracker_key().ok_or(NodeError::NotReady { waiting_for })
    }
}
