//! What happens, one by one.

use axum::{extract::State, http::HeaderMap, response::Response};
use raclette_api::{event::EventPage, schema};
use raclette_service::{
    events::{self, Audience, EventsQuery, EventsRequest},
    extract::PreferWait,
    problem::{CommonProblems, OwnerProblems, Problem},
};

use super::App;

/// Read what happened, or follow what happens.
///
/// The genesis block, every change of a member, and, for the operator only, every notice that was delivered to a member or
/// waits for it (`delivery`; its subject is the address of the member that it is about) is an event, stored in the same
/// commit as what it tells of. Without the operator's token only the public ones are told; their numbers are the same.
///
/// With `Accept: text/event-stream` the answer is a stream (WHATWG HTML, server-sent events) that does not end: `id` is the
/// event's number, `event` its type, `data` the event as in a page; a comment every 15 s shows that the connection lives.
/// `Last-Event-ID`, or `since`, resumes it without loss. Otherwise it is a page: read on with `?since=` its `next`; with
/// `Prefer: wait=30` an empty page waits for something to happen. The last 100,000 events are kept: who asks for older ones
/// is told of the gap, in the page's `gap` or by an event of type `gap`, and gets the oldest there are.
#[utoipa::path(get, path = "/events", operation_id = "read_events", tag = "network",
    security((), ("owner_token" = [])),
    params(EventsQuery, PreferWait,
        ("Last-Event-ID" = Option<schema::Counter>, Header, description = "As `since`, and stronger: what a browser sends when it \
            connects again", nullable = false, example = 17)),
    responses(
        (status = 200, description = "A page of events, or a stream of them", headers(
            ("Preference-Applied" = String, description = "`wait=N`, if that was asked for"),
        ), content(
            (EventPage = "application/json"),
            (String = "text/event-stream", example = "id: 17\nevent: member\ndata: {\"id\":17,\"time\":1767225691000,\"type\":\"member\",\"data\":{}}\n\n"),
        )),
        OwnerProblems,
        CommonProblems,
    ),
)]
pub(super) async fn read(
    State(app): State<App>,
    headers: HeaderMap,
    request: EventsRequest,
) -> Result<Response, Problem> {
    let audience = Audience::of(&headers, &app.gate)?;
    events::answer(app.node.store().feed(), request, audience, app.stopping.clone()).await
}
