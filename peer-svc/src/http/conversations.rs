//! What the owner exchanged with each counterpart: messages and money, in both directions.

use axum::extract::State;
use raclette_api::{
    conversation::{Conversation, ConversationList, ConversationPage},
    wallet::SendTo,
};
use raclette_chain::address::Address;
use raclette_service::{
    answer::Paged,
    extract::{Path, Query},
    problem::{Code, CommonProblems, Problem, ProblemDetails},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    App,
    mail::{MailQuery, entry},
    read,
};
use crate::node::{Correspondence, Order};

/// List everybody with whom the owner exchanged something, the newest first.
#[utoipa::path(get, path = "/conversations", operation_id = "list_conversations", tag = "owner", params(MailQuery), responses(
    (status = 200, description = "A page of the conversations", body = ConversationList),
    CommonProblems,
))]
pub(super) async fn list_conversations(
    State(app): State<App>,
    Query(query): Query<MailQuery>,
) -> Result<Paged<ConversationList>, Problem> {
    let (limit, cursor) = query.page()?;
    let mut found = app.node.conversations(cursor.unwrap_or(i64::MAX), one_more(limit)).await?;
    let more = read::cut(&mut found, limit);
    let next_cursor = found.last().filter(|_| more).map(|last| last.newest.to_string());
    let conversations = found.into_iter().map(|one| conversation(&app, &one)).collect();
    Ok(Paged::new(ConversationList { conversations, next_cursor: next_cursor.clone() }, next_cursor))
}

fn conversation(app: &App, found: &Correspondence) -> Conversation {
    Conversation {
        address: found.counterpart.to_string(),
        name: app.name_of(&found.counterpart),
        count: found.count,
        sent: found.sent,
        pending: found.pending,
        last: found.last,
    }
}

/// In which order.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ConversationOrder {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

/// Which part of a conversation.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ConversationQuery {
    /// In which order: `newest` (the default) or `oldest` first.
    #[serde(default)]
    #[param(inline, required = false)]
    order: ConversationOrder,
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before, which was in the same order.
    #[param(nullable = false, pattern = "^[0-9]{1,19}$", max_length = 19)]
    cursor: Option<String>,
}

/// Show what was exchanged with one counterpart, in both directions, opened: messages, money and how far each has come.
#[utoipa::path(get, path = "/conversations/{name}", operation_id = "get_conversation", tag = "owner",
    params(
        ("name" = String, Path, description = "The counterpart: its name or its address",
            pattern = "^([a-z0-9][a-z0-9-]{0,31}|rac1[02-9ac-hj-np-z]{58})$", min_length = 1, max_length = 62, example = "bob"),
        ConversationQuery,
    ),
    responses(
        (status = 200, description = "A page of the conversation; empty if nothing was exchanged", body = ConversationPage),
        CommonProblems,
        (status = 404, description = "Nobody by that name is known", body = ProblemDetails,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn get_conversation(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(query): Query<ConversationQuery>,
) -> Result<Paged<ConversationPage>, Problem> {
    let counterpart = counterpart(&app, &name)?;
    let (limit, cursor) = MailQuery { limit: query.limit, cursor: query.cursor }.page()?;
    let order = match query.order {
        ConversationOrder::Newest => Order::NewestFirst,
        ConversationOrder::Oldest => Order::OldestFirst,
    };
    let mut items = app.node.conversation(&counterpart, order, cursor, one_more(limit)).await?;
    let more = read::cut(&mut items, limit);
    let next_cursor = items.last().filter(|_| more).map(|last| last.item.id.to_string());
    let page = ConversationPage {
        address: counterpart.to_string(),
        name: app.name_of(&counterpart),
        messages: items.into_iter().map(|item| entry(&app, item)).collect(),
        next_cursor: next_cursor.clone(),
    };
    Ok(Paged::new(page, next_cursor))
}

fn counterpart(app: &App, text: &str) -> Result<Address, Problem> {
    let who = SendTo::read("name", text).map_err(Problem::parameter)?;
    app.node.address_of(&who).ok_or_else(|| {
        Problem::new(Code::UnknownPeer, format!("No member is called {text:?}."))
            .mend("GET /conversations lists them all")
    })
}

/// One entry too many shows that there is another page.
fn one_more(limit: usize) -> u32 {
    u32::try_from(limit + 1).unwrap_or(u32::MAX)
}
