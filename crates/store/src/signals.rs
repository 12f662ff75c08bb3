//! What judges read: evidence since the start, the recent past, and health.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use lockgate_model::ids::{AgentName, Epoch, VersionName};
use lockgate_model::ports::VersionHealth;
use lockgate_model::snapshot::WeightEpoch;
use lockgate_rollout::signals::Signals;
use lockgate_rollout::state::Rollout;
use lockgate_telemetry::arm::{Arm, Arms};
use sqlx::SqliteConnection;

use crate::answers::{self, AnswerRow};
use crate::codec;
use crate::drift;
use crate::error::StoreError;
use crate::exchange::{self, GatewayRow};
use crate::keys::{KeySet, ReleaseKeys, unite, unpack};
use crate::store::Store;

/// A gateway that was not heard of for this long has no say.
const GATEWAY_SEEN_WITHIN_MS: u64 = 10_000;

impl Store {
    /// Everything that judges of this rollout read, from one consistent view of the database.
    /// `recent` has an entry for every look-back window of the plan; a window takes part while
    /// its second is less than that long ago.
    pub async fn signals(
        &self,
        rollout: &Rollout,
        now_wall_ms: i64,
    ) -> Result<Signals, StoreError> {
        let mut tx = self.inner.reader.begin().await?;
        let gateways = exchange::gateways(&mut tx, GATEWAY_SEEN_WITHIN_MS).await?;
        let mut lengths = rollout.plan.windows_ms();
        let block_ms = rollout
            .block
            .map(|block| u64::try_from(now_wall_ms - block.since_wall_ms).unwrap_or(0));
        lengths.extend(block_ms);
        lengths.sort_unstable();
        lengths.dedup();
        let mut recent = recent(&mut tx, rollout, &lengths, now_wall_ms).await?;
        let mut evidence = evidence(&mut tx, rollout).await?;
        let tested = rollout.tested(&evidence);
        evidence.retain(|epoch, _| !rollout.test_epochs_left().contains(epoch));
        let drift = match &rollout.plan.drift {
            Some(_) => drift::seen(&mut tx, &rollout.agent).await?,
            None => Vec::new(),
        };
        Ok(Signals {
            evidence,
            tested,
            block: block_ms.and_then(|length| recent.get(&length).cloned()).unwrap_or_default(),
            recent: {
                let asked = rollout.plan.windows_ms();
                recent.retain(|length, _| asked.contains(length));
                recent
            },
            candidate_healthy: agree(&gateways, rollout, |health| {
                (health.production, health.production_passed_in)
            }),
            candidate_test_healthy: agree(&gateways, rollout, |health| {
                (health.test, health.test_passed_in)
            }),
            drift,
        })
    }

    /// What each epoch adds to the distinct keys of the whole release: candidate, stable. Of the
    /// same epochs as the evidence in [`Self::signals`].
    pub async fn release_keys(
        &self,
        rollout: &Rollout,
    ) -> Result<BTreeMap<Epoch, [ReleaseKeys; 2]>, StoreError> {
        let rows: Vec<(i64, String, i64, i64, i64)> = sqlx::query_as(
            "SELECT epoch, version, first_assigned, first_erroring, erred_before FROM evidence
             WHERE rollout = ?",
        )
        .bind(rollout.id.to_string())
        .fetch_all(&self.inner.reader)
        .await?;
        let count = |value| codec::unsigned("keys", value);
        let mut keys: BTreeMap<Epoch, [ReleaseKeys; 2]> = BTreeMap::new();
        for (epoch, version, assigned, erroring, erred_before) in rows {
            let epoch = Epoch(codec::unsigned("epoch", epoch)?);
            if rollout.test_epochs_left().contains(&epoch) {
                continue;
            }
            let [candidate, stable] = keys.entry(epoch).or_default();
            if let Some(place) = arm_of(rollout, &version, candidate, stable) {
                *place = ReleaseKeys {
                    assigned: count(assigned)?,
                    erroring: count(erroring)?,
                    erred_before: count(erred_before)?,
                };
            }
        }
        Ok(keys)
    }

    /// What was seen of a version since a moment, in and outside rollouts. Beyond the last 24
    /// hours to the minute, and without distinct keys.
    pub async fn arm_since(
        &self,
        agent: &AgentName,
        version: &VersionName,
        since_wall_ms: i64,
    ) -> Result<Arm, StoreError> {
        let mut tx = self.inner.reader.begin().await?;
        let mut arm = Arm::default();
        let mut keys = KeySet::new();
        let mut seconds = sqlx::query_as::<_, (String, Vec<u8>)>(
            "SELECT arm, seen_keys FROM measurement
             WHERE agent = ? AND version = ? AND second_wall_ms >= ?",
        )
        .bind(agent.as_str())
        .bind(version.as_str())
        .bind(since_wall_ms)
        .fetch(&mut *tx);
        while let Some((window, seen)) = seconds.try_next().await? {
            arm.merge(&codec::from_json("window", &window)?);
            unite(&mut keys, unpack(&seen)?);
        }
        drop(seconds);
        let mut older = sqlx::query_scalar::<_, String>(
            "SELECT arm FROM rollup
             WHERE agent = ? AND version = ? AND start_wall_ms + resolution_ms > ?",
        )
        .bind(agent.as_str())
        .bind(version.as_str())
        .bind(since_wall_ms)
        .fetch(&mut *tx);
        while let Some(window) = older.try_next().await? {
            arm.merge(&codec::from_json("window", &window)?);
        }
        drop(older);
        let answers =
            answers::of_version(&mut tx, agent.as_str(), version.as_str(), since_wall_ms).await?;
        for answer in answers {
            answer.add_to(&mut arm, &mut keys)?;
        }
        count_keys(&mut arm, &keys);
        Ok(arm)
    }
}

/// The arm of `version` in a rollout; `None` for a version that is neither.
fn arm_of<'a, T>(
    rollout: &Rollout,
    version: &str,
    candidate: &'a mut T,
    stable: &'a mut T,
) -> Option<&'a mut T> {
    if rollout.candidate.as_str() == version {
        Some(candidate)
    } else if rollout.stable.as_ref().map(VersionName::as_str) == Some(version) {
        Some(stable)
    } else {
        None
    }
}

pub(crate) async fn evidence(
    conn: &mut SqliteConnection,
    rollout: &Rollout,
) -> Result<BTreeMap<Epoch, Arms>, StoreError> {
    let rows: Vec<(i64, String, String, i64, i64, i64)> = sqlx::query_as(
        "SELECT epoch, version, arm, first_assigned, first_erroring, erred_before FROM evidence
         WHERE rollout = ?",
    )
    .bind(rollout.id.to_string())
    .fetch_all(conn)
    .await?;
    let mut evidence: BTreeMap<Epoch, Arms> = BTreeMap::new();
    for (epoch, version, arm, first_assigned, first_erroring, erred_before) in rows {
        let epoch = Epoch(codec::unsigned("epoch", epoch)?);
        let arms = evidence.entry(epoch).or_default();
        let arm_of = arm_of(rollout, &version, &mut arms.candidate, &mut arms.stable);
        if let Some(place) = arm_of {
            *place = codec::from_json("evidence", &arm)?;
            let erred_before = codec::unsigned("keys", erred_before)?;
            place.keys.at_risk = place.keys.assigned.saturating_sub(erred_before);
            place.keys.first_errors = codec::unsigned("keys", first_erroring)?;
            place.keys.first_assigned = codec::unsigned("keys", first_assigned)?;
        }
    }
    Ok(evidence)
}

/// Both arms while they grow, newest window first.
#[derive(Default)]
struct Growing {
    arms: Arms,
    candidate_keys: KeySet,
    stable_keys: KeySet,
}

impl Growing {
    fn place(&mut self, rollout: &Rollout, version: &str) -> Option<(&mut Arm, &mut KeySet)> {
        let mut candidate = Some((&mut self.arms.candidate, &mut self.candidate_keys));
        let mut stable = Some((&mut self.arms.stable, &mut self.stable_keys));
        arm_of(rollout, version, &mut candidate, &mut stable)?.take()
    }

    fn arms(&self) -> Arms {
        let mut arms = self.arms.clone();
        count_keys(&mut arms.candidate, &self.candidate_keys);
        count_keys(&mut arms.stable, &self.stable_keys);
        arms
    }
}

fn count_keys(arm: &mut Arm, keys: &KeySet) {
    arm.keys.assigned = keys.len() as u64;
    arm.keys.erroring = keys.values().filter(|errored| **errored).count() as u64;
    (arm.keys.at_risk, arm.keys.first_errors) = (arm.keys.assigned, arm.keys.erroring);
    arm.keys.first_assigned = arm.keys.assigned;
}

struct RecentRow {
    second_wall_ms: i64,
    version: String,
    arm: String,
    keys: Vec<u8>,
}

/// One pass from now backwards; every look-back window is a place on that way.
async fn recent(
    conn: &mut SqliteConnection,
    rollout: &Rollout,
    lengths: &[u64],
    now_wall_ms: i64,
) -> Result<BTreeMap<u64, Arms>, StoreError> {
    let Some(longest) = lengths.last() else {
        return Ok(BTreeMap::new());
    };
    let since = start(now_wall_ms, *longest);
    let left_out = [&rollout.warm_epochs[..], rollout.test_epochs_left()].concat();
    let answers = answers::of_rollout(conn, rollout.id, since, &left_out).await?;
    let windows = recent_windows(conn, rollout, since, &left_out).await?;
    let (mut windows, mut answers) = (windows.into_iter().peekable(), answers.iter().peekable());
    let mut growing = Growing::default();
    let mut recent = BTreeMap::new();
    for &length in lengths {
        let after = start(now_wall_ms, length);
        while let Some(row) = windows.next_if(|row| row.second_wall_ms > after) {
            if let Some((arm, keys)) = growing.place(rollout, &row.version) {
                arm.merge(&codec::from_json("window", &row.arm)?);
                unite(keys, unpack(&row.keys)?);
            }
        }
        let within = |row: &&AnswerRow| row.at_wall_ms > after;
        while let Some(answer) = answers.next_if(within) {
            if let Some((arm, keys)) = growing.place(rollout, &answer.version) {
                answer.add_to(arm, keys)?;
            }
        }
        recent.insert(length, growing.arms());
    }
    Ok(recent)
}

fn start(now_wall_ms: i64, length_ms: u64) -> i64 {
    now_wall_ms.saturating_sub_unsigned(length_ms)
}

async fn recent_windows(
    conn: &mut SqliteConnection,
    rollout: &Rollout,
    since_wall_ms: i64,
    left_out: &[Epoch],
) -> Result<Vec<RecentRow>, StoreError> {
    let rows: Vec<(i64, String, String, Vec<u8>)> = sqlx::query_as(
        "SELECT second_wall_ms, version, arm, seen_keys FROM measurement
         WHERE rollout = ? AND second_wall_ms > ?
             AND epoch NOT IN (SELECT value FROM json_each(?)) ORDER BY second_wall_ms DESC",
    )
    .bind(rollout.id.to_string())
    .bind(since_wall_ms)
    .bind(codec::to_json("epochs", &left_out)?)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(second_wall_ms, version, arm, keys)| RecentRow {
            second_wall_ms,
            version,
            arm,
            keys,
        })
        .collect())
}

/// What all gateways say of the candidate. One that sees it fail decides, then one that does not
/// know; without any gateway nothing is known. That it is well counts only when a check under the
/// weight in force has shown it: what was seen before says nothing about this stage.
fn agree(
    gateways: &[GatewayRow],
    rollout: &Rollout,
    which: impl Fn(&VersionHealth) -> (Option<bool>, Option<WeightEpoch>),
) -> Option<bool> {
    let in_force = WeightEpoch { rollout: rollout.id, epoch: rollout.epoch };
    let say = |gateway: &GatewayRow| {
        let of = |health: &&VersionHealth| {
            health.agent == rollout.agent && health.version == rollout.candidate
        };
        let (healthy, passed_in) = which(gateway.report.health.iter().find(of)?);
        healthy.filter(|healthy| !healthy || passed_in == Some(in_force))
    };
    let said: Vec<Option<bool>> = gateways.iter().map(say).collect();
    if said.contains(&Some(false)) {
        return Some(false);
    }
    (!said.is_empty() && said.iter().all(Option::is_some)).then_some(true)
}
