//! Events that were told: each key once, none changed, and what is corrected does not count ([`lockgate_value::ledger`]).

use std::collections::{HashMap, HashSet};

use lockgate_model::ids::AgentName;
use lockgate_value::event::{Draft, Event, Key};
use lockgate_value::ledger::Conflict;
use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

use super::about::{about, unfit};
use super::corrections::{self, single_out};
use super::tallies::{Changes, is_counted};
use super::times::settle;
use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

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

/// What became of events that were told together, and their times, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// How many are new.
    pub taken: Taken,
    /// When each happened, milliseconds since the Unix epoch: its own time, or the one that it was given.
    pub at_wall_ms: Vec<i64>,
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
    /// One of them is part of an import that is not whole, or corrects what is.
    #[error(
        "{what} the import {import}, which is not whole; import that file to its end, or discard it: lockgate import --discard REASON --digest {}",
        digest(import)
    )]
    InImport {
        /// Which, from 0.
        index: usize,
        /// The field, and what is in the import.
        what: String,
        /// The import.
        import: String,
    },
    /// One of them is about something that is not there, or that it cannot be about.
    #[error("{why}")]
    Unfit {
        /// Which, from 0.
        index: usize,
        /// The field, and what is wrong with it.
        why: String,
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

/// An import's digest, without whose it is.
fn digest(import: &str) -> &str {
    import.split_once('/').map_or(import, |(digest, _)| digest)
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
    /// Takes events, all or none. They are on disk when this returns. One without a time is of that of what it corrects,
    /// or of now, which is `at_wall_ms`.
    pub async fn tell_events(
        &self,
        drafts: &[Draft],
        by: &str,
        at_wall_ms: i64,
    ) -> Result<Told, NotTaken> {
        let mut tx = self.begin().await?;
        let told = tell_drafts(&mut tx, drafts, by, at_wall_ms).await?;
        self.commit(tx).await?;
        Ok(told)
    }

    /// Which of these keys no event has.
    pub async fn keys_not_there(&self, keys: &[&Key]) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT key FROM value_event)",
        )
        .bind(list(keys.iter().copied())?)
        .fetch_all(&self.inner.reader)
        .await?)
    }

    /// Whether events would be taken; nothing is.
    pub async fn try_events(&self, drafts: &[Draft], at_wall_ms: i64) -> Result<Told, NotTaken> {
        let mut tx = self.begin().await?;
        let told = tell_drafts(&mut tx, drafts, "", at_wall_ms).await?;
        tx.rollback().await?;
        Ok(told)
    }

    /// Events as they were told, newest first, also those that do not count; before the place `before`, if given. Of some
    /// agents alone, if these are given: then none that is about all of them.
    pub async fn events_told(
        &self,
        agents: Option<&[AgentName]>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        let agents = agents.map(|agents| codec::to_json("names of agents", &agents)).transpose()?;
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, body, principal, received_wall_ms FROM value_event
             WHERE (?1 IS NULL OR agent IN (SELECT value FROM json_each(?1)))
                 AND (?2 IS NULL OR id < ?2)
                 AND (import IS NULL OR import IN (SELECT id FROM value_import WHERE is_done = 1))
             ORDER BY id DESC LIMIT ?3",
        )
        .bind(agents)
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

async fn tell_drafts(
    conn: &mut SqliteConnection,
    drafts: &[Draft],
    by: &str,
    at_wall_ms: i64,
) -> Result<Told, NotTaken> {
    let events = settle(conn, drafts, at_wall_ms).await?;
    let taken = tell(conn, &events, &Teller { by, at_wall_ms, import: None }).await?;
    Ok(Told { taken, at_wall_ms: events.iter().map(|event| event.at_wall_ms).collect() })
}

/// Writes events; gives how many were new. The transaction of a failure must not be committed.
///
/// Events that have nothing to do with others of the batch are looked up and written together.
pub(super) async fn tell(
    conn: &mut SqliteConnection,
    events: &[Event],
    teller: &Teller<'_>,
) -> Result<Taken, NotTaken> {
    let known = known(conn, events.iter().map(|event| &event.key)).await?;
    let corrected = corrected(conn, events.iter().map(|event| &event.key)).await?;
    let mut entangled = entangled(events);
    entangled.extend(
        events.iter().map(|event| &event.key).filter(|key| corrected.contains(key.as_str())),
    );
    let mut taken = Taken::default();
    let mut changes = Changes::default();
    let mut new: Vec<Row> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let body = codec::to_json("a value event", event)?;
        let is_new = if entangled.contains(&event.key) {
            write(conn, std::mem::take(&mut new), teller).await?;
            tell_one(conn, index, event, body, teller, &mut changes).await?
        } else if is_known(index, event, &body, known.get(event.key.as_str()), teller)? {
            false
        } else {
            let is_single = !is_counted(event);
            new.push(Row::of(event, body, is_single, teller, &mut changes));
            true
        };
        taken.new += u64::from(is_new);
        taken.known += u64::from(!is_new);
    }
    write(conn, new, teller).await?;
    changes.save(conn).await?;
    Ok(taken)
}

/// Keys of events that correct others, that others of the batch correct, that are in it more than once, or that are about
/// something that the store has.
fn entangled(events: &[Event]) -> HashSet<&Key> {
    let mut seen = HashSet::new();
    let mut entangled: HashSet<&Key> =
        events.iter().filter_map(|event| event.corrects.as_ref()).collect();
    for event in events {
        if event.corrects.is_some() || about(event).is_some() || !seen.insert(&event.key) {
            entangled.insert(&event.key);
        }
    }
    entangled
}

/// What the store has under a key: the event, and the import that it is part of, if that is not whole.
#[derive(FromRow)]
struct Known {
    key: String,
    body: String,
    import: Option<String>,
}

/// What the store has under these keys.
async fn known<'a>(
    conn: &mut SqliteConnection,
    keys: impl Iterator<Item = &'a Key>,
) -> Result<HashMap<String, Known>, StoreError> {
    let rows: Vec<Known> = sqlx::query_as(
        "SELECT key, body, (SELECT id FROM value_import WHERE id = import AND is_done = 0) AS import
         FROM value_event WHERE key IN (SELECT value FROM json_each(?))",
    )
    .bind(list(keys)?)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|known| (known.key.clone(), known)).collect())
}

/// Which of these keys an event in the store corrects.
async fn corrected<'a>(
    conn: &mut SqliteConnection,
    keys: impl Iterator<Item = &'a Key>,
) -> Result<HashSet<String>, StoreError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT corrects FROM value_event WHERE corrects IN (SELECT value FROM json_each(?))",
    )
    .bind(list(keys)?)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}

pub(super) fn list<'a>(keys: impl Iterator<Item = &'a Key>) -> Result<String, StoreError> {
    codec::to_json("keys of events", &keys.map(Key::as_str).collect::<Vec<_>>())
}

/// Whether the store has the event already; an error when it has another under its key.
fn is_known(
    index: usize,
    event: &Event,
    body: &str,
    known: Option<&Known>,
    teller: &Teller<'_>,
) -> Result<bool, NotTaken> {
    match known {
        None => Ok(false),
        Some(Known { import: Some(import), .. }) if teller.import != Some(import.as_str()) => {
            let what = format!("key: `{}` is in", event.key);
            Err(NotTaken::InImport { index, what, import: import.clone() })
        }
        Some(known) if known.body == body => Ok(true),
        Some(known) => {
            let known: Event = codec::from_json("a value event", &known.body)?;
            Err(NotTaken::Conflict { index, why: Conflict::with(&known, event) })
        }
    }
}

/// An event as it is written: key, time, agent, kind, what it corrects, itself, whether it is counted by itself.
#[derive(Serialize)]
struct Row(String, i64, Option<String>, &'static str, Option<String>, String, bool);

impl Row {
    /// Counts the event, where it is counted with others.
    fn of(
        event: &Event,
        body: String,
        is_single: bool,
        teller: &Teller<'_>,
        changes: &mut Changes,
    ) -> Self {
        if !is_single {
            changes.count(event, teller.import);
        }
        let text = |key: &Key| key.as_str().to_owned();
        let agent = event.agent.as_ref().map(|agent| agent.as_str().to_owned());
        let corrects = event.corrects.as_ref().map(text);
        let kind = event.what.kind();
        Self(text(&event.key), event.at_wall_ms, agent, kind, corrects, body, is_single)
    }
}

async fn write(
    conn: &mut SqliteConnection,
    rows: Vec<Row>,
    teller: &Teller<'_>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO value_event
             (key, at_wall_ms, agent, kind, corrects, body, is_single, principal,
              received_wall_ms, import)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
             value ->> 6, ?2, ?3, ?4
         FROM json_each(?1)",
    )
    .bind(codec::to_json("value events", &rows)?)
    .bind(teller.by)
    .bind(teller.at_wall_ms)
    .bind(teller.import)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes an event that has to do with others; says whether it is new.
async fn tell_one(
    conn: &mut SqliteConnection,
    index: usize,
    event: &Event,
    body: String,
    teller: &Teller<'_>,
    changes: &mut Changes,
) -> Result<bool, NotTaken> {
    let known = known(conn, std::iter::once(&event.key)).await?;
    if is_known(index, event, &body, known.get(event.key.as_str()), teller)? {
        return Ok(false);
    }
    if let Some(why) = unfit(conn, event).await? {
        return Err(NotTaken::Unfit { index, why });
    }
    let is_corrected = corrections::check(conn, index, event, teller).await?;
    if let Some(corrected) = &event.corrects {
        single_out(conn, corrected, changes).await?;
    }
    let is_single = !is_counted(event) || event.corrects.is_some() || is_corrected;
    write(conn, vec![Row::of(event, body, is_single, teller, changes)], teller).await?;
    Ok(true)
}
