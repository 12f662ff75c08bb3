//! What events came to by the quarter of an hour, counted in the transaction that takes them.
//!
//! Of surveys and the like nothing is needed but their sums, and there may be millions of them. An event that something
//! corrects is taken out again and counted by itself, as whether it counts goes by what corrects it.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use lockgate_model::ids::AgentName;
use lockgate_value::event::{Event, What};
use lockgate_value::gather::{Gathered, QUARTER_MS, Tally};
use sqlx::{FromRow, SqliteConnection};

use crate::codec;
use crate::error::StoreError;

const WHAT: &str = "a tally of events";

/// Where an event is counted: the quarter, the agent (none: empty), the import (none: empty).
type Slot = (i64, String, String);

/// Events that are told together, by where they are counted.
#[derive(Default)]
pub(super) struct Changes {
    counted: BTreeMap<Slot, Tally>,
    taken_back: Vec<(Slot, What)>,
}

/// Whether events of this kind are counted together.
pub(super) fn is_counted(event: &Event) -> bool {
    Tally::KINDS.contains(&event.what.kind())
}

/// The quarter that an instant lies in.
pub(super) fn quarter_of(at_wall_ms: i64) -> i64 {
    at_wall_ms - at_wall_ms.rem_euclid(QUARTER_MS)
}

fn slot(event: &Event, import: Option<&str>) -> Slot {
    let agent = event.agent.as_ref().map_or("", AgentName::as_str);
    (quarter_of(event.at_wall_ms), agent.to_owned(), import.unwrap_or_default().to_owned())
}

impl Changes {
    pub(super) fn count(&mut self, event: &Event, import: Option<&str>) {
        self.counted.entry(slot(event, import)).or_default().count(&event.what);
    }

    pub(super) fn take_back(&mut self, event: Event, import: Option<&str>) {
        self.taken_back.push((slot(&event, import), event.what));
    }

    /// Writes them down.
    pub(super) async fn save(mut self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        for (slot, _) in &self.taken_back {
            self.counted.entry(slot.clone()).or_default();
        }
        if self.counted.is_empty() {
            return Ok(());
        }
        let slots: Vec<&Slot> = self.counted.keys().collect();
        let known: Vec<(i64, String, String, String)> = sqlx::query_as(
            "SELECT start_wall_ms, agent, import, body FROM json_each(?)
             JOIN value_tally ON start_wall_ms = value ->> 0 AND agent = value ->> 1
                 AND import = value ->> 2",
        )
        .bind(codec::to_json("tallies", &slots)?)
        .fetch_all(&mut *conn)
        .await?;
        for (start_wall_ms, agent, import, body) in known {
            let before: Tally = codec::from_json(WHAT, &body)?;
            self.counted.entry((start_wall_ms, agent, import)).or_default().merge(&before);
        }
        for (slot, what) in &self.taken_back {
            self.counted.entry(slot.clone()).or_default().take_back(what);
        }
        let rows = self
            .counted
            .iter()
            .map(|((start_wall_ms, agent, import), tally)| {
                Ok((start_wall_ms, agent, import, codec::to_json(WHAT, tally)?))
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        sqlx::query(
            "INSERT INTO value_tally (start_wall_ms, agent, import, body)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) WHERE true
             ON CONFLICT (start_wall_ms, agent, import) DO UPDATE SET body = excluded.body",
        )
        .bind(codec::to_json("tallies", &rows)?)
        .execute(conn)
        .await?;
        Ok(())
    }
}

#[derive(FromRow)]
struct Row {
    start_wall_ms: i64,
    agent: String,
    body: String,
}

/// Takes in all whole quarters of the window, of imports that are whole.
pub(super) async fn gather_tallies(
    conn: &mut SqliteConnection,
    gathered: &mut Gathered,
    only: Option<&AgentName>,
) -> Result<(), StoreError> {
    let (from, to) = whole_quarters(gathered);
    let mut rows = sqlx::query_as::<_, Row>(
        "SELECT start_wall_ms, agent, body FROM value_tally
         WHERE start_wall_ms >= ?1 AND start_wall_ms < ?2
             AND (?3 IS NULL OR agent = '' OR agent = ?3)
             AND (import = '' OR import IN (SELECT id FROM value_import WHERE is_done = 1))",
    )
    .bind(from)
    .bind(to)
    .bind(only.map(AgentName::as_str))
    .fetch(conn);
    while let Some(Row { start_wall_ms, agent, body }) = rows.try_next().await? {
        let agent = codec::parse_some("agent", Some(agent.as_str()).filter(|a| !a.is_empty()))?;
        gathered.tally(agent, start_wall_ms, &codec::from_json(WHAT, &body)?);
    }
    Ok(())
}

/// From the first quarter that begins in the window to the end of the last one that ends in it.
pub(super) fn whole_quarters(gathered: &Gathered) -> (i64, i64) {
    let (from, to) = (gathered.window().from_wall_ms(), gathered.window().to_wall_ms());
    let first = from + (-from).rem_euclid(QUARTER_MS);
    (first, quarter_of(to).max(first))
}
