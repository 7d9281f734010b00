//! How requests are read: extractors whose rejections are problems.
//!
//! [`Json`], [`Query`] and [`Path`] have the names of axum's own, so that `#[utoipa::path]` understands them; axum's own
//! reject with plain text and are not used by the services.

mod idempotency;
mod json;
mod parameters;
mod prefer;
mod strict;

pub use self::{
    idempotency::{IDEMPOTENCY_REPLAYED, IdempotencyKey},
    json::{Json, OneOrMany},
    parameters::{Path, Query, number_cursor, page_limit},
    prefer::PreferWait,
};

/// What serde says of a wrong input, cut to a length that is fit to be sent back: it may quote the input.
fn shortened(message: &str) -> String {
    const LONGEST: usize = 300;
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &message[..end]),
        None => message.to_owned(),
    }
}
