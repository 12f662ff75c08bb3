//! Limits of coverage that pull requests cannot go below, by pipelines or by a service.

use super::super::{ON_CHANGES, Seen, Wanted, evidence, judge};
use super::codecov::Limit;
use crate::act::{Act, Class, is_test};
use crate::finding::{Finding, Outcome};
use crate::pipeline::Runs;
use crate::shell::Blocking;
use crate::tree::is_source;

fn is_limit(act: &Act) -> bool {
    matches!(act.class, Class::Threshold(_))
}

/// Whether there is one at all.
pub(super) fn any(seen: &Seen<'_>, codecov: Option<&Limit>) -> Finding {
    let found = judged(seen);
    let found = if found.outcome == Outcome::Pass {
        of_most(seen, found, &enforced(seen).collect::<Vec<_>>())
    } else {
        found
    };
    better(found, codecov.map(|limit| limit.finding.clone()))
}

/// Whether one asks for more than 80 %.
pub(super) fn over_80(seen: &Seen<'_>, codecov: Option<&Limit>) -> Finding {
    let of_service = codecov.map(|limit| match limit.finding.outcome {
        Outcome::Pass if limit.percent <= 80.0 => {
            let why = format!("{}, which is not above 80 %", limit.finding.reason);
            Finding::fail(why).with(limit.finding.evidence.clone())
        }
        // If it blocked, it would still not be enough.
        Outcome::Unknown if limit.percent <= 80.0 => {
            let why = format!("{} % is not above 80 %", limit.percent);
            Finding::fail(why).with(limit.finding.evidence.clone())
        }
        _ => limit.finding.clone(),
    });
    better(over_80_in_pipelines(seen), of_service)
}

/// What a pipeline shows, or what a service does where that says more.
fn better(own: Finding, of_service: Option<Finding>) -> Finding {
    match of_service {
        Some(found) if own.outcome != Outcome::Pass && found.outcome != Outcome::Fail => found,
        Some(found) if own.outcome == Outcome::Fail && own.evidence.is_empty() => found,
        _ => own,
    }
}

fn judged(seen: &Seen<'_>) -> Finding {
    let (what, when) = ("coverage thresholds", "on pull requests");
    let (on, is) = (ON_CHANGES, &is_limit);
    judge(seen, &Wanted { is, on, what, when, by_scripts: true, need_not_block: false })
}

/// Those that a change cannot pass by.
fn enforced<'a>(seen: &'a Seen<'_>) -> impl Iterator<Item = &'a Act> {
    seen.acts.iter().filter(|act| {
        let on_changes = ON_CHANGES.iter().any(|on| *act.runs.on(*on) == Runs::Yes);
        is_limit(act) && on_changes && act.blocking == Blocking::Yes
    })
}

/// The percentage, where the files say which.
fn percent(act: &Act) -> Option<f64> {
    match act.class {
        Class::Threshold(percent) => percent,
        _ => None,
    }
}

/// The highest percentage of some, and which has it.
fn highest<'a>(acts: &[&'a Act]) -> Option<(f64, &'a Act)> {
    let known = acts.iter().filter_map(|act| Some((percent(act)?, *act)));
    known.reduce(|best, one| if one.0 > best.0 { one } else { best })
}

fn over_80_in_pipelines(seen: &Seen<'_>) -> Finding {
    let all: Vec<&Act> = enforced(seen).collect();
    let high: Vec<&Act> =
        all.iter().filter(|act| percent(act).is_some_and(|n| n > 80.0)).copied().collect();
    if let Some((percent, act)) = highest(&high) {
        let found = Finding::pass(format!("at least {percent} % is enforced"));
        return of_most(seen, found.with(evidence(act)), &high);
    }
    if let Some(act) = all.iter().find(|act| percent(act).is_none()) {
        return Finding::unknown("a threshold is enforced; the files do not say which")
            .with(evidence(act));
    }
    if let Some((percent, act)) = highest(&all) {
        return Finding::fail(format!("{percent} % is enforced, which is not above 80 %"))
            .with(evidence(act));
    }
    let plain = judged(seen);
    let outcome = if plain.outcome == Outcome::Pass { Outcome::Unknown } else { plain.outcome };
    Finding { outcome, ..plain }
}

/// A finding that holds for the directories in which limits are kept, and is unknown where most of the code is elsewhere.
fn of_most(seen: &Seen<'_>, found: Finding, limits: &[&Act]) -> Finding {
    let dirs: Vec<&str> = limits.iter().map(|act| act.dir.as_deref().unwrap_or("")).collect();
    if dirs.contains(&"") {
        return found;
    }
    let (mut all, mut kept) = (0, 0);
    for (path, text) in seen.tree.texts().filter(|(path, _)| is_source(path) && !is_test(path)) {
        let lines = text.lines().count();
        let is_in = |dir: &&str| path.strip_prefix(*dir).is_some_and(|rest| rest.starts_with('/'));
        all += lines;
        kept += if dirs.iter().any(is_in) { lines } else { 0 };
    }
    if kept * 2 >= all {
        return found;
    }
    let mut names = dirs;
    names.sort_unstable();
    names.dedup();
    let shown = names.len().min(NAMED_MAX);
    let more = if names.len() > shown { " and others" } else { "" };
    let why = format!(
        "{}, but of less than half of the code: {}{more}",
        found.reason,
        names[..shown].join(", ")
    );
    Finding { outcome: Outcome::Unknown, reason: why, ..found }
}

/// Directories that are named.
const NAMED_MAX: usize = 3;
