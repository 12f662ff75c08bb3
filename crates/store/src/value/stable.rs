//! What was seen of an agent's stable versions over time, in windows of one length and more.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use lockgate_model::ids::{AgentName, VersionName};
use lockgate_telemetry::arm::{Arm, Keys};
use sqlx::FromRow;

use crate::answers::Told;
use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// A time in which a version was stable and nothing speaks against what it showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Which version.
    pub version: VersionName,
    /// From when on, milliseconds since the Unix epoch.
    pub from_wall_ms: i64,
    /// Until when, exclusive.
    pub until_wall_ms: i64,
}

/// Windows by when they began, for each length.
pub type StableWindows = BTreeMap<u64, BTreeMap<i64, Arm>>;

impl Store {
    /// What was seen of the versions in `stretches`, in windows of each of `lengths_ms` that lie in one of them as a whole.
    /// What is kept more coarsely than a window is long is left out of it. Users are not counted.
    pub async fn stable_windows(
        &self,
        agent: &AgentName,
        stretches: &[Stretch],
        lengths_ms: &[u64],
    ) -> Result<StableWindows, StoreError> {
        let mut windows: StableWindows =
            lengths_ms.iter().map(|length| (*length, BTreeMap::new())).collect();
        let mut tx = self.inner.reader.begin().await?;
        for stretch in stretches {
            let mut rows = sqlx::query_as::<_, (i64, i64, String)>(
                "SELECT resolution_ms, start_wall_ms, arm FROM rollup
                 WHERE agent = ?1 AND version = ?2 AND start_wall_ms >= ?3 AND start_wall_ms < ?4
                 UNION ALL
                 SELECT 1000, second_wall_ms, arm FROM measurement
                 WHERE agent = ?1 AND version = ?2 AND second_wall_ms >= ?3 AND second_wall_ms < ?4",
            )
            .bind(agent.as_str())
            .bind(stretch.version.as_str())
            .bind(stretch.from_wall_ms)
            .bind(stretch.until_wall_ms)
            .fetch(&mut *tx);
            while let Some((resolution_ms, start_wall_ms, arm)) = rows.try_next().await? {
                let arm: Arm = codec::from_json("window", &arm)?;
                let arm = Arm { keys: Keys::default(), ..arm };
                add(&mut windows, stretch, start_wall_ms, resolution_ms, &arm);
            }
            drop(rows);
            let mut rows = sqlx::query_as::<_, Vote>(
                "SELECT at_wall_ms, kind, value, charged, counted FROM answer
                 WHERE agent = ? AND version = ? AND at_wall_ms >= ? AND at_wall_ms < ?",
            )
            .bind(agent.as_str())
            .bind(stretch.version.as_str())
            .bind(stretch.from_wall_ms)
            .bind(stretch.until_wall_ms)
            .fetch(&mut *tx);
            while let Some(Vote { at_wall_ms, told }) = rows.try_next().await? {
                let mut arm = Arm::default();
                told.add_to(&mut arm)?;
                add(&mut windows, stretch, at_wall_ms, 0, &arm);
            }
        }
        Ok(windows)
    }
}

/// What one user said.
#[derive(FromRow)]
struct Vote {
    at_wall_ms: i64,
    #[sqlx(flatten)]
    told: Told,
}

fn add(windows: &mut StableWindows, stretch: &Stretch, at_ms: i64, resolution_ms: i64, arm: &Arm) {
    for (length, windows) in windows {
        let Ok(length) = i64::try_from(*length) else { continue };
        if length <= 0 || resolution_ms > length {
            continue;
        }
        let begins = at_ms.div_euclid(length) * length;
        let whole = begins >= stretch.from_wall_ms && begins + length <= stretch.until_wall_ms;
        if whole {
            windows.entry(begins).or_default().merge(arm);
        }
    }
}
