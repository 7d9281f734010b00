//! What the tracker calls at its members, described as webhooks: nobody calls these at the tracker.

use raclette_api::{
    chain::StatusMessage,
    membership::{ChallengeAnswer, ProbeAnswer, ProbeRequest},
    notice::{Notice, NoticeAck},
};
use utoipa::{
    OpenApi as _,
    openapi::{OpenApi, PathsBuilder},
};

/// The calls, each by the path at the member.
#[derive(utoipa::OpenApi)]
#[openapi(paths(notice, indirect_probe, probe, challenge))]
struct Calls;

/// What the calls are named, by their paths.
const NAMES: [(&str, &str); 4] =
    [("/peers", "notice"), ("/probe", "indirect-probe"), ("/status", "probe"), ("/challenge", "challenge")];

/// Adds the calls to the tracker's document.
pub(super) fn add(openapi: &mut OpenApi) {
    let calls = Calls::openapi();
    let named = calls.paths.paths.into_iter().map(|(path, item)| {
        let name = NAMES.iter().find(|(known, _)| *known == path).map_or(path.as_str(), |(_, name)| *name);
        (name.to_owned(), item)
    });
    openapi.webhooks = Some(named.fold(PathsBuilder::new(), |paths, (name, item)| paths.path(name, item)).build());
    if let Some(components) = calls.components {
        openapi.components.get_or_insert_default().schemas.extend(components.schemas);
    }
}

/// Tell a member who came and who went.
///
/// Sent as `POST /peers` to every member that is online, once a round for all that changed in it, signed with the tracker's key.
/// What does not arrive waits in the queue (`GET /queue`) and is sent until it does. A member applies each change that is newer
/// than what it knows, so that notices may come late, twice and in any order.
#[utoipa::path(post, path = "/peers", operation_id = "on_notice", tag = "network", request_body = Notice, responses(
    (status = 200, description = "The member has stored it", body = NoticeAck),
    (status = 403, description = "It is not signed by the tracker that the member registered with"),
))]
#[expect(dead_code, reason = "only described: members answer it")]
fn notice() {}

/// Ask a member to look for another one.
///
/// Sent as `POST /probe` to up to three members that have just answered, before anybody is called offline.
#[utoipa::path(post, path = "/probe", operation_id = "on_indirect_probe", tag = "network", request_body = ProbeRequest, responses(
    (status = 200, description = "What came back, or why nothing did", body = ProbeAnswer),
    (status = 403, description = "It is not signed by the tracker that the member registered with"),
))]
#[expect(dead_code, reason = "only described: members answer it")]
fn indirect_probe() {}

/// Look whether a member lives.
///
/// Sent as `GET /status` to every member, once a round. The answer must name the member's address and epoch.
#[utoipa::path(get, path = "/status", operation_id = "on_probe", tag = "network", responses(
    (status = 200, description = "It lives", body = StatusMessage),
))]
#[expect(dead_code, reason = "only described: members answer it")]
fn probe() {}

/// Have a newcomer prove that it is where it says.
///
/// Sent as `GET /challenge` to the host and port of a registration, before they are believed.
#[utoipa::path(get, path = "/challenge", operation_id = "on_challenge", tag = "network",
    params(("nonce" = raclette_api::schema::Hash, Query, description = "What the newcomer has to sign: 32 random bytes")),
    responses((status = 200, description = "The nonce, signed by the newcomer's key", body = ChallengeAnswer)),
)]
#[expect(dead_code, reason = "only described: members answer it")]
fn challenge() {}
