//! What depends on how long a log is: starting, verifying, proving, searching.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use lockgate_audit::{
    Durability, Index, Log, LogKey, Query, Reader, VerifierKey, check_inclusion, prove_inclusion,
    verify,
};
use tokio::runtime::Runtime;

use crate::appends::cpu_seconds;
use crate::{Outcome, entry, options, spread};

/// Records of one session where many sessions are looked at.
const SHORT_SESSION: u64 = 10;

pub(crate) fn measure(runtime: &Runtime, dir: &Path, records: u64) -> Outcome {
    println!("\n| of a log of {records} records | |");
    println!("|---|---|");
    let root = dir.join("large");
    let key = LogKey::generate("bench.example/log")?;
    fill(runtime, &root, &key, records, records)?;
    start(&root, &key)?;
    verify_elsewhere(&root, &key, "verified, 256 sessions")?;
    let log = Reader::open(&root, vec![key.public().clone()])?;
    prove(&log, records)?;
    runtime.block_on(search(dir, &log))?;
    std::fs::remove_dir_all(&root)?;
    fill(runtime, &root, &key, records, SHORT_SESSION)?;
    let what = format!("verified, {} sessions", records / SHORT_SESSION);
    verify_elsewhere(&root, &key, &what)?;
    Ok(std::fs::remove_dir_all(&root)?)
}

fn fill(runtime: &Runtime, root: &Path, key: &LogKey, records: u64, of_a_session: u64) -> Outcome {
    let options = options(root, Durability::Process);
    Log::create(&options, key)?;
    let log = std::sync::Arc::new(Log::open(&options, key.clone())?);
    let begin = Instant::now();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for producer in 0..256 {
            let log = log.clone();
            tasks.spawn(async move {
                let (mut n, mut session) = (producer, log.session());
                let mut appended = 0;
                while n < records && session.append(&entry(n)).await.is_ok() {
                    n += 256;
                    appended += 1;
                    if appended % of_a_session == 0 {
                        session = log.session();
                    }
                }
            });
        }
        tasks.join_all().await;
    });
    drop(log);
    println!("| written, `process`, 256 producers | {:.0} s |", begin.elapsed().as_secs_f64());
    Ok(())
}

fn start(root: &Path, key: &LogKey) -> Outcome {
    let mut times = Vec::new();
    for _ in 0..5 {
        let begin = Instant::now();
        let log = Log::open(&options(root, Durability::Process), key.clone())?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        log.close();
    }
    println!("| opened for writing, ms | {} |", spread(&times, 1));
    Ok(())
}

/// Verifies in a process of its own, so that the memory it takes is its own.
fn verify_elsewhere(root: &Path, key: &LogKey, what: &str) -> Outcome {
    for _ in 0..3 {
        let own = std::env::current_exe()?;
        let mut command = Command::new(own);
        command.arg("verify").arg(root).arg(key.public().to_string());
        let output = command.output()?;
        let text = String::from_utf8(output.stdout)?;
        if !output.status.success() {
            return Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)).into());
        }
        println!("| {what} | {} |", text.trim());
    }
    Ok(())
}

pub(crate) fn verify_here(root: &Path, key: &str) -> Outcome {
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let found = verify(root, &[VerifierKey::parse(key)?], &[], &mut |_, _| {})?;
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    if !found.intact() {
        return Err(format!("{:?}", found.damage).into());
    }
    println!(
        "{seconds:.1} s, of these {cpu:.1} s of one core: {:.0} records/s of the clock, {:.0} a second of the core; at most {} MB resident",
        found.size as f64 / seconds,
        found.size as f64 / cpu,
        resident_mb()
    );
    Ok(())
}

fn prove(log: &Reader, records: u64) -> Outcome {
    let (mut made, mut checked, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..1_000 {
        let begin = Instant::now();
        let proof = prove_inclusion(log, n * (records / 1_000))?;
        made.push(begin.elapsed().as_secs_f64() * 1e6);
        bytes.push(proof.to_text().len() as f64);
        let begin = Instant::now();
        check_inclusion(&proof, log.keys())?;
        checked.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    println!("| proof made, µs | {} |", spread(&made, 0));
    println!("| proof checked, µs | {} |", spread(&checked, 0));
    println!("| proof as text, record included, bytes | {} |", spread(&bytes, 0));
    Ok(())
}

async fn search(dir: &Path, log: &Reader) -> Outcome {
    let begin = Instant::now();
    let mut index = Index::open(&dir.join("index"), log).await?;
    index.update(log, &mut |_, _| {}).await?;
    let bytes = std::fs::metadata(dir.join("index/index.db"))?.len();
    println!("| index built | {:.1} s, {} MB |", begin.elapsed().as_secs_f64(), bytes >> 20);
    for terms in [
        vec![("agent", "agent-7"), ("decision", "deny")],
        vec![("interaction", "interaction-17")],
        vec![("interaction", "none")],
        vec![("agent", "agent-3"), ("tool", "tool-4")],
        vec![("tool", "tool-7"), ("decision", "deny"), ("agent", "agent-7")],
        vec![],
    ] {
        let query = Query {
            terms: terms.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            limit: 20,
            ..Query::default()
        };
        let (mut times, mut found) = (Vec::new(), 0);
        for _ in 0..11 {
            let begin = Instant::now();
            found = index.search(log, &query).await?.len();
            times.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        let asked: Vec<String> =
            terms.iter().map(|(name, value)| format!("{name} {value}")).collect();
        println!("| search `{}`: {found} found, ms | {} |", asked.join(", "), spread(&times, 1));
    }
    drop(index);
    Ok(std::fs::remove_dir_all(dir.join("index"))?)
}

/// The most memory that this process has had, in megabytes.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) >> 10
}
