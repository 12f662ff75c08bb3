//! `lockgate simulate PLAN`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use lockgate_model::agent::{Agent, SignalSource};
use lockgate_model::config::Config;
use lockgate_model::plan::Plan;
use lockgate_simulate::release::{Ended, Setting, run};
use lockgate_simulate::report::Summary;
use lockgate_simulate::trace::Trace;
use lockgate_simulate::traffic::{Arrivals, Conversation, Traffic};
use lockgate_simulate::truth::Truth;
use lockgate_simulate::world::{self, Faults, Setup, Story};
use serde_json::json;

use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output::{self, Format};
use crate::{config_file, text_file};

/// What versions resolve when nothing is said.
const RESOLVED: f64 = 0.8;

/// Says what a plan would do with a version that is like this.
///
/// The real state machine and the real judges, in virtual time, on drawn traffic. The same seed
/// gives the same releases. The stable version has 0.2 % errors, a p95 of 137 ms, costs $0.01 a
/// request, and 3 % of its votes are negative; the candidate is the same where nothing else is said.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// A configuration file with the plan, such as those in `examples/plans`
    #[arg(value_name = "PLAN")]
    file: PathBuf,
    /// Which plan of the file; by default the one that its agents use
    #[arg(long, value_name = "NAME")]
    plan: Option<String>,
    /// Where chance begins; further runs count up from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many releases, up to 100,000
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=RUNS_MAX))]
    runs: u64,
    /// What goes wrong around the release: a name, or `all`; `NAME=TIMES` at most so often
    ///
    /// Every release then runs in a world of store, controllers and gateways, and what must hold is
    /// looked at after every event. When something does not, the exit code is 1 and the shortest
    /// way there is printed.
    #[arg(long = "fault", value_name = "NAME")]
    faults: Vec<Faults>,
    #[command(flatten)]
    traffic: TrafficArgs,
    #[command(flatten)]
    candidate: CandidateArgs,
}

/// How users come.
#[derive(Debug, Args)]
struct TrafficArgs {
    /// Requests a second, on average
    #[arg(long, default_value_t = 10.0, value_parser = rate, allow_negative_numbers = true)]
    rate: f64,
    /// A CSV file whose first column, TIMESTAMP, says when requests came: as bursty as that
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Conversations stay with the version they began with, also where the agent does not ask for it
    #[arg(long)]
    sticky: bool,
    /// Requests of one user or conversation, on average, where they stay with their version
    #[arg(long, value_name = "N", default_value_t = 6.0, value_parser = requests, allow_negative_numbers = true)]
    requests_per_user: f64,
}

/// What the versions are truly like.
#[derive(Debug, Args)]
struct CandidateArgs {
    /// The candidate's share of errors: of requests, or of users where they stay with their version
    #[arg(long, value_name = "SHARE", value_parser = share)]
    errors: Option<f64>,
    /// The stable version's share of errors; the candidate's too, if nothing else is said
    #[arg(long, value_name = "SHARE", value_parser = share)]
    stable_errors: Option<f64>,
    /// How many times slower the candidate is
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor, allow_negative_numbers = true)]
    p95_factor: f64,
    /// How many times dearer the candidate is
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor, allow_negative_numbers = true)]
    cost_factor: f64,
    /// Negative votes among the candidate's
    #[arg(long, value_name = "SHARE", value_parser = share)]
    negative: Option<f64>,
    /// How good the candidate's own measures are on average, between the worst and the best of their ranges;
    /// the stable version has 90%
    #[arg(long, value_name = "SHARE", value_parser = share)]
    measures: Option<f64>,
    /// Answers of the candidate that are resolved without a person, where the agent's signals say outcomes; the stable
    /// version resolves 80%
    #[arg(long, value_name = "SHARE", value_parser = share)]
    resolved: Option<f64>,
}

impl Simulate {
    pub(crate) fn run(self, format: Format) -> CliResult {
        let config = config_file::read(&self.file)?.config;
        let (plan, agent) = plan_of(&config, &self.file, self.plan.as_deref())?;
        let setting = self.setting(plan, agent)?;
        if !self.faults.is_empty() {
            return self.run_with_faults(plan, &setting, format);
        }
        let seeds = self.seed..self.seed.saturating_add(self.runs);
        let ended: Vec<Ended> = seeds.clone().map(|seed| run(&setting, seed)).collect();
        match format {
            Format::Json => {
                let releases: Vec<_> = seeds.zip(&ended).map(release).collect();
                output::print_json(&json!({
                    "plan": plan.name,
                    "seed": self.seed,
                    "runs": self.runs,
                    "rate": self.traffic.rate,
                    "summary": Summary::of(&ended),
                    "releases": releases,
                }))?;
            }
            Format::Text if self.runs == 1 => output::print(&story(&ended[0]))?,
            Format::Text => output::print(&summary(plan, &ended))?,
        }
        Ok(Exit::Done)
    }

    /// Runs until something breaks, or to the last seed.
    fn run_with_faults(&self, plan: &Plan, setting: &Setting, format: Format) -> CliResult {
        let mut faults = Faults::default();
        self.faults.iter().for_each(|some| faults.0.extend(&some.0));
        let setup = Setup {
            plan: Arc::clone(&setting.plan),
            sources: setting.sources.clone(),
            measures: setting.measures.clone(),
            latency: setting.latency,
            requests_per_s: setting.traffic.requests_per_s,
            stable: setting.stable,
            candidate: setting.candidate,
            healthy: true,
            gateways: 2,
            faults,
        };
        let mut stories = Vec::new();
        for seed in self.seed..self.seed.saturating_add(self.runs) {
            let story = world::run(&setup, seed);
            let breaks = story.broken.is_some();
            stories.push((seed, story));
            if breaks {
                break;
            }
        }
        let failing = stories.last().filter(|(_, story)| story.broken.is_some());
        let least = failing.map(|(seed, _)| Failure::of(self, &setup, *seed));
        match format {
            Format::Json => {
                let releases = stories.iter().map(|(seed, story)| {
                    json!({
                        "seed": seed,
                        "end": story.phase.as_str(),
                        "time_ms": story.time_ms,
                        "steps": story.steps,
                        "faults": story.struck,
                    })
                });
                output::print_json(&json!({
                    "plan": plan.name,
                    "seed": self.seed,
                    "runs": self.runs,
                    "faults": setup.faults.0.keys().collect::<Vec<_>>(),
                    "failure": least.as_ref().map(Failure::json),
                    "releases": releases.collect::<Vec<_>>(),
                }))?;
            }
            Format::Text => output::print(&stories_told(plan, &stories))?,
        }
        let Some(least) = least else { return Ok(Exit::Done) };
        if format == Format::Text {
            output::note(format!("{}\n", least.story.log.join("\n")));
        }
        Err(CliError::text(Exit::Failed, least.what).hint(format!("again: {}", least.again)))
    }

    fn setting(&self, plan: &Plan, agent: Option<&Agent>) -> CliResult<Setting> {
        let identical = Setting::identical(Arc::new(plan.clone()));
        let usual = Truth::default();
        let CandidateArgs {
            errors,
            stable_errors,
            p95_factor,
            cost_factor,
            negative,
            measures,
            resolved,
        } = &self.candidate;
        let conversation = conversation(agent, self.traffic.sticky, self.traffic.requests_per_user);
        let of_requests = |share| conversation.map_or(share, |one| one.failing_requests(share));
        let stable_errors = of_requests(stable_errors.unwrap_or(usual.error_rate));
        let usually_resolved = says_outcomes(agent).then_some(RESOLVED);
        let stable = Truth { error_rate: stable_errors, resolved: usually_resolved, ..usual };
        let negative = negative.unwrap_or(stable.negative);
        let candidate = Truth {
            error_rate: errors.map_or(stable.error_rate, of_requests),
            median_ms: stable.median_ms * p95_factor,
            cost_usd: stable.cost_usd * cost_factor,
            negative,
            // Who is unhappy was happy before.
            satisfied: (stable.satisfied + stable.negative - negative).max(0.0),
            report: measures.unwrap_or(stable.report),
            resolved: stable.resolved.map(|usual| resolved.unwrap_or(usual)),
            ..stable
        };
        let mut traffic =
            Traffic { requests_per_s: self.traffic.rate, conversation, ..Traffic::default() };
        if let Some(file) = &self.traffic.trace {
            traffic.arrivals = Arrivals::Trace(Arc::new(trace(file)?));
        }
        Ok(Setting {
            sources: agent.map_or(identical.sources, Agent::sources),
            measures: agent.map_or(identical.measures, |agent| agent.measures.clone()),
            latency: agent.map_or(identical.latency, |agent| agent.latency),
            traffic,
            stable,
            candidate,
            ..identical
        })
    }
}

/// Whether an agent's versions or users say how interactions ended.
pub(crate) fn says_outcomes(agent: Option<&Agent>) -> bool {
    agent.is_some_and(|agent| agent.signals.contains(&SignalSource::Outcome))
}

/// The plan asked for, or else the one that the file's agents follow, and an agent that does.
pub(crate) fn plan_of<'a>(
    config: &'a Config,
    file: &Path,
    asked: Option<&str>,
) -> CliResult<(&'a Plan, Option<&'a Agent>)> {
    let name = if let Some(name) = asked {
        name
    } else {
        let mut names: Vec<&str> = config.agents.iter().map(|agent| agent.plan.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > 1 {
            let text = format!("the agents of {} follow several plans", file.display());
            return Err(CliError::usage(text).hint(format!("--plan {}", names.join(" | "))));
        }
        names.pop().unwrap_or("standard")
    };
    let plan = config.plans.iter().find(|plan| plan.name.as_str() == name).ok_or_else(|| {
        let known: Vec<&str> = config.plans.iter().map(|plan| plan.name.as_str()).collect();
        CliError::usage(format!("{} has no plan {name}", file.display()))
            .hint(format!("it has {}", known.join(", ")))
    })?;
    let agent = config.agents.iter().find(|agent| agent.plan == plan.name).or_else(|| {
        let [only] = config.agents.as_slice() else { return None };
        Some(only)
    });
    if agent.is_none() && !config.agents.is_empty() {
        output::note(format!(
            "no agent of {} follows plan {}: users do not stay with a version, and all signals are assumed",
            file.display(),
            plan.name
        ));
    }
    Ok((plan, agent))
}

/// How users stay with their version: by key where the agent has one, else as conversations if that is
/// asked for.
pub(crate) fn conversation(
    agent: Option<&Agent>,
    sticky: bool,
    requests_per_user: f64,
) -> Option<Conversation> {
    let keyed = agent.is_some_and(|agent| agent.sticky.is_some());
    let usual = Conversation::USUAL;
    let requests_per_s = requests_per_user / usual.length_s;
    (keyed || sticky).then_some(Conversation { requests_per_s, keyed, ..usual })
}

/// A seed with which something does not hold, and the least that it takes.
struct Failure {
    what: String,
    again: String,
    story: Story,
}

impl Failure {
    fn of(asked: &Simulate, setup: &Setup, seed: u64) -> Self {
        let (least, story) = world::shrink(setup, seed);
        let broken = story.broken.as_ref();
        let broken = broken.map_or_else(String::new, |b| format!("{}: {}", b.invariant, b.what));
        let mut again = format!("lockgate simulate {} --seed {seed}", asked.file.display());
        for (fault, times) in &least.faults.0 {
            let one = Faults([(*fault, *times)].into());
            again.extend([" --fault ", &one.to_string()]);
        }
        Self { what: format!("seed {seed} breaks \"{broken}\""), again, story }
    }

    fn json(&self) -> serde_json::Value {
        let Self { what, again, story } = self;
        json!({ "what": what, "again": again, "broken": story.broken, "log": story.log })
    }
}

/// Releases in a world with faults, by how they ended.
fn stories_told(plan: &Plan, stories: &[(u64, Story)]) -> String {
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    let mut struck: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, story) in stories {
        *ends.entry(story.phase.as_str()).or_default() += 1;
        for (fault, times) in &story.struck {
            *struck.entry(fault.as_str()).or_default() += u64::from(*times);
        }
    }
    let rows = |of: &BTreeMap<&str, u64>| -> Vec<Vec<String>> {
        of.iter().map(|(name, n)| vec![(*name).to_owned(), output::count(*n)]).collect()
    };
    let head = format!("{} releases by plan {}", output::count(stories.len() as u64), plan.name);
    let ends = output::table(&["end", "releases"], &rows(&ends));
    let struck = output::table(&["fault", "times"], &rows(&struck));
    format!("{head}\n\n{ends}\n\n{struck}")
}

/// Some millions of requests.
const TRACE_BYTES_MAX: usize = 64 * 1024 * 1024;

fn trace(file: &Path) -> CliResult<Trace> {
    let text = text_file::read(file, TRACE_BYTES_MAX)?;
    Trace::parse(&text).or_exit(Exit::Usage, format!("{} is no trace", file.display())).map_err(
        |error| error.hint("a head line, then a time like 2023-11-16 18:15:46.680 in each row"),
    )
}

fn release((seed, ended): (u64, &Ended)) -> serde_json::Value {
    json!({
        "seed": seed,
        "end": ended.phase.as_str(),
        "stage": ended.stage,
        "time_ms": ended.time_ms,
        "requests": ended.requests,
        "candidate_requests": ended.candidate_requests,
        "rule": ended.rule(),
        "why": ended.cause().map(|cause| &cause.text),
        "transitions": ended.transitions,
    })
}

/// One release, step by step.
fn story(ended: &Ended) -> String {
    let mut rows = Vec::new();
    for step in &ended.transitions {
        let at_ms = u64::try_from(step.at_wall_ms).unwrap_or(0);
        let why: Vec<&str> = step.causes.iter().map(|cause| cause.text.as_str()).collect();
        rows.push(vec![
            output::duration(at_ms),
            step.to.clone(),
            (step.stage + 1).to_string(),
            output::weight(step.weight_bp),
            why.join("; "),
        ]);
    }
    let table = output::table(&["after", "phase", "stage", "weight", "why"], &rows);
    let end = format!(
        "{} after {}; {} requests, {} of them the candidate's",
        ended.phase,
        output::duration(ended.time_ms),
        output::count(ended.requests),
        output::count(ended.candidate_requests),
    );
    format!("{table}\n\n{end}")
}

/// Many releases, by how they ended and why.
fn summary(plan: &Plan, ended: &[Ended]) -> String {
    let summary = Summary::of(ended);
    let share = |n: u64| output::percent(Some(n as f64 / summary.releases as f64));
    let ends: Vec<Vec<String>> = summary
        .ends
        .iter()
        .map(|(phase, n)| vec![phase.clone(), output::count(*n), share(*n)])
        .collect();
    let head = format!("{} releases by plan {}", output::count(summary.releases), plan.name);
    let mut text = format!("{head}\n\n{}", output::table(&["end", "releases", "share"], &ends));
    if summary.rules.is_empty() {
        return text;
    }
    let pair = |spread: lockgate_simulate::report::Spread, show: fn(u64) -> String| {
        format!("{} / {}", show(spread.median), show(spread.p95))
    };
    let rules: Vec<Vec<String>> = summary
        .rules
        .iter()
        .map(|rule| {
            vec![
                rule.rule.clone(),
                output::count(rule.releases),
                pair(rule.requests, output::count),
                pair(rule.candidate_requests, output::count),
                pair(rule.time_ms, output::duration),
            ]
        })
        .collect();
    let head = ["taken back or held by", "releases", "requests", "the candidate's", "after"];
    text.push_str("\n\n");
    text.push_str(&output::table(&head, &rules));
    text.push_str(
        "\n\nmedian / 95th percentile, from the candidate's first request on; time from the start",
    );
    text
}

/// `10%` or `0.1`.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
    let share = number.trim().parse::<f64>().map_err(|error| error.to_string())? / unit;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("a share lies between 0 and 100 %".into())
    }
}

/// The most releases of one command.
pub(crate) const RUNS_MAX: u64 = 100_000;

/// Requests a second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    between(text, 0.001, 1e6)
}

/// Requests of a user.
pub(crate) fn requests(text: &str) -> Result<f64, String> {
    between(text, 1.0, 10_000.0)
}

pub(crate) fn between(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number = text.parse::<f64>().map_err(|error| error.to_string())?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(format!("a number from {least} to {most} is needed"))
    }
}

/// How many times as much.
fn factor(text: &str) -> Result<f64, String> {
    between(text, 0.001, 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percent_or_parts_of_one() {
        assert_eq!(share("10%"), Ok(0.1));
        assert_eq!(share("0.1"), Ok(0.1));
        for wrong in ["120%", "-1%", "NaN", "ten", "inf"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
        for bad in ["0", "inf", "NaN", "-1", "1e308", ""] {
            assert!(rate(bad).is_err(), "{bad}");
        }
        assert!(rate("1.5").is_ok() && requests("0.5").is_err() && factor("2").is_ok());
    }
}
