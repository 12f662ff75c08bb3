//! An index for searching a log, beside it and never part of it: it can be thrown away at any time, and nothing that
//! it says is shown before the record itself was read.
//!
//! Records are numbered in parts of 65,536. For each pair of name and value a part has a bitmap of the records that
//! carry it. A search goes from the newest part to the oldest, and takes from each what all asked pairs have.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use roaring::RoaringBitmap;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, QueryBuilder, Row as _, SqliteConnection};

use crate::error::AuditError;
use crate::keys::Checkpoint;
use crate::proof::{check_consistency, prove_consistency};
use crate::read::Reader;
use crate::record::Record;

/// Records in a part.
const PART: u64 = 1 << 16;
/// Records read from the log at once.
const CHUNK: u64 = 4096;
/// Rows in one insertion; SQLite takes 32,766 values.
const ROWS: usize = 8_000;
/// Another number makes older indexes be built anew.
const FORMAT: i64 = 2;
/// Postings are in the order in which they come, part by part: in the order of pairs each would go somewhere else.
const TABLES: &str =
    "CREATE TABLE IF NOT EXISTS state (format INTEGER, origin TEXT, indexed INTEGER, signed INTEGER, root BLOB);
    CREATE TABLE IF NOT EXISTS part (part INTEGER PRIMARY KEY, first_ms INTEGER, last_ms INTEGER);
    CREATE TABLE IF NOT EXISTS posting (part INTEGER, pair INTEGER, bits BLOB, PRIMARY KEY (part, pair)) WITHOUT ROWID;";

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Pairs that a record must have, all of them: labels, and `action`, `principal`, `object` and `step`.
    pub terms: Vec<(String, String)>,
    /// By one of these: someone's pseudonym, and the name that older records have.
    pub principals: Option<Vec<String>>,
    /// Recorded at this time or later, milliseconds since the Unix epoch.
    pub from_ms: Option<i64>,
    /// Recorded before this time.
    pub to_ms: Option<i64>,
    /// Older than this record.
    pub before: Option<u64>,
    /// At most so many, the newest first.
    pub limit: usize,
}

impl Query {
    fn takes(&self, record: &Record) -> bool {
        let has = |(name, value): &(String, String)| {
            pairs(record).any(|(its, other)| its == name && other == value)
        };
        self.from_ms.is_none_or(|from| record.at_ms >= from)
            && self.to_ms.is_none_or(|to| record.at_ms < to)
            && self.terms.iter().all(has)
            && self.principals.as_ref().is_none_or(|all| all.contains(&record.principal))
    }
}

/// What a record can be found by.
fn pairs(record: &Record) -> impl Iterator<Item = (&str, &str)> {
    let labels = record.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    labels.chain([
        ("action", record.action.as_str()),
        ("principal", record.principal.as_str()),
        ("object", record.object.as_str()),
        ("step", record.step.as_str()),
    ])
}

/// A pair as the index knows it. Two pairs of one number cost time, and show nothing wrong.
fn number(name: &str, value: &str) -> i64 {
    let digest = Sha256::new().chain_update(name).chain_update([0]).chain_update(value).finalize();
    let (first, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
    i64::from_be_bytes(*first)
}

/// An index of one log.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    connection: SqliteConnection,
}

/// Bitmaps of one part on their way to disk.
#[derive(Default)]
struct Part {
    bits: HashMap<i64, RoaringBitmap>,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
}

impl Part {
    fn add(&mut self, at: u32, record: &Record) {
        for (name, value) in pairs(record) {
            self.bits.entry(number(name, value)).or_default().insert(at);
        }
        self.first_ms = self.first_ms.min(Some(record.at_ms)).or(Some(record.at_ms));
        self.last_ms = self.last_ms.max(Some(record.at_ms));
    }
}

impl Index {
    /// Opens the index in this directory, or begins one. One that belongs to another log is emptied.
    pub async fn open(dir: &Path, log: &Reader) -> Result<Self, AuditError> {
        std::fs::create_dir_all(dir).map_err(AuditError::io("make", dir))?;
        let path = dir.join("index.db");
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_mins(1));
        let connection = SqliteConnection::connect_with(&options).await.map_err(failed(&path))?;
        let mut index = Self { path, connection };
        index.prepare(log).await?;
        Ok(index)
    }

    async fn prepare(&mut self, log: &Reader) -> Result<(), AuditError> {
        sqlx::raw_sql(TABLES).execute(&mut self.connection).await.map_err(failed(&self.path))?;
        let Some((indexed, signed)) = self.state(log).await? else {
            return self.empty(log).await;
        };
        let same = indexed <= log.size()
            && prove_consistency(log, signed)
                .and_then(|proof| check_consistency(&proof, signed, log.checkpoint()))
                .is_ok();
        if same { Ok(()) } else { self.empty(log).await }
    }

    /// Records indexed, and the checkpoint that they were under; `None` when it is of another log or format.
    async fn state(&mut self, log: &Reader) -> Result<Option<(u64, Checkpoint)>, AuditError> {
        let row =
            sqlx::query("SELECT indexed, signed, root FROM state WHERE format = ? AND origin = ?")
                .bind(FORMAT)
                .bind(origin(log))
                .fetch_optional(&mut self.connection)
                .await
                .map_err(failed(&self.path))?;
        let Some(row) = row else { return Ok(None) };
        let root: Vec<u8> = row.get(2);
        let numbers = (u64::try_from(row.get::<i64, _>(0)), u64::try_from(row.get::<i64, _>(1)));
        Ok(match (numbers, root.try_into()) {
            ((Ok(indexed), Ok(size)), Ok(root)) => Some((indexed, Checkpoint { size, root })),
            _ => None,
        })
    }

    async fn empty(&mut self, log: &Reader) -> Result<(), AuditError> {
        let mut tx = self.connection.begin().await.map_err(failed(&self.path))?;
        // An older format had other tables.
        for sql in ["DROP TABLE posting; DROP TABLE part; DROP TABLE state", TABLES] {
            sqlx::raw_sql(sql).execute(&mut *tx).await.map_err(failed(&self.path))?;
        }
        sqlx::query("INSERT INTO state VALUES (?, ?, 0, 0, ?)")
            .bind(FORMAT)
            .bind(origin(log))
            .bind([0_u8; 32].as_slice())
            .execute(&mut *tx)
            .await
            .map_err(failed(&self.path))?;
        tx.commit().await.map_err(failed(&self.path))
    }

    /// Takes in what the log has and the index has not; `progress` is told how many of how many are in it. A part at a
    /// time is kept, so that an end in the middle loses one part's work.
    pub async fn update(
        &mut self,
        log: &Reader,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), AuditError> {
        // What no checkpoint signs may be gone after a crash, and others take its place.
        let end = log.checkpoint().size;
        let mut next = self.state(log).await?.map_or(0, |(indexed, _)| indexed).max(log.first());
        while next < end {
            let until = ((next / PART + 1) * PART).min(end);
            let mut part = Part::default();
            let mut at = next;
            while at < until {
                let records = log.records(at..(at + CHUNK).min(until))?;
                for (seq, bytes) in (at..).zip(&records) {
                    let place = u32::try_from(seq % PART).unwrap_or(u32::MAX);
                    part.add(place, &Record::parse(bytes)?);
                }
                at += records.len() as u64;
            }
            self.keep(log, next / PART, part, until).await?;
            next = until;
            progress(next, end);
        }
        Ok(())
    }

    async fn keep(
        &mut self,
        log: &Reader,
        number: u64,
        part: Part,
        indexed: u64,
    ) -> Result<(), AuditError> {
        let (path, id) = (&self.path, signed(number));
        let mut tx = self.connection.begin().await.map_err(failed(path))?;
        let is_begun: Option<i64> = sqlx::query_scalar("SELECT part FROM part WHERE part = ?")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed(path))?;
        // In the order of the table, which is how it grows fastest.
        let mut rows: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
        for (pair, mut bits) in part.bits {
            if is_begun.is_some()
                && let Some(before) = posting(&mut tx, pair, id, path).await?
            {
                bits |= before;
            }
            let mut bytes = Vec::with_capacity(bits.serialized_size());
            bits.serialize_into(&mut bytes).map_err(AuditError::io("write", path))?;
            rows.insert(pair, bytes);
        }
        let rows: Vec<(i64, Vec<u8>)> = rows.into_iter().collect();
        for some in rows.chunks(ROWS) {
            let mut insert =
                QueryBuilder::new("INSERT OR REPLACE INTO posting (part, pair, bits) ");
            insert.push_values(some, |mut row, (pair, bits)| {
                row.push_bind(id).push_bind(*pair).push_bind(bits.as_slice());
            });
            insert.build().execute(&mut *tx).await.map_err(failed(path))?;
        }
        sqlx::query(
            "INSERT INTO part VALUES (?, ?, ?) ON CONFLICT (part) DO UPDATE SET
             first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)",
        )
        .bind(id)
        .bind(part.first_ms)
        .bind(part.last_ms)
        .execute(&mut *tx)
        .await
        .map_err(failed(path))?;
        let Checkpoint { size, root } = log.checkpoint();
        sqlx::query("UPDATE state SET indexed = ?, signed = ?, root = ?")
            .bind(signed(indexed))
            .bind(signed(size))
            .bind(root.as_slice())
            .execute(&mut *tx)
            .await
            .map_err(failed(path))?;
        tx.commit().await.map_err(failed(path))
    }

    /// The newest records that fit, newest first. What is not indexed yet is looked through one by one.
    pub async fn search(&mut self, log: &Reader, query: &Query) -> Result<Vec<Record>, AuditError> {
        let indexed = self.state(log).await?.map_or(0, |(indexed, _)| indexed);
        let end = query.before.unwrap_or(u64::MAX).min(log.size());
        let mut found = Vec::new();
        let mut at = end;
        while at > indexed && found.len() < query.limit {
            let from = at.saturating_sub(CHUNK).max(indexed).max(log.first());
            if from >= at {
                break;
            }
            for bytes in log.records(from..at)?.iter().rev() {
                take(&mut found, query, Record::parse(bytes)?);
            }
            at = from;
        }
        let end = end.min(indexed);
        let mut part = end.div_ceil(PART);
        while part > 0 && found.len() < query.limit {
            part -= 1;
            if !self.may_have(part, query).await? {
                continue;
            }
            let mut bits = self.bits(part, query, (end - part * PART).min(PART)).await?;
            // What was pruned is still in the index.
            let pruned = log.first().saturating_sub(part * PART).min(PART);
            bits.remove_range(0..u32::try_from(pruned).unwrap_or(u32::MAX));
            for place in bits.iter().rev() {
                take(&mut found, query, log.record(part * PART + u64::from(place))?);
                if found.len() >= query.limit {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Whether the part has records of the time asked for.
    async fn may_have(&mut self, part: u64, query: &Query) -> Result<bool, AuditError> {
        let times: Option<(i64, i64)> =
            sqlx::query_as("SELECT first_ms, last_ms FROM part WHERE part = ?")
                .bind(signed(part))
                .fetch_optional(&mut self.connection)
                .await
                .map_err(failed(&self.path))?;
        Ok(times.is_some_and(|(first, last)| {
            query.from_ms.is_none_or(|from| last >= from) && query.to_ms.is_none_or(|to| first < to)
        }))
    }

    /// The places in a part, below `end`, that have every pair.
    async fn bits(
        &mut self,
        part: u64,
        query: &Query,
        end: u64,
    ) -> Result<RoaringBitmap, AuditError> {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..u32::try_from(end).unwrap_or(u32::MAX));
        for (name, value) in &query.terms {
            if all.is_empty() {
                break;
            }
            all &= self.posting(name, value, part).await?;
        }
        if let Some(principals) = &query.principals {
            let mut by_any = RoaringBitmap::new();
            for principal in principals {
                by_any |= self.posting("principal", principal, part).await?;
            }
            all &= by_any;
        }
        Ok(all)
    }

    /// The places in a part that have this pair.
    async fn posting(
        &mut self,
        name: &str,
        value: &str,
        part: u64,
    ) -> Result<RoaringBitmap, AuditError> {
        let pair = number(name, value);
        let bits = posting(&mut self.connection, pair, signed(part), &self.path).await?;
        Ok(bits.unwrap_or_default())
    }
}

fn take(found: &mut Vec<Record>, query: &Query, record: Record) {
    if found.len() < query.limit && query.takes(&record) {
        found.push(record);
    }
}

async fn posting(
    connection: &mut SqliteConnection,
    pair: i64,
    part: i64,
    path: &Path,
) -> Result<Option<RoaringBitmap>, AuditError> {
    let bytes: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT bits FROM posting WHERE part = ? AND pair = ?")
            .bind(part)
            .bind(pair)
            .fetch_optional(connection)
            .await
            .map_err(failed(path))?;
    bytes
        .map(|bytes| RoaringBitmap::deserialize_from(bytes.as_slice()))
        .transpose()
        .map_err(AuditError::io("read", path))
}

fn origin(log: &Reader) -> String {
    log.keys().first().map(|key| key.origin().to_owned()).unwrap_or_default()
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn failed(path: &Path) -> impl Fn(sqlx::Error) -> AuditError + '_ {
    move |error| AuditError::Io {
        what: "use the index",
        path: path.to_owned(),
        why: format!("{error}; it can be removed, and is then built anew"),
        kind: std::io::ErrorKind::Other,
    }
}
