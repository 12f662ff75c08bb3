//! Tests that run on every change.

mod codecov;
mod threshold;

use super::packages::Package;
use super::{ON_CHANGES, Seen, Wanted, evidence, judge};
use crate::act::{self, Act, Class};
use crate::finding::{Finding, Outcome};
use crate::pipeline::Occasion;

fn unit(act: &Act) -> bool {
    matches!(act.class, Class::Test(kinds) if kinds.unit)
}

fn integration(act: &Act) -> bool {
    matches!(act.class, Class::Test(kinds) if kinds.integration)
}

fn end_to_end(act: &Act) -> bool {
    matches!(act.class, Class::Test(kinds) if kinds.end_to_end)
}

pub(super) fn findings(seen: &Seen<'_>) -> Vec<(&'static str, Finding)> {
    let judge = |is: &dyn Fn(&Act) -> bool, on: &[Occasion], what: &str, when: &str| {
        judge(seen, &Wanted { is, on, what, when, by_scripts: true, need_not_block: false })
    };
    let any = [ON_CHANGES, &[Occasion::Main, Occasion::Branch, Occasion::Schedule]].concat();
    let codecov = codecov::limit(seen);
    let unit_any = judge(&unit, &any, "unit tests", "in a pipeline");
    vec![
        ("tests.unit", that_exist(seen, unit_any)),
        (
            "tests.unit_on_pull_request",
            of_all_packages(seen, judge(&unit, ON_CHANGES, "unit tests", "on pull requests")),
        ),
        (
            "tests.integration_on_pull_request",
            judge(&integration, ON_CHANGES, "integration tests", "on pull requests"),
        ),
        (
            "tests.end_to_end_on_pull_request",
            judge(&end_to_end, ON_CHANGES, "end-to-end tests", "on pull requests"),
        ),
        ("tests.coverage_threshold", threshold::any(seen, codecov.as_ref())),
        ("tests.coverage_over_80", threshold::over_80(seen, codecov.as_ref())),
    ]
}

/// Packages that a step is named for.
const NAMED_MAX: usize = 3;

/// What holds for some packages does not hold for those without tests.
fn of_all_packages(seen: &Seen<'_>, finding: Finding) -> Finding {
    let untested: Vec<&Package> =
        seen.packages.iter().filter(|package| package.is_untested()).collect();
    if finding.outcome != Outcome::Pass || untested.is_empty() {
        return finding;
    }
    let names: Vec<&str> =
        untested.iter().take(NAMED_MAX).map(|package| package.path.as_str()).collect();
    let more = untested.len() - names.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let (all, names) = (seen.packages.len(), names.join(", "));
    let first = |outcome: Outcome| untested.iter().find(|package| package.unit.outcome == outcome);
    let found = match (first(Outcome::Fail), first(Outcome::Unknown)) {
        (Some(package), _) => Finding::fail(format!(
            "of {all} packages, unit tests of these do not run on pull requests: {names}{more}; {}: {}",
            package.path, package.unit.reason
        ))
        .with(package.unit.evidence.clone()),
        (None, Some(package)) => Finding::unknown(format!(
            "of {all} packages, no unit tests of these are seen to run: {names}{more}; {}: {}",
            package.path, package.unit.reason
        )),
        (None, None) => return finding,
    };
    found.with(finding.evidence)
}

/// Tests that are there and that no pipeline runs are named.
fn that_exist(seen: &Seen<'_>, finding: Finding) -> Finding {
    if finding.outcome != Outcome::Fail || !finding.evidence.is_empty() {
        return finding;
    }
    let empty = seen
        .acts
        .iter()
        .find(|act| matches!(act.class, Class::Test(kinds) if !kinds.any()) && !act.why.is_empty());
    if let Some(act) = empty {
        return Finding::fail(act.why.clone()).with(evidence(act));
    }
    match act::any_test(seen.tree) {
        Some(shown) => Finding::fail("tests are there, and no pipeline runs them").with([shown]),
        None => finding,
    }
}
