//! Calling the services, as JSON.

use std::{fs, time::Duration};

use raclette_service::client::{AddressPolicy, CallOptions, Client, SendError, Settings};
use serde_json::Value;

use super::Failure;
use crate::plan::Service;

/// How long a client waits for an answer: shorter than a suspended service sleeps.
const PATIENCE: Duration = Duration::from_secs(4);

/// Calls one service as its owner.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    client: Client,
    service: Service,
    token: String,
}

impl Caller {
    /// A caller of a service that has run before, so that its token is there.
    pub(super) fn new(service: &Service) -> Result<Self, Failure> {
        let settings = Settings { call_timeout: PATIENCE, largest_answer: 64 << 20, ..Settings::default() };
        let client = Client::new(settings, AddressPolicy::private(true))?;
        let token = format!("Bearer {}", fs::read_to_string(service.token_file())?.trim());
        Ok(Self { client, service: service.clone(), token })
    }

    /// The service's name.
    pub(super) fn name(&self) -> &str {
        &self.service.name
    }

    /// Gets a path.
    pub(super) async fn get(&self, path: &str) -> Result<Value, SendError> {
        Ok(self.client.get_json(&self.service.destination(), path, &self.options(&[])).await?.body)
    }

    /// Gets a path of the service in calm, where an answer may take its time.
    pub(super) async fn get_in_calm(&self, path: &str) -> Result<Value, SendError> {
        let options = CallOptions { timeout: Some(Duration::from_secs(60)), ..self.options(&[]) };
        Ok(self.client.get_json(&self.service.destination(), path, &options).await?.body)
    }

    /// Posts a body.
    pub(super) async fn post(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Value, SendError> {
        Ok(self.client.post_json(&self.service.destination(), path, body, &self.options(headers)).await?.body)
    }

    /// All items of a list that comes in pages.
    pub(super) async fn all(&self, path: &str, items: &str) -> Result<Vec<Value>, SendError> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut page = self.get_in_calm(&format!("{path}{cursor}")).await?;
            if let Value::Array(items) = page[items].take() {
                all.extend(items);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(all),
            }
        }
    }

    fn options(&self, headers: &[(&'static str, &'static str)]) -> CallOptions {
        let mut options = CallOptions::default();
        if let Ok(token) = self.token.parse() {
            options.headers.insert("authorization", token);
        }
        for (name, value) in headers {
            options.headers.insert(*name, http::HeaderValue::from_static(value));
        }
        options
    }
}

/// A member of an answer as text; empty if there is none.
pub(super) fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

/// A member of an answer as a number; 0 if there is none.
pub(super) fn number(value: &Value, member: &str) -> u64 {
    value[member].as_u64().unwrap_or_default()
}
