//! What interactions weigh in the store, and how long a report over many of them takes:
//! `cargo run --profile quick -p lockgate-store --example value_scale [INTERACTIONS]`.
//!
//! So many interactions are appended as gateways do (default: a million). Then rollups of a year of 10 million interactions
//! a day are put beside them, and reports are made from the database. Prints sizes and times.
#![expect(clippy::print_stdout, reason = "a measurement")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use lockgate_model::ids::{AgentName, Epoch, InteractionId};
use lockgate_model::interaction::{Interaction, Outcome, Usage};
use lockgate_model::ports::Interactions as _;
use lockgate_model::price::PriceTable;
use lockgate_store::Store;
use lockgate_value::amount::Amount;
use lockgate_value::catalog::MeasureId;
use lockgate_value::report::report;
use lockgate_value::rollup::{Bucket, HOUR_MS, Outcomes};
use lockgate_value::window::Window;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const BATCH: u64 = 500;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2025-01-01T00:00:00Z.
const START: i64 = 1_735_689_600_000;
const DAYS: i64 = 365;
const AGENTS: u64 = 10;
const A_DAY: u64 = 10_000_000;

#[tokio::main]
async fn main() -> Result<()> {
    let count: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("state.db");
    let store = Store::open(&path).await?;
    append(&store, count).await?;
    store.close().await;
    let single = size(&path)?;
    let mut conn = connect(&path).await?;
    let rollups: i64 = sqlx::query_scalar("SELECT SUM(LENGTH(body)) FROM value_rollup")
        .fetch_one(&mut conn)
        .await?;
    println!("{count} interactions: {} MiB, {rollups} bytes of it rollups", single >> 20);
    let rows = fill(&mut conn).await?;
    conn.close().await?;
    println!("a year of {A_DAY} a day: {rows} rollups, {} MiB", (size(&path)? - single) >> 20);
    let store = Store::open(&path).await?;
    for (name, days) in [("10 days", 10), ("90 days", 90), ("a year", DAYS)] {
        let window = Window::new(START, START + days * DAY_MS, "UTC")?;
        let mut times: Vec<u128> = Vec::new();
        let mut interactions = None;
        for _ in 0..5 {
            let began = Instant::now();
            let made = report(&store.value_gathered(window.clone(), None).await?);
            times.push(began.elapsed().as_millis());
            interactions = made.measure(MeasureId::Interactions).and_then(|one| one.value);
        }
        times.sort_unstable();
        let millions = interactions.unwrap_or_default() / 1e6;
        let (least, median, most) = (times[0], times[2], times[4]);
        println!("report over {name}, {millions:.0} million: {median} ms ({least}–{most})");
    }
    Ok(())
}

/// As gateways write them, over thirty days before the year.
async fn append(store: &Store, count: u64) -> Result<()> {
    let began = Instant::now();
    let step_ms = 30.0 * DAY_MS as f64 / count as f64;
    let mut at = 0;
    while at < count {
        let end = count.min(at + BATCH);
        store.append((at..end).map(|n| interaction(n, step_ms)).collect()).await?;
        at = end;
    }
    println!("appended {:.0} interactions a second", count as f64 / began.elapsed().as_secs_f64());
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "within thirty days")]
fn interaction(n: u64, step_ms: f64) -> Interaction {
    Interaction {
        id: InteractionId(Uuid::from_u128(u128::from(n))),
        agent: "support".parse().expect("a name"),
        version: "v1".parse().ok(),
        rollout: None,
        epoch: Epoch(1),
        user: Some((n % 50_000).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        conversation: Some(n / 6),
        started_wall_ms: START - 30 * DAY_MS + (n as f64 * step_ms) as i64,
        status: Some(200),
        error: None,
        outcome: Some(if n % 10 < 7 { Outcome::Resolved } else { Outcome::Escalated }),
        first_byte_us: Some(80_000),
        total_us: Some(900_000),
        usage: Usage {
            input_tokens: Some(1_200),
            cached_input_tokens: Some(800),
            cache_write_tokens: None,
            output_tokens: Some(300),
            ..Usage::default()
        },
        model: Some("gpt-4o-mini".into()),
        cost_nanousd: Some(4_200_000),
        price_table: Some(Arc::new(PriceTable::reported())),
        unpriced: None,
    }
}

/// Rollups of a year, by the hour and by the day.
async fn fill(conn: &mut SqliteConnection) -> Result<u64> {
    let mut rows = 0;
    let mut tx = conn.begin().await?;
    for span_ms in [HOUR_MS, DAY_MS] {
        let hours = span_ms / HOUR_MS;
        let bodies: Vec<Vec<u8>> = (0..50).map(|kind| bucket(kind, hours).to_bytes()).collect();
        for agent in 0..AGENTS {
            let agent: AgentName = format!("agent-{agent}").parse()?;
            for (body, at) in bodies.iter().cycle().zip(0..DAYS * DAY_MS / span_ms) {
                sqlx::query(
                    "INSERT INTO value_rollup (resolution_ms, agent, start_wall_ms, version, body)
                     VALUES (?, ?, ?, ?, ?)",
                )
                .bind(span_ms)
                .bind(agent.as_str())
                .bind(START + at * span_ms)
                .bind(format!("v{}", at * span_ms / (30 * DAY_MS)))
                .bind(body)
                .execute(&mut *tx)
                .await?;
                rows += 1;
            }
        }
    }
    tx.commit().await?;
    Ok(rows)
}

fn bucket(kind: u64, hours: i64) -> Bucket {
    let hours = hours.unsigned_abs();
    let interactions = A_DAY / AGENTS / 24 * hours;
    let (resolved, escalated, failed) =
        (interactions * 7 / 10, interactions / 5, interactions / 20);
    let unknown = interactions - resolved - escalated - failed;
    let outcomes = Outcomes { resolved, escalated, failed, unknown };
    let mut bucket = Bucket { outcomes, ..Bucket::default() };
    bucket.cost.known = interactions;
    bucket.cost.sum_usd = Amount::whole(interactions / 300);
    bucket.prices.tables.insert(PriceTable::reported().to_string(), interactions);
    bucket.votes.answers = [interactions / 1_000; 11];
    for user in 0..2_000 * hours {
        bucket.users.insert((user * (kind + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    }
    bucket
}

async fn connect(path: &Path) -> Result<SqliteConnection> {
    Ok(SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await?)
}

/// The database and what was not yet moved into it, bytes.
fn size(path: &Path) -> Result<u64> {
    let mut all = 0;
    for entry in std::fs::read_dir(path.parent().ok_or("no directory")?)? {
        all += entry?.metadata()?.len();
    }
    Ok(all)
}
