//! Sixty-four writers that say what was acknowledged, until someone kills them. They are this program again, as a
//! process of its own.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lockgate_audit::{Durability, Entry, Kept, Log, LogKey, LogOptions, Personal, Step, Vault};
use serde_json::json;

/// Set for the process that writes of people: directory, key file and vault.
const PEOPLE: &str = "LOCKGATE_TEST_WRITERS_OF_PEOPLE";
/// Set for the process that writes: directory, key file and durability.
const VARIABLE: &str = "LOCKGATE_TEST_WRITERS";

/// A process that writes until it is killed.
pub(crate) fn process(dir: &Path, key: &Path, durability: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "writers::writes_until_it_is_killed", "--nocapture"])
        .env(VARIABLE, format!("{}|{}|{durability}", dir.display(), key.display()))
        .stdout(Stdio::piped());
    command
}

/// A process that writes what ever new people did, until it is killed.
pub(crate) fn with_people(dir: &Path, key: &Path, vault: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "writers::writes_of_people_until_it_is_killed", "--nocapture"])
        .env(PEOPLE, format!("{}|{}|{}", dir.display(), key.display(), vault.display()))
        .stdout(Stdio::piped());
    command
}

/// What that process runs; for anyone else there is nothing to do.
#[test]
fn writes_of_people_until_it_is_killed() {
    let Ok(asked) = std::env::var(PEOPLE) else { return };
    let [dir, key, vault] = asked.split('|').collect::<Vec<_>>().try_into().unwrap();
    let mut options = LogOptions::new(dir);
    options.publish_every = Duration::from_millis(2);
    let key = LogKey::parse(&fs::read_to_string(key).unwrap()).unwrap();
    let vault = Vault::open(Path::new(vault), key.public().origin()).unwrap();
    let log = Log::open(&options, key).unwrap();
    let counter = AtomicU64::new(log.status().size);
    std::thread::scope(|threads| {
        for _ in 0..64 {
            threads.spawn(|| {
                let session = log.session();
                loop {
                    let n = counter.fetch_add(1, Ordering::Relaxed).to_string();
                    let who = format!("person {n}");
                    let mut act = Entry::event(1, &who, "test.act", &n);
                    act.detail = json!({ "reason": format!("why {n}") });
                    let mine = |at: &str, kept| Personal { at: at.into(), of: who.clone(), kept };
                    let personal =
                        [mine("/principal", Kept::Name), mine("/detail/reason", Kept::Sealed)];
                    let sealed = vault.seal(act, &personal).unwrap();
                    let Ok(place) = session.append_blocking(&sealed) else { return };
                    say(&format!("{place} {n}."));
                }
            });
        }
    });
}

/// What the process runs; for anyone else there is nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_until_it_is_killed() {
    let Ok(asked) = std::env::var(VARIABLE) else { return };
    let [dir, key, durability] = asked.split('|').collect::<Vec<_>>().try_into().unwrap();
    let mut options = LogOptions::new(dir);
    options.segment_max_bytes = 64 << 10;
    options.publish_every = Duration::from_millis(2);
    if durability == "process" {
        options.durability = Durability::Process;
    }
    let key = LogKey::parse(&fs::read_to_string(key).unwrap()).unwrap();
    let log = tokio::task::spawn_blocking(move || Log::open(&options, key).unwrap()).await.unwrap();
    let counter = Arc::new(AtomicU64::new(log.status().size));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..64 {
        let (session, counter) = (log.session(), counter.clone());
        writers.spawn(async move {
            loop {
                let n = counter.fetch_add(1, Ordering::Relaxed);
                let mut act =
                    Entry::event(1, format!("writer {writer}"), "test.act", n.to_string());
                act.step = Step::Intent;
                let Ok(place) = session.append(&act).await else { return };
                say(&format!("{place} {n}."));
                act.step = Step::Outcome { of: place };
                let Ok(place) = session.append(&act).await else { return };
                say(&format!("{place} {n}."));
            }
        });
    }
    while writers.join_next().await.is_some() {}
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever listens may be gone.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
