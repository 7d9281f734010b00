//! The page of a service at `/`: plain files in the program, with a strict content security policy.
//!
//! A browser gets the page, everything else (`Accept` without `text/html`, as curl sends it) a few lines of text that say
//! where things are. The files that both services' pages share are here.

use std::sync::Arc;

use axum::{
    Router,
    extract::Path,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::problem::{Code, Problem};

/// What the page may do: load its own files, and call the service that it comes from.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);
const REFERRER_POLICY: (HeaderName, HeaderValue) = (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
/// Asked for anew each time, so that no page mixes the files of two versions.
const NO_CACHE: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));

/// A file of a page: its name below `/page/`, and what is in it.
pub type File = (&'static str, &'static str);

/// What both services' pages use.
const SHARED: &[File] = &[
    ("style.css", include_str!("../page/style.css")),
    ("favicon.svg", include_str!("../page/favicon.svg")),
    ("activity.js", include_str!("../page/activity.js")),
    ("api.js", include_str!("../page/api.js")),
    ("dom.js", include_str!("../page/dom.js")),
    ("events.js", include_str!("../page/events.js")),
    ("format.js", include_str!("../page/format.js")),
    ("names.js", include_str!("../page/names.js")),
];

/// The routes `/` and `/page/{file}`, and `/favicon.ico` for browsers that ask for it unasked.
///
/// `index` is the page, `files` what it loads besides the shared files, and `hint` the text for everybody else.
pub fn routes<S>(index: &'static str, files: &'static [File], hint: String) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let hint: Arc<str> = hint.into();
    Router::new()
        .route("/", get(move |headers: HeaderMap| async move { front(index, &hint, &headers) }))
        .route("/page/{file}", get(move |Path(name): Path<String>| async move { file(files, &name) }))
        .route("/favicon.ico", get(move || async move { file(&[], "favicon.svg") }))
}

fn front(index: &'static str, hint: &str, headers: &HeaderMap) -> Response {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let vary = (header::VARY, HeaderValue::from_static("accept"));
    if accepts.flat_map(|value| value.split(',')).any(|range| range.trim().starts_with("text/html")) {
        let policy = (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        return ([policy, kind, vary, REFERRER_POLICY, NO_CACHE], index).into_response();
    }
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    ([kind, vary, NO_CACHE], hint.to_owned()).into_response()
}

fn file(own: &'static [File], name: &str) -> Result<Response, Problem> {
    let found = own.iter().chain(SHARED).find(|(known, _)| *known == name);
    let Some((name, text)) = found else {
        return Err(Problem::new(Code::NotFound, "The page has no such file.").mend("start at /"));
    };
    let kind = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    };
    let policy = (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(([policy, kind, REFERRER_POLICY, NO_CACHE], *text).into_response())
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::{Body, to_bytes},
    };
    use http::{HeaderMap, Request, StatusCode};
    use tower::ServiceExt as _;

    use super::{SHARED, routes};

    async fn get(path: &str, accept: Option<&str>) -> (StatusCode, HeaderMap, String) {
        let router: Router = routes("<title>page</title>", &[("main.js", "own()")], String::from("see /docs/\n"));
        let request = accept.iter().fold(Request::get(path), |request, accept| request.header("accept", *accept));
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1_000_000).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn browsers_get_the_page_and_everybody_else_a_hint() {
        for accept in ["text/html", "application/xhtml+xml, text/html;q=0.9, */*;q=0.8"] {
            let (_, headers, body) = get("/", Some(accept)).await;
            assert_eq!((body.as_str(), &headers["vary"]), ("<title>page</title>", &"accept".parse().unwrap()));
        }
        for accept in [None, Some("*/*"), Some("application/json")] {
            let (status, headers, body) = get("/", accept).await;
            assert_eq!((status, body.as_str()), (StatusCode::OK, "see /docs/\n"));
            assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
        }
    }

    #[tokio::test]
    async fn nothing_may_be_loaded_from_elsewhere_and_no_script_stands_in_the_page() {
        for path in ["/", "/page/main.js", "/page/style.css", "/page/favicon.svg", "/favicon.ico"] {
            let (status, headers, _) = get(path, Some("text/html")).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            let policy = headers["content-security-policy"].to_str().unwrap();
            for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
                assert!(policy.contains(part), "{path}: {policy}");
            }
            assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
            assert_eq!(headers["referrer-policy"], "no-referrer");
        }
    }

    #[tokio::test]
    async fn every_file_has_its_type_and_unknown_ones_are_not_found() {
        for (name, text) in SHARED {
            let (_, headers, body) = get(&format!("/page/{name}"), None).await;
            let kind = headers["content-type"].to_str().unwrap();
            assert!(kind.starts_with("text/") || kind == "image/svg+xml", "{name}: {kind}");
            assert_eq!(body, *text);
        }
        assert_eq!(get("/page/main.js", None).await.2, "own()");
        assert_eq!(get("/page/nothing.js", None).await.0, StatusCode::NOT_FOUND);
        assert_eq!(get("/page/../page.rs", None).await.0, StatusCode::NOT_FOUND);
    }

    #[test]
    fn no_shared_file_makes_html_of_texts() {
        for (name, text) in SHARED {
            for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage"] {
                assert!(!text.contains(word), "{name} names {word}");
            }
        }
    }
}
