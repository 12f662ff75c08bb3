//! How fast the log is, beside a bare loop of `write` and `fdatasync` on the same disk: `measure DIR RECORDS`.
//!
//! Appends are of records as rollouts make them, some 300 bytes. The bare loop writes the same bytes in groups of as many
//! records as there are producers, which is what group commit can reach at best.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "figures for people"
)]

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use lockgate_audit::{
    Durability, Entry, Index, Log, LogKey, LogOptions, Query, Reader, check_inclusion,
    prove_inclusion, verify,
};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, records] = args.as_slice() else { return Err("measure DIR RECORDS".into()) };
    let (dir, records) = (Path::new(dir), records.parse()?);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("durability producers appends/s bare/s ratio p50_us p99_us");
    for durability in [Durability::Process, Durability::Power] {
        for producers in [1, 64, 256] {
            appends(&runtime, dir, durability, producers)?;
        }
    }
    large(&runtime, dir, records)
}

fn entry(n: u64) -> Entry {
    let mut entry = Entry::event(
        1_795_500_000_000 + i64::try_from(n).unwrap_or(0),
        "control",
        "tool.call",
        format!("call {n}"),
    );
    entry.labels = [
        ("agent", format!("agent-{}", n % 20)),
        ("tool", format!("tool-{}", n % 50)),
        ("decision", if n % 1_000 == 7 { "deny" } else { "allow" }.to_owned()),
        ("interaction", format!("interaction-{}", n / 4)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    entry
}

fn options(dir: &Path, durability: Durability) -> LogOptions {
    let mut options = LogOptions::new(dir);
    options.durability = durability;
    options
}

fn appends(
    runtime: &tokio::runtime::Runtime,
    dir: &Path,
    durability: Durability,
    producers: u64,
) -> Outcome {
    let time = Duration::from_secs(4);
    let root = dir.join(format!("log-{producers}-{durability:?}"));
    let key = LogKey::generate("bench.example/log")?;
    let options = options(&root, durability);
    Log::create(&options, &key)?;
    let log = Log::open(&options, key)?;
    let begin = Instant::now();
    let mut latencies = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for producer in 0..producers {
            let session = log.session();
            tasks.spawn(async move {
                let mut latencies = Vec::new();
                while begin.elapsed() < time {
                    let entry = entry(producer);
                    let at = Instant::now();
                    if session.append(&entry).await.is_err() {
                        break;
                    }
                    latencies.push(at.elapsed());
                }
                latencies
            });
        }
        tasks.join_all().await.concat()
    });
    let per_s = latencies.len() as f64 / begin.elapsed().as_secs_f64();
    log.close();
    latencies.sort_unstable();
    let bytes = Reader::open(&root, Vec::new())?.records(0..1)?.first().map_or(300, Vec::len);
    std::fs::remove_dir_all(&root)?;
    let bare =
        bare(dir, durability, bytes * usize::try_from(producers)?, time / 2)? * producers as f64;
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_micros();
    println!(
        "{durability:?} {producers} {per_s:.0} {bare:.0} {:.2} {} {}",
        per_s / bare,
        at(0.5),
        at(0.99)
    );
    Ok(())
}

/// Groups a second that are written, and synced for `power`.
fn bare(dir: &Path, durability: Durability, bytes: usize, time: Duration) -> Outcome<f64> {
    let path = dir.join("bare");
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path)?;
    let group = vec![b'x'; bytes];
    let (begin, mut groups) = (Instant::now(), 0_u64);
    while begin.elapsed() < time {
        file.write_all(&group)?;
        if durability == Durability::Power {
            file.sync_data()?;
        }
        groups += 1;
    }
    let per_s = groups as f64 / begin.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(per_s)
}

fn large(runtime: &tokio::runtime::Runtime, dir: &Path, records: u64) -> Outcome {
    let root = dir.join("large");
    let key = LogKey::generate("bench.example/log")?;
    let public = vec![key.public().clone()];
    let options = options(&root, Durability::Process);
    Log::create(&options, &key)?;
    let log = Log::open(&options, key)?;
    let begin = Instant::now();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for producer in 0..256 {
            let session = log.session();
            tasks.spawn(async move {
                let mut n = producer;
                while n < records && session.append(&entry(n)).await.is_ok() {
                    n += 256;
                }
            });
        }
        tasks.join_all().await;
    });
    log.close();
    println!("filled with {records} records in {:.1} s", begin.elapsed().as_secs_f64());
    let before = resident_mb();
    let begin = Instant::now();
    let found = verify(&root, &public, &[], &mut |_, _| {})?;
    let seconds = begin.elapsed().as_secs_f64();
    let rate = records as f64 / seconds;
    println!(
        "verified (intact: {}) in {seconds:.2} s, {rate:.0} records/s; resident {before} MB before, at most {} MB",
        found.intact(),
        resident_mb()
    );
    let log = Reader::open(&root, public)?;
    let begin = Instant::now();
    let mut bytes = 0;
    for n in 0..1_000 {
        let proof = prove_inclusion(&log, n * (records / 1_000))?;
        bytes = proof.to_text().len();
        check_inclusion(&proof, log.keys())?;
    }
    println!(
        "proof made and checked in {:.0} us, {bytes} bytes as text",
        begin.elapsed().as_micros() as f64 / 1_000.0
    );
    runtime.block_on(search(dir, &log))
}

async fn search(dir: &Path, log: &Reader) -> Outcome {
    let begin = Instant::now();
    let mut index = Index::open(&dir.join("index"), log).await?;
    index.update(log, &mut |_, _| {}).await?;
    let bytes = std::fs::metadata(dir.join("index/index.db"))?.len();
    println!("indexed in {:.1} s, {} MB", begin.elapsed().as_secs_f64(), bytes >> 20);
    for terms in [
        vec![("agent", "agent-7"), ("decision", "deny")],
        vec![("interaction", "interaction-17")],
        vec![("agent", "agent-3"), ("tool", "tool-4")],
        vec![("tool", "tool-7"), ("decision", "deny"), ("agent", "agent-7")],
        vec![],
    ] {
        let query = Query {
            terms: terms.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            limit: 20,
            ..Query::default()
        };
        let begin = Instant::now();
        let found = index.search(log, &query).await?.len();
        println!("search {terms:?}: {found} in {:.1} ms", begin.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(())
}

/// The most memory that this process has had, in megabytes.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) >> 10
}
