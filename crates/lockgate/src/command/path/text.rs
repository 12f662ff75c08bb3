//! Paths as tables.

use lockgate_readiness::finding::Outcome;
use lockgate_readiness::path::{Evaluated, Evaluation};

use crate::output;

/// The steps of a path, and what leads on.
pub(super) fn one(found: &Evaluation) -> String {
    let rows: Vec<Vec<String>> = found.steps.iter().map(row).collect();
    let table = output::table(&["step", "due", "outcome", "where", "why"], &rows);
    let next: Vec<String> = found
        .steps
        .iter()
        .filter_map(|step| step.next.map(|next| (step, next)))
        .map(|(step, next)| {
            format!(
                "  {}: {next}\n    asks: {}\n    shown by: {}",
                step.id,
                step.asks,
                step.shown_by.words()
            )
        })
        .collect();
    let mut parts = vec![table];
    if !next.is_empty() {
        parts.push(format!("next:\n{}", next.join("\n")));
    }
    parts.push(format!("{}: {}", found.path, state(found)));
    parts.join("\n\n")
}

/// All paths, a line each.
pub(super) fn all(found: &[Evaluation]) -> String {
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|one| {
            vec![
                one.path.to_string(),
                format!("{} of {}", one.passed(), one.steps.len()),
                if one.blocked { "blocked" } else { "open" }.to_owned(),
                one.next.unwrap_or(output::UNKNOWN).to_owned(),
            ]
        })
        .collect();
    output::table(&["path", "passed", "release", "next"], &rows)
}

fn row(step: &Evaluated) -> Vec<String> {
    let outcome = outcome(step);
    vec![
        step.id.split_once('.').map_or(step.id, |(_, id)| id).to_owned(),
        step.phase.name().to_owned(),
        if step.blocks { format!("{outcome}, blocks") } else { outcome.to_owned() },
        step.evidence.first().map_or_else(|| output::UNKNOWN.into(), |one| one.place.clone()),
        step.reason.clone(),
    ]
}

pub(super) fn outcome(step: &Evaluated) -> &'static str {
    match step.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::NotApplicable => "n/a",
        Outcome::Unknown if step.attested.is_empty() => "unknown",
        Outcome::Unknown => "attested",
    }
}

fn state(found: &Evaluation) -> String {
    let passed = format!("{} of {} steps passed", found.passed(), found.steps.len());
    match (found.blocked, found.complete) {
        (true, _) => format!("blocked by {}; {passed}", found.blocking().count()),
        (false, true) => "complete".to_owned(),
        (false, false) => format!("open for a release; {passed}"),
    }
}
