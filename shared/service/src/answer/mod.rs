//! Answers that several routes of both services give: pages with a link to the next one ([`Paged`]), and answers that the
//! caller may have already ([`IfNoneMatch`]).

mod cached;
mod paged;

pub(crate) use self::paged::link_to_next;
pub use self::{
    cached::{Cached, ETag, IfNoneMatch, Keep},
    paged::Paged,
};
