//! The demo itself: start everything, let users ask, release one version after the other.

use std::path::PathBuf;
use std::time::Duration;

use lockgate_rollout::explain::Transition;
use lockgate_rollout::view::RolloutView;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::args::DemoArgs;
use crate::config_file::{self, AGENT};
use crate::error::DemoError;
use crate::facts;
use crate::live::Live;
use crate::report::{DemoReport, RolledBack};
use crate::server::signalled;
use crate::stage::{Cast, Player, Running};
use crate::trace::Trace;
use crate::users::{Tally, wall_ms};
use crate::versions::{FIRST, RELEASED, VersionSpec};

/// No release of the plan takes this long.
const RELEASE_MAX: Duration = Duration::from_secs(200);
/// Who watches may pause one, and come back to it.
const WATCHED_RELEASE_MAX: Duration = Duration::from_hours(24);
/// How the API calls a release that waits for a person.
const PAUSED: &str = "paused";
/// Traffic before the first release, so that the stable version is known.
const WARM_UP: Duration = Duration::from_secs(2);
/// Between releases, without and with `--once`.
const PAUSE_LOOPING: Duration = Duration::from_secs(20);
const PAUSE_ONCE: Duration = Duration::from_millis(500);

/// Runs the demo. With `once` it ends with the report; otherwise it goes on until Ctrl-C, and the
/// report tells of everything up to there.
pub async fn run(args: DemoArgs) -> Result<DemoReport, DemoError> {
    let trace = Trace::load(args.trace.as_deref(), args.rate)?;
    let mut live = Live::new();
    let (dir, temporary) = data_dir(&args)?;
    live.say(&format!(
        "Starting Lockgate, a tool server and 7 versions of an agent in {}",
        dir.display()
    ));
    let cast = cast(&args)?;
    let config = |endpoints: &_| config_file::text(endpoints, args.rate);
    let mut running = tokio::select! {
        started = Running::start(&cast, &dir, config) => started?,
        () = signalled() => return Err(DemoError::Stopped),
    };
    live.say(&format!(
        "Console  {}\nToken    {}  (also in {})\nAgent    {}/v1",
        running.console,
        std::fs::read_to_string(&running.token_file).unwrap_or_default().trim(),
        running.token_file.display(),
        running.ingress,
    ));
    running.api.tell(facts::events(AGENT, wall_ms())).await?;
    let users = running.users("", args.seed)?.at_most(in_flight_max(args.rate));
    let stop = CancellationToken::new();
    let asking = tokio::spawn({
        let (users, stop) = (users.clone(), stop.clone());
        async move { users.ask_all(&trace, &stop).await }
    });
    let mut report = DemoReport { open_ended: !args.once, ..DemoReport::default() };
    let released = tokio::select! {
        released = release_all(&args, &mut running, users.tally(), &mut live, &mut report) => released,
        () = signalled() => if args.once { Err(DemoError::Stopped) } else { Ok(()) },
    };
    stop.cancel();
    // It never panics; if it did, the counts would still be those of its users.
    let _ = asking.await;
    report.requests = users.tally().requests();
    report.errors_seen_by_users = users.tally().errors();
    let (taken, refused) = users.tally().votes();
    live.say(&format!("{} requests, {taken} votes taken, {refused} not", report.requests));
    let dir = running.dir.clone();
    running.stop().await;
    if let Some(kept) =
        temporary.filter(|_| released.is_err() || (args.once && !report.as_expected()))
    {
        let _ = kept.keep();
        live.say(&format!("Logs and state are kept in {}", dir.display()));
    }
    released.map(|()| report)
}

/// Requests under way at once: three times what an idle machine has. On one that is busy users wait for their turn, and
/// what is measured is an answer and not a queue.
fn in_flight_max(rate: u32) -> usize {
    usize::try_from(rate / 5).unwrap_or(usize::MAX)
}

/// The version that everyone uses, and those that are released.
fn cast(args: &DemoArgs) -> Result<Cast, DemoError> {
    let binary = std::env::current_exe().map_err(DemoError::io("find the running program"))?;
    let versions = std::iter::once(FIRST).chain(RELEASED);
    let players = versions
        .map(|version| Player { name: version.name.into(), agent: AGENT.into(), version })
        .collect();
    Ok(Cast { binary, seed: args.seed, players })
}

/// The directory asked for, or a temporary one that lives as long as the second value.
fn data_dir(args: &DemoArgs) -> Result<(PathBuf, Option<tempfile::TempDir>), DemoError> {
    if let Some(dir) = &args.data_dir {
        std::fs::create_dir_all(dir).map_err(DemoError::file("create", dir))?;
        return Ok((dir.clone(), None));
    }
    let made = tempfile::Builder::new().prefix("lockgate-demo-").tempdir();
    let made = made.map_err(DemoError::io("create a temporary directory"))?;
    Ok((made.path().to_owned(), Some(made)))
}

async fn release_all(
    args: &DemoArgs,
    running: &mut Running,
    tally: &Tally,
    live: &mut Live,
    report: &mut DemoReport,
) -> Result<(), DemoError> {
    sleep(WARM_UP).await;
    if let Some(left) = running.api.under_way(AGENT).await? {
        live.say(&format!("The release of `{}` goes on", left.candidate));
        follow(running, &left.id, &left.candidate, tally, live, report).await?;
        if report.held.is_some() {
            return Ok(());
        }
    }
    loop {
        for spec in RELEASED {
            let stable = running.api.agent(AGENT).await?.stable;
            let spec = turn(spec, stable.as_deref());
            // Where a bad version got through, on a machine that was too busy, it is not released once more.
            if stable.as_deref() == Some(spec.name) {
                continue;
            }
            let (name, agent) = (spec.name.into(), AGENT.into());
            running.issue(&Player { name, agent, version: spec }).await?;
            let id = running.api.start(AGENT, spec.name, spec.reason).await?;
            follow(running, &id, spec.name, tally, live, report).await?;
            if report.held.is_some() {
                return Ok(());
            }
            sleep(if args.once { PAUSE_ONCE } else { PAUSE_LOOPING }).await;
        }
        if args.once {
            return Ok(());
        }
    }
}

/// When the demo loops, the good version and the one before take turns: what is stable cannot be
/// released once more.
fn turn(spec: VersionSpec, stable: Option<&str>) -> VersionSpec {
    if spec.name == "good" && stable == Some("good") { FIRST } else { spec }
}

/// Watches a release to its end, and reports it.
async fn follow(
    running: &mut Running,
    id: &str,
    version: &str,
    tally: &Tally,
    live: &mut Live,
    report: &mut DemoReport,
) -> Result<(), DemoError> {
    let api = running.api.clone();
    let is_alone = !report.open_ended;
    let look = |view: &RolloutView| {
        live.release(view, tally);
        // Nobody is there to resume it.
        running.check().map(|()| is_alone && view.phase == PAUSED)
    };
    let max = if is_alone { RELEASE_MAX } else { WATCHED_RELEASE_MAX };
    let view = api.until_ended(id, max, look).await?;
    report.saw_stable(view.stable_arm.p95_ms);
    if view.phase == PAUSED {
        report.held = Some(format!("the release of `{version}` is {}", view.why));
        return Ok(());
    }
    if view.phase == "promoted" {
        live.say(&format!("promoted     {version}: {}", view.why));
        report.promoted.push(version.to_owned());
        return Ok(());
    }
    let (seen, why) = taken_back(&running.api, id, version, view.started_wall_ms, tally).await?;
    live.say(&format!(
        "rolled back  {version} by {} ({}) after {} requests, zero share {} ms later: {}",
        seen.trigger, seen.action, seen.requests_to_detect, seen.ms_to_zero, why
    ));
    report.rolled_back.push(seen);
    Ok(())
}

/// What the release's history says about its end and why, and what users saw of the version until
/// then.
async fn taken_back(
    api: &Api,
    id: &str,
    version: &str,
    started_wall_ms: i64,
    tally: &Tally,
) -> Result<(RolledBack, String), DemoError> {
    let history = api.history(id).await?;
    let missing = |what: &str| DemoError::Refused {
        doing: format!("tell how {version} was taken back"),
        answer: format!("its history has no step {what}"),
    };
    let decided = history
        .iter()
        .find(|step| step.transition.to == "rolling_back")
        .ok_or_else(|| missing("to rolling_back"))?;
    let action = decided.action(version).ok_or_else(|| missing("that takes its traffic away"))?;
    let zero = &history.last().ok_or_else(|| missing("at all"))?.transition;
    let decided = &decided.transition;
    let why = decided.causes.first().map_or_else(String::new, |cause| cause.text.clone());
    let seen = RolledBack {
        version: version.to_owned(),
        trigger: trigger_of(decided),
        action: action.to_string(),
        requests_to_detect: tally.answered_by(version, started_wall_ms, decided.at_wall_ms),
        ms_to_zero: u64::try_from(zero.at_wall_ms - decided.at_wall_ms).unwrap_or(0),
    };
    Ok((seen, why))
}

/// The metric that decided; a gate is named as one, so that it is not taken for a trigger.
fn trigger_of(step: &Transition) -> String {
    let Some(cause) = step.causes.first() else { return "unknown".into() };
    match cause.rule.strip_prefix("trigger ") {
        Some(metric) => metric.to_owned(),
        None => cause.rule.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_good_versions_take_turns_and_the_bad_ones_come_every_time() {
        let mut stable = FIRST.name;
        let rounds: Vec<Vec<&str>> = (0..3)
            .map(|_| {
                let mut released = Vec::new();
                for spec in RELEASED {
                    let spec = turn(spec, Some(stable));
                    assert_ne!(spec.name, stable, "what is stable is not released");
                    if spec.flags.is_empty() {
                        stable = spec.name;
                    }
                    released.push(spec.name);
                }
                released
            })
            .collect();
        assert_eq!(
            rounds.iter().map(|round| round[0]).collect::<Vec<_>>(),
            ["good", "first", "good"]
        );
        assert!(rounds.iter().all(|round| round[1..] == rounds[0][1..]), "{rounds:?}");
    }
}
