//! One question to a service, for containers: is it well?

use std::time::Duration;

use raclette_service::client::{AddressPolicy, CallOptions, Client, Destination, Settings};
use serde::de::IgnoredAny;

/// What to ask if nothing is said: the service with the port of this environment, which is that of its container.
pub(crate) fn usual_url() -> String {
    let port = std::env::var("RACLETTE_PORT").unwrap_or_else(|_| String::from("7700"));
    format!("http://127.0.0.1:{port}/healthz")
}

/// Asks, and tells why if it is not well.
///
/// # Errors
/// What is wrong, in words.
pub(crate) async fn check(url: &str) -> Result<(), String> {
    let (destination, path) = parse(url).ok_or_else(|| format!("{url:?} is not like http://127.0.0.1:7700/healthz"))?;
    let within = Duration::from_secs(3);
    let settings = Settings { connect_timeout: within, call_timeout: within, ..Settings::default() };
    let client = Client::new(settings, AddressPolicy::private(true)).map_err(|error| error.to_string())?;
    let asked = client.get_json::<IgnoredAny>(&destination, &path, &CallOptions::default()).await;
    asked.map(drop).map_err(|error| error.to_string())
}

/// Whom to ask what.
fn parse(url: &str) -> Option<(Destination, String)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, 80),
    };
    (!host.is_empty()).then(|| (Destination::configured("service", None, host, port), format!("/{path}")))
}

#[cfg(test)]
mod tests {
    use super::{check, parse};

    #[test]
    fn a_url_names_host_port_and_path() {
        for (url, host, port, path) in [
            ("http://127.0.0.1:7700/healthz", "127.0.0.1", 7700, "/healthz"),
            ("http://localhost:7701/a/b?c=d", "localhost", 7701, "/a/b?c=d"),
            ("http://[::1]:7702", "[::1]", 7702, "/"),
            ("http://alice", "alice", 80, "/"),
        ] {
            let (destination, found) = parse(url).unwrap();
            assert_eq!((destination.host(), destination.port(), found.as_str()), (host, port, path));
        }
        for wrong in ["", "https://127.0.0.1/", "127.0.0.1:7700", "http://", "http://a:b/", "http://:7700/"] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_is_not_well() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = check(&format!("http://{gone}/healthz")).await.unwrap_err();
        assert!(error.contains("unreachable"), "{error}");
    }
}
