//! Ports of the gateway: narrow traits that the store and the binary implement, so that the data
//! plane runs without either.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::config::SecretRef;
use crate::ids::{AgentName, BootId, GatewayName, Revision, VersionName};
use crate::interaction::Interaction;
use crate::security::{Fuse, SecurityEvent};
use crate::snapshot::{Snapshot, WeightEpoch};
use crate::ticket::{Answer, Counted, Ticket};

/// Why a port did not do what it was asked. The caller keeps what it holds and tries again.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct PortError {
    /// What failed, in words.
    pub what: String,
}

impl PortError {
    /// From any error's text.
    pub fn new(what: impl std::fmt::Display) -> Self {
        Self { what: what.to_string() }
    }
}

/// Health of one version as one gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionHealth {
    /// The agent.
    pub agent: AgentName,
    /// The version.
    pub version: VersionName,
    /// `None` until enough checks were made.
    pub production: Option<bool>,
    /// The same for the test endpoint; `None` also when there is none.
    pub test: Option<bool>,
    /// The weight epoch that was in force here when the last check began that the production
    /// endpoint passed; `None` when the version was no candidate then.
    #[serde(default)]
    pub production_passed_in: Option<WeightEpoch>,
    /// The same for the test endpoint.
    #[serde(default)]
    pub test_passed_in: Option<WeightEpoch>,
}

/// What a gateway tells control, about twice a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Which gateway.
    pub gateway: GatewayName,
    /// Which start of it.
    pub boot: BootId,
    /// The snapshot that it decides from.
    pub applied: Revision,
    /// Health of every version.
    pub health: Vec<VersionHealth>,
    /// Latched fuses, so that one that was lost on the way arrives after all.
    pub fuses: Vec<Fuse>,
}

/// What a gateway hears back.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The newest snapshot, when it is newer than the one reported as applied.
    pub snapshot: Option<Snapshot>,
    /// When control last acted, milliseconds since the Unix epoch by the store's clock; `None`
    /// when it never has.
    pub control_alive_wall_ms: Option<i64>,
}

/// Where snapshots come from.
#[async_trait]
pub trait Snapshots: Send + Sync {
    /// Reports, then waits up to `wait_ms` for a snapshot newer than the one reported.
    async fn exchange(&self, report: Report, wait_ms: u64) -> Result<Heard, PortError>;
}

/// Where interactions go.
#[async_trait]
pub trait Interactions: Send + Sync {
    /// Writes a batch; all or nothing, idempotent by interaction id.
    async fn append(&self, batch: Vec<Interaction>) -> Result<(), PortError>;
}

/// Where what must not be lost goes.
#[async_trait]
pub trait Events: Send + Sync {
    /// Durable when it returns; idempotent by id.
    async fn security(&self, event: SecurityEvent) -> Result<(), PortError>;
    /// Durable when it returns; idempotent by id.
    async fn fuse(&self, fuse: Fuse) -> Result<(), PortError>;
    /// Durable when it returns; counts a ticket once per kind of answer.
    async fn answer(
        &self,
        ticket: Ticket,
        answer: Answer,
        at_wall_ms: i64,
    ) -> Result<Counted, PortError>;
}

/// The gateway's fuse, for whoever must cut a version off before anything else happens.
#[async_trait]
pub trait Fuses: Send + Sync {
    /// Latches durably; when it returns, no further request is routed to the version.
    async fn latch(&self, event: &SecurityEvent) -> Result<Option<Fuse>, PortError>;
}

/// Who users are to gateways.
pub trait Users: Send + Sync {
    /// The salted hash of a user's key; the same on every gateway.
    fn user(&self, agent: &AgentName, key: &str) -> u64;
}

/// Looks secrets up. Values stay in memory; no store or log sees them.
pub trait Secrets: Send + Sync {
    /// The value.
    fn look_up(&self, reference: &SecretRef) -> Result<String, PortError>;
}
