//! Events that were told: each key once, none changed, and what is corrected does not count ([`lockgate_value::ledger`]).

use std::collections::{HashMap, HashSet};

use lockgate_model::ids::{AgentName, InteractionId, RolloutId};
use lockgate_value::event::{Event, Key, What};
use lockgate_value::ledger::Conflict;
use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

use super::tallies::{Changes, is_counted};
use crate::codec;
use crate::error::StoreError;
use crate::store::Store;

/// Corrections of one event, one after the other, that are followed to find a circle.
const CORRECTIONS_MAX: i64 = 1_000;

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

fn list<'a>(keys: impl Iterator<Item = &'a Key>) -> Result<String, StoreError> {
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
            Err(NotTaken::InImport { index, key: event.key.clone(), import: import.clone() })
        }
        Some(known) if known.body == body => Ok(true),
        Some(_) => Err(NotTaken::Conflict { index, why: Conflict::Key(event.key.clone()) }),
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
    let conflict = |why| NotTaken::Conflict { index, why };
    let known = known(conn, std::iter::once(&event.key)).await?;
    if is_known(index, event, &body, known.get(event.key.as_str()), teller)? {
        return Ok(false);
    }
    if let Some(why) = unfit(conn, event).await? {
        return Err(NotTaken::Unfit { index, why });
    }
    let agent = event.agent.as_ref().map(AgentName::as_str);
    let by = corrector(conn, event.key.as_str()).await?;
    if let Some(by) = &by
        && agent_of(conn, by).await? != Some(agent.map(str::to_owned))
    {
        return Err(conflict(Conflict::Agent(event.key.clone())));
    }
    if let Some(corrected) = &event.corrects {
        let known = agent_of(conn, corrected.as_str()).await?;
        if known.is_some_and(|known| known.as_deref() != agent) {
            return Err(conflict(Conflict::Agent(corrected.clone())));
        }
        if let Some(by) = corrector(conn, corrected.as_str()).await? {
            let by = by.parse().unwrap_or_else(|_| corrected.clone());
            return Err(conflict(Conflict::Corrected { corrected: corrected.clone(), by }));
        }
        if leads_to(conn, &event.key, corrected).await? {
            return Err(conflict(Conflict::Circle(event.key.clone())));
        }
        single_out(conn, corrected, changes).await?;
    }
    let is_single = !is_counted(event) || event.corrects.is_some() || by.is_some();
    write(conn, vec![Row::of(event, body, is_single, teller, changes)], teller).await?;
    Ok(true)
}

/// Something of the store's own that an event is about.
enum About {
    Release(RolloutId),
    Interaction(InteractionId),
}

fn about(event: &Event) -> Option<About> {
    match &event.what {
        What::Deployment { release, .. } | What::Incident { release, .. } => {
            release.map(About::Release)
        }
        What::ReplacementCheck { interaction, .. } => Some(About::Interaction(*interaction)),
        _ => None,
    }
}

/// Why an event cannot be about what it names, if so.
async fn unfit(conn: &mut SqliteConnection, event: &Event) -> Result<Option<String>, StoreError> {
    let is_other = |agent: &str| event.agent.as_ref().is_some_and(|own| own.as_str() != agent);
    match about(event) {
        None => Ok(None),
        Some(About::Release(id)) => {
            let agent: Option<String> =
                sqlx::query_scalar("SELECT agent FROM rollout WHERE id = ?")
                    .bind(id.to_string())
                    .fetch_optional(conn)
                    .await?;
            Ok(match agent {
                None => Some(format!(
                    "release: there is no release {id}; `lockgate rollout list` shows them"
                )),
                Some(agent) if is_other(&agent) => {
                    Some(format!("release: {id} is one of another agent"))
                }
                Some(_) => None,
            })
        }
        Some(About::Interaction(id)) => {
            let row: Option<(String, Option<String>)> =
                sqlx::query_as("SELECT agent, outcome FROM interaction WHERE id = ?")
                    .bind(id.to_string())
                    .fetch_optional(conn)
                    .await?;
            Ok(match row {
                None => Some(format!(
                    "interaction: {id} is not known; single ones are kept for 90 days"
                )),
                Some((agent, _)) if is_other(&agent) => {
                    Some(format!("interaction: {id} is one of another agent"))
                }
                Some((_, outcome)) if outcome.as_deref() != Some("resolved") => {
                    let outcome = outcome.unwrap_or_else(|| "not known".to_owned());
                    Some(format!(
                        "interaction: only resolved ones are looked at, and the outcome of {id} is {outcome}"
                    ))
                }
                Some(_) => None,
            })
        }
    }
}

/// The agent of the event with this key, which may name none; `None` where there is no such event.
async fn agent_of(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Option<Option<String>>, StoreError> {
    Ok(sqlx::query_scalar("SELECT agent FROM value_event WHERE key = ?")
        .bind(key)
        .fetch_optional(conn)
        .await?)
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

/// Whether corrections of `from` come to `to`. No circle was let in, so this ends; too long a chain counts as one.
async fn leads_to(conn: &mut SqliteConnection, from: &Key, to: &Key) -> Result<bool, StoreError> {
    let (steps, meets): (i64, Option<bool>) = sqlx::query_as(
        "WITH RECURSIVE chain (key, step) AS (
             SELECT key, 1 FROM value_event WHERE corrects = ?1
             UNION ALL
             SELECT later.key, step + 1 FROM chain JOIN value_event AS later ON later.corrects = chain.key
             WHERE step < ?3 AND chain.key <> ?2)
         SELECT COUNT(*), MAX(key = ?2) FROM chain",
    )
    .bind(from.as_str())
    .bind(to.as_str())
    .bind(CORRECTIONS_MAX)
    .fetch_one(conn)
    .await?;
    Ok(meets == Some(true) || steps >= CORRECTIONS_MAX)
}
