//! Distinct sticky keys: per version and epoch, and over the whole release.

use std::collections::BTreeMap;

use lockgate_telemetry::window::KeySeen;
use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::codec;
use crate::error::StoreError;
use crate::windows::Cell;

/// Keys in one statement; each binds a handful of parameters.
const KEYS_PER_STATEMENT: usize = 1_000;
/// Bytes of one packed key: the hash, and whether it erred.
const KEY_BYTES: usize = 9;
/// Stands for all epochs of a release with users together; those of splits are not negative.
const ALL_EPOCHS: i64 = -1;
/// The same for those of the test environment, which count for nothing once it was left: who was
/// met there only as a copy is new when they come themselves.
const ALL_TEST_EPOCHS: i64 = -2;

/// Distinct keys, each with whether it erred.
pub(crate) type KeySet = BTreeMap<u64, bool>;

/// What one epoch adds to the distinct keys of a version over the whole release. A key counts in
/// the epoch that met it first, and its first error in the epoch that saw it: epochs add up.
/// Epochs of the test environment add up among themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseKeys {
    /// Keys that no other epoch has met before.
    pub assigned: u64,
    /// Keys whose first error of the release came in this epoch.
    pub erroring: u64,
    /// Keys of this epoch that had erred in another one before they came: they can add no first
    /// error here.
    pub erred_before: u64,
}

/// Keys that were new to a cell.
pub(crate) struct Added {
    pub(crate) assigned: u64,
    pub(crate) erroring: u64,
    pub(crate) of_release: ReleaseKeys,
}

/// Adds keys to a set.
pub(crate) fn unite(set: &mut KeySet, keys: impl IntoIterator<Item = KeySeen>) {
    for KeySeen { key, error } in keys {
        *set.entry(key).or_default() |= error;
    }
}

/// Adds keys to a cell and to its release. Gives how many are new, and how many had no error
/// before.
pub(crate) async fn add(
    conn: &mut SqliteConnection,
    cell: &Cell,
    keys: &KeySet,
) -> Result<Added, StoreError> {
    let epoch = codec::signed("epoch", cell.epoch.0)?;
    let all: Vec<i64> = keys.keys().map(|key| key.cast_signed()).collect();
    let errored: Vec<i64> =
        keys.iter().filter(|(_, errored)| **errored).map(|(key, _)| key.cast_signed()).collect();
    let whole = epochs_together(conn, cell).await?;
    let new = insert(conn, cell, epoch, &all).await?;
    let newly_errored = mark_errored(conn, cell, epoch, &errored).await?;
    let of_release = ReleaseKeys {
        erred_before: count_errored(conn, cell, whole, &new).await?,
        assigned: insert(conn, cell, whole, &new).await?.len() as u64,
        erroring: mark_errored(conn, cell, whole, &newly_errored).await?.len() as u64,
    };
    Ok(Added { assigned: new.len() as u64, erroring: newly_errored.len() as u64, of_release })
}

/// What an epoch shares its keys with: the others with users, or the others of the test
/// environment.
async fn epochs_together(conn: &mut SqliteConnection, cell: &Cell) -> Result<i64, StoreError> {
    let of_test: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM rollout, json_each(rollout.body, '$.test_epochs') AS of_test
                        WHERE rollout.id = ? AND of_test.value = ?)",
    )
    .bind(cell.rollout.to_string())
    .bind(codec::signed("epoch", cell.epoch.0)?)
    .fetch_one(conn)
    .await?;
    Ok(if of_test { ALL_TEST_EPOCHS } else { ALL_EPOCHS })
}

/// Gives the keys that were not there.
async fn insert(
    conn: &mut SqliteConnection,
    cell: &Cell,
    epoch: i64,
    keys: &[i64],
) -> Result<Vec<i64>, StoreError> {
    let mut new = Vec::new();
    for chunk in keys.chunks(KEYS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO rollout_key (rollout, epoch, version, key, errored) ",
        );
        query.push_values(chunk, |mut row, key| {
            row.push_bind(cell.rollout.to_string())
                .push_bind(epoch)
                .push_bind(cell.version.as_str().to_owned())
                .push_bind(*key)
                .push_bind(0_i64);
        });
        query.push(" ON CONFLICT (rollout, epoch, version, key) DO NOTHING RETURNING key");
        let query = query.build_query_scalar::<i64>().persistent(false);
        new.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(new)
}

/// Gives the keys that had no error before.
async fn mark_errored(
    conn: &mut SqliteConnection,
    cell: &Cell,
    epoch: i64,
    keys: &[i64],
) -> Result<Vec<i64>, StoreError> {
    let mut newly = Vec::new();
    for chunk in keys.chunks(KEYS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("UPDATE rollout_key SET errored = 1 WHERE ");
        push_keys(&mut query, cell, epoch, 0, chunk);
        query.push(" RETURNING key");
        let query = query.build_query_scalar::<i64>().persistent(false);
        newly.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(newly)
}

/// How many of these keys have erred in any of the epochs that `whole` stands for.
async fn count_errored(
    conn: &mut SqliteConnection,
    cell: &Cell,
    whole: i64,
    keys: &[i64],
) -> Result<u64, StoreError> {
    let mut errored = 0;
    for chunk in keys.chunks(KEYS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM rollout_key WHERE ");
        push_keys(&mut query, cell, whole, 1, chunk);
        let query = query.build_query_scalar().persistent(false);
        let count: i64 = query.fetch_one(&mut *conn).await?;
        errored += codec::unsigned("keys", count)?;
    }
    Ok(errored)
}

fn push_keys(
    query: &mut QueryBuilder<Sqlite>,
    cell: &Cell,
    epoch: i64,
    errored: i64,
    keys: &[i64],
) {
    query.push("rollout = ").push_bind(cell.rollout.to_string());
    query.push(" AND epoch = ").push_bind(epoch);
    query.push(" AND version = ").push_bind(cell.version.as_str().to_owned());
    query.push(" AND errored = ").push_bind(errored);
    query.push(" AND key IN (");
    let mut list = query.separated(", ");
    for key in keys {
        list.push_bind(*key);
    }
    query.push(")");
}

/// Adds to the release what a cell, which has evidence, gave it.
pub(crate) async fn add_to_release(
    conn: &mut SqliteConnection,
    cell: &Cell,
    keys: ReleaseKeys,
) -> Result<(), StoreError> {
    if keys == ReleaseKeys::default() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE evidence SET first_assigned = first_assigned + ?,
             first_erroring = first_erroring + ?, erred_before = erred_before + ?
         WHERE rollout = ? AND epoch = ? AND version = ?",
    )
    .bind(codec::signed("keys", keys.assigned)?)
    .bind(codec::signed("keys", keys.erroring)?)
    .bind(codec::signed("keys", keys.erred_before)?)
    .bind(cell.rollout.to_string())
    .bind(codec::signed("epoch", cell.epoch.0)?)
    .bind(cell.version.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// Keys as a column holds them.
pub(crate) fn pack(keys: &[KeySeen]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(keys.len() * KEY_BYTES);
    for KeySeen { key, error } in keys {
        bytes.extend_from_slice(&key.to_le_bytes());
        bytes.push(u8::from(*error));
    }
    bytes
}

/// The reverse of [`pack`].
pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<KeySeen>, StoreError> {
    let (keys, rest) = bytes.as_chunks::<KEY_BYTES>();
    if !rest.is_empty() {
        return Err(StoreError::Value {
            what: "keys of a window",
            value: format!("{} bytes", bytes.len()),
        });
    }
    Ok(keys
        .iter()
        .map(|[key @ .., error]| KeySeen { key: u64::from_le_bytes(*key), error: *error != 0 })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_keys_come_back_and_torn_ones_are_refused() {
        let keys =
            [(0, false), (u64::MAX, true), (7, true)].map(|(key, error)| KeySeen { key, error });
        let bytes = pack(&keys);
        assert_eq!(unpack(&bytes).expect("whole"), keys);
        assert!(unpack(&bytes[1..]).is_err());
    }
}
