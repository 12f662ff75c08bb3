//! Both sides of every step put together.

use jiff::civil::Date;
use lockgate_model::config::Scenario;
use serde::Serialize;

use super::catalog::{Phase, Sees, Step, steps};
use super::{Finding, Findings, SCHEMA, Shown, Word};
use crate::finding::Outcome;

/// A step and how it came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evaluated {
    /// `path.step`.
    pub id: &'static str,
    /// What it asks.
    pub asks: &'static str,
    /// When it is due.
    pub phase: Phase,
    /// Who could show it.
    pub shown_by: Sees,
    /// How it came out.
    pub outcome: Outcome,
    /// Why.
    pub reason: String,
    /// What shows it, or shows why not.
    pub evidence: Vec<Shown>,
    /// Who says that it is so, where nothing shows it. It stays unknown.
    pub attested: Vec<Word>,
    /// Whether a release is refused for it.
    pub blocks: bool,
    /// What leads on; none once it has passed.
    pub next: Option<&'static str>,
}

/// A path and how its steps came out. As JSON the same bytes for the same findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evaluation {
    /// The version of this form.
    pub schema: u32,
    /// Which path.
    pub path: Scenario,
    /// Whether a release is refused.
    pub blocked: bool,
    /// Whether every step has passed, or asks for what has no use here.
    pub complete: bool,
    /// Its steps, in order.
    pub steps: Vec<Evaluated>,
    /// The first step that a release is refused for, or else the first that has not passed.
    pub next: Option<&'static str>,
}

impl Evaluation {
    /// The steps that a release is refused for.
    pub fn blocking(&self) -> impl Iterator<Item = &Evaluated> {
        self.steps.iter().filter(|step| step.blocks)
    }

    /// How many steps have passed.
    pub fn passed(&self) -> usize {
        self.steps.iter().filter(|step| step.outcome == Outcome::Pass).count()
    }

    /// What is taken on people's word.
    pub fn words(&self) -> impl Iterator<Item = &Word> {
        self.steps.iter().flat_map(|step| &step.attested)
    }
}

/// Puts together what a repository shows and what a server knows; `None` where that side was not asked. Words that ended
/// before `today` count for nothing.
pub fn evaluate(
    path: Scenario,
    repository: Option<&Findings>,
    server: Option<&Findings>,
    today: Option<Date>,
) -> Evaluation {
    let of = |step: &'static Step| evaluated(step, repository, server, today);
    let steps: Vec<Evaluated> = steps(path).map(of).collect();
    let done = |outcome: Outcome| matches!(outcome, Outcome::Pass | Outcome::NotApplicable);
    let open = || steps.iter().filter(|step| !done(step.outcome));
    let next = open().find(|step| step.blocks).or_else(|| open().next()).map(|step| step.id);
    Evaluation {
        schema: SCHEMA,
        path,
        blocked: steps.iter().any(|step| step.blocks),
        complete: open().next().is_none(),
        next,
        steps,
    }
}

fn evaluated(
    step: &'static Step,
    repository: Option<&Findings>,
    server: Option<&Findings>,
    today: Option<Date>,
) -> Evaluated {
    let side = |findings: Option<&Findings>, missing: &str| {
        let found = findings.and_then(|findings| findings.get(step.id).cloned());
        let mut found = found.unwrap_or_else(|| Finding::unknown(missing));
        found.attested.retain(|word| today.is_some_and(|today| word.until >= today));
        found
    };
    let of_files = || side(repository, "nothing is known of the repository");
    let of_server =
        || side(server, "no server was asked: name the agent with `--agent`, and its server");
    let found = match step.sees {
        Sees::Repository => of_files(),
        Sees::Server => of_server(),
        Sees::Both => both(of_files(), of_server()),
        Sees::Either => either(of_files(), of_server()),
    };
    let blocks = blocks(step.phase, &found);
    let done = matches!(found.outcome, Outcome::Pass | Outcome::NotApplicable);
    Evaluated {
        id: step.id,
        asks: step.asks,
        phase: step.phase,
        shown_by: step.sees,
        outcome: found.outcome,
        reason: found.reason,
        evidence: found.evidence,
        attested: found.attested,
        blocks,
        next: (!done).then_some(step.next),
    }
}

/// The side that is further from a pass decides, and what the other one says is told beside it.
fn both(one: Finding, other: Finding) -> Finding {
    let (mut worse, better) = if one.rank() >= other.rank() { (one, other) } else { (other, one) };
    if better.outcome != Outcome::NotApplicable && better.reason != worse.reason {
        worse.reason = format!("{}; {}", worse.reason, better.reason);
    }
    worse.evidence.extend(better.evidence);
    // A word of one side is none of the other's.
    if worse.outcome == better.outcome {
        worse.attested.extend(better.attested);
    }
    worse
}

/// The side that shows it is enough.
fn either(one: Finding, other: Finding) -> Finding {
    let shows = |found: &Finding| found.outcome == Outcome::Pass;
    match (shows(&one), shows(&other)) {
        (true, false) => one,
        (false, true) => other,
        _ => both(one, other),
    }
}

/// Before a release everything must be shown, or said by somebody where nothing shows it. What only a release can show
/// stops none, and nothing does that comes after.
fn blocks(phase: Phase, found: &Finding) -> bool {
    match (phase, found.outcome) {
        (Phase::After, _) | (_, Outcome::Pass | Outcome::NotApplicable) => false,
        (_, Outcome::Fail) => true,
        (Phase::Before, Outcome::Unknown) => found.attested.is_empty(),
        (Phase::During, Outcome::Unknown) => found.attested.is_empty() && !found.awaited,
    }
}
