//! Snapshots for gateways, built from the active configuration, splits and acknowledged fuses in
//! the transaction that changes one of them.

use lockgate_model::agent::Agent;
use lockgate_model::ids::{AgentName, FuseId, Revision};
use lockgate_model::plan::HardLimit;
use lockgate_model::snapshot::{Route, Snapshot, Split};
use lockgate_rollout::state::Rollout;
use sqlx::SqliteConnection;

use crate::codec;
use crate::config;
use crate::error::StoreError;
use crate::identities;
use crate::identity_keys;
use crate::pins;
use crate::quarantines;

/// Snapshots kept: the newest, and a few for whoever must explain.
const SNAPSHOTS_KEPT: i64 = 8;
/// Acknowledged fuses that a snapshot lists, newest first. A gateway that was away for longer
/// keeps its latch, which is the safe side.
const FUSES_LISTED_MAX: i64 = 1_000;

/// Makes and stores the next snapshot.
pub(crate) async fn publish(
    conn: &mut SqliteConnection,
    at_wall_ms: i64,
) -> Result<Revision, StoreError> {
    let revision = next_revision(conn).await?;
    let snapshot = build(conn, revision, at_wall_ms).await?;
    let number = codec::signed("revision", revision.0)?;
    sqlx::query("INSERT INTO snapshot (revision, at_wall_ms, body) VALUES (?, ?, ?)")
        .bind(number)
        .bind(at_wall_ms)
        .bind(codec::to_json("snapshot", &snapshot)?)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "DELETE FROM snapshot WHERE revision NOT IN
             (SELECT revision FROM snapshot ORDER BY revision DESC LIMIT ?)",
    )
    .bind(SNAPSHOTS_KEPT)
    .execute(conn)
    .await?;
    Ok(revision)
}

/// Above every snapshot and above everything that a gateway says it has applied: one that outlived
/// the database would otherwise take nothing new.
async fn next_revision(conn: &mut SqliteConnection) -> Result<Revision, StoreError> {
    let (newest, applied): (Option<i64>, Option<i64>) = sqlx::query_as(
        "SELECT (SELECT MAX(revision) FROM snapshot), (SELECT MAX(applied) FROM gateway)",
    )
    .fetch_one(conn)
    .await?;
    let last = newest.unwrap_or(0).max(applied.unwrap_or(0));
    Ok(Revision(codec::unsigned("revision", last)? + 1))
}

async fn build(
    conn: &mut SqliteConnection,
    revision: Revision,
    at_wall_ms: i64,
) -> Result<Snapshot, StoreError> {
    let (agents, candidate_stale_max_ms) = config::agents(conn).await?.unwrap_or_default();
    let splits = splits(conn).await?;
    let mut routes = Vec::with_capacity(agents.len());
    for mut agent in agents {
        let split =
            splits.iter().find(|(name, _)| *name == agent.name).map(|(_, split)| split.clone());
        if let Some(split) = &split {
            complete(conn, &mut agent, split).await?;
        }
        let hard_limits = hard_limits(conn, &agent.name).await?;
        routes.push(Route { agent, split, hard_limits });
    }
    Ok(Snapshot {
        revision,
        at_wall_ms,
        routes,
        acknowledged_fuses: acknowledged_fuses(conn).await?,
        candidate_stale_max_ms,
        egress: config::egress(conn).await?,
        revoked: identities::revoked(conn, at_wall_ms).await?,
        identity_keys: identity_keys::good(conn, at_wall_ms).await?,
        pins: pins::told(conn).await?,
        quarantined: quarantines::in_force(conn).await?,
    })
}

/// Adds versions that still get traffic and are gone from the file, so that no split names one
/// that a gateway does not know.
async fn complete(
    conn: &mut SqliteConnection,
    agent: &mut Agent,
    split: &Split,
) -> Result<(), StoreError> {
    let members = [&split.candidate, &split.retiring].into_iter().flatten();
    for version in members.map(|member| &member.version).chain([&split.stable]) {
        if agent.version(version).is_none()
            && let Some(manifest) = config::manifest(conn, &agent.name, version).await?
        {
            agent.versions.push(manifest);
        }
    }
    Ok(())
}

async fn hard_limits(
    conn: &mut SqliteConnection,
    agent: &AgentName,
) -> Result<Vec<HardLimit>, StoreError> {
    let body: Option<String> =
        sqlx::query_scalar("SELECT body FROM rollout WHERE agent = ? AND is_open = 1")
            .bind(agent.as_str())
            .fetch_optional(conn)
            .await?;
    body.map_or(Ok(Vec::new()), |body| {
        let rollout: Rollout = codec::from_json("rollout", &body)?;
        Ok(rollout.plan.hard_limits.clone())
    })
}

async fn acknowledged_fuses(conn: &mut SqliteConnection) -> Result<Vec<FuseId>, StoreError> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM fuse WHERE acknowledged_wall_ms IS NOT NULL
         ORDER BY acknowledged_wall_ms DESC, id DESC LIMIT ?",
    )
    .bind(FUSES_LISTED_MAX)
    .fetch_all(conn)
    .await?;
    ids.iter().map(|id| codec::parse("fuse id", id)).collect()
}

/// All splits, by agent.
pub(crate) async fn splits(
    conn: &mut SqliteConnection,
) -> Result<Vec<(AgentName, Split)>, StoreError> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT agent, body FROM split ORDER BY agent").fetch_all(conn).await?;
    rows.iter()
        .map(|(agent, body)| Ok((codec::parse("agent", agent)?, codec::from_json("split", body)?)))
        .collect()
}

/// The newest snapshot after `after`.
pub(crate) async fn newest_after(
    conn: &mut SqliteConnection,
    after: Revision,
) -> Result<Option<Snapshot>, StoreError> {
    let body: Option<String> = sqlx::query_scalar(
        "SELECT body FROM snapshot WHERE revision > ? ORDER BY revision DESC LIMIT 1",
    )
    .bind(codec::signed("revision", after.0)?)
    .fetch_optional(conn)
    .await?;
    body.map(|body| codec::from_json("snapshot", &body)).transpose()
}
