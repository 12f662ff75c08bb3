//! Times of events that were sent without one.

use std::collections::HashMap;

use lockgate_value::event::{Draft, Event, Key};
use sqlx::SqliteConnection;

use super::events::{NotTaken, list};
use crate::error::StoreError;

/// The events as they are recorded. One without a time has that of the event that is there under its key, else that of
/// the event that it corrects, else `now`.
pub(super) async fn settle(
    conn: &mut SqliteConnection,
    drafts: &[Draft],
    now_wall_ms: i64,
) -> Result<Vec<Event>, NotTaken> {
    let mut times = known(conn, drafts).await?;
    for draft in drafts {
        if let Some(at_wall_ms) = draft.at_wall_ms() {
            times.entry(draft.key().as_str().to_owned()).or_insert(at_wall_ms);
        }
    }
    let mut events = Vec::with_capacity(drafts.len());
    for (index, draft) in drafts.iter().enumerate() {
        let unfit = |why: String| NotTaken::Unfit { index, why };
        let own = draft.at_wall_ms().or_else(|| times.get(draft.key().as_str()).copied());
        let at_wall_ms = match (own, draft.corrects()) {
            (Some(own), _) => own,
            (None, None) => now_wall_ms,
            (None, Some(corrected)) => *times.get(corrected.as_str()).ok_or_else(|| {
                unfit(format!(
                    "at: `{corrected}`, which it corrects, is not there, so its time is not known; say the time"
                ))
            })?,
        };
        let event = draft.at(at_wall_ms).map_err(|invalid| unfit(invalid.to_string()))?;
        times.entry(event.key.as_str().to_owned()).or_insert(at_wall_ms);
        events.push(event);
    }
    Ok(events)
}

/// The times of events in the store that drafts without one are, or correct.
async fn known(
    conn: &mut SqliteConnection,
    drafts: &[Draft],
) -> Result<HashMap<String, i64>, StoreError> {
    let timeless = drafts.iter().filter(|draft| draft.at_wall_ms().is_none());
    let keys: Vec<&Key> =
        timeless.flat_map(|draft| [Some(draft.key()), draft.corrects()]).flatten().collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT key, at_wall_ms FROM value_event WHERE key IN (SELECT value FROM json_each(?))",
    )
    .bind(list(keys.into_iter())?)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}
