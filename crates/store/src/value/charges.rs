//! Charges that may be there twice: of one service and time, and recorded in more than one way.
//!
//! The same bill in another form has other keys where the form leaves out what tells its charges apart. Nobody can know
//! from two lists of amounts whether they are one; whoever recorded them can, and is told.

use std::collections::{BTreeMap, HashSet};

use lockgate_model::ids::AgentName;
use lockgate_value::event::{Draft, Key, What};
use sqlx::FromRow;

use super::events::list;
use super::gather::COUNTS;
use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// Services that are told, at most.
const SERVICES_MAX: usize = 20;

/// Charges that are looked at for one service.
const CHARGES_MAX: i64 = 100_000;

/// A service that other records charge, too, for some of the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlsoCharged {
    /// The agent that it is charged to.
    pub agent: Option<AgentName>,
    /// Whose service.
    pub provider: Option<String>,
    /// Which.
    pub service: String,
    /// From when on the new charges are, milliseconds since the Unix epoch.
    pub from_wall_ms: i64,
    /// Until when, exclusive.
    pub to_wall_ms: i64,
}

/// A service, and the time of its charges.
#[derive(FromRow)]
struct Charged {
    agent: Option<String>,
    provider: Option<String>,
    service: String,
    from_wall_ms: i64,
    to_wall_ms: i64,
}

impl Charged {
    fn told(self) -> Result<AlsoCharged, StoreError> {
        let Self { agent, provider, service, from_wall_ms, to_wall_ms } = self;
        let agent = codec::parse_some("agent", agent.as_deref())?;
        Ok(AlsoCharged { agent, provider, service, from_wall_ms, to_wall_ms })
    }
}

impl Store {
    /// Services of those of these charges that are not there yet, which other records charge as well.
    pub async fn also_charged(&self, drafts: &[Draft]) -> Result<Vec<AlsoCharged>, StoreError> {
        let charges: Vec<&Draft> = drafts.iter().filter(|draft| is_added(draft)).collect();
        if charges.is_empty() {
            return Ok(Vec::new());
        }
        let keys: HashSet<&Key> = charges.iter().map(|draft| draft.key()).collect();
        let known: Vec<String> = sqlx::query_scalar(
            "SELECT key FROM value_event WHERE key IN (SELECT value FROM json_each(?))",
        )
        .bind(list(keys.into_iter())?)
        .fetch_all(&self.inner.reader)
        .await?;
        let known: HashSet<String> = known.into_iter().collect();
        let new = charges.into_iter().filter(|draft| !known.contains(draft.key().as_str()));
        self.of_others(services(new), None).await
    }

    /// Services that an import charges, and other records as well.
    pub async fn import_also_charged(&self, id: &str) -> Result<Vec<AlsoCharged>, StoreError> {
        let services: Vec<Charged> = sqlx::query_as(
            "SELECT agent, body ->> 'provider_name' AS provider, body ->> 'service_name' AS service,
                 MIN(body ->> 'charge_period_start_wall_ms') AS from_wall_ms,
                 MAX(body ->> 'charge_period_end_wall_ms') AS to_wall_ms
             FROM value_event
             WHERE import = ? AND kind = 'external_cost' AND corrects IS NULL
                 AND NOT body ->> 'model_usage'
             GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        )
        .bind(id)
        .fetch_all(&self.inner.reader)
        .await?;
        self.of_others(services, Some(id)).await
    }

    /// Those of the services that count as charged by records outside of the import.
    async fn of_others(
        &self,
        services: Vec<Charged>,
        import: Option<&str>,
    ) -> Result<Vec<AlsoCharged>, StoreError> {
        let sql = format!(
            "SELECT EXISTS (
                 SELECT 1 FROM (
                     SELECT * FROM value_event INDEXED BY value_charge
                     WHERE kind = 'external_cost' AND body ->> 'charge_period_end_wall_ms' > ?1
                         AND body ->> 'charge_period_start_wall_ms' < ?2 AND agent IS ?3
                         AND (?4 IS NULL OR import IS NOT ?4)
                     LIMIT ?5) AS value_event
                 WHERE LOWER(body ->> 'service_name') = LOWER(?6)
                     AND NOT body ->> 'model_usage' AND {COUNTS})"
        );
        let mut told = Vec::new();
        for service in services.into_iter().take(SERVICES_MAX) {
            let is_there: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.as_str()))
                .bind(service.from_wall_ms)
                .bind(service.to_wall_ms)
                .bind(&service.agent)
                .bind(import)
                .bind(CHARGES_MAX)
                .bind(&service.service)
                .fetch_one(&self.inner.reader)
                .await?;
            if is_there {
                told.push(service.told()?);
            }
        }
        Ok(told)
    }
}

/// Whether it is a charge that is added to the cost and takes no other one's place.
fn is_added(draft: &Draft) -> bool {
    draft.corrects().is_none()
        && matches!(draft.what(), What::ExternalCost { model_usage: false, .. })
}

fn services<'a>(charges: impl Iterator<Item = &'a Draft>) -> Vec<Charged> {
    let mut times = BTreeMap::new();
    for draft in charges {
        let What::ExternalCost {
            charge_period_start_wall_ms: start,
            charge_period_end_wall_ms: end,
            service_name,
            provider_name,
            ..
        } = draft.what()
        else {
            continue;
        };
        let time = times
            .entry((draft.agent(), provider_name.as_ref(), service_name))
            .or_insert((*start, *end));
        *time = (time.0.min(*start), time.1.max(*end));
    }
    times
        .into_iter()
        .map(|((agent, provider, service), (from_wall_ms, to_wall_ms))| Charged {
            agent: agent.map(ToString::to_string),
            provider: provider.map(ToString::to_string),
            service: service.to_string(),
            from_wall_ms,
            to_wall_ms,
        })
        .collect()
}
