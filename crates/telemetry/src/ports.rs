//! Where windows go.

use async_trait::async_trait;
use lockgate_model::ports::PortError;

use crate::window::Window;

/// Takes windows from a gateway.
#[async_trait]
pub trait Windows: Send + Sync {
    /// Writes a batch; all or nothing, idempotent by `(gateway, boot, seq)`.
    async fn publish(&self, batch: Vec<Window>) -> Result<(), PortError>;
}
