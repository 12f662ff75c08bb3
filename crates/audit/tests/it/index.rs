//! Searching: what is found is what reading everything finds.

use std::fs;
use std::time::Duration;

use lockgate_audit::{Durability, Index, Log, Query, Reader, Record};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::world::{Made, empty, entry};

/// A log over more than one part of the index.
fn varied(records: u64) -> Made {
    let made = empty();
    grow(&made, records);
    made
}

fn grow(made: &Made, to: u64) {
    let mut options = made.options();
    options.durability = Durability::Process;
    let log = Log::open(&options, made.key.clone()).unwrap();
    let session = log.session();
    for n in log.status().size..to {
        let mut act = entry(n);
        act.labels = vec![
            ("agent".into(), format!("a{}", n % 7)),
            ("decision".into(), if n % 1_000 == 3 { "deny" } else { "allow" }.into()),
            ("interaction".into(), format!("i{}", n / 3)),
        ];
        session.append_blocking(&act).unwrap();
    }
    log.close();
}

fn query(terms: &[(&str, &str)]) -> Query {
    let terms = terms.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Query { terms, limit: 50, ..Query::default() }
}

/// What reading every record finds.
fn by_reading(all: &[Record], query: &Query) -> Vec<u64> {
    let has = |record: &Record, name: &str, value: &str| match name {
        "action" => record.action == value,
        "principal" => record.principal == value,
        "object" => record.object == value,
        name => record.labels.get(name).is_some_and(|its| its == value),
    };
    all.iter()
        .rev()
        .filter(|record| query.before.is_none_or(|before| record.seq < before))
        .filter(|record| query.from_ms.is_none_or(|from| record.at_ms >= from))
        .filter(|record| query.to_ms.is_none_or(|to| record.at_ms < to))
        .filter(|record| query.terms.iter().all(|(name, value)| has(record, name, value)))
        .take(query.limit)
        .map(|record| record.seq)
        .collect()
}

async fn found(index: &mut Index, log: &Reader, query: &Query) -> Vec<u64> {
    let records = index.search(log, query).await.unwrap();
    records.into_iter().map(|record| record.seq).collect()
}

#[tokio::test]
async fn what_is_found_is_what_reading_everything_finds() {
    let size = 66_000;
    let made = tokio::task::spawn_blocking(move || varied(size)).await.unwrap();
    let log = Reader::open(made.root(), made.public()).unwrap();
    let all: Vec<Record> =
        log.records(0..size).unwrap().iter().map(|bytes| Record::parse(bytes).unwrap()).collect();
    let dir = made.dir.path().join("index");
    let mut index = Index::open(&dir, &log).await.unwrap();
    let queries = [
        query(&[]),
        query(&[("agent", "a3")]),
        query(&[("agent", "a3"), ("decision", "deny")]),
        query(&[("interaction", "i7")]),
        query(&[("object", "thing 65536")]),
        query(&[("agent", "none")]),
        query(&[("agent", "a3"), ("principal", "ada"), ("action", "test.act")]),
        Query { before: Some(65_540), ..query(&[("decision", "deny")]) },
        Query { from_ms: Some(1_000), to_ms: Some(1_100), ..query(&[("agent", "a1")]) },
        Query { from_ms: Some(66_900), ..query(&[]) },
        Query { limit: 0, ..query(&[]) },
    ];
    // Before anything is indexed, and after.
    for round in 0..2 {
        for query in &queries {
            let expected = by_reading(&all, query);
            assert_eq!(found(&mut index, &log, query).await, expected, "{round}: {query:?}");
        }
        let mut told = Vec::new();
        index.update(&log, &mut |done, of| told.push((done, of))).await.unwrap();
        if round == 0 {
            assert_eq!(told, [(65_536, size), (size, size)]);
        }
    }
    // It goes on where it was, within a part, and opened anew.
    drop(index);
    let made = tokio::task::spawn_blocking(move || {
        grow(&made, size + 500);
        made
    });
    let made = made.await.unwrap();
    let log = Reader::open(made.root(), made.public()).unwrap();
    let mut index = Index::open(&dir, &log).await.unwrap();
    let mut told = Vec::new();
    index.update(&log, &mut |done, of| told.push((done, of))).await.unwrap();
    assert_eq!(told, [(size + 500, size + 500)]);
    let deny = query(&[("decision", "deny")]);
    assert_eq!(found(&mut index, &log, &deny).await[..2], [66_003, 65_003]);
}

#[tokio::test]
async fn an_index_of_another_log_is_built_anew() {
    let [one, other] = [5, 9].map(|size| std::thread::spawn(move || varied(size)).join().unwrap());
    let dir = one.dir.path().join("index");
    let all = query(&[("principal", "ada")]);
    for made in [&one, &other, &one] {
        let log = Reader::open(made.root(), made.public()).unwrap();
        let mut index = Index::open(&dir, &log).await.unwrap();
        index.update(&log, &mut |_, _| {}).await.unwrap();
        assert_eq!(found(&mut index, &log, &all).await.len() as u64, log.size());
    }
    // Nor is a broken one believed. SQLite mends it as long as it has its journal, which goes when the last one is closed.
    while dir.join("index.db-wal").exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    fs::write(dir.join("index.db"), "nonsense").unwrap();
    let log = Reader::open(one.root(), one.public()).unwrap();
    let refused = Index::open(&dir, &log).await.unwrap_err();
    assert!(refused.to_string().contains("can be removed"), "{refused}");
}

#[tokio::test]
async fn an_index_of_an_older_format_is_built_anew() {
    let made = std::thread::spawn(|| varied(7)).join().unwrap();
    let log = Reader::open(made.root(), made.public()).unwrap();
    let dir = made.dir.path().join("index");
    let mut index = Index::open(&dir, &log).await.unwrap();
    index.update(&log, &mut |_, _| {}).await.unwrap();
    drop(index);
    let options = SqliteConnectOptions::new().filename(dir.join("index.db"));
    let mut older = SqliteConnection::connect_with(&options).await.unwrap();
    let tables = "UPDATE state SET format = 1; DROP TABLE posting;
        CREATE TABLE posting (pair INTEGER, part INTEGER, bits BLOB, PRIMARY KEY (pair, part)) WITHOUT ROWID;";
    sqlx::raw_sql(tables).execute(&mut older).await.unwrap();
    older.close().await.unwrap();
    let mut index = Index::open(&dir, &log).await.unwrap();
    let mut told = Vec::new();
    index.update(&log, &mut |done, of| told.push((done, of))).await.unwrap();
    assert_eq!(told, [(7, 7)], "from the beginning");
    assert_eq!(found(&mut index, &log, &query(&[("agent", "a3")])).await, [3]);
}
