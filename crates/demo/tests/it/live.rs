//! Each trigger alone takes back the version that deserves it, and an identical version gets
//! through all of them: a real server, a process per version, users who come as in a real trace.
//!
//! `LOCKGATE_LIVE_ROUNDS` says how often (twice unless set), each time with a new server.

mod file;
mod trial;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use lockgate_demo::{Cast, DemoError, FIRST, Player, Process, Running, Step, Trace, VersionSpec};
use lockgate_model::plan::Metric;
use lockgate_rollout::explain::Cause;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::process::{crowd, lockgate};
use trial::{End, Trial, trials};

const ROUNDS_DEFAULT: u64 = 2;
/// Releases under way at once: as many as two busy cores can serve in an unoptimised build.
const AT_ONCE: usize = 4;
/// Requests of an agent's users under way at once: three times what an idle machine has.
const IN_FLIGHT_MAX: usize = 32;
/// A release that takes longer has hung.
const RELEASE_MAX: Duration = Duration::from_mins(10);
/// Rows of the trace between the starts of two replays: none meets the same arrivals.
const ROWS_APART: u64 = 37;

#[expect(clippy::print_stdout, reason = "a long run shows how it goes, a failed one why")]
#[test]
fn each_trigger_alone_takes_back_what_deserves_it_and_an_identical_version_is_promoted() {
    let _crowd = crowd();
    let rounds = std::env::var("LOCKGATE_LIVE_ROUNDS")
        .map_or(ROUNDS_DEFAULT, |text| text.parse().expect("a number"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut as_deserved: BTreeMap<&str, Vec<Option<u64>>> = BTreeMap::new();
    for round in 1..=rounds {
        for (trial, ended) in runtime.block_on(play(round)) {
            let seen = as_deserved.entry(trial.name).or_default();
            match ended {
                Ok(cause) => {
                    println!("round {round}, {}: {}", trial.name, cause.text);
                    seen.push(cause.n);
                }
                Err(why) => println!("round {round}, {} ended wrongly: {why}", trial.name),
            }
        }
    }
    for (name, ends) in &as_deserved {
        let samples = || ends.iter().flatten();
        let range = samples().min().zip(samples().max());
        let range = range.map_or("no counted".into(), |(least, most)| format!("{least} to {most}"));
        println!("{name}: {} of {rounds} as deserved, on {range} samples", ends.len());
    }
    assert_eq!(as_deserved.len(), trials().len(), "every trigger was tried");
    let wrong = as_deserved.values().any(|ends| ends.len() as u64 != rounds);
    assert!(!wrong, "a release ended wrongly, see above");
}

/// One round: every trial with its release, on one server.
async fn play(round: u64) -> Vec<(Trial, Result<Cause, String>)> {
    let dir = tempfile::tempdir().unwrap();
    let trials = trials();
    let stable = trials.iter().map(|trial| player(file::stable_player(trial), FIRST, trial));
    let mut players: Vec<Player> = stable.collect();
    players.dedup_by(|one, other| one.name == other.name);
    players.extend(trials.iter().map(|trial| player(trial.name, trial.version, trial)));
    let cast = Cast { binary: lockgate(), seed: round, players };
    let config = |endpoints: &BTreeMap<String, String>| file::text(&trials, endpoints);
    let mut running = Running::start(&cast, dir.path(), config).await.unwrap();
    let crashing: Vec<Option<Process>> = trials
        .iter()
        .map(|trial| trial.crashes.then(|| running.take(trial.name).unwrap()))
        .collect();
    let room = Semaphore::new(AT_ONCE);
    let releases = trials.iter().zip(crashing).zip(1..).map(async |((trial, crashing), number)| {
        let _place = room.acquire().await.unwrap();
        let seed = round * trials.len() as u64 + number;
        (*trial, release(&running, trial, seed, crashing).await)
    });
    let ended = join_all(releases).await;
    running.stop().await;
    ended
}

fn player(name: &str, version: VersionSpec, trial: &Trial) -> Player {
    Player { name: name.into(), agent: trial.name.into(), version }
}

/// Releases a version among its users. What decided, if it ended as it had to; everything that
/// Lockgate says about it otherwise.
async fn release(
    running: &Running,
    trial: &Trial,
    seed: u64,
    mut crashing: Option<Process>,
) -> Result<Cause, String> {
    let trace = Trace::load(None, trial.rate).unwrap().from_row(seed * ROWS_APART);
    let users = running.users(&format!("/{}", trial.name), seed).unwrap().at_most(IN_FLIGHT_MAX);
    let stop = CancellationToken::new();
    let asking = tokio::spawn({
        let stop = stop.clone();
        async move { users.ask_all(&trace, &stop).await }
    });
    let version = trial.version;
    let id = running.api.start(trial.name, version.name, version.reason).await.unwrap();
    let ended = running.api.until_ended(&id, RELEASE_MAX, |view| {
        if view.weight_bp > 0 && view.applied {
            // Dropped, it is killed.
            crashing = None;
        }
        Ok::<bool, DemoError>(false)
    });
    let ended = ended.await;
    stop.cancel();
    asking.await.unwrap();
    let history = running.api.history(&id).await.unwrap();
    let judged = ended.map_err(|error| error.to_string()).and_then(|_| judge(trial, &history));
    judged.map_err(|why| format!("{why}\n{}", explained(running, &id)))
}

/// What decided, if that is what had to.
fn judge(trial: &Trial, history: &[Step]) -> Result<Cause, String> {
    let last = &history.last().ok_or("it has no history")?.transition;
    let (decided, wanted_metric) = match trial.end {
        End::Promoted if last.to == "promoted" => (history.last(), Some(Metric::ErrorRate)),
        End::TakenBack { metric, action } if last.to == "rolled_back" => {
            let decided = history.iter().find(|step| step.transition.to == "rolling_back");
            let taken = decided.and_then(|step| step.action(trial.version.name));
            if taken != Some(action) {
                return Err(format!("taken back by {taken:?}, not by {action:?}"));
            }
            (decided, metric)
        }
        _ => return Err(format!("it ended as {}", last.to)),
    };
    let causes = decided.map_or(&[][..], |step| &step.transition.causes);
    let cause = causes.first().ok_or("it is not explained")?;
    if cause.rule != trial.rule() || cause.metric != wanted_metric {
        return Err(format!("`{}` decided on {:?}", cause.rule, cause.metric));
    }
    if has_numbers(cause) { Ok(cause.clone()) } else { Err(format!("numbers missing: {cause:?}")) }
}

/// Whether it says how many samples, which value, and what it was compared with.
fn has_numbers(cause: &Cause) -> bool {
    match cause.metric {
        // The gateway counts for itself, and says what in words.
        None => cause.text.ends_with(&format!("{} errors in a row", file::IN_A_ROW_MAX)),
        // One is enough, whatever there was besides.
        Some(Metric::SecurityEvents) => cause.value.is_some() && cause.threshold.is_some(),
        Some(_) => {
            cause.n.is_some_and(|n| n > 0) && cause.value.is_some() && cause.threshold.is_some()
        }
    }
}

/// `lockgate rollout explain`, whole.
fn explained(running: &Running, id: &str) -> String {
    let told = Command::new(lockgate())
        .args(["rollout", "explain", id, "--server", &running.console, "--token-file"])
        .arg(&running.token_file)
        .output()
        .unwrap();
    [told.stdout, told.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat()
}
