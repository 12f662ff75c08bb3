//! Built, tested and delivered by machines.

use super::{ON_CHANGES, Seen, Wanted, judge};
use crate::act::{Act, Class};
use crate::finding::{Finding, Outcome};
use crate::pipeline::Occasion;
use crate::template::{Compares, Reconciler};

/// Where something comes onto the main branch.
const ON_MAIN: &[Occasion] = &[Occasion::Main, Occasion::MergeQueue];

/// From where something is delivered without a person's hands.
const ON_DELIVERY: &[Occasion] =
    &[Occasion::Main, Occasion::Tag, Occasion::Release, Occasion::ReleaseBranch];

/// Tests build what they test.
fn builds(act: &Act) -> bool {
    act.class == Class::Build || tests(act)
}

fn tests(act: &Act) -> bool {
    matches!(act.class, Class::Test(kinds) if kinds.any())
}

fn delivers(act: &Act) -> bool {
    act.class == Class::Deliver
}

pub(super) fn findings(seen: &Seen<'_>) -> Vec<(&'static str, Finding)> {
    let judge =
        |is: &dyn Fn(&Act) -> bool, on: &[Occasion], what: &str, when: &str, by_scripts: bool| {
            judge(seen, &Wanted { is, on, what, when, by_scripts, need_not_block: false })
        };
    let any = [ON_CHANGES, &[Occasion::Main, Occasion::Branch]].concat();
    vec![
        (
            "ci_cd.build",
            judge(&builds, &any, "builds or tests", "on pushes or pull requests", true),
        ),
        (
            "ci_cd.build_on_pull_request",
            judge(&builds, ON_CHANGES, "builds", "on pull requests", true),
        ),
        (
            "ci_cd.test_on_pull_request",
            judge(&tests, ON_CHANGES, "tests", "on pull requests", true),
        ),
        ("ci_cd.test_on_main", judge(&tests, ON_MAIN, "tests", "on the main branch", true)),
        (
            "ci_cd.delivery",
            delivered(
                seen,
                judge(&delivers, ON_DELIVERY, "deliveries", "from main, tags or releases", false),
            ),
        ),
    ]
}

/// What a cluster takes from a directory of this repository by itself needs no step that brings it there.
fn delivered(seen: &Seen<'_>, found: Finding) -> Finding {
    let is_one = |one: &&Reconciler| one.compares == Compares::Cluster && one.path.is_some();
    let all: Vec<&Reconciler> = seen.templates.reconcilers.iter().filter(is_one).collect();
    match all.first() {
        Some(first) if found.outcome != Outcome::Pass => {
            let path = first.path.as_deref().unwrap_or_default();
            Finding::pass(format!(
                "{}: a cluster takes `{path}` of this repository by itself",
                first.what
            ))
            .with(all.iter().map(|one| one.evidence.clone()))
        }
        _ => found,
    }
}
