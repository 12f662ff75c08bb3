//! Limits that Codecov keeps: it sets a status on a pull request, by what `codecov.yml` says, of what a pipeline sends it.
//! That status holds up a merge only where it is required.

use super::super::branch_protection::requires;
use super::super::{ON_CHANGES, Seen, Wanted, judge};
use crate::act::{Act, Class};
use crate::finding::{Evidence, Finding, Outcome};
use crate::pipeline::Runs;
use crate::yaml::{self, Node};

/// Where Codecov looks for its settings, in this order.
const FILES: [&str; 8] = [
    "codecov.yml",
    ".codecov.yml",
    "codecov.yaml",
    ".codecov.yaml",
    ".github/codecov.yml",
    ".github/.codecov.yml",
    "dev/codecov.yml",
    "dev/.codecov.yml",
];

/// The limit of a project, and what it comes to.
pub(super) struct Limit {
    /// The least coverage that passes, in percent.
    pub(super) percent: f64,
    pub(super) finding: Finding,
}

/// A status of a whole project that asks for a share of its own, and not for as much as there was.
struct Status {
    /// As the forge shows it.
    name: String,
    percent: f64,
    is_told: bool,
    shown: Evidence,
}

/// The highest limit that Codecov is told to keep; none where it is told none.
pub(super) fn limit(seen: &Seen<'_>) -> Option<Limit> {
    let file = FILES.into_iter().find(|file| seen.tree.has(file))?;
    let text = seen.tree.text(file)?;
    let root = yaml::document(text).ok()??;
    let project = root.at(&["coverage", "status", "project"])?;
    let statuses = project.entries().iter().filter_map(|entry| {
        let (percent, shown) = asked(&entry.value)?;
        Some(Status {
            name: match entry.key.as_str() {
                "default" => "codecov/project".to_owned(),
                name => format!("codecov/project/{name}"),
            },
            percent,
            is_told: entry.value.get("informational").and_then(Node::truth) == Some(true),
            shown: Evidence::at(file, text, shown.place),
        })
    });
    // One that only informs keeps nothing, whatever it asks for.
    let best = statuses.max_by(|a, b| {
        (b.is_told, a.percent)
            .partial_cmp(&(a.is_told, b.percent))
            .unwrap_or(std::cmp::Ordering::Equal)
    })?;
    Some(Limit { percent: best.percent, finding: judged(seen, &best) })
}

/// The share that a status asks for, less what it forgives, and where that stands. Of a part of the code it is no limit of
/// the whole.
fn asked(status: &Node) -> Option<(f64, &Node)> {
    let percent = |key: &str| -> Option<f64> {
        let text = status.get(key)?.text()?;
        text.trim().trim_end_matches('%').trim_end().parse().ok()
    };
    let is_part = ["flags", "paths", "carryforward_behavior"];
    let is_off = status.get("enabled").and_then(Node::truth) == Some(false);
    if is_off || is_part.iter().any(|key| status.get(key).is_some()) {
        return None;
    }
    let least = percent("target")? - percent("threshold").unwrap_or(0.0).max(0.0);
    let is_limit = least > 0.0 && least <= 100.0;
    is_limit.then_some(status.get("target")).flatten().map(|target| (least, target))
}

fn judged(seen: &Seen<'_>, status: &Status) -> Finding {
    let limit = format!("Codecov's limit of {} %", status.percent);
    let shown = || [status.shown.clone()];
    if status.is_told {
        let why = format!("{limit} runs but does not block: `informational: true`");
        return Finding::fail(why).with(shown());
    }
    let sent = sent(seen);
    let never = || format!("{limit} is of coverage that no pipeline sends: {}", sent.reason);
    match sent.outcome {
        Outcome::Pass => {}
        Outcome::Unknown => return Finding::unknown(never()).with(shown()).with(sent.evidence),
        _ => return Finding::fail(never()).with(shown()).with(sent.evidence),
    }
    let required = requires(seen, &status.name);
    let reason = match required.outcome {
        Outcome::Pass => format!("{limit} on pull requests: {}", required.reason),
        Outcome::Unknown => format!(
            "{limit} runs, and blocks only where `{}` is required: {}",
            status.name, required.reason
        ),
        _ => format!("{limit} runs but does not block: {}", required.reason),
    };
    Finding::new(required.outcome, reason).with(shown()).with(sent.evidence).with(required.evidence)
}

/// Whether pull requests send what was measured. That sending may fail takes nothing away: without it there is no status.
fn sent(seen: &Seen<'_>) -> Finding {
    let is = |act: &Act| act.class == Class::Codecov;
    let on_time = |act: &&Act| ON_CHANGES.iter().any(|on| *act.runs.on(*on) == Runs::Yes);
    if let Some(act) = seen.acts.iter().filter(|act| is(act)).find(on_time) {
        return Finding::pass("coverage is sent").with([act.evidence.clone()]);
    }
    let (what, when) = ("uploads to Codecov", "on pull requests");
    judge(
        seen,
        &Wanted { is: &is, on: ON_CHANGES, what, when, by_scripts: true, need_not_block: true },
    )
}
