//! What an event corrects, and what corrects it.

use lockgate_model::ids::AgentName;
use lockgate_value::event::{Event, Key, What};
use lockgate_value::ledger::Conflict;
use sqlx::{FromRow, SqliteConnection};

use super::events::{NotTaken, Teller};
use super::tallies::Changes;
use crate::codec;
use crate::error::StoreError;

/// Corrections of one event, one after the other, that are followed to find a circle.
const CORRECTIONS_MAX: i64 = 1_000;

/// An event that another one is connected with.
#[derive(FromRow)]
struct Other {
    key: String,
    kind: String,
    agent: Option<String>,
    /// The import that it is part of, if that is not whole.
    import: Option<String>,
}

impl Other {
    /// Its kind.
    fn kind(&self) -> Result<&'static str, StoreError> {
        let known = What::KINDS.into_iter().find(|kind| *kind == self.kind);
        known.ok_or_else(|| StoreError::Value { what: "kind of event", value: self.kind.clone() })
    }

    /// The import that it is part of, if that is not whole and another than the teller's own.
    fn elsewhere(&self, teller: &Teller<'_>) -> Option<&String> {
        self.import.as_ref().filter(|import| teller.import != Some(import.as_str()))
    }
}

/// Refuses a correction that cannot be one. Says whether the event is corrected by another.
///
/// What is part of an import that is not whole is not there yet, so nothing outside of that import corrects it, or
/// takes the place of its corrections: both would count until the import is whole.
pub(super) async fn check(
    conn: &mut SqliteConnection,
    index: usize,
    event: &Event,
    teller: &Teller<'_>,
) -> Result<bool, NotTaken> {
    let conflict = |why| NotTaken::Conflict { index, why };
    let agent = event.agent.as_ref().map(AgentName::as_str);
    let by = corrector(conn, &event.key).await?;
    if by.as_ref().is_some_and(|by| by.agent.as_deref() != agent) {
        return Err(conflict(Conflict::Agent(event.key.clone())));
    }
    if let Some(by) = &by
        && let Some(why) = Conflict::of_kinds(by.kind()?, &event.key, event.what.kind())
    {
        return Err(conflict(why));
    }
    let Some(corrected) = &event.corrects else { return Ok(by.is_some()) };
    let not_whole = |what: String, import: &str| {
        let what = format!("corrects: `{corrected}` is {what}");
        NotTaken::InImport { index, what, import: import.to_owned() }
    };
    if let Some(known) = with_key(conn, corrected).await? {
        if known.agent.as_deref() != agent {
            return Err(conflict(Conflict::Agent(corrected.clone())));
        }
        if let Some(import) = known.elsewhere(teller) {
            return Err(not_whole("in".to_owned(), import));
        }
        if let Some(why) = Conflict::of_kinds(event.what.kind(), corrected, known.kind()?) {
            return Err(conflict(why));
        }
    }
    if let Some(known) = corrector(conn, corrected).await? {
        if let Some(import) = known.elsewhere(teller) {
            return Err(not_whole(format!("corrected by `{}` in", known.key), import));
        }
        let by = known.key.parse().unwrap_or_else(|_| corrected.clone());
        return Err(conflict(Conflict::Corrected { corrected: corrected.clone(), by }));
    }
    if leads_to(conn, &event.key, corrected).await? {
        return Err(conflict(Conflict::Circle(event.key.clone())));
    }
    Ok(by.is_some())
}

async fn with_key(conn: &mut SqliteConnection, key: &Key) -> Result<Option<Other>, StoreError> {
    other(conn, "key", key).await
}

/// The event that corrects the one with this key.
async fn corrector(conn: &mut SqliteConnection, key: &Key) -> Result<Option<Other>, StoreError> {
    other(conn, "corrects", key).await
}

async fn other(
    conn: &mut SqliteConnection,
    column: &'static str,
    key: &Key,
) -> Result<Option<Other>, StoreError> {
    let sql = format!(
        "SELECT key, kind, agent,
             (SELECT id FROM value_import WHERE id = import AND is_done = 0) AS import
         FROM value_event WHERE {column} = ?"
    );
    let found = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(key.as_str());
    Ok(found.fetch_optional(conn).await?)
}

/// Counts an event by itself from now on, if it was counted with others.
pub(super) async fn single_out(
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
