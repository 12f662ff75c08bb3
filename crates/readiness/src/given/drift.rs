//! Reports of `lockgate drift` beside what files show.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use lockgate_model::drift::{Drift, Report, Root as Run, RootKind};
use serde::Deserialize;

use super::GivenError;
use crate::finding::{Evidence, Finding, Outcome, Place, count};
use crate::template::{Root, Templates};

/// Days after which a run no longer says how things are.
pub const DAYS_MAX: i32 = 7;

/// What it bears on.
const CHECK: &str = "infrastructure.drift";

/// Roots that a reason names.
const NAMED_MAX: usize = 3;

/// A report, and the line of it that says how it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compared {
    report: Report,
    evidence: Evidence,
}

/// Reads a report; `None` for what does not mean to be one.
pub(super) fn read(name: &str, text: &str) -> Result<Option<Compared>, GivenError> {
    #[derive(Deserialize)]
    struct Looks {
        kind: Option<serde_json::Value>,
    }
    let is_meant = serde_json::from_str::<Looks>(text)
        .is_ok_and(|looks| looks.kind.is_some_and(|kind| kind == lockgate_model::drift::KIND));
    if !is_meant {
        return Ok(None);
    }
    let report = Report::read(text)
        .map_err(|error| GivenError::broken("a drift report", error.to_string()))?;
    let at = text.lines().position(|line| line.contains("\"outcome\"")).unwrap_or_default();
    let evidence = Evidence::at(name, text, Place { line: count(at + 1), ..Place::START });
    Ok(Some(Compared { report, evidence }))
}

impl Compared {
    /// The day of the run, in UTC.
    pub(super) fn day(&self) -> Date {
        day(self.report.at)
    }

    /// What it says, in words.
    pub(super) fn says(&self) -> String {
        let roots = &self.report.roots;
        let of = |outcome| roots.iter().filter(|root| root.outcome == outcome).count();
        let (none, drifted, unknown) = (of(Drift::None), of(Drift::Drifted), of(Drift::Unknown));
        format!(
            "no drift in {none} of {} compared, drift in {drifted}, unknown in {unknown}",
            roots.len()
        )
    }

    /// Why it counts for nothing, if it does.
    pub(super) fn why_not(&self, templates: &Templates) -> Option<String> {
        let about = self.report.roots.iter().any(|root| is_about(root, templates));
        let why = "it compares no templates of this repository, and counts for nothing";
        (!about).then(|| why.to_owned())
    }
}

fn day(at: jiff::Timestamp) -> Date {
    at.to_zoned_datetime(TimeZone::UTC).date()
}

/// The newest that is known of a root.
struct Newest<'a> {
    at: jiff::Timestamp,
    outcome: Drift,
    evidence: &'a Evidence,
}

/// Whether a root compares templates that are in the repository.
fn is_about(root: &Run, templates: &Templates) -> bool {
    root.kind.is_infrastructure() && templates.any_below(Some(place(&root.path)))
}

/// A path of a report as one of the tree.
fn place(path: &str) -> &str {
    if path == "." { "" } else { path }
}

/// What files show, and what was run. Drift that was seen is no pass, whoever looks for it. A run that found none, lately,
/// is one; an older one, and one that could not tell, leave unknown what the files do not show.
pub(super) fn weigh(
    id: &str,
    shown: Finding,
    compared: &[&Compared],
    templates: &Templates,
    today: Option<Date>,
) -> Finding {
    if id != CHECK || shown.outcome == Outcome::NotApplicable {
        return shown;
    }
    let mut newest: BTreeMap<(RootKind, &str), Newest<'_>> = BTreeMap::new();
    for Compared { report, evidence } in compared {
        for root in report.roots.iter().filter(|root| is_about(root, templates)) {
            let one = Newest { at: report.at, outcome: root.outcome, evidence };
            let place = (root.kind, root.path.as_str());
            // Of the same moment, the worse one.
            let stays = newest.get(&place).is_some_and(|known| {
                known.at > one.at || known.at == one.at && known.outcome != Drift::None
            });
            if !stays {
                newest.insert(place, one);
            }
        }
    }
    if newest.is_empty() {
        return shown;
    }
    judged(shown, &newest, templates, today)
}

/// How old a run is in days; `None` when that is not known, or it is of a day to come.
fn age_days(of: Date, today: Option<Date>) -> Option<i32> {
    let days = today?.since((jiff::Unit::Day, of)).ok()?.get_days();
    (days >= 0).then_some(days)
}

fn judged(
    shown: Finding,
    newest: &BTreeMap<(RootKind, &str), Newest<'_>>,
    templates: &Templates,
    today: Option<Date>,
) -> Finding {
    let day = |one: &Newest<'_>| day(one.at);
    let is_fresh = |one: &Newest<'_>| age_days(day(one), today).is_some_and(|age| age <= DAYS_MAX);
    let of = |wanted: Drift| {
        let mut found = newest.iter().filter(|(_, one)| is_fresh(one) && one.outcome == wanted);
        let first = found.next()?;
        Some((first, found.count() + 1))
    };
    let stale = newest.iter().find(|(_, one)| !is_fresh(one));
    if let Some((((_, path), one), n)) = of(Drift::Drifted) {
        let reason =
            format!("a run of {} found drift in {}; {}", day(one), named(path, n), shown.reason);
        return Finding::fail(reason).with([one.evidence.clone()]).with(shown.evidence);
    }
    let doubt = stale
        .map(|((_, path), one)| {
            let day = day(one);
            let why = match age_days(day, today) {
                None => format!("a run of {day} on {path} is not known to be past"),
                Some(_) => format!("a run of {day} on {path} is older than {DAYS_MAX} days"),
            };
            (why, one)
        })
        .or_else(|| {
            let (((_, path), one), n) = of(Drift::Unknown)?;
            Some((format!("a run of {} could not tell in {}", day(one), named(path, n)), one))
        });
    if let Some((why, one)) = doubt {
        let outcome = if shown.outcome == Outcome::Pass { Outcome::Pass } else { Outcome::Unknown };
        let reason = format!("{}; {why}", shown.reason);
        return Finding::new(outcome, reason).with(shown.evidence).with([one.evidence.clone()]);
    }
    // All of it is fresh, and none of it is anything but `none`.
    let oldest = newest.values().map(day).min().map_or_else(String::new, |day| day.to_string());
    let paths: Vec<&str> = newest.keys().take(NAMED_MAX).map(|(_, path)| *path).collect();
    let more = newest.len().saturating_sub(paths.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let run = format!("a run of {oldest} found no drift in {}{more}", paths.join(", "));
    let evidence = newest.values().map(|one| one.evidence.clone());
    if shown.outcome == Outcome::Pass {
        let reason = format!("{}; {run}", shown.reason);
        return Finding::pass(reason).with(shown.evidence).with(evidence);
    }
    let is_compared = |root: &&Root| {
        newest.keys().any(|(kind, path)| *kind == RootKind::Terraform && place(path) == root.dir)
    };
    let left: Vec<&str> = templates
        .roots
        .iter()
        .filter(|root| !is_compared(root))
        .map(|root| root.dir.as_str())
        .collect();
    if let Some(first) = left.first() {
        let first = if first.is_empty() { "." } else { first };
        let why =
            format!("{run}, and none compared {}; {}", named(first, left.len()), shown.reason);
        return Finding::unknown(why).with(shown.evidence).with(evidence);
    }
    Finding::pass(format!("{run}: a run, not a schedule")).with(evidence)
}

fn named(path: &str, n: usize) -> String {
    if n > 1 { format!("{path} and {} more", n - 1) } else { path.to_owned() }
}
