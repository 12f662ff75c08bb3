//! What a report is made of, read piece by piece.

use futures_util::TryStreamExt as _;
use lockgate_model::ids::AgentName;
use lockgate_model::security::SecurityEvent;
use lockgate_rollout::explain::Transition;
use lockgate_rollout::state::{Phase, Rollout};
use lockgate_value::event::Event;
use lockgate_value::gather::{Deployment, End, Gathered, Milestones, Tally};
use lockgate_value::rollup::HOUR_MS;
use lockgate_value::window::Window;
use sqlx::SqliteConnection;

use super::rollups::{DAY_MS, Resolution, bucket};
use super::tallies::{gather_tallies, whole_quarters};
use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// The longest window whose rollups are read by the hour. A longer one is read by days of UTC, and by hours at its ends.
const BY_HOURS_MAX_MS: i64 = 93 * DAY_MS;

/// An event that counts: told, of no import that is not whole, and corrected by none that counts.
pub(super) const COUNTS: &str =
    "(import IS NULL OR import IN (SELECT id FROM value_import WHERE is_done = 1))
    AND kind <> 'withdrawn'
    AND NOT EXISTS (SELECT 1 FROM value_event AS later WHERE later.corrects = value_event.key
        AND (later.import IS NULL OR later.import IN (SELECT id FROM value_import WHERE is_done = 1)))";

impl Store {
    /// Everything that is known about a window, of one agent or of all of them. Of events one is in memory at a time.
    pub async fn value_gathered(
        &self,
        window: Window,
        only: Option<&AgentName>,
    ) -> Result<Gathered, StoreError> {
        let mut gathered = Gathered::new(window, only.cloned());
        self.gather_seen(&mut gathered, only).await?;
        let (from, to) = (gathered.window().from_wall_ms(), gathered.window().to_wall_ms());
        for (resolution, from, to) in spans(from, to, gathered.over_wall_ms()) {
            for (slot, bucket) in self.value_rollups(resolution, only, from, to).await? {
                gathered.rollup(&slot, &bucket);
            }
        }
        // As of one moment: an event that is corrected in between is counted with others before, and by itself after.
        let mut tx = self.inner.reader.begin().await?;
        gather_tallies(&mut tx, &mut gathered, only).await?;
        gather_events(&mut tx, &mut gathered, only).await?;
        gather_savings(&mut tx, &mut gathered, only).await?;
        drop(tx);
        self.gather_releases(&mut gathered, only).await?;
        self.gather_security(&mut gathered, only).await?;
        self.gather_firsts(&mut gathered, only).await?;
        self.gather_stable(&mut gathered, only).await?;
        Ok(gathered)
    }

    async fn gather_releases(
        &self,
        gathered: &mut Gathered,
        only: Option<&AgentName>,
    ) -> Result<(), StoreError> {
        let ended: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM rollout WHERE is_open = 0 AND ended_wall_ms >= ?1
                 AND ended_wall_ms < ?2 AND (?3 IS NULL OR agent = ?3)
             ORDER BY ended_wall_ms, id",
        )
        .bind(gathered.window().from_wall_ms())
        .bind(gathered.window().to_wall_ms())
        .bind(only.map(AgentName::as_str))
        .fetch_all(&self.inner.reader)
        .await?;
        for body in ended {
            let rollout: Rollout = codec::from_json("a rollout", &body)?;
            let steps = self.transitions(rollout.id).await?;
            let steps: Vec<Transition> = steps.into_iter().map(|step| step.transition).collect();
            if let Some(deployment) = deployment(&rollout, &steps) {
                gathered.deployment(deployment);
            }
        }
        Ok(())
    }

    async fn gather_security(
        &self,
        gathered: &mut Gathered,
        only: Option<&AgentName>,
    ) -> Result<(), StoreError> {
        let bodies: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM security_event WHERE at_wall_ms >= ?1 AND at_wall_ms < ?2
                 AND (?3 IS NULL OR agent = ?3)",
        )
        .bind(gathered.window().from_wall_ms())
        .bind(gathered.window().to_wall_ms())
        .bind(only.map(AgentName::as_str))
        .fetch_all(&self.inner.reader)
        .await?;
        for body in bodies {
            let event: SecurityEvent = codec::from_json("a security event", &body)?;
            gathered.security(&event);
        }
        Ok(())
    }

    /// When each agent was first tried, first of worth, and whether users have a version of it.
    async fn gather_firsts(
        &self,
        gathered: &mut Gathered,
        only: Option<&AgentName>,
    ) -> Result<(), StoreError> {
        let tried: Vec<(String, i64, bool)> = sqlx::query_as(
            "SELECT agent, MIN(started_wall_ms), MAX(phase = 'promoted' AND ended_wall_ms < ?2)
             FROM rollout
             WHERE (?1 IS NULL OR agent = ?1) AND started_wall_ms < ?2 GROUP BY agent",
        )
        .bind(only.map(AgentName::as_str))
        .bind(gathered.window().to_wall_ms())
        .fetch_all(&self.inner.reader)
        .await?;
        let to = gathered.window().to_wall_ms();
        for (agent, first_ms, in_production) in tried {
            let agent: AgentName = codec::parse("agent", &agent)?;
            let firsts = Milestones {
                first_test_wall_ms: Some(first_ms),
                first_value_wall_ms: self.first_worth(&agent, to).await?,
                in_production,
            };
            gathered.milestones(&agent, firsts);
        }
        Ok(())
    }

    /// The hour in which an agent first resolved something, before a time.
    async fn first_worth(
        &self,
        agent: &AgentName,
        before_wall_ms: i64,
    ) -> Result<Option<i64>, StoreError> {
        let mut rows = sqlx::query_as::<_, (i64, Vec<u8>)>(
            "SELECT start_wall_ms, body FROM value_rollup
             WHERE resolution_ms = ? AND agent = ? AND start_wall_ms < ? ORDER BY start_wall_ms",
        )
        .bind(HOUR_MS)
        .bind(agent.as_str())
        .bind(before_wall_ms)
        .fetch(&self.inner.reader);
        while let Some((start_wall_ms, body)) = rows.try_next().await? {
            if bucket(&body)?.outcomes.resolved > 0 {
                return Ok(Some(start_wall_ms));
            }
        }
        Ok(None)
    }
}

async fn gather_events(
    conn: &mut SqliteConnection,
    gathered: &mut Gathered,
    only: Option<&AgentName>,
) -> Result<(), StoreError> {
    // What lasts may have been said at any time before the end, and what names times of its own at any time. Of what
    // is counted by the quarter, only what lies in no whole one is read.
    let sql = format!(
        "SELECT body FROM value_event INDEXED BY value_event_single
         WHERE is_single = 1
             AND (at_wall_ms < ?2
                 OR kind IN ('baseline', 'incident', 'deployment'))
             AND kind <> 'external_cost'
             AND (at_wall_ms >= ?1 OR kind NOT IN
                 ('survey', 'conversion', 'replacement_check', 'error_introduced'))
             AND (?3 IS NULL OR agent IS NULL OR agent = ?3) AND {COUNTS}
         UNION ALL
         SELECT body FROM value_event INDEXED BY value_charge
         WHERE kind = 'external_cost' AND body ->> 'charge_period_end_wall_ms' > ?1
             AND body ->> 'charge_period_start_wall_ms' < ?2
             AND (?3 IS NULL OR agent IS NULL OR agent = ?3) AND {COUNTS}
         UNION ALL {}
         UNION ALL {}",
        counted("?1", "?4"),
        counted("?5", "?2")
    );
    let (from, to) = (gathered.window().from_wall_ms(), gathered.window().to_wall_ms());
    let (first, last) = whole_quarters(gathered);
    let mut rows = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql))
        .bind(from)
        .bind(to)
        .bind(only.map(AgentName::as_str))
        .bind(first.min(to))
        .bind(last.min(to))
        .fetch(&mut *conn);
    while let Some(body) = rows.try_next().await? {
        gathered.event(&codec::from_json("a value event", &body)?);
        // There may be many: users' requests come in between.
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// The first time that each agent saved, as far as its reports are counted together.
async fn gather_savings(
    conn: &mut SqliteConnection,
    gathered: &mut Gathered,
    only: Option<&AgentName>,
) -> Result<(), StoreError> {
    let agents: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT agent FROM value_tally WHERE agent <> '' AND (?1 IS NULL OR agent = ?1)",
    )
    .bind(only.map(AgentName::as_str))
    .fetch_all(&mut *conn)
    .await?;
    let sql = format!(
        "SELECT body FROM value_event INDEXED BY value_event_counted
         WHERE is_single = 0 AND kind = 'time_saved' AND agent = ? AND at_wall_ms < ? AND {COUNTS}
         ORDER BY at_wall_ms"
    );
    for agent in agents {
        let mut rows = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql.as_str()))
            .bind(&agent)
            .bind(gathered.window().to_wall_ms())
            .fetch(&mut *conn);
        while let Some(body) = rows.try_next().await? {
            let event: Event = codec::from_json("a value event", &body)?;
            if gathered.saving(&event) {
                break;
            }
        }
    }
    Ok(())
}

/// Of the events that are counted by the quarter, those from one time to another.
fn counted(from: &str, to: &str) -> String {
    let kinds = Tally::KINDS.map(|kind| format!("'{kind}'")).join(", ");
    format!(
        "SELECT body FROM value_event INDEXED BY value_event_counted
         WHERE is_single = 0 AND kind IN ({kinds}) AND at_wall_ms >= {from} AND at_wall_ms < {to}
             AND (?3 IS NULL OR agent IS NULL OR agent = ?3) AND {COUNTS}"
    )
}

/// Which rollups are read: by the hour, or by the day with the hours before the first whole day and after the last. What comes
/// after `over_ms`, when the last day was over, is told apart to the hour.
fn spans(from_ms: i64, to_ms: i64, over_ms: i64) -> Vec<(Resolution, i64, i64)> {
    let first_day = from_ms + (-from_ms).rem_euclid(DAY_MS);
    let last_day = over_ms - over_ms.rem_euclid(DAY_MS);
    if to_ms - from_ms <= BY_HOURS_MAX_MS || last_day <= first_day {
        return vec![(Resolution::Hour, from_ms, to_ms)];
    }
    vec![
        (Resolution::Hour, from_ms, first_day),
        (Resolution::Day, first_day, last_day),
        (Resolution::Hour, last_day, to_ms),
    ]
}

/// A release that is over. Users met it when it had a share of their traffic; what it broke was noticed when it began to be
/// taken back, and users were served well again when every gateway had confirmed that.
fn deployment(rollout: &Rollout, steps: &[Transition]) -> Option<Deployment> {
    // An agent's first version takes nothing's place: it went through no stages and could not fail.
    rollout.stable.as_ref()?;
    let finished_wall_ms = rollout.ended_wall_ms?;
    let end = match rollout.phase {
        Phase::Promoted => End::Promoted,
        Phase::RolledBack => End::RolledBack,
        Phase::Aborted => End::Aborted,
        Phase::Superseded => End::Superseded,
        _ => return None,
    };
    let taken_back = matches!(end, End::RolledBack | End::Aborted);
    let noticed = steps.iter().find(|step| step.to == ROLLING_BACK).map(|step| step.at_wall_ms);
    Some(Deployment {
        finished_wall_ms,
        id: rollout.id.to_string(),
        agent: rollout.agent.clone(),
        version: Some(rollout.candidate.clone()),
        end,
        in_production: end == End::Promoted || steps.iter().any(|step| step.weight_bp > 0),
        started_wall_ms: Some(rollout.started_wall_ms),
        // A manifest names a commit and not its time.
        committed_wall_ms: None,
        detected_wall_ms: noticed.filter(|_| taken_back),
        recovered_wall_ms: taken_back.then_some(finished_wall_ms),
    })
}

/// How history calls the phase.
const ROLLING_BACK: &str = "rolling_back";
