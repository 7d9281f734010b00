//! The queue of requests that have not arrived yet: what its routes need of this peer.

use axum::extract::FromRef;
use futures_util::future::BoxFuture;
use raclette_api::queue::{QueueDestinations, QueuePage};
use raclette_chain::address::Address;
use raclette_service::{
    problem::Problem,
    queue::{Filter, QueueChange, QueueHandle, QueueRoutes, QueueService, sql, view},
};

use super::{App, Shared};
use crate::node::NodeError;

impl FromRef<App> for QueueRoutes {
    fn from_ref(app: &App) -> Self {
        Self::new(app.0.clone())
    }
}

impl QueueService for Shared {
    fn handle(&self) -> &QueueHandle {
        &self.parts.queue
    }

    fn address_of(&self, name: &str) -> Option<Address> {
        self.parts.node.members().address_of(name)
    }

    fn page(&self, filter: Filter, cursor: i64, limit: u32) -> BoxFuture<'_, Result<QueuePage, Problem>> {
        Box::pin(async move {
            let mut connection = self.parts.node.readers().acquire().await.map_err(NodeError::from)?;
            let page = view::page(&mut connection, &filter, cursor, limit, &self.parts.queue).await;
            Ok(page.map_err(NodeError::from)?)
        })
    }

    fn destinations(&self, after: Option<Address>, limit: u32) -> BoxFuture<'_, Result<QueueDestinations, Problem>> {
        Box::pin(async move {
            let mut connection = self.parts.node.readers().acquire().await.map_err(NodeError::from)?;
            let reachable = |address: &Address| self.parts.node.members().neighbour(address).is_some();
            let page = view::destinations(&mut connection, after.as_ref(), limit, reachable).await;
            Ok(page.map_err(NodeError::from)?)
        })
    }

    fn destination_of(&self, id: i64) -> BoxFuture<'_, Result<Option<Address>, Problem>> {
        Box::pin(async move {
            let mut connection = self.parts.node.readers().acquire().await.map_err(NodeError::from)?;
            let row = sql::find(&mut connection, id).await.map_err(NodeError::from)?;
            Ok(row.map(|row| row.request.destination))
        })
    }

    fn change(&self, change: QueueChange) -> BoxFuture<'_, Result<u64, Problem>> {
        Box::pin(async move { Ok(self.parts.node.change_queue(vec![change]).await?.into_iter().sum()) })
    }
}
