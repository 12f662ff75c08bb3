//! Events that were told: each key once, none changed, and what is corrected does not count ([`lockgate_value::ledger`]).

use lockgate_model::ids::AgentName;
use lockgate_value::event::{Event, Key};
use lockgate_value::ledger::Conflict;
use sqlx::{FromRow, SqliteConnection};

use super::tallies::{Changes, is_counted};
use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// Corrections of one event, one after the other, that are followed to find a circle.
const CORRECTIONS_MAX: usize = 1_000;

/// An event, and who told it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Its place in the order in which they were told.
    pub id: i64,
    /// The event.
    pub event: Event,
    /// Who told it.
    pub by: String,
    /// When it was heard of, milliseconds since the Unix epoch.
    pub received_wall_ms: i64,
}

/// What became of events that were told together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// New ones.
    pub new: u64,
    /// Those that were there already, the same.
    pub known: u64,
}

/// Why none of the events that were told together was taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// One of them cannot be.
    #[error("{why}")]
    Conflict {
        /// Which, from 0.
        index: usize,
        /// Why.
        why: Conflict,
    },
    /// One of them is part of an import that is not whole.
    #[error(
        "key: `{key}` is in the import {import}, which is not whole; import that file to its end, or discard it"
    )]
    InImport {
        /// Which, from 0.
        index: usize,
        /// Its key.
        key: Key,
        /// The import.
        import: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for NotTaken {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

#[derive(FromRow)]
struct Columns {
    id: i64,
    body: String,
    principal: String,
    received_wall_ms: i64,
}

impl Columns {
    fn row(self) -> Result<EventRow, StoreError> {
        Ok(EventRow {
            id: self.id,
            event: codec::from_json("a value event", &self.body)?,
            by: self.principal,
            received_wall_ms: self.received_wall_ms,
        })
    }
}

impl Store {
    /// Takes events, all or none. They are on disk when this returns.
    pub async fn tell_events(
        &self,
        events: &[Event],
        by: &str,
        at_wall_ms: i64,
    ) -> Result<Taken, NotTaken> {
        let mut tx = self.begin().await?;
        let teller = Teller { by, at_wall_ms, import: None };
        let taken = tell(&mut tx, events, &teller).await?;
        self.commit(tx).await?;
        Ok(taken)
    }

    /// Whether events would be taken; nothing is.
    pub async fn try_events(&self, events: &[Event]) -> Result<Taken, NotTaken> {
        let mut tx = self.begin().await?;
        let teller = Teller { by: "", at_wall_ms: 0, import: None };
        let taken = tell(&mut tx, events, &teller).await?;
        tx.rollback().await?;
        Ok(taken)
    }

    /// Events as they were told, newest first, also those that do not count; before the place `before`, if given.
    pub async fn events_told(
        &self,
        agent: Option<&AgentName>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, body, principal, received_wall_ms FROM value_event
             WHERE (?1 IS NULL OR agent = ?1) AND (?2 IS NULL OR id < ?2)
                 AND (import IS NULL OR import IN (SELECT id FROM value_import WHERE is_done = 1))
             ORDER BY id DESC LIMIT ?3",
        )
        .bind(agent.map(AgentName::as_str))
        .bind(before)
        .bind(limit)
        .fetch_all(&self.inner.reader)
        .await?;
        rows.into_iter().map(Columns::row).collect()
    }
}

/// Who tells events, and as part of which import.
pub(super) struct Teller<'a> {
    pub(super) by: &'a str,
    pub(super) at_wall_ms: i64,
    pub(super) import: Option<&'a str>,
}

/// Writes events; gives how many were new. The transaction of a failure must not be committed.
pub(super) async fn tell(
    conn: &mut SqliteConnection,
    events: &[Event],
    teller: &Teller<'_>,
) -> Result<Taken, NotTaken> {
    let mut taken = Taken::default();
    let mut changes = Changes::default();
    for (index, event) in events.iter().enumerate() {
        if tell_one(conn, index, event, teller, &mut changes).await? {
            taken.new += 1;
        } else {
            taken.known += 1;
        }
    }
    changes.save(conn).await?;
    Ok(taken)
}

async fn tell_one(
    conn: &mut SqliteConnection,
    index: usize,
    event: &Event,
    teller: &Teller<'_>,
    changes: &mut Changes,
) -> Result<bool, NotTaken> {
    let conflict = |why| NotTaken::Conflict { index, why };
    let body = codec::to_json("a value event", event)?;
    let known: Option<(String, Option<String>)> = sqlx::query_as(
        "SELECT body, (SELECT id FROM value_import WHERE id = import AND is_done = 0)
         FROM value_event WHERE key = ?",
    )
    .bind(event.key.as_str())
    .fetch_optional(&mut *conn)
    .await?;
    if let Some((known, import)) = known {
        return match import {
            Some(import) if teller.import != Some(import.as_str()) => {
                Err(NotTaken::InImport { index, key: event.key.clone(), import })
            }
            _ if known == body => Ok(false),
            _ => Err(conflict(Conflict::Key(event.key.clone()))),
        };
    }
    if let Some(corrected) = &event.corrects {
        if let Some(by) = corrector(conn, corrected.as_str()).await? {
            let by = by.parse().unwrap_or_else(|_| corrected.clone());
            return Err(conflict(Conflict::Corrected { corrected: corrected.clone(), by }));
        }
        if leads_to(conn, &event.key, corrected).await? {
            return Err(conflict(Conflict::Circle(event.key.clone())));
        }
        single_out(conn, corrected, changes).await?;
    }
    let is_single = !is_counted(event)
        || event.corrects.is_some()
        || corrector(conn, event.key.as_str()).await?.is_some();
    if !is_single {
        changes.count(event, teller.import);
    }
    sqlx::query(
        "INSERT INTO value_event
             (key, at_wall_ms, agent, kind, corrects, body, principal, received_wall_ms, import,
              is_single)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(event.key.as_str())
    .bind(event.at_wall_ms)
    .bind(event.agent.as_ref().map(AgentName::as_str))
    .bind(event.what.kind())
    .bind(event.corrects.as_ref().map(Key::as_str))
    .bind(body)
    .bind(teller.by)
    .bind(teller.at_wall_ms)
    .bind(teller.import)
    .bind(is_single)
    .execute(conn)
    .await?;
    Ok(true)
}

/// Counts an event by itself from now on, if it was counted with others.
async fn single_out(
    conn: &mut SqliteConnection,
    key: &Key,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    let counted: Option<(String, Option<String>)> = sqlx::query_as(
        "UPDATE value_event SET is_single = 1 WHERE key = ? AND is_single = 0
         RETURNING body, import",
    )
    .bind(key.as_str())
    .fetch_optional(&mut *conn)
    .await?;
    if let Some((body, import)) = counted {
        changes.take_back(codec::from_json("a value event", &body)?, import.as_deref());
    }
    Ok(())
}

async fn corrector(
    conn: &mut SqliteConnection,
    corrected: &str,
) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar("SELECT key FROM value_event WHERE corrects = ?")
        .bind(corrected)
        .fetch_optional(conn)
        .await?)
}

/// Whether corrections of `from` come to `to`. No circle was let in, so this ends.
async fn leads_to(conn: &mut SqliteConnection, from: &Key, to: &Key) -> Result<bool, StoreError> {
    let mut at = from.as_str().to_owned();
    for _ in 0..CORRECTIONS_MAX {
        match corrector(conn, &at).await? {
            None => return Ok(false),
            Some(by) if by == to.as_str() => return Ok(true),
            Some(by) => at = by,
        }
    }
    Ok(true)
}
