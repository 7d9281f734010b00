//! What the owner sent and received.

use axum::extract::State;
use raclette_api::wallet::{Direction, MessageEntry, MessagePage, MessageStatus};
use raclette_service::{
    answer::Paged,
    extract::{Query, number_cursor},
    planted::bug,
    problem::{CommonProblems, Problem},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{App, read};
use crate::node::{MailItem, TransactionPlace};

/// Which part of the mail.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MailQuery {
    /// How many at most.
    #[param(nullable = false, minimum = 1, maximum = 500, default = 50)]
    pub(super) limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(nullable = false, pattern = "^[0-9]{1,19}$", max_length = 19)]
    pub(super) cursor: Option<String>,
}

impl MailQuery {
    /// How many entries the page has, and where it begins.
    pub(super) fn page(&self) -> Result<(usize, Option<i64>), Problem> {
        let cursor = self.cursor.as_deref().map(number_cursor).transpose()?;
        Ok((read::limit(self.limit, 50, 500)?, cursor))
    }
}

/// List what the owner sent and received, opened, the newest first.
#[utoipa::path(get, path = "/messages", operation_id = "list_messages", tag = "owner", params(MailQuery), responses(
    (status = 200, description = "A page of the mail", body = MessagePage),
    CommonProblems,
))]
pub(super) async fn list_messages(
    State(app): State<App>,
    Query(query): Query<MailQuery>,
) -> Result<Paged<MessagePage>, Problem> {
    let (limit, cursor) = query.page()?;
    let mut items = app.node.mail(cursor.unwrap_or(i64::MAX), u32::try_from(limit + 1).unwrap_or(u32::MAX)).await?;
    let more = read::cut(&mut items, limit);
    let next_cursor = items.last().filter(|_| more).map(|last| last.item.id.to_string());
    let messages = items.into_iter().map(|item| entry(&app, item)).collect();
    Ok(Paged::new(MessagePage { messages, next_cursor: next_cursor.clone() }, next_cursor))
}

/// An item of the mail as its owner sees it.
pub(super) fn entry(app: &App, MailItem { item, place, text, waiting }: MailItem) -> MessageEntry {
    let transaction = item.transaction.transaction();
    let (from, to) = (item.transaction.sender(), transaction.recipient);
    let mut text = text.and_then(Result::ok).map(|text| text.to_string());
    if let Some(text) = text.as_mut().filter(|_| !item.sent && bug("garbled")) {
        text.push('?');
    }
    // A message that has not come yet cannot be read either.
    let unreadable = (transaction.message_length != 0 && text.is_none()).then_some(true);
    let status = match &place {
        TransactionPlace::Confirmed { .. } => MessageStatus::Confirmed,
        TransactionPlace::Dropped if waiting => MessageStatus::Waiting,
        TransactionPlace::Dropped => MessageStatus::Dropped,
        TransactionPlace::Pending if !item.sent || to == from => MessageStatus::Pending,
        TransactionPlace::Pending if item.delivered.is_some() => MessageStatus::Delivered,
        // Only members' peers can acknowledge it.
        TransactionPlace::Pending if app.node.members().is_registered(&to) => MessageStatus::Queued,
        TransactionPlace::Pending => MessageStatus::Pending,
    };
    let (height, confirmations) = match place {
        TransactionPlace::Confirmed { height, confirmations, .. } => (Some(height), Some(confirmations)),
        TransactionPlace::Pending | TransactionPlace::Dropped => (None, None),
    };
    let receipt = app.node.network().filter(|_| item.sent).and_then(|network| item.receipt(&network));
    MessageEntry {
        delivered: item.delivered.filter(|_| item.sent),
        receipt,
        id: item.transaction.id().to_string(),
        direction: if item.sent { Direction::Sent } else { Direction::Received },
        from: from.to_string(),
        to: to.to_string(),
        from_name: app.name_of(&from),
        to_name: app.name_of(&to),
        text,
        unreadable,
        amount: transaction.amount.units(),
        fee: transaction.fee.units(),
        created: transaction.created.milliseconds(),
        status,
        height,
        confirmations,
        replaced_by: item.replaced_by.map(|id| id.to_string()),
    }
}
