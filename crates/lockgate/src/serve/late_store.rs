//! The gateway's ports on a store that may open later than the gateway: a broken disk must not
//! keep users' traffic from the last good snapshot.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use lockgate_model::approval::{self, Approvals, Question, Waited};
use lockgate_model::ids::{ApprovalId, Revision};
use lockgate_model::interaction::Interaction;
use lockgate_model::limit::{self, Reservations, Reserved};
use lockgate_model::pin::{Pins, SeenTool};
use lockgate_model::ports::{Events, Heard, Interactions, PortError, Report, Snapshots};
use lockgate_model::security::{Fuse, SecurityEvent};
use lockgate_model::ticket::{Answer, Counted, Ticket};
use lockgate_store::Store;
use lockgate_telemetry::ports::Windows;
use lockgate_telemetry::window::Window;

/// A store, or the place where it will be.
#[derive(Debug, Clone, Default)]
pub(crate) struct LateStore(Arc<OnceLock<Store>>);

impl LateStore {
    /// From now on the ports work.
    pub(crate) fn opened(&self, store: Store) {
        // The first one stays; there is only one to be opened.
        let _ = self.0.set(store);
    }

    fn get(&self) -> Result<&Store, PortError> {
        self.0.get().ok_or_else(|| PortError::new("the store is not open yet"))
    }
}

#[async_trait]
impl Snapshots for LateStore {
    async fn exchange(&self, report: Report, wait_ms: u64) -> Result<Heard, PortError> {
        self.get()?.exchange(report, wait_ms).await
    }
}

#[async_trait]
impl Windows for LateStore {
    async fn publish(&self, batch: Vec<Window>) -> Result<(), PortError> {
        self.get()?.publish(batch).await
    }
}

#[async_trait]
impl Interactions for LateStore {
    async fn append(&self, batch: Vec<Interaction>) -> Result<(), PortError> {
        self.get()?.append(batch).await
    }
}

#[async_trait]
impl Approvals for LateStore {
    async fn ask(&self, question: &Question) -> Result<approval::Answer, PortError> {
        self.get()?.ask(question).await
    }

    async fn wait(&self, id: ApprovalId, at_most: Duration) -> Result<Waited, PortError> {
        self.get()?.wait(id, at_most).await
    }
}

#[async_trait]
impl Reservations for LateStore {
    async fn reserve(&self, counts: &[limit::Counted]) -> Result<Reserved, PortError> {
        self.get()?.reserve(counts).await
    }

    async fn settle(&self, used: &[(limit::Place, u64)]) -> Result<(), PortError> {
        self.get()?.settle(used).await
    }
}

#[async_trait]
impl Pins for LateStore {
    async fn see(&self, seen: &SeenTool) -> Result<Revision, PortError> {
        self.get()?.see(seen).await
    }
}

#[async_trait]
impl Events for LateStore {
    async fn security(&self, event: SecurityEvent) -> Result<(), PortError> {
        self.get()?.security(event).await
    }

    async fn fuse(&self, fuse: Fuse) -> Result<(), PortError> {
        self.get()?.fuse(fuse).await
    }

    async fn answer(
        &self,
        ticket: Ticket,
        answer: Answer,
        at_wall_ms: i64,
    ) -> Result<Counted, PortError> {
        self.get()?.answer(ticket, answer, at_wall_ms).await
    }
}
