//! First steps in this very network: curl lines with its names and URLs, and the Postman collection filled with them.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use raclette_service::{
    extract::Json,
    problem::{CommonProblems, Problem},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{App, Curl};

/// The committed collection, whose variables name the local network's services.
const COLLECTION: &str = include_str!("../../../openapi/raclette.postman_collection.json");

/// One line to type, and what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct QuickstartStep {
    /// What it shows.
    #[schema(min_length = 1, max_length = 200, example = "A message from alice to bob. It needs no money.")]
    title: String,
    /// What to type into a shell.
    #[schema(min_length = 1, max_length = 2000, example = "curl -sS http://127.0.0.1:7701/status")]
    command: String,
}

/// First steps with this peer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(examples(example))]
struct Quickstart {
    /// Lines to type, in an order in which each works as it stands.
    #[schema(max_items = 50)]
    steps: Vec<QuickstartStep>,
}

/// Somebody to write to.
struct Somebody {
    name: String,
    url: String,
}

fn example() -> Value {
    let curl = Curl {
        url: String::from("http://127.0.0.1:7701"),
        token: String::from("-H \"Authorization: Bearer $(cat 'raclette-data/alice/token')\""),
    };
    let bob = Somebody { name: String::from("bob"), url: String::from("http://127.0.0.1:7702") };
    serde_json::json!(Quickstart { steps: steps("alice", &curl, &bob) })
}

/// Show what to type first, with the names, URLs and the token file of this very network.
///
/// Text for people; JSON for those who ask for it. The token itself is never shown, only where it is.
#[utoipa::path(get, path = "/quickstart", operation_id = "get_quickstart", tag = "operations", responses(
    (status = 200, description = "Lines to type", headers(("Vary" = String, description = "`Accept`: it decides between text \
        and JSON")), content(
        (String = "text/plain", example = json!("# A message from alice to bob. It needs no money.\ncurl ...\n")),
        (Quickstart = "application/json"),
    )),
    CommonProblems,
))]
pub(super) async fn get_quickstart(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let steps = steps(&app.node.identity().name, &app.curl, &friend(&app));
    let vary = [(header::VARY, HeaderValue::from_static("accept"))];
    if accepts_json(&headers) {
        return Ok((vary, Json(Quickstart { steps })).into_response());
    }
    let lines = steps.into_iter().map(|QuickstartStep { title, command }| format!("# {title}\n{command}\n"));
    Ok((vary, lines.collect::<Vec<_>>().join("\n")).into_response())
}

/// Get the Postman collection, with the names and URLs of this very network.
///
/// It runs from top to bottom. Its environment, with the owners' tokens, is yours to fill in.
#[utoipa::path(get, path = "/postman.json", operation_id = "get_postman_collection", tag = "operations", responses(
    (status = 200, description = "A collection in Postman's format, version 2.1", body = Object,
        example = json!({"info": {"name": "Raclette"}, "item": [], "variable": []})),
    CommonProblems,
))]
pub(super) async fn get_postman_collection(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let mut collection: Value = serde_json::from_str(COLLECTION).map_err(Problem::internal)?;
    let values = variables(&app);
    let listed = collection.get_mut("variable").and_then(Value::as_array_mut);
    for variable in listed.into_iter().flatten() {
        let value = values.iter().find(|(key, _)| variable["key"] == *key);
        if let Some((_, value)) = value {
            variable["value"] = Value::from(value.as_str());
        }
    }
    Ok(Json(collection))
}

/// What the collection's variables are in this network: this peer sends, others receive and witness. Where there are too
/// few, somebody plays two parts.
fn variables(app: &App) -> [(&'static str, String); 7] {
    let own = Somebody { name: app.node.identity().name.clone(), url: app.curl.url.clone() };
    let others = others(app);
    let recipient = others.first().unwrap_or(&own);
    let witness = others.get(1).unwrap_or(recipient);
    [
        ("sender", own.url.clone()),
        ("sender_name", own.name.clone()),
        ("recipient", recipient.url.clone()),
        ("recipient_name", recipient.name.clone()),
        ("witness", witness.url.clone()),
        ("witness_name", witness.name.clone()),
        ("tracker", app.status.tracker_status().url),
    ]
}

/// Members that are online, in the order of their names.
fn others(app: &App) -> Vec<Somebody> {
    let mut others: Vec<_> =
        app.node.members().online().into_iter().map(|member| Somebody { name: member.name, url: member.url }).collect();
    others.sort_by(|left, right| left.name.cmp(&right.name));
    others
}

/// Whom this peer can write to: another member, or itself while it is alone.
fn friend(app: &App) -> Somebody {
    let alone = || Somebody { name: app.node.identity().name.clone(), url: app.curl.url.clone() };
    others(app).into_iter().next().unwrap_or_else(alone)
}

fn steps(own: &str, Curl { url, token }: &Curl, friend: &Somebody) -> Vec<QuickstartStep> {
    let step = |title: String, command: String| QuickstartStep { title, command };
    let Somebody { name: other, url: other_url } = friend;
    let json = "-H 'Content-Type: application/json'";
    let message = format!(r#"{{"to":"{other}","message":"Is there any cheese left?"}}"#);
    let payment = format!(r#"{{"to":"{other}","amount":5,"message":"Here are 5 for the cheese."}}"#);
    vec![
        step(String::from("Who is there?"), format!("curl -sS {url}/peers")),
        step(
            format!("A message from {own} to {other}. It needs no money."),
            format!("curl -sS {token} {json} -d '{message}' {url}/send"),
        ),
        step(
            format!("{own} mines the block that confirms it, and earns the reward."),
            format!("curl -sS -X POST {token} -H 'Prefer: wait=30' {url}/mine"),
        ),
        step(
            format!("{own} sends {other} 5, with a message."),
            format!("curl -sS {token} {json} -d '{payment}' {url}/send"),
        ),
        step(String::from("What was sent and received."), format!("curl -sS {token} {url}/messages")),
        step(String::from("What could not be delivered yet."), format!("curl -sS {token} {url}/queue")),
        step(
            format!("{other} has the same chain, with the messages still sealed."),
            format!("curl -sS {other_url}/chain"),
        ),
    ]
}

/// Whether JSON is asked for by name; anything else gets text.
fn accepts_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|range| range.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_must_be_asked_for() {
        let asks = |value: &'static str| {
            accepts_json(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]))
        };
        assert!(asks("application/json") && asks("text/html, Application/JSON;q=0.9"));
        assert!(!asks("*/*") && !asks("text/plain") && !accepts_json(&HeaderMap::new()));
    }

    #[test]
    fn the_collection_has_every_variable_that_is_filled_in() {
        let collection: Value = serde_json::from_str(COLLECTION).unwrap();
        let keys: Vec<_> = collection["variable"].as_array().unwrap().iter().map(|one| &one["key"]).collect();
        for key in ["sender", "sender_name", "recipient", "recipient_name", "witness", "witness_name", "tracker"] {
            assert!(keys.iter().any(|known| **known == key), "{key}");
        }
    }
}
