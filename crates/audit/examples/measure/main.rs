//! How fast the log is, beside a bare loop on the same disk in the same run. Prints Markdown tables.
//!
//! `measure DIR appends [process|power PRODUCERS]` is about appending, `measure DIR RECORDS` about what depends on how
//! long a log is. DIR must be on the disk that is meant, and have room for some 500 bytes a record.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "figures for people"
)]

mod appends;
mod large;

use std::path::Path;

use lockgate_audit::{Durability, Entry, LogOptions};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["verify", root, keys] => large::verify_here(Path::new(root), keys),
        [dir, "appends"] => {
            let all = ["process", "power"].map(|durability| [1, 64, 256].map(|n| (durability, n)));
            appends::measure(&runtime()?, Path::new(dir), all.as_flattened())
        }
        [dir, "appends", durability, producers] => {
            let one = (*durability, producers.parse()?);
            appends::measure(&runtime()?, Path::new(dir), &[one])
        }
        [dir, records] => large::measure(&runtime()?, Path::new(dir), records.parse()?),
        _ => Err("measure DIR appends, or measure DIR RECORDS".into()),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// A record as tool calls make them: some 310 bytes with what the log adds.
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

/// The median, and between which two the others are.
fn spread(values: &[f64], digits: usize) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
    let (median, last) = (at(sorted.len() / 2), at(sorted.len().saturating_sub(1)));
    format!("{median:.digits$} ({:.digits$}–{last:.digits$})", at(0))
}
