//! Who is cut off: whoever sends a block whose header lacks its work, which no honest peer does.
//!
//! Its connection is closed after the answer, and what else it asks of this peer is refused, for ten minutes the first time and
//! twice as long each further time, up to a day. `Raclette-From` proves nothing, so it is the pair of IP address and claimed
//! address that is cut off: claiming to be a member from elsewhere does not harm that member. What is signed or tells no more
//! than how this peer is (the tracker's notices, challenges, the status) is answered to everybody, and so is its owner.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use raclette_api::{
    FROM_HEADER,
    ban::{Ban, BanPage},
};
use raclette_chain::address::Address;
use raclette_service::{
    clock::now_ms,
    extract::{Json, Path},
    problem::{Code, CommonProblems, Problem},
};

use super::{App, error::parameter};
use crate::penalties::{Penalties, Penalty, Terms};

const TERMS: Terms = Terms { first: Duration::from_secs(600), longest: Duration::from_secs(86_400), entries: 1_000 };

/// Where a request comes from, and who it claims to be from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Culprit {
    ip: IpAddr,
    claimed: Option<Address>,
}

impl Culprit {
    /// None if it did not come over a connection.
    fn of(remote: Option<&ConnectInfo<SocketAddr>>, headers: &HeaderMap) -> Option<Self> {
        let claimed = headers.get(FROM_HEADER).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
        remote.map(|ConnectInfo(remote)| Self { ip: remote.ip().to_canonical(), claimed })
    }
}

/// The source of a request, to be named if it is to be cut off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source(pub(super) Option<Culprit>);

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(Culprit::of(parts.extensions.get(), &parts.headers)))
    }
}

/// Everybody who is cut off.
#[derive(Debug)]
pub(super) struct Bans {
    book: Mutex<Penalties<Culprit>>,
    /// How often somebody was cut off since the peer started.
    total: AtomicU64,
}

impl Default for Bans {
    fn default() -> Self {
        Self { book: Mutex::new(Penalties::new(TERMS)), total: AtomicU64::new(0) }
    }
}

impl Bans {
    /// Cuts somebody off.
    ///
    /// Who comes over loopback and claims to be nobody is the owner, trying things out: to be cut off would take the page and
    /// every tool on this machine away from it.
    pub(super) fn punish(&self, source: Option<Culprit>) {
        let Some(culprit) = source.filter(|culprit| culprit.claimed.is_some() || !culprit.ip.is_loopback()) else {
            return;
        };
        let now = Instant::now();
        let mut book = self.book();
        if book.serving(&culprit, now).is_none() {
            self.total.fetch_add(1, Ordering::Relaxed);
        }
        let penalty = book.punish(culprit, now);
        drop(book);
        let claimed = culprit.claimed.map(|address| address.to_string());
        tracing::warn!(ip = %culprit.ip, claimed, seconds = penalty.length.as_secs(), "a block without its work: cut off");
    }

    fn serving(&self, culprit: &Culprit) -> Option<Penalty> {
        self.book().serving(culprit, Instant::now())
    }

    /// How many are cut off now, and how often somebody was since the peer started.
    pub(super) fn counts(&self) -> (usize, u64) {
        (self.book().all(Instant::now()).count(), self.total.load(Ordering::Relaxed))
    }

    fn page(&self) -> BanPage {
        let (now, clock) = (Instant::now(), now_ms());
        let mut bans: Vec<Ban> =
            self.book().all(now).map(|(culprit, penalty)| ban(culprit, penalty, now, clock)).collect();
        bans.sort_by_key(|ban| std::cmp::Reverse(ban.until));
        BanPage { bans }
    }

    /// Lifts everything that weighs on an IP address; how many bans that were.
    fn lift(&self, ip: IpAddr) -> usize {
        let mut book = self.book();
        let culprits: Vec<Culprit> =
            book.all(Instant::now()).map(|(culprit, _)| *culprit).filter(|culprit| culprit.ip == ip).collect();
        culprits.iter().filter(|culprit| book.lift(culprit)).count()
    }

    fn book(&self) -> MutexGuard<'_, Penalties<Culprit>> {
        // Whole after every call: a panic elsewhere cannot have left it half written.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ban(culprit: &Culprit, penalty: &Penalty, now: Instant, clock: u64) -> Ban {
    let left = penalty.until.saturating_duration_since(now);
    Ban {
        ip: culprit.ip.to_string(),
        claimed: culprit.claimed.map(|address| address.to_string()),
        until: clock.saturating_add(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        seconds: penalty.length.as_secs(),
        count: penalty.count,
    }
}

/// A layer: refuses whoever is cut off, and closes the connection of whoever gets cut off by this very request.
pub(super) async fn refuse(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(culprit) = Culprit::of(request.extensions().get(), request.headers()) else {
        return next.run(request).await;
    };
    let mut response = match app.bans().serving(&culprit) {
        Some(penalty) => refusal(&culprit, &penalty).into_response(),
        None => next.run(request).await,
    };
    if app.bans().serving(&culprit).is_some() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn refusal(culprit: &Culprit, penalty: &Penalty) -> Problem {
    let left = penalty.until.saturating_duration_since(Instant::now()).as_secs() + 1;
    Problem::new(
        Code::TooManyRequests,
        format!("A block without its work came from {}; nothing more is taken.", culprit.ip),
    )
    .mend(format!("wait, or have this peer's owner lift it: DELETE /bans/{}", culprit.ip))
    .retry_after(left)
}

/// List who is cut off for having sent a block without its work.
#[utoipa::path(get, path = "/bans", operation_id = "list_bans", tag = "owner", responses(
    (status = 200, description = "Everybody who is cut off now", body = BanPage),
    CommonProblems,
))]
pub(super) async fn list_bans(State(app): State<App>) -> Json<BanPage> {
    Json(app.bans().page())
}

/// Serve an IP address again, whoever it claims to be.
#[utoipa::path(delete, path = "/bans/{ip}", operation_id = "lift_bans", tag = "owner",
    params(("ip" = String, Path, description = "The IP address", pattern = "^[0-9A-Fa-f:.]{2,45}$", min_length = 2,
        max_length = 45, example = "192.0.2.7")),
    responses((status = 204, description = "It is served again"), CommonProblems),
)]
pub(super) async fn lift_bans(State(app): State<App>, Path(text): Path<String>) -> Result<StatusCode, Problem> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte)) {
        return Err(parameter("ip", "an IP address", &text));
    }
    let lifted = text.parse().map_or(0, |ip: IpAddr| app.bans().lift(ip.to_canonical()));
    if lifted == 0 {
        return Err(Problem::new(Code::NotFound, format!("{text} is not cut off.")).mend("GET /bans lists who is"));
    }
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::{Bans, Culprit};

    #[test]
    fn blocks_that_were_on_their_way_already_are_one_ban_and_another_source_is_another() {
        let bans = Bans::default();
        let culprit = |ip: &str| Some(Culprit { ip: ip.parse().unwrap(), claimed: None });
        for source in [culprit("192.0.2.7"), culprit("192.0.2.7"), None] {
            bans.punish(source);
        }
        assert_eq!(bans.counts(), (1, 1));
        bans.punish(culprit("192.0.2.8"));
        assert_eq!(bans.counts(), (2, 2));
        assert_eq!(bans.lift("192.0.2.7".parse().unwrap()), 1);
        assert_eq!(bans.counts(), (1, 2), "what was lifted stays counted");
    }
}
