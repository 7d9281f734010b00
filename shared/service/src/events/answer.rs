//! `GET /events` as HTTP: what may be asked, and the two forms of the answer.

use std::time::Duration;

use axum::{
    extract::FromRequestParts,
    response::{
        AppendHeaders, IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use futures_util::stream;
use http::{HeaderMap, HeaderValue, header, request::Parts};
use raclette_api::event::{EventType, MAX_EVENTS};
use raclette_chain::amount::MAX_SAFE_INTEGER;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use super::{Feed, Following, Page, Recorded, Told};
use crate::{
    access::OwnerGate,
    extract::{PreferWait, Query},
    problem::{Code, Problem},
};

/// How often a comment is sent where nothing happens, so that both sides see that the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a client should wait before it connects again.
const RETRY: Duration = Duration::from_secs(2);
/// How many events a page has if nothing else is asked for.
const USUAL_LIMIT: u32 = 100;
/// The longest list of types, in characters: there is room for each of them once.
const LONGEST_TYPES: usize = 100;
/// In how many seconds a client may try again that cannot follow now.
const TRY_AGAIN: u64 = 10;

/// Which events, and from where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Begin behind the event with this number: `next` of the page before, or the last `id` of a stream. Absent: a page
    /// begins with the oldest event that is kept, a stream with what happens next.
    #[param(value_type = Option<raclette_api::schema::Counter>, nullable = false, minimum = 0, maximum = 9_007_199_254_740_991_u64, example = 0)]
    since: Option<u64>,
    /// Only events of these types, separated by commas.
    #[serde(rename = "type")]
    #[param(
        nullable = false,
        max_length = 100,
        pattern = "^(genesis|transaction|block|reorg|member|message|delivery|mining)(,(genesis|transaction|block|reorg|member|message|delivery|mining))*$",
        example = "block,reorg"
    )]
    types: Option<String>,
    /// How many events a page has at most; a stream has no end.
    #[param(nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// What was asked of `GET /events`.
#[derive(Debug)]
pub struct EventsRequest {
    since: Option<u64>,
    types: Option<Vec<EventType>>,
    limit: u32,
    stream: bool,
    wait: PreferWait,
}

impl<S: Send + Sync> FromRequestParts<S> for EventsRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(query) = Query::<EventsQuery>::from_request_parts(parts, state).await?;
        let wait = PreferWait::from_request_parts(parts, state).await?;
        let limit = query.limit.unwrap_or(USUAL_LIMIT);
        if !(1..=MAX_EVENTS).contains(&limit) {
            return Err(wrong("limit", &format!("1 to {MAX_EVENTS}"), &limit.to_string()));
        }
        let last = last_event_id(&parts.headers)?;
        for (parameter, number) in [("Last-Event-ID", last), ("since", query.since)] {
            if let Some(number) = number.filter(|number| *number > MAX_SAFE_INTEGER) {
                return Err(wrong(parameter, "the number of an event", &number.to_string()));
            }
        }
        // The header of a client that connects again is newer than the URL it was given.
        let since = last.or(query.since);
        let types = query.types.as_deref().map(event_types).transpose()?;
        Ok(Self { since, types, limit, stream: wants_stream(&parts.headers), wait })
    }
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    text.parse().map(Some).map_err(|_| wrong("Last-Event-ID", "the number of an event", text))
}

fn event_types(text: &str) -> Result<Vec<EventType>, Problem> {
    let unknown = |name: &str| {
        let known = EventType::ALL.map(EventType::name).join(", ");
        wrong("type", &format!("some of {known}, separated by commas"), name)
    };
    if text.len() > LONGEST_TYPES {
        return Err(wrong("type", &format!("at most {LONGEST_TYPES} characters"), text));
    }
    text.split(',').map(|name| EventType::from_name(name).ok_or_else(|| unknown(name))).collect()
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|range| {
        let range = range.split(';').next().unwrap_or_default();
        range.trim().eq_ignore_ascii_case("text/event-stream")
    })
}

fn wrong(parameter: &str, expected: &str, seen: &str) -> Problem {
    let seen: String = seen.chars().take(100).collect();
    Problem::new(Code::InvalidParameter, format!("{parameter}: expected {expected}, found {seen:?}"))
        .expected(expected)
        .seen(seen)
        .field(parameter, format!("expected {expected}"))
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Anybody: is told what is public.
    Everybody,
    /// The owner: is told everything.
    Owner,
}

impl Audience {
    /// The owner if the token came along, anybody if none did.
    ///
    /// # Errors
    /// 401 `token_wrong`: a wrong token is no token, but whoever has it wants to know.
    pub fn of(headers: &HeaderMap, gate: &OwnerGate) -> Result<Self, Problem> {
        if headers.contains_key(header::AUTHORIZATION) {
            gate.check(headers).map(|()| Self::Owner)
        } else {
            Ok(Self::Everybody)
        }
    }

    /// The types that are told: those asked for, or all.
    fn types(self, asked: Option<Vec<EventType>>) -> Result<Vec<EventType>, Problem> {
        let may_hear = |kind: &EventType| self == Self::Owner || !kind.is_owners();
        let Some(types) = asked else { return Ok(EventType::ALL.into_iter().filter(may_hear).collect()) };
        if let Some(kind) = types.iter().find(|kind| !may_hear(kind)) {
            let name = kind.name();
            return Err(Problem::new(Code::TokenMissing, format!("Events of type {name} are for the owner only."))
                .expected("Authorization: Bearer TOKEN")
                .mend(format!("send the owner's token along, or leave {name} out")));
        }
        Ok(types)
    }
}

/// Answers `GET /events`: with a page, or, if that was asked for, with a stream until `stopping`.
///
/// # Errors
/// When types were asked for that are the owner's, too many follow already, or the table cannot be read.
pub async fn answer(
    feed: &Feed,
    request: EventsRequest,
    audience: Audience,
    stopping: CancellationToken,
) -> Result<Response, Problem> {
    let types = audience.types(request.types)?;
    if !request.stream {
        let page = page(feed, request.since, &types, request.limit, request.wait, stopping).await?;
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        return Ok((kind, AppendHeaders(request.wait.applied()), page_json(&page)).into_response());
    }
    let Some(following) = feed.follow(request.since, types, stopping) else {
        return Err(Problem::new(Code::TooManyRequests, "Too many clients follow the events already.")
            .retry_after(TRY_AGAIN)
            .mend("read pages instead: leave Accept: text/event-stream out"));
    };
    // The first words make the client see at once that it is connected.
    let hello = sse::Event::default().retry(RETRY).comment("events follow");
    let events = stream::unfold(Some(following), |following| async {
        let mut following = following?;
        match following.next().await {
            Ok(told) => told.map(|told| (Ok(event(&told)), Some(following))),
            Err(error) => {
                // The client connects again and goes on where it was.
                tracing::error!(%error, "the events cannot be read");
                Some((Err(error), None))
            }
        }
    });
    let events = futures_util::StreamExt::chain(stream::iter([Ok(hello)]), events);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("heartbeat")).into_response())
}

/// A page; if it is empty, one that comes within the time that the caller would wait.
pub(super) async fn page(
    feed: &Feed,
    since: Option<u64>,
    types: &[EventType],
    limit: u32,
    wait: PreferWait,
    stopping: CancellationToken,
) -> Result<Page, Problem> {
    let first = feed.page(since, types, limit).await.map_err(Problem::internal)?;
    let (true, Some(longest)) = (first.events.is_empty() && first.gap.is_none(), wait.0) else { return Ok(first) };
    let Some(following) = feed.follow(Some(first.next), types.to_vec(), stopping) else { return Ok(first) };
    if tokio::time::timeout(longest, stored(following)).await.is_err() {
        return Ok(first);
    }
    feed.page(Some(first.next), types, limit).await.map_err(Problem::internal)
}

/// Waits for an event that can be read in the table, or until nothing more comes.
async fn stored(mut following: Following) {
    while let Ok(Some(told)) = following.next().await {
        if matches!(&told, Told::Event(event) if event.id.is_some()) {
            return;
        }
    }
}

fn event(told: &Told) -> sse::Event {
    match told {
        Told::Event(recorded) => {
            let event = sse::Event::default().event(&recorded.kind).data(recorded.json());
            match recorded.id {
                Some(id) => event.id(id.to_string()),
                None => event,
            }
        }
        Told::Gap(gap) => {
            let data = serde_json::json!(gap).to_string();
            sse::Event::default().id(gap.resumed.to_string()).event("gap").data(data)
        }
    }
}

/// What [`raclette_api::event::EventPage`] describes, put together from the JSON that is stored.
fn page_json(page: &Page) -> String {
    let events: Vec<String> = page.events.iter().map(Recorded::json).collect();
    let gap = page.gap.map(|gap| format!(",\"gap\":{}", serde_json::json!(gap))).unwrap_or_default();
    format!("{{\"events\":[{}],\"next\":{}{gap}}}", events.join(","), page.next)
}
