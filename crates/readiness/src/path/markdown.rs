//! An evaluation as Markdown, for a pull request.

use std::fmt::Write as _;

use super::{Evaluated, Evaluation};
use crate::finding::Outcome;
use crate::markdown::code;

/// The report. The same text for the same evaluation.
pub fn markdown(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    let state = if evaluation.blocked { "blocked" } else { "open" };
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "## Path to production: {}\n\n**{state}**, {} of {} steps passed\n\n| step | outcome | where | why | next |\n|---|---|---|---|---|",
        evaluation.path,
        evaluation.passed(),
        evaluation.steps.len()
    );
    for step in &evaluation.steps {
        let place = step.evidence.first().map_or_else(|| "–".to_owned(), |one| code(&one.place));
        let next = step.next.map_or_else(|| "–".to_owned(), |next| next.replace('|', "&#124;"));
        let _ = writeln!(
            text,
            "| `{}` | {} | {place} | {} | {next} |",
            step.id,
            outcome(step),
            code(&step.reason)
        );
    }
    text
}

fn outcome(step: &Evaluated) -> String {
    let outcome = match step.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::NotApplicable => "n/a",
        Outcome::Unknown if step.attested.is_empty() => "unknown",
        Outcome::Unknown => "unknown, **attested**",
    };
    if step.blocks { format!("{outcome}, **blocks**") } else { outcome.to_owned() }
}
