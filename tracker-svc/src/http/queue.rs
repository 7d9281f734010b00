//! The queue of requests that have not arrived yet: what its routes need of the tracker.

use axum::extract::FromRef;
use futures_util::future::BoxFuture;
use raclette_api::queue::{QueueDestinations, QueuePage};
use raclette_chain::address::Address;
use raclette_service::{
    problem::Problem,
    queue::{Filter, QueueChange, QueueHandle, QueueRoutes, QueueService},
};

use super::App;
use crate::node::Node;

impl FromRef<App> for QueueRoutes {
    fn from_ref(app: &App) -> Self {
        Self::new(app.node.clone())
    }
}

impl QueueService for Node {
    fn handle(&self) -> &QueueHandle {
        self.queue()
    }

    fn address_of(&self, name: &str) -> Option<Address> {
        self.address_of_name(name)
    }

    fn page(&self, filter: Filter, cursor: i64, limit: u32) -> BoxFuture<'_, Result<QueuePage, Problem>> {
        Box::pin(async move { Ok(self.queue_page(&filter, cursor, limit).await?) })
    }

    fn destinations(&self, after: Option<Address>, limit: u32) -> BoxFuture<'_, Result<QueueDestinations, Problem>> {
        Box::pin(async move { Ok(self.queue_destinations(after.as_ref(), limit).await?) })
    }

    fn destination_of(&self, id: i64) -> BoxFuture<'_, Result<Option<Address>, Problem>> {
        Box::pin(async move { Ok(self.queued_for(id).await?) })
    }

    fn change(&self, change: QueueChange) -> BoxFuture<'_, Result<u64, Problem>> {
        Box::pin(async move { Ok(self.change_queue(&change).await?) })
    }
}
