//! The description of the service by the service: `/openapi.json`, and pages to read and try it at `/docs/`.
//!
//! The pages (Swagger UI) are part of the program and need no network. They may talk to the very service that they come
//! from, and to nobody else.

mod describe;
mod document;
mod headers;
mod links;
mod references;
mod samples;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use http::{HeaderValue, header};
use utoipa_swagger_ui::Config;

#[doc(hidden)]
pub use self::describe::utoipa_axum;
pub use self::{
    describe::Describe,
    document::complete,
    links::{Arrow, link},
};
use crate::problem::{Code, Problem};

/// What the pages may load and call: themselves and this service. Swagger UI writes styles into the page, and draws
/// with `data:` images.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);

/// What stands on top of the pages: the way to the service's own page.
const WAY_BACK: &str = "<p style=\"margin: 0; padding: 0.6rem 1.2rem; background: #f5bd1f; font: 16px system-ui, \
    sans-serif\"><a href=\"/\" style=\"color: #2a2005\">&larr; The page of this service</a></p>\n<div id=\"swagger-ui\">";

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The files of the pages change with the program only.
const ONE_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// The routes `/openapi.json` and `/docs/`.
///
/// `openapi` is the service's [`complete`] document as JSON. It is part of the program, and each service tests that it is what
/// its routes say: to write it anew at every start would leave several megabytes of memory behind. `title` is the pages' title,
/// such as "alice - Raclette peer", so that several open tabs can be told apart.
pub fn routes<S>(openapi: &'static str, title: &str) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let pages = Pages { title: escaped(title), config: Arc::new(config()) };
    let openapi = ([(header::CONTENT_TYPE, JSON)], openapi);
    Router::new()
        .route("/openapi.json", get(|| async move { openapi }))
        .route("/docs", get(|| async { Redirect::temporary("/docs/") }))
        .route("/docs/", get(|State(pages): State<Pages>| async move { pages.file("index.html") }))
        .route(
            "/docs/{*file}",
            get(|State(pages): State<Pages>, Path(file): Path<String>| async move { pages.file(&file) }),
        )
        .with_state(pages)
}

#[derive(Clone)]
struct Pages {
    title: String,
    config: Arc<Config<'static>>,
}

/// Without the validator, which would send the document's URL to a server on the internet.
fn config() -> Config<'static> {
    Config::new(["/openapi.json"]).try_it_out_enabled(true).validator_url("none").display_request_duration(true)
}

impl Pages {
    fn file(&self, name: &str) -> Result<Response, Problem> {
        let file = utoipa_swagger_ui::serve(name, Arc::clone(&self.config)).map_err(Problem::internal)?;
        let Some(file) = file else {
            return Err(Problem::new(Code::NotFound, "There is no such file among the pages.").mend("start at /docs/"));
        };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::try_from(file.content_type).map_err(Problem::internal)?),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        ];
        let body = file.bytes.into_owned();
        if name == "index.html" {
            let page = String::from_utf8(body).map_err(Problem::internal)?;
            let title = format!("<title>{}</title>", self.title);
            let page = page.replacen("<title>Swagger UI</title>", &title, 1);
            return Ok((headers, page.replacen("<div id=\"swagger-ui\">", WAY_BACK, 1)).into_response());
        }
        Ok((headers, [(header::CACHE_CONTROL, ONE_HOUR)], body).into_response())
    }
}

/// The title as HTML text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::{Body, to_bytes},
    };
    use http::{HeaderMap, Request, StatusCode};
    use serde_json::Value;
    use tower::ServiceExt;
    use utoipa_axum::router::OpenApiRouter;

    use super::{complete, routes};
    use crate::health::{self, Check};

    async fn get(path: &str) -> (StatusCode, HeaderMap, String) {
        let openapi =
            OpenApiRouter::<()>::new().merge(health::routes(|| async { vec![Check::ok("x")] })).into_openapi();
        let document = complete(openapi).to_json().unwrap();
        let router: Router = routes(document.leak(), "<alice> - Raclette peer");
        let response = router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 4_000_000).await.unwrap();
        (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn the_page_has_the_services_name_and_leads_back_to_its_own_page() {
        let (status, headers, _) = get("/docs").await;
        assert_eq!((status, &headers["location"]), (StatusCode::TEMPORARY_REDIRECT, &"/docs/".parse().unwrap()));
        let (status, headers, page) = get("/docs/").await;
        assert_eq!((status, headers["content-type"].to_str().unwrap()), (StatusCode::OK, "text/html"));
        assert!(page.contains("<title>&lt;alice&gt; - Raclette peer</title>"), "{page}");
        assert!(page.contains("<a href=\"/\"") && page.contains("<div id=\"swagger-ui\">"), "{page}");
    }

    #[tokio::test]
    async fn every_file_of_the_page_is_here() {
        let (_, _, page) = get("/docs/").await;
        let named =
            page.split('"').filter(|text| text.ends_with(".js") || text.ends_with(".css") || text.ends_with(".png"));
        let mut files = 0;
        for file in named {
            let (status, _, body) = get(&format!("/docs/{}", file.trim_start_matches("./"))).await;
            assert!(status == StatusCode::OK && !body.is_empty(), "{file}");
            files += 1;
        }
        assert!(files >= 5);
        let (_, _, initializer) = get("/docs/swagger-initializer.js").await;
        assert!(initializer.contains("/openapi.json") && !initializer.contains("{{config}}"));
        assert_eq!(get("/docs/nothing.js").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn the_document_resolves_its_own_references() {
        let (status, _, body) = get("/openapi.json").await;
        assert_eq!(status, StatusCode::OK);
        let document: Value = serde_json::from_str(&body).unwrap();
        assert!(document["paths"]["/readyz"]["get"].is_object());
        for reference in body.split("\"#/components/").skip(1) {
            let pointer = format!("/components/{}", reference.split('"').next().unwrap());
            assert!(document.pointer(&pointer).is_some_and(Value::is_object), "{pointer}");
        }
    }
}
