//! The pages behind the `type` of every problem: `/problems` lists the kinds, `/problems/insufficient-funds` explains one.
//!
//! HTML for browsers, Markdown for those who ask for it, JSON for everybody else.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Code, Problem, catalogue};
use crate::extract::{Json, Path};

/// Nothing is loaded by these pages; their style is in them.
const CONTENT_SECURITY_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");

/// They change with the program only.
const ONE_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;\
    color-scheme:light dark}pre{overflow:auto;padding:1rem;border:1px solid #8888;border-radius:.4rem}\
    code{font-family:ui-monospace,monospace}";

/// A kind of problem, explained.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(examples(example))]
struct ProblemKind {
    /// The `type` of problems of this kind: the path of this page.
    #[serde(rename = "type")]
    #[schema(pattern = "^/problems/[a-z0-9-]{1,64}$", min_length = 11, max_length = 75)]
    type_reference: String,
    /// The stable name.
    code: Code,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// One short sentence.
    #[schema(min_length = 1, max_length = 100)]
    title: &'static str,
    /// Whether the same request can never succeed here, so that a sender gives it up.
    permanent: bool,
    /// How it comes about.
    #[schema(min_length = 1, max_length = 1000)]
    cause: &'static str,
    /// What to do about it.
    #[schema(min_length = 1, max_length = 1000)]
    cure: &'static str,
    /// A problem of this kind as it is answered.
    #[schema(value_type = super::ProblemDetails)]
    example: Value,
}

/// All kinds of problems.
#[derive(Debug, Serialize, ToSchema)]
#[schema(examples(examples))]
struct ProblemKinds {
    /// The kinds, in the order of the codes' table.
    #[schema(max_items = 200)]
    problems: Vec<ProblemKind>,
}

fn example() -> Value {
    serde_json::json!(ProblemKind::of(Code::InsufficientFunds))
}

fn examples() -> Value {
    serde_json::json!({ "problems": [example()] })
}

impl ProblemKind {
    fn of(code: Code) -> Self {
        let explanation = catalogue::explanation(code);
        Self {
            type_reference: code.type_reference(),
            code,
            status: code.status().as_u16(),
            title: code.title(),
            permanent: code.permanent(),
            cause: explanation.cause,
            cure: explanation.cure,
            example: serde_json::json!(catalogue::example(code)),
        }
    }

    fn markdown(&self) -> String {
        let Self { title, status, code, cause, cure, example, .. } = self;
        format!(
            "# {title}\n\nStatus {status}, code `{code}`.\n\n**Cause.** {cause}\n\n**Cure.** {cure}\n\n**Example**\n\n\
             ```json\n{example:#}\n```\n"
        )
    }

    fn html(&self) -> String {
        let Self { title, status, code, cause, cure, example, .. } = self;
        let (cause, cure, example) = (escaped(cause), escaped(cure), escaped(&format!("{example:#}")));
        let body = format!(
            "<p><a href=\"/problems\">All problems</a></p><h1>{title}</h1><p>Status {status}, code <code>{code}</code>.</p>\
             <h2>Cause</h2><p>{cause}</p><h2>Cure</h2><p>{cure}</p><h2>Example</h2><pre><code>{example}</code></pre>"
        );
        page(title, &body)
    }
}

/// The routes `/problems` and `/problems/{name}`.
#[must_use]
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::new().routes(routes!(list_problems)).routes(routes!(explain_problem))
}

/// List every kind of problem that this service may answer with.
///
/// The `type` of a problem is the path of the page that explains it.
#[utoipa::path(get, path = "/problems", operation_id = "list_problems", tag = "operations", responses(
    (status = 200, description = "All kinds of problems", headers(("Vary" = String, description = "`Accept`: it decides between \
        JSON, HTML and Markdown")), content(
        (ProblemKinds = "application/json"),
        (String = "text/html", example = json!("<!doctype html><title>Problems</title>")),
        (String = "text/markdown", example = json!("# Problems\n")),
    )),
))]
async fn list_problems(headers: HeaderMap) -> Response {
    let problems: Vec<_> = Code::ALL.iter().map(|code| ProblemKind::of(*code)).collect();
    match Form::preferred(&headers) {
        Form::Json => Form::Json.answer(Json(ProblemKinds { problems })),
        Form::Markdown => {
            let line = |kind: &ProblemKind| format!("- [{}]({}): {}\n", kind.code, kind.type_reference, kind.title);
            Form::Markdown.answer(format!("# Problems\n\n{}", problems.iter().map(line).collect::<String>()))
        }
        Form::Html => {
            let row = |kind: &ProblemKind| {
                let ProblemKind { type_reference, code, title, status, .. } = kind;
                format!("<li><a href=\"{type_reference}\"><code>{code}</code></a> ({status}): {title}</li>")
            };
            let rows: String = problems.iter().map(row).collect();
            Form::Html.answer(page("Problems", &format!("<h1>Problems</h1><ul>{rows}</ul>")))
        }
    }
}

/// Explain one kind of problem: its cause, its cure, and an example.
#[utoipa::path(get, path = "/problems/{name}", operation_id = "explain_problem", tag = "operations",
    params(("name" = String, Path, description = "The code with dashes", pattern = "^[a-z0-9-]{1,64}$", min_length = 1,
        max_length = 64, example = "insufficient-funds")),
    responses(
        (status = 200, description = "The kind of problem, explained", headers(("Vary" = String, description = "`Accept`: it \
            decides between JSON, HTML and Markdown")), content(
            (ProblemKind = "application/json"),
            (String = "text/html", example = json!("<!doctype html><title>The account holds too little</title>")),
            (String = "text/markdown", example = json!("# The account holds too little\n")),
        )),
        (status = 404, description = "There is no such kind of problem", body = super::ProblemDetails,
            content_type = "application/problem+json"),
    ),
)]
async fn explain_problem(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let code = Code::ALL.iter().find(|code| code.name().replace('_', "-") == name);
    let unknown =
        || Problem::new(Code::NotFound, "There is no such kind of problem.").mend("GET /problems lists them all");
    let kind = ProblemKind::of(*code.ok_or_else(unknown)?);
    Ok(match Form::preferred(&headers) {
        Form::Json => Form::Json.answer(Json(kind)),
        Form::Markdown => Form::Markdown.answer(kind.markdown()),
        Form::Html => Form::Html.answer(kind.html()),
    })
}

/// In what form a page is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Html,
    Markdown,
}

impl Form {
    /// The first form that the caller names; browsers name HTML, and who names nothing gets JSON.
    fn preferred(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let named =
            accepted.flat_map(|value| value.split(',')).find_map(|range| match range.split(';').next()?.trim() {
                "text/html" | "application/xhtml+xml" => Some(Self::Html),
                "text/markdown" => Some(Self::Markdown),
                "application/json" => Some(Self::Json),
                _ => None,
            });
        named.unwrap_or(Self::Json)
    }

    fn answer(self, body: impl IntoResponse) -> Response {
        let media_type = match self {
            Self::Json => "application/json",
            Self::Html => "text/html; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
        };
        let mut response = body.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::CACHE_CONTROL, ONE_HOUR);
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        response
    }
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><style>{STYLE}</style></head><body>{body}</body></html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::{Body, to_bytes},
    };
    use http::{Request, StatusCode, header};
    use serde_json::Value;
    use tower::ServiceExt;

    use super::{Code, routes};

    async fn get(path: &str, accept: &str) -> (StatusCode, String, String) {
        let router: Router = routes().split_for_parts().0;
        let request = Request::get(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap();
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, 1_000_000).await.unwrap();
        let media_type = parts.headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        (parts.status, media_type, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_type_of_every_problem_is_a_page() {
        for code in Code::ALL {
            let (status, media_type, body) = get(&code.type_reference(), "*/*").await;
            assert_eq!((status, media_type.as_str()), (StatusCode::OK, "application/json"), "{code}");
            let kind: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(kind["code"], code.name());
            assert_eq!(kind["example"]["type"], kind["type"]);
        }
        assert_eq!(get("/problems/nothing", "*/*").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn browsers_get_html_and_those_who_ask_get_markdown() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for path in ["/problems", "/problems/insufficient-funds"] {
            let (_, media_type, body) = get(path, browser).await;
            assert!(media_type.starts_with("text/html") && body.starts_with("<!doctype html>"), "{body}");
            let (_, media_type, body) = get(path, "text/markdown").await;
            assert!(media_type.starts_with("text/markdown") && body.starts_with("# "), "{body}");
        }
        let (_, _, list) = get("/problems", "application/json").await;
        let list: Value = serde_json::from_str(&list).unwrap();
        assert_eq!(list["problems"].as_array().unwrap().len(), Code::ALL.len());
    }
}
