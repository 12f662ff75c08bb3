//! Appends beside the loop that does nothing but write, and sync for `power`.
//!
//! The fair loop repeats the very batches that the log made in the same round: as many bytes, as often. Beside it
//! stands one whose groups are as many records as there are producers, which no log can reach whose producers make
//! their next record only when the one before is on disk.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lockgate_audit::{Disk, Durability, LocalDisk, Log, LogKey, Segment};
use tokio::runtime::Runtime;

use crate::{Outcome, entry, options, spread};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);

/// The file system, and how long each batch was that went to it.
#[derive(Clone, Default)]
struct Watched(Arc<Mutex<Vec<usize>>>);

impl Watched {
    fn batches(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Disk for Watched {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_dir_all(path)
    }
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn Segment>> {
        Ok(Box::new(WatchedSegment(LocalDisk.open_append(path)?, self.clone())))
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        LocalDisk.read(path)
    }
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        LocalDisk.replace(path, bytes)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(path)
    }
}

struct WatchedSegment(Box<dyn Segment>, Watched);

impl Segment for WatchedSegment {
    fn byte_len(&self) -> io::Result<u64> {
        self.0.byte_len()
    }
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        (self.1).0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes.len());
        self.0.write_all(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}

pub(crate) fn measure(runtime: &Runtime, dir: &Path, rows: &[(&str, u64)]) -> Outcome {
    println!(
        "| durability | producers | appends/s | bare loop, same batches | ratio | records a batch | p50 µs | p99 µs | CPU µs a record | bare loop, a batch of all producers |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    rows.iter().try_for_each(|(durability, producers)| {
        let durability = match *durability {
            "process" => Durability::Process,
            "power" => Durability::Power,
            other => return Err(format!("{other} is neither process nor power").into()),
        };
        row(runtime, dir, durability, *producers)
    })
}

fn row(runtime: &Runtime, dir: &Path, durability: Durability, producers: u64) -> Outcome {
    let mut columns: [Vec<f64>; 8] = std::array::from_fn(|_| Vec::new());
    for _ in 0..ROUNDS {
        let run = appends(runtime, dir, durability, producers)?;
        let bytes: usize = run.batches.iter().sum();
        let record_bytes = bytes / run.records.max(1);
        let same = bare(dir, durability, &run.batches)? * run.records as f64 / bytes as f64;
        let all = usize::try_from(producers)? * record_bytes;
        let ideal = bare(dir, durability, &[all])? / record_bytes as f64;
        let figures = [
            run.per_s,
            same,
            run.per_s / same,
            run.records as f64 / run.batches.len() as f64,
            run.p50_us,
            run.p99_us,
            run.cpu_us,
            ideal,
        ];
        for (column, figure) in columns.iter_mut().zip(figures) {
            column.push(figure);
        }
    }
    let digits = [0, 0, 2, 1, 0, 0, 1, 0];
    let cells: Vec<String> =
        columns.iter().zip(digits).map(|(column, digits)| spread(column, digits)).collect();
    let durability = format!("{durability:?}").to_lowercase();
    println!("| {durability} | {producers} | {} |", cells.join(" | "));
    Ok(())
}

struct Run {
    records: usize,
    per_s: f64,
    p50_us: f64,
    p99_us: f64,
    /// Processor time of this whole process, making the records included.
    cpu_us: f64,
    batches: Vec<usize>,
}

fn appends(runtime: &Runtime, dir: &Path, durability: Durability, producers: u64) -> Outcome<Run> {
    let root = dir.join("log");
    let key = LogKey::generate("bench.example/log")?;
    let watched = Watched::default();
    let mut options = options(&root, durability);
    options.disk = Arc::new(watched.clone());
    Log::create(&options, &key)?;
    let log = Log::open(&options, key)?;
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let mut latencies = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for producer in 0..producers {
            let session = log.session();
            tasks.spawn(async move {
                let mut latencies = Vec::new();
                while begin.elapsed() < ROUND {
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
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    log.close();
    std::fs::remove_dir_all(&root)?;
    latencies.sort_unstable();
    let records = latencies.len();
    let at = |share: f64| {
        let place = (records.saturating_sub(1) as f64 * share) as usize;
        latencies.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    };
    Ok(Run {
        records,
        per_s: records as f64 / seconds,
        p50_us: at(0.5),
        p99_us: at(0.99),
        cpu_us: cpu * 1e6 / records as f64,
        batches: watched.batches(),
    })
}

/// Bytes a second when these batches are written again and again, each synced for `power`.
fn bare(dir: &Path, durability: Durability, batches: &[usize]) -> Outcome<f64> {
    let path = dir.join("bare");
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path)?;
    let bytes = vec![b'x'; batches.iter().copied().max().unwrap_or(0)];
    let mut written = 0;
    let begin = Instant::now();
    for batch in batches.iter().cycle() {
        if begin.elapsed() >= ROUND / 2 {
            break;
        }
        file.write_all(&bytes[..*batch])?;
        if durability == Durability::Power {
            file.sync_data()?;
        }
        written += batch;
    }
    let per_s = written as f64 / begin.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(per_s)
}

/// Processor time of this process. Linux counts it in hundredths of a second.
pub(crate) fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
