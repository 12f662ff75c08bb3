//! Security events and fuses: what must not be lost.

use async_trait::async_trait;
use lockgate_model::ids::AgentName;
use lockgate_model::ports::{Events, PortError};
use lockgate_model::security::{Fuse, SecurityEvent};
use lockgate_model::ticket::{Answer, Counted, Ticket};
use lockgate_rollout::event::{Alert, Effect};
use lockgate_rollout::state::Rollout;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::codec;
use crate::error::StoreError;
use crate::inbox::{self, InboxBody, InboxId, InboxOutcome, NewInboxItem};
use crate::lease::check_fence;
use crate::outbox;
use crate::rollouts;
use crate::store::Store;

/// Transitions count from 1: an effect under this number was asked for by none.
pub(crate) const NO_TRANSITION: i64 = 0;

/// A fuse that latched, and whether control has taken it over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FuseRow {
    /// The fuse.
    pub fuse: Fuse,
    /// When gateways were told that they may release it, milliseconds since the Unix epoch.
    pub acknowledged_wall_ms: Option<i64>,
}

impl Store {
    /// The fuses of an agent, newest first.
    pub async fn fuses(&self, agent: &AgentName, limit: u32) -> Result<Vec<FuseRow>, StoreError> {
        let rows: Vec<(String, Option<i64>)> = sqlx::query_as(
            "SELECT body, acknowledged_wall_ms FROM fuse WHERE agent = ?
             ORDER BY at_wall_ms DESC, id DESC LIMIT ?",
        )
        .bind(agent.as_str())
        .bind(limit)
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter()
            .map(|(body, acknowledged_wall_ms)| {
                Ok(FuseRow { fuse: codec::from_json("fuse", &body)?, acknowledged_wall_ms })
            })
            .collect()
    }

    /// The security events of an agent, newest first.
    pub async fn security_events(
        &self,
        agent: &AgentName,
        limit: u32,
    ) -> Result<Vec<SecurityEvent>, StoreError> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM security_event WHERE agent = ?
             ORDER BY at_wall_ms DESC, id DESC LIMIT ?",
        )
        .bind(agent.as_str())
        .bind(limit)
        .fetch_all(&self.inner.reader)
        .await?;
        rows.iter().map(|body| codec::from_json("security event", body)).collect()
    }

    /// Closes an item that leads to no step of a rollout, and has people told in the name of
    /// `rollout`, of the same agent.
    pub async fn finish_with_alert(
        &self,
        fence: u64,
        id: InboxId,
        outcome: &InboxOutcome,
        rollout: &Rollout,
        alert: Alert,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        check_fence(&mut tx, fence).await?;
        inbox::finish(&mut tx, id, outcome).await?;
        outbox::insert(&mut tx, rollout, NO_TRANSITION, &Effect::Notify { alert }).await?;
        self.commit(tx).await
    }

    async fn take_security_event(&self, event: SecurityEvent) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let inserted = sqlx::query(
            "INSERT INTO security_event (id, agent, version, at_wall_ms, body)
             VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        )
        .bind(event.id.to_string())
        .bind(event.agent.as_str())
        .bind(event.version.as_str())
        .bind(event.at_wall_ms)
        .bind(codec::to_json("security event", &event)?)
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(());
        }
        let item = NewInboxItem {
            key: Some(event.id.to_string()),
            agent: event.agent.clone(),
            rollout: rollouts::open_of(&mut tx, &event.agent).await?,
            by: event.principal.clone(),
            at_wall_ms: event.at_wall_ms,
            body: InboxBody::Security(event),
        };
        inbox::insert(&mut tx, &item).await?;
        self.commit(tx).await
    }

    async fn take_fuse(&self, fuse: Fuse) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if insert_fuse(&mut tx, &fuse).await? {
            self.commit(tx).await?;
        }
        Ok(())
    }
}

/// Adds a fuse and the inbox item about it; `false` when it is known.
pub(crate) async fn insert_fuse(
    conn: &mut SqliteConnection,
    fuse: &Fuse,
) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO fuse (id, agent, body, at_wall_ms) VALUES (?, ?, ?, ?)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(fuse.id.to_string())
    .bind(fuse.agent.as_str())
    .bind(codec::to_json("fuse", fuse)?)
    .bind(fuse.at_wall_ms)
    .execute(&mut *conn)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    let item = NewInboxItem {
        key: Some(fuse.id.to_string()),
        agent: fuse.agent.clone(),
        rollout: fuse.rollout,
        body: InboxBody::Fuse(fuse.clone()),
        by: fuse.gateway.to_string(),
        at_wall_ms: fuse.at_wall_ms,
    };
    inbox::insert(conn, &item).await?;
    Ok(true)
}

#[async_trait]
impl Events for Store {
    async fn security(&self, event: SecurityEvent) -> Result<(), PortError> {
        Ok(self.take_security_event(event).await?)
    }

    async fn fuse(&self, fuse: Fuse) -> Result<(), PortError> {
        Ok(self.take_fuse(fuse).await?)
    }

    async fn answer(
        &self,
        ticket: Ticket,
        answer: Answer,
        at_wall_ms: i64,
    ) -> Result<Counted, PortError> {
        Ok(self.take_answer(&ticket, answer, at_wall_ms).await?)
    }
}
