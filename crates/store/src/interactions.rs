//! One row per interaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use lockgate_model::ids::{AgentName, Epoch, InteractionId};
use lockgate_model::interaction::{ErrorClass, Interaction, Outcome, Usage};
use lockgate_model::ports::{Interactions, PortError};
use lockgate_model::price::PriceTable;
use lockgate_value::rollup::{Bucket, Slot, hour_of};
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use crate::answers;
use crate::codec;
use crate::error::StoreError;
use crate::price_tables;
use crate::store::Store;
use crate::value;
use crate::windows::rollout_column;

const ROWS_PER_STATEMENT: usize = 200;

#[async_trait]
impl Interactions for Store {
    async fn append(&self, batch: Vec<Interaction>) -> Result<(), PortError> {
        Ok(self.write_interactions(batch).await?)
    }
}

impl Store {
    /// Interactions of an agent, newest first.
    pub async fn interactions(
        &self,
        agent: &AgentName,
        limit: u32,
    ) -> Result<Vec<Interaction>, StoreError> {
        let rows: Vec<PricedRow> = sqlx::query_as(
            "SELECT i.*, t.name AS table_name, t.version AS table_version, t.date AS table_date
             FROM interaction i LEFT JOIN price_table t ON t.id = i.price_table
             WHERE i.agent = ? ORDER BY i.started_wall_ms DESC, i.id DESC LIMIT ?",
        )
        .bind(agent.as_str())
        .bind(limit)
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter().map(PricedRow::interaction).collect()
    }

    async fn write_interactions(&self, batch: Vec<Interaction>) -> Result<(), StoreError> {
        // a batch may name one twice, which one statement may not
        let batch: BTreeMap<InteractionId, Interaction> =
            batch.into_iter().rev().map(|interaction| (interaction.id, interaction)).collect();
        let mut hours: BTreeMap<Slot, Bucket> = BTreeMap::new();
        let mut tx = self.begin().await?;
        let tables = price_tables::ids(&mut tx, batch.values()).await?;
        let rows = batch.values().map(|interaction| {
            let table = interaction.price_table.as_ref().and_then(|table| tables.get(table));
            InteractionRow::from_interaction(interaction.clone(), table.copied())
        });
        let rows: Vec<InteractionRow> = rows.collect::<Result<_, _>>()?;
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            for id in insert(&mut tx, chunk).await? {
                let said = answers::meet(&mut tx, &id).await?;
                let id = codec::parse("interaction id", &id)?;
                if let Some(new) = batch.get(&InteractionId(id)) {
                    let outcome = new.outcome.or(said);
                    let counted = Interaction { outcome, ..new.clone() };
                    hours.entry(Slot::of(&counted)).or_default().record(&counted);
                }
            }
        }
        value::add(&mut tx, hours).await?;
        Ok(tx.commit().await?)
    }
}

/// An interaction that was written before learns what came of it. `false` when it is not there, or knows already.
pub(crate) async fn learn(
    conn: &mut SqliteConnection,
    interaction: &InteractionId,
    outcome: Outcome,
) -> Result<bool, StoreError> {
    let learnt: Option<(String, Option<String>, i64, Option<String>)> = sqlx::query_as(
        "UPDATE interaction SET outcome = ? WHERE id = ? AND outcome IS NULL
         RETURNING agent, version, started_wall_ms, error",
    )
    .bind(codec::to_tag("outcome", &outcome)?)
    .bind(interaction.to_string())
    .fetch_optional(&mut *conn)
    .await?;
    let Some((agent, version, started_wall_ms, error)) = learnt else { return Ok(false) };
    let error: Option<ErrorClass> =
        error.map(|tag| codec::from_tag("error class", &tag)).transpose()?;
    let hour = Slot {
        agent: codec::parse("agent", &agent)?,
        version: codec::parse_some("version", version.as_deref())?,
        start_wall_ms: hour_of(started_wall_ms),
    };
    let is_broken = error.is_some_and(ErrorClass::charged);
    let before = is_broken.then_some(Outcome::Failed);
    value::change(conn, &hour, |bucket| {
        bucket.settle(before, outcome, is_broken);
    })
    .await?;
    Ok(true)
}

/// Gives the ids that were not there before.
async fn insert(
    conn: &mut SqliteConnection,
    rows: &[InteractionRow],
) -> Result<Vec<String>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO interaction (id, agent, version, rollout, epoch, sticky_user, conversation,
             started_wall_ms, status, error, outcome, first_byte_us, total_us, input_tokens,
             cached_input_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens,
             reasoning_tokens, service_tier, model, cost_nanousd, price_table) ",
    );
    query.push_values(rows, |mut row, interaction| {
        row.push_bind(interaction.id.clone())
            .push_bind(interaction.agent.clone())
            .push_bind(interaction.version.clone())
            .push_bind(interaction.rollout.clone())
            .push_bind(interaction.epoch)
            .push_bind(interaction.sticky_user)
            .push_bind(interaction.conversation)
            .push_bind(interaction.started_wall_ms)
            .push_bind(interaction.status)
            .push_bind(interaction.error.clone())
            .push_bind(interaction.outcome.clone())
            .push_bind(interaction.first_byte_us)
            .push_bind(interaction.total_us)
            .push_bind(interaction.input_tokens)
            .push_bind(interaction.cached_input_tokens)
            .push_bind(interaction.cache_write_tokens)
            .push_bind(interaction.cache_write_1h_tokens)
            .push_bind(interaction.output_tokens)
            .push_bind(interaction.reasoning_tokens)
            .push_bind(interaction.service_tier.clone())
            .push_bind(interaction.model.clone())
            .push_bind(interaction.cost_nanousd)
            .push_bind(interaction.price_table);
    });
    query.push(" ON CONFLICT (id) DO NOTHING RETURNING id");
    let query = query.build_query_scalar().persistent(false);
    Ok(query.fetch_all(conn).await?)
}

#[derive(FromRow)]
struct InteractionRow {
    id: String,
    agent: String,
    version: Option<String>,
    rollout: Option<String>,
    epoch: i64,
    sticky_user: Option<i64>,
    conversation: Option<i64>,
    started_wall_ms: i64,
    status: Option<u16>,
    error: Option<String>,
    outcome: Option<String>,
    first_byte_us: Option<i64>,
    total_us: Option<i64>,
    input_tokens: Option<i64>,
    cached_input_tokens: Option<i64>,
    cache_write_tokens: Option<i64>,
    cache_write_1h_tokens: Option<i64>,
    output_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    service_tier: Option<String>,
    model: Option<String>,
    cost_nanousd: Option<i64>,
    price_table: Option<i64>,
}

/// A row with the table that it names.
#[derive(FromRow)]
struct PricedRow {
    #[sqlx(flatten)]
    row: InteractionRow,
    table_name: Option<String>,
    table_version: Option<String>,
    table_date: Option<String>,
}

impl PricedRow {
    fn interaction(self) -> Result<Interaction, StoreError> {
        let Self { row, table_name, table_version, table_date } = self;
        let table = table_name.zip(table_version).map(|(name, version)| {
            let date = table_date.filter(|date| !date.is_empty());
            Arc::new(PriceTable { name, version, date })
        });
        Ok(Interaction { price_table: table, ..row.interaction()? })
    }
}

impl InteractionRow {
    fn from_interaction(of: Interaction, price_table: Option<i64>) -> Result<Self, StoreError> {
        let outcome = of.outcome.map(|outcome| codec::to_tag("outcome", &outcome));
        Ok(Self {
            id: of.id.to_string(),
            agent: of.agent.into(),
            version: of.version.map(String::from),
            rollout: of.rollout.map(|id| rollout_column(Some(id))),
            epoch: codec::signed("epoch", of.epoch.0)?,
            sticky_user: of.user.map(u64::cast_signed),
            conversation: of.conversation.map(u64::cast_signed),
            started_wall_ms: of.started_wall_ms,
            status: of.status,
            error: of.error.map(|error| error.as_str().to_owned()),
            outcome: outcome.transpose()?,
            first_byte_us: codec::measured(of.first_byte_us),
            total_us: codec::measured(of.total_us),
            input_tokens: codec::measured(of.usage.input_tokens),
            cached_input_tokens: codec::measured(of.usage.cached_input_tokens),
            cache_write_tokens: codec::measured(of.usage.cache_write_tokens),
            cache_write_1h_tokens: codec::measured(of.usage.cache_write_1h_tokens),
            output_tokens: codec::measured(of.usage.output_tokens),
            reasoning_tokens: codec::measured(of.usage.reasoning_tokens),
            service_tier: of.usage.tier.map(|tier| tier.as_str().to_owned()),
            model: of.model,
            cost_nanousd: codec::measured(of.cost_nanousd),
            price_table,
        })
    }

    fn interaction(self) -> Result<Interaction, StoreError> {
        let count = |value: Option<i64>| {
            value.map(|value| codec::unsigned("measured value", value)).transpose()
        };
        let error = self.error.map(|tag| codec::from_tag("error class", &tag));
        let outcome = self.outcome.map(|tag| codec::from_tag("outcome", &tag));
        let tier = self.service_tier.map(|tag| codec::from_tag("service tier", &tag));
        Ok(Interaction {
            id: codec::parse("interaction id", &self.id)?,
            agent: codec::parse("agent", &self.agent)?,
            version: codec::parse_some("version", self.version.as_deref())?,
            rollout: codec::parse_some("rollout id", self.rollout.as_deref())?,
            epoch: Epoch(codec::unsigned("epoch", self.epoch)?),
            user: self.sticky_user.map(i64::cast_unsigned),
            conversation: self.conversation.map(i64::cast_unsigned),
            started_wall_ms: self.started_wall_ms,
            status: self.status,
            error: error.transpose()?,
            outcome: outcome.transpose()?,
            first_byte_us: count(self.first_byte_us)?,
            total_us: count(self.total_us)?,
            usage: Usage {
                input_tokens: count(self.input_tokens)?,
                cached_input_tokens: count(self.cached_input_tokens)?,
                cache_write_tokens: count(self.cache_write_tokens)?,
                cache_write_1h_tokens: count(self.cache_write_1h_tokens)?,
                output_tokens: count(self.output_tokens)?,
                reasoning_tokens: count(self.reasoning_tokens)?,
                tier: tier.transpose()?,
            },
            model: self.model,
            cost_nanousd: count(self.cost_nanousd)?,
            price_table: None,
            unpriced: None,
        })
    }
}
