//! A page of a longer list, with a link to the next one (RFC 8288).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Uri, header};
use serde::Serialize;

use crate::extract::Json;

/// A page as JSON. If there is a next one, the answer also carries `Link: <...>; rel="next"`: the request's own path and
/// query with the parameter that leads on.
#[derive(Debug, Clone)]
pub struct Paged<T> {
    page: T,
    next: Option<Next>,
}

/// The parameter that leads to the next page, and one that it takes the place of.
#[derive(Debug, Clone)]
struct Next {
    parameter: &'static str,
    value: String,
    in_place_of: &'static str,
}

impl<T> Paged<T> {
    /// A page; the next one begins at `next`, the value of the query's `cursor`.
    pub fn new(page: T, next: Option<String>) -> Self {
        Self::by(page, "cursor", next)
    }

    /// A page; the next one is asked for with this parameter of the query.
    pub fn by(page: T, parameter: &'static str, next: Option<String>) -> Self {
        Self { page, next: next.map(|value| Next { parameter, value, in_place_of: parameter }) }
    }

    /// The same, where the parameter that leads on takes the place of another one.
    #[must_use]
    pub fn in_place_of(mut self, other: &'static str) -> Self {
        if let Some(next) = &mut self.next {
            next.in_place_of = other;
        }
        self
    }
}

impl<T: Serialize> IntoResponse for Paged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.page).into_response();
        if let Some(next) = self.next {
            response.extensions_mut().insert(next);
        }
        response
    }
}

/// Adds the link, now that it is known which request this page answers.
pub(crate) fn link_to_next(response: &mut Response, uri: &Uri) {
    let Some(next) = response.extensions_mut().remove::<Next>() else { return };
    let replaced = [next.parameter, next.in_place_of];
    let kept = uri.query().unwrap_or_default().split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !name.is_empty() && !replaced.contains(&name)
    });
    let mut query: Vec<&str> = kept.collect();
    let leads_on = format!("{}={}", next.parameter, encoded(&next.value));
    query.push(&leads_on);
    let link = format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"));
    // The parts of a request's target are visible ASCII, and so is what was added.
    if let Ok(link) = HeaderValue::try_from(link) {
        response.headers_mut().insert(header::LINK, link);
    }
}

/// A text as it stands in a query (RFC 3986: everything but the unreserved characters is escaped).
fn encoded(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use http::{Uri, header};

    use super::{Paged, link_to_next};

    fn link(paged: Paged<()>, uri: &'static str) -> Option<String> {
        let mut response = paged.into_response();
        link_to_next(&mut response, &Uri::from_static(uri));
        response.headers().get(header::LINK).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_link_is_the_same_request_with_the_next_cursor() {
        let page = || Paged::new((), Some(String::from("41")));
        assert_eq!(link(page(), "/messages").unwrap(), r#"</messages?cursor=41>; rel="next""#);
        assert_eq!(
            link(page(), "/messages?cursor=50&limit=9").unwrap(),
            r#"</messages?limit=9&cursor=41>; rel="next""#
        );
        assert_eq!(
            link(Paged::new((), Some(String::from("a b>"))), "/x?").unwrap(),
            r#"</x?cursor=a%20b%3E>; rel="next""#
        );
    }

    #[test]
    fn the_last_page_has_no_link() {
        assert_eq!(link(Paged::new((), None), "/messages?cursor=1"), None);
    }

    #[test]
    fn a_parameter_can_take_the_place_of_another() {
        let page = Paged::by((), "from", Some(String::from("7"))).in_place_of("after");
        let link = link(page, "/chain/headers?after=00ff&limit=6").unwrap();
        assert_eq!(link, r#"</chain/headers?limit=6&from=7>; rel="next""#);
    }
}
