//! How a queued request gets to its destination.

use std::sync::Arc;

use serde::de::IgnoredAny;

use super::{Destination, QueuedRequest};
use crate::client::{CallOptions, Client, SendError};

/// How a request gets to its destination. Two implementations exist: the client over real sockets, and the simulated
/// network of the tests.
pub trait Transport: Send + Sync {
    /// Sends the request and waits for the answer. A success only if the destination itself, with its own key, took it.
    fn send(
        &self,
        destination: &Destination,
        request: &QueuedRequest,
    ) -> impl Future<Output = Result<(), SendError>> + Send;
}

impl<T: Transport> Transport for Arc<T> {
    fn send(
        &self,
        destination: &Destination,
        request: &QueuedRequest,
    ) -> impl Future<Output = Result<(), SendError>> + Send {
        self.as_ref().send(destination, request)
    }
}

/// Sends with the services' client: posts the body as it is, and only asks whether it was taken.
#[derive(Debug, Clone)]
pub struct ClientTransport {
    client: Client,
    options: CallOptions,
}

impl ClientTransport {
    /// A transport over this client. Every request is sent with these options.
    #[must_use]
    pub fn new(client: Client, options: CallOptions) -> Self {
        Self { client, options }
    }
}

impl Transport for ClientTransport {
    async fn send(&self, destination: &Destination, request: &QueuedRequest) -> Result<(), SendError> {
        let body = request.body.clone().into();
        self.client.post_bytes::<IgnoredAny>(&destination.callee(), &request.path, body, &self.options).await?;
        Ok(())
    }
}
