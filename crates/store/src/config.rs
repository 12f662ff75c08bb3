//! Configurations that were activated, and the versions they named.

use lockgate_model::agent::Agent;
use lockgate_model::config::Source;
use lockgate_model::ids::{AgentName, VersionName};
use lockgate_model::snapshot::{Egress, Split};
use lockgate_model::version::Manifest;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::SqliteConnection;

use crate::codec;
use crate::error::StoreError;
use crate::feed::{self, News};
use crate::rollouts;
use crate::snapshot;
use crate::store::Store;

/// Where a configuration came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigOrigin {
    /// The file that the server was started with.
    File,
    /// A person or a program, through the API.
    Api,
}

/// A configuration to activate: the text, and what it was read into.
#[derive(Debug, Clone, Copy)]
pub struct NewConfig<'a> {
    /// As it was given.
    pub source: &'a Source,
    /// Digest of it.
    pub digest: &'a str,
    /// Who activates it.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// Its agents.
    pub agents: &'a [Agent],
    /// Its `candidate_stale_max`, for snapshots.
    pub candidate_stale_max_ms: u64,
    /// What agents' own calls are decided from, for snapshots.
    pub egress: &'a Egress,
    /// Where it came from.
    pub origin: ConfigOrigin,
}

/// A configuration that was activated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRecord {
    /// Grows with every activation.
    pub revision: i64,
    /// Digest of it.
    pub digest: String,
    /// As it was given.
    pub source: Source,
    /// Who activated it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// Where it came from.
    pub origin: ConfigOrigin,
}

const LAST_FILE_DIGEST: &str = "last_file_digest";

impl Store {
    /// Makes a configuration the active one, registers its versions and publishes a snapshot, all
    /// or nothing. One that is active already changes nothing. Refused: a known version with
    /// other content, and the removal of what gets traffic or is being released.
    pub async fn activate_config(&self, new: NewConfig<'_>) -> Result<ConfigRecord, StoreError> {
        let mut tx = self.begin().await?;
        if new.origin == ConfigOrigin::File {
            remember_file(&mut tx, new.digest).await?;
        }
        if let Some(record) = active(&mut tx).await?
            && record.digest == new.digest
        {
            self.commit(tx).await?;
            return Ok(record);
        }
        admit(&mut tx, &new).await?;
        let record = insert(&mut tx, new).await?;
        let body = json!({
            "revision": record.revision, "digest": record.digest, "by": record.by,
            "reason": record.reason, "source": record.origin,
        });
        let news =
            News { at_wall_ms: new.at_wall_ms, kind: "config", agent: None, rollout: None, body };
        feed::tell(&mut tx, news).await?;
        let revision = snapshot::publish(&mut tx, new.at_wall_ms).await?;
        self.commit_revision(tx, revision).await?;
        Ok(record)
    }

    /// Whether [`Self::activate_config`] would refuse; changes nothing.
    pub async fn try_config(&self, new: NewConfig<'_>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if active(&mut tx).await?.is_some_and(|record| record.digest == new.digest) {
            return Ok(());
        }
        // What it wrote is rolled back with the transaction.
        admit(&mut tx, &new).await
    }

    /// The configuration that is active.
    pub async fn active_config(&self) -> Result<Option<ConfigRecord>, StoreError> {
        active(&mut *self.inner.reader.acquire().await?).await
    }

    /// The agents of the active configuration, in its order; empty while there is none.
    pub async fn active_agents(&self) -> Result<Vec<Agent>, StoreError> {
        let agents = agents(&mut *self.inner.reader.acquire().await?).await?;
        Ok(agents.map(|(agents, _)| agents).unwrap_or_default())
    }

    /// Digest of the configuration file that was activated last, whatever came after it through
    /// the API. A file that is still the same has nothing new to say.
    pub async fn last_file_digest(&self) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT value FROM setting WHERE name = ?")
            .bind(LAST_FILE_DIGEST)
            .fetch_optional(&self.inner.reader)
            .await?)
    }
}

/// Checks what the new configuration takes away, and registers its versions.
async fn admit(conn: &mut SqliteConnection, new: &NewConfig<'_>) -> Result<(), StoreError> {
    check_removals(conn, new.agents).await?;
    for agent in new.agents {
        for manifest in &agent.versions {
            register(conn, &agent.name, manifest, new.at_wall_ms).await?;
        }
    }
    Ok(())
}

async fn remember_file(conn: &mut SqliteConnection, digest: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO setting (name, value) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(LAST_FILE_DIGEST)
    .bind(digest)
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert(
    conn: &mut SqliteConnection,
    new: NewConfig<'_>,
) -> Result<ConfigRecord, StoreError> {
    let revision: i64 = sqlx::query_scalar(
        "INSERT INTO config (digest, body, files, agents, candidate_stale_max_ms, egress, principal,
             reason, source, at_wall_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING revision",
    )
    .bind(new.digest)
    .bind(&new.source.text)
    .bind(codec::to_json("files", &new.source.files)?)
    .bind(codec::to_json("agents", &new.agents)?)
    .bind(codec::signed("stale limit", new.candidate_stale_max_ms)?)
    .bind(codec::to_json("egress", new.egress)?)
    .bind(new.by)
    .bind(new.reason)
    .bind(codec::to_tag("configuration source", &new.origin)?)
    .bind(new.at_wall_ms)
    .fetch_one(conn)
    .await?;
    Ok(ConfigRecord {
        revision,
        digest: new.digest.to_owned(),
        source: new.source.clone(),
        by: new.by.to_owned(),
        reason: new.reason.to_owned(),
        at_wall_ms: new.at_wall_ms,
        origin: new.origin,
    })
}

type Columns = (i64, String, String, String, String, String, i64, String);

async fn active(conn: &mut SqliteConnection) -> Result<Option<ConfigRecord>, StoreError> {
    let row: Option<Columns> = sqlx::query_as(
        "SELECT revision, digest, body, files, principal, reason, at_wall_ms, source FROM config
         ORDER BY revision DESC LIMIT 1",
    )
    .fetch_optional(conn)
    .await?;
    row.map(|(revision, digest, text, files, by, reason, at_wall_ms, origin)| {
        Ok(ConfigRecord {
            revision,
            digest,
            source: Source { text, files: codec::from_json("files", &files)? },
            by,
            reason,
            at_wall_ms,
            origin: codec::from_tag("configuration source", &origin)?,
        })
    })
    .transpose()
}

/// The active agents and `candidate_stale_max_ms`.
pub(crate) async fn agents(
    conn: &mut SqliteConnection,
) -> Result<Option<(Vec<Agent>, u64)>, StoreError> {
    let row: Option<(String, i64)> = sqlx::query_as(
        "SELECT agents, candidate_stale_max_ms FROM config ORDER BY revision DESC LIMIT 1",
    )
    .fetch_optional(conn)
    .await?;
    row.map(|(agents, stale)| {
        Ok((codec::from_json("agents", &agents)?, codec::unsigned("stale limit", stale)?))
    })
    .transpose()
}

/// What agents' own calls are decided from, by the active configuration.
pub(crate) async fn egress(conn: &mut SqliteConnection) -> Result<Egress, StoreError> {
    let text: Option<String> =
        sqlx::query_scalar("SELECT egress FROM config ORDER BY revision DESC LIMIT 1")
            .fetch_optional(conn)
            .await?
            .flatten();
    // A configuration from before there was such a thing has none.
    text.map_or_else(|| Ok(Egress::default()), |text| codec::from_json("egress", &text))
}

/// Adds a version, or finds it unchanged.
async fn register(
    conn: &mut SqliteConnection,
    agent: &AgentName,
    manifest: &Manifest,
    at_wall_ms: i64,
) -> Result<(), StoreError> {
    let digest = manifest.digest();
    let known: Option<String> =
        sqlx::query_scalar("SELECT digest FROM version WHERE agent = ? AND name = ?")
            .bind(agent.as_str())
            .bind(manifest.name.as_str())
            .fetch_optional(&mut *conn)
            .await?;
    match known {
        Some(known) if known == digest.as_str() => return Ok(()),
        Some(_) => {
            return Err(StoreError::VersionChanged {
                agent: agent.clone(),
                version: manifest.name.clone(),
            });
        }
        None => {}
    }
    sqlx::query(
        "INSERT INTO version (agent, name, digest, manifest, at_wall_ms) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(agent.as_str())
    .bind(manifest.name.as_str())
    .bind(digest.as_str())
    .bind(codec::to_json("manifest", manifest)?)
    .bind(at_wall_ms)
    .execute(conn)
    .await?;
    Ok(())
}

/// The manifest of a version that was ever named.
pub(crate) async fn manifest(
    conn: &mut SqliteConnection,
    agent: &AgentName,
    version: &VersionName,
) -> Result<Option<Manifest>, StoreError> {
    let text: Option<String> =
        sqlx::query_scalar("SELECT manifest FROM version WHERE agent = ? AND name = ?")
            .bind(agent.as_str())
            .bind(version.as_str())
            .fetch_optional(conn)
            .await?;
    text.map(|text| codec::from_json("manifest", &text)).transpose()
}

/// Refuses to remove an agent that is being released, and a version that gets traffic or is
/// being released.
async fn check_removals(conn: &mut SqliteConnection, new: &[Agent]) -> Result<(), StoreError> {
    for rollout in rollouts::open(conn).await? {
        let Some(kept) = new.iter().find(|kept| kept.name == rollout.agent) else {
            return Err(StoreError::AgentBusy { agent: rollout.agent, rollout: rollout.id });
        };
        for version in rollout.stable.iter().chain([&rollout.candidate]) {
            check_kept(kept, version)?;
        }
    }
    let before = agents(conn).await?.map(|(agents, _)| agents);
    for (agent, split) in snapshot::splits(conn).await? {
        let Some(kept) = new.iter().find(|kept| kept.name == agent) else {
            continue;
        };
        let was_there = before.iter().flatten().any(|old| old.name == agent);
        if was_there {
            check_kept(kept, &split.stable)?;
        } else {
            forget_lost(conn, kept, &split).await?;
        }
    }
    Ok(())
}

fn check_kept(agent: &Agent, version: &VersionName) -> Result<(), StoreError> {
    if agent.version(version).is_some() {
        return Ok(());
    }
    Err(StoreError::VersionBusy { agent: agent.name.clone(), version: version.clone() })
}

/// An agent that was removed and comes back keeps its stable version if it still has it. If not,
/// it starts anew, and earlier requests to start a version stand for nothing any more.
async fn forget_lost(
    conn: &mut SqliteConnection,
    agent: &Agent,
    split: &Split,
) -> Result<(), StoreError> {
    if agent.version(&split.stable).is_none() {
        sqlx::query("DELETE FROM split WHERE agent = ?")
            .bind(agent.name.as_str())
            .execute(&mut *conn)
            .await?;
        sqlx::query("UPDATE inbox SET key = NULL WHERE agent = ? AND kind = 'start'")
            .bind(agent.name.as_str())
            .execute(conn)
            .await?;
    }
    Ok(())
}
