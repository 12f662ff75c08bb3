//! Releases that are over, with what is kept of what was seen in them: what they are judged again from.

use std::collections::BTreeMap;

use lockgate_model::ids::{AgentName, Epoch};
use lockgate_rollout::replay::{Past, Seen};
use lockgate_rollout::state::Rollout;
use lockgate_telemetry::arm::{Arm, Arms, Keys};
use lockgate_value::window::Window;
use sqlx::{FromRow, SqliteConnection};

use crate::answers::Told;
use crate::codec;
use crate::error::StoreError;
use crate::signals;
use crate::store::Store;

/// Releases that are replayed, the last ones of the window.
const RELEASES_MAX: i64 = 50;
/// Stretches of one release, at most: a long one is looked at more rarely.
const LOOKS_MAX: i64 = 500;
/// Rows by the second are put together to these: judges look no more often.
const LOOK_MS: i64 = 10_000;
/// Votes come one by one.
const VOTES_MS: i64 = 60_000;
const SECOND_MS: i64 = 1_000;

impl Store {
    /// Releases of an agent that ended in a window, the oldest first, the last [`RELEASES_MAX`] of them.
    pub async fn past_releases(
        &self,
        agent: &AgentName,
        window: &Window,
    ) -> Result<Vec<Past>, StoreError> {
        let mut tx = self.inner.reader.begin().await?;
        let bodies: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM rollout WHERE agent = ? AND is_open = 0 AND ended_wall_ms >= ?
                 AND ended_wall_ms < ? ORDER BY ended_wall_ms DESC, id DESC LIMIT ?",
        )
        .bind(agent.as_str())
        .bind(window.from_wall_ms())
        .bind(window.to_wall_ms())
        .bind(RELEASES_MAX)
        .fetch_all(&mut *tx)
        .await?;
        let mut past = Vec::with_capacity(bodies.len());
        for body in bodies.iter().rev() {
            past.push(one(&mut tx, codec::from_json("rollout", body)?).await?);
        }
        Ok(past)
    }
}

async fn one(conn: &mut SqliteConnection, rollout: Rollout) -> Result<Past, StoreError> {
    let steps: Vec<String> =
        sqlx::query_scalar("SELECT body FROM rollout_transition WHERE rollout = ? ORDER BY seq")
            .bind(rollout.id.to_string())
            .fetch_all(&mut *conn)
            .await?;
    let steps = steps.iter().map(|body| codec::from_json("transition", body));
    let steps = steps.collect::<Result<_, _>>()?;
    let mut seen = windows(conn, &rollout).await?;
    votes(conn, &rollout, &mut seen).await?;
    let mut seen: Vec<Seen> = seen
        .into_iter()
        .map(|(slot, arms)| Seen {
            from_wall_ms: slot.from_wall_ms,
            until_wall_ms: slot.from_wall_ms + slot.length_ms,
            epoch: slot.epoch,
            arms,
        })
        .collect();
    if rollout.by_key {
        users(conn, &rollout, &mut seen).await?;
    }
    Ok(Past { rollout, steps, seen })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    from_wall_ms: i64,
    length_ms: i64,
    epoch: Epoch,
}

type Slots = BTreeMap<Slot, Arms>;

/// Windows of gateways, as fine as they are kept.
async fn windows(conn: &mut SqliteConnection, rollout: &Rollout) -> Result<Slots, StoreError> {
    let mut seen = Slots::new();
    let versions = [Some(&rollout.candidate), rollout.stable.as_ref()];
    for version in versions.into_iter().flatten() {
        let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(
            "SELECT resolution_ms, start_wall_ms, epoch, arm FROM rollup
             WHERE agent = ?1 AND version = ?2 AND rollout = ?3 AND start_wall_ms >= ?4
             UNION ALL
             SELECT ?5, second_wall_ms, epoch, arm FROM measurement
             WHERE agent = ?1 AND version = ?2 AND rollout = ?3",
        )
        .bind(rollout.agent.as_str())
        .bind(version.as_str())
        .bind(rollout.id.to_string())
        // The hour in which it began.
        .bind(rollout.started_wall_ms.saturating_sub(3_600_000))
        .bind(SECOND_MS)
        .fetch_all(&mut *conn)
        .await?;
        for (resolution_ms, start_wall_ms, epoch, arm) in rows {
            let epoch = Epoch(codec::unsigned("epoch", epoch)?);
            // Users were not there, and nothing of it is judged again.
            if rollout.test_epochs.contains(&epoch) {
                continue;
            }
            let length_ms = stretch_ms(rollout, resolution_ms);
            let from_wall_ms = start_wall_ms.div_euclid(length_ms) * length_ms;
            let arms = seen.entry(Slot { from_wall_ms, length_ms, epoch }).or_default();
            let place =
                if *version == rollout.candidate { &mut arms.candidate } else { &mut arms.stable };
            // Users are counted by the epoch.
            let arm = Arm { keys: Keys::default(), ..codec::from_json("window", &arm)? };
            place.merge(&arm);
        }
    }
    Ok(seen)
}

/// How long the stretches are that rows of a resolution are put together to.
fn stretch_ms(rollout: &Rollout, resolution_ms: i64) -> i64 {
    let least_ms = if resolution_ms == SECOND_MS { LOOK_MS } else { resolution_ms };
    let ended_ms = rollout.ended_wall_ms.unwrap_or(rollout.started_wall_ms);
    let each_ms = ended_ms.saturating_sub(rollout.started_wall_ms).max(0) / LOOKS_MAX;
    (each_ms / least_ms + 1).saturating_mul(least_ms)
}

/// What one user said.
#[derive(FromRow)]
struct Vote {
    version: String,
    epoch: i64,
    at_wall_ms: i64,
    #[sqlx(flatten)]
    told: Told,
}

/// What users said until its end, each at its time.
async fn votes(
    conn: &mut SqliteConnection,
    rollout: &Rollout,
    seen: &mut Slots,
) -> Result<(), StoreError> {
    let rows: Vec<Vote> = sqlx::query_as(
        "SELECT version, epoch, at_wall_ms, kind, value, charged, counted FROM answer
         WHERE rollout = ? AND at_wall_ms <= ?",
    )
    .bind(rollout.id.to_string())
    .bind(rollout.ended_wall_ms.unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    let length_ms = stretch_ms(rollout, VOTES_MS);
    for Vote { version, epoch, at_wall_ms, told } in rows {
        let epoch = Epoch(codec::unsigned("epoch", epoch)?);
        if rollout.test_epochs.contains(&epoch) {
            continue;
        }
        let from_wall_ms = at_wall_ms.div_euclid(length_ms) * length_ms;
        let arms = seen.entry(Slot { from_wall_ms, length_ms, epoch }).or_default();
        let arm = if rollout.candidate.as_str() == version {
            &mut arms.candidate
        } else if rollout.stable.as_ref().is_some_and(|stable| stable.as_str() == version) {
            &mut arms.stable
        } else {
            continue;
        };
        told.add_to(arm)?;
    }
    Ok(())
}

/// The distinct users of each epoch, in its last stretch: until then nobody knows how many there are.
async fn users(
    conn: &mut SqliteConnection,
    rollout: &Rollout,
    seen: &mut [Seen],
) -> Result<(), StoreError> {
    let evidence = signals::evidence(conn, rollout).await?;
    let mut last: BTreeMap<Epoch, &mut Seen> = BTreeMap::new();
    for stretch in seen {
        let until_wall_ms = stretch.until_wall_ms;
        let place = last.entry(stretch.epoch);
        match place {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(stretch);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                if place.get().until_wall_ms <= until_wall_ms {
                    place.insert(stretch);
                }
            }
        }
    }
    for (epoch, arms) in evidence {
        if let Some(stretch) = last.get_mut(&epoch) {
            stretch.arms.candidate.keys = arms.candidate.keys;
            stretch.arms.stable.keys = arms.stable.keys;
        }
    }
    Ok(())
}
