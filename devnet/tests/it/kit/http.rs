//! HTTP as the tests speak it: the services' own client for what succeeds, and plain bytes for what must fail.

use std::time::Duration;

use raclette_service::client::{AddressPolicy, CallOptions, Client, Destination, SendError, Settings};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A client as patient as a person.
pub(crate) fn client() -> Client {
    let settings = Settings { call_timeout: Duration::from_secs(60), ..Settings::default() };
    Client::new(settings, AddressPolicy::private(true)).unwrap()
}

/// Headers of a call.
pub(crate) fn options(headers: &[(&'static str, &str)]) -> CallOptions {
    let mut options = CallOptions::default();
    for (name, value) in headers {
        options.headers.insert(*name, value.parse().unwrap());
    }
    options
}

/// Gets a path of the service on this port.
pub(crate) async fn get<T: DeserializeOwned>(port: u16, path: &str, token: Option<&str>) -> Result<T, SendError> {
    let options = token.map_or_else(CallOptions::default, |token| options(&[("authorization", token)]));
    Ok(client().get_json(&at(port), path, &options).await?.body)
}

/// Posts a body to the service on this port.
pub(crate) async fn post<B: Serialize + Sync, T: DeserializeOwned>(
    port: u16,
    path: &str,
    body: &B,
    headers: &[(&'static str, &str)],
) -> Result<T, SendError> {
    Ok(client().post_json(&at(port), path, body, &options(headers)).await?.body)
}

/// Puts a body to the service on this port.
pub(crate) async fn put<B: Serialize, T: DeserializeOwned>(
    port: u16,
    path: &str,
    body: &B,
    token: &str,
) -> Result<T, SendError> {
    let (method, body) = ("PUT".parse().unwrap(), serde_json::to_vec(body).unwrap());
    Ok(client().call(method, &at(port), path, Some(body.into()), &options(&[("authorization", token)])).await?.body)
}

/// Deletes something at the service on this port.
pub(crate) async fn delete<T: DeserializeOwned>(port: u16, path: &str, token: &str) -> Result<T, SendError> {
    let method = "DELETE".parse().unwrap();
    Ok(client().call(method, &at(port), path, None, &options(&[("authorization", token)])).await?.body)
}

fn at(port: u16) -> Destination {
    Destination::configured("service", None, "127.0.0.1", port)
}

/// An answer as it stands on the wire.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl RawAnswer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then(|| value.trim()))
    }

    /// The code of the problem (RFC 9457) that it must be.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}\n{}", self.head, self.body);
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "detail", "code"] {
            assert!(problem[member].is_string(), "{member} is missing in {problem}");
        }
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// Sends a request byte by byte as it is given: `line` such as `GET /status`, headers each without a line end.
pub(crate) async fn raw(port: u16, line: &str, headers: &[&str], body: &str) -> RawAnswer {
    let host = if headers.iter().any(|header| header.to_ascii_lowercase().starts_with("host:")) {
        String::new()
    } else {
        format!("Host: 127.0.0.1:{port}\r\n")
    };
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let request =
        format!("{line} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line has a status");
    RawAnswer { status, head: head.to_owned(), body: body.to_owned() }
}
