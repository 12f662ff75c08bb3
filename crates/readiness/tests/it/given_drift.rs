//! What was run elsewhere and is handed in: it counts with its date, as a run.

use jiff::civil::date;
use lockgate_model::drift::{Drift, Report, Root, RootKind};
use lockgate_readiness::finding::Outcome::{self, Fail, Pass, Unknown};
use lockgate_readiness::given::{DRIFT_DAYS_MAX as DAYS_MAX, Given};
use lockgate_readiness::{Facts, assess};

use crate::{check, tree};

const ROOTS: [(&str, &str); 2] = [
    ("infra/prod/main.tf", "resource \"x\" \"y\" {\n}\n"),
    ("infra/stage/main.tf", "resource \"x\" \"y\" {\n}\n"),
];

const TEMPLATES: [(&str, &str); 1] = [ROOTS[0]];

const NIGHTLY: (&str, &str) = (
    ".github/workflows/drift.yml",
    "on:\n  schedule: [{cron: '0 3 * * *'}]\njobs:\n  drift:\n    runs-on: ubuntu-latest\n    steps:\n      - run: terraform plan -detailed-exitcode\n        working-directory: infra/prod\n",
);

/// A report of this day, in November 2026.
fn report(day: i32, roots: &[(RootKind, &str, Drift)]) -> Given {
    let roots = roots.iter().map(|(kind, path, outcome)| Root {
        kind: *kind,
        path: (*path).to_owned(),
        outcome: *outcome,
        reason: "the plan".into(),
        program: None,
        changes_total: 0,
        changes: Vec::new(),
        noise_total: 0,
        noise: Vec::new(),
    });
    let at = format!("2026-11-{day:02}T03:00:00Z").parse().expect("a time");
    let report = Report::new("1.0.0", at, roots.collect());
    Given::read("drift.json", &serde_json::to_string_pretty(&report).expect("JSON"))
        .expect("a report")
}

/// How the check comes out on the 27th, and why.
fn drift(files: &[(&str, &str)], given: Vec<Given>) -> (Outcome, String) {
    let facts = Facts { today: Some(date(2026, 11, 27)), given, ..Facts::default() };
    let found = assess(&tree(files), &facts);
    let check = check(&found, "infrastructure.drift");
    (check.outcome, check.reason.clone())
}

fn nightly() -> Vec<(&'static str, &'static str)> {
    TEMPLATES.into_iter().chain([NIGHTLY]).collect()
}

#[test]
fn a_fresh_run_counts_as_a_run_and_not_as_a_schedule() {
    let prod = |day, outcome| vec![report(day, &[(RootKind::Terraform, "infra/prod", outcome)])];
    assert_eq!(drift(&TEMPLATES, vec![]).0, Fail);
    let (outcome, reason) = drift(&TEMPLATES, prod(26, Drift::None));
    assert_eq!(outcome, Pass);
    assert_eq!(reason, "a run of 2026-11-26 found no drift in infra/prod: a run, not a schedule");
    for (given, wanted, told) in [
        (prod(27 - DAYS_MAX, Drift::None), Pass, "2026-11-20"),
        (prod(26 - DAYS_MAX, Drift::None), Unknown, "older than 7 days"),
        (prod(28, Drift::None), Unknown, "not known to be past"),
        (prod(26, Drift::Unknown), Unknown, "could not tell in infra/prod"),
        (prod(26, Drift::Drifted), Fail, "found drift in infra/prod"),
    ] {
        let (outcome, reason) = drift(&TEMPLATES, given);
        assert_eq!(outcome, wanted, "{reason}");
        assert!(reason.contains(told), "{reason}");
    }
}

#[test]
fn a_schedule_stays_one_and_drift_that_was_seen_is_no_pass() {
    for (outcome, day, wanted) in [
        (Drift::None, 26, Pass),
        (Drift::Unknown, 26, Pass),
        (Drift::None, 1, Pass),
        (Drift::Drifted, 1, Pass),
        (Drift::Drifted, 26, Fail),
    ] {
        let given = vec![report(day, &[(RootKind::Terraform, "infra/prod", outcome)])];
        let (came_out, reason) = drift(&nightly(), given);
        assert_eq!(came_out, wanted, "{outcome:?} {day}: {reason}");
    }
}

#[test]
fn the_newest_run_on_a_root_counts_and_each_root_for_itself() {
    let run = |day, path, outcome| report(day, &[(RootKind::Terraform, path, outcome)]);
    let mended = vec![
        run(26, "infra/prod", Drift::None),
        run(25, "infra/prod", Drift::Drifted),
        run(26, "infra/stage", Drift::None),
    ];
    assert_eq!(drift(&ROOTS, mended).0, Pass);
    let other = vec![run(26, "infra/prod", Drift::None), run(25, "infra/stage", Drift::Drifted)];
    assert_eq!(drift(&ROOTS, other).0, Fail);
    let old = vec![run(26, "infra/prod", Drift::None), run(2, "infra/stage", Drift::None)];
    assert_eq!(drift(&ROOTS, old).0, Unknown);
    let (outcome, reason) = drift(&ROOTS, vec![run(26, "infra/prod", Drift::None)]);
    assert_eq!(outcome, Unknown, "{reason}");
    assert!(reason.contains("none compared infra/stage"), "{reason}");
}

#[test]
fn what_compares_other_things_counts_for_nothing_and_says_so() {
    for (kind, path) in [
        (RootKind::Lockgate, "lockgate.yaml"),
        (RootKind::Policies, "policies"),
        (RootKind::Terraform, "elsewhere"),
    ] {
        let given = vec![report(26, &[(kind, path, Drift::None)])];
        let facts = Facts { today: Some(date(2026, 11, 27)), given, ..Facts::default() };
        let found = assess(&tree(&TEMPLATES), &facts);
        assert_eq!(check(&found, "infrastructure.drift").outcome, Fail, "{path}");
        let why_not = "it compares no templates of this repository, and counts for nothing";
        assert_eq!(found.given[0].why_not.as_deref(), Some(why_not));
    }
}

#[test]
fn without_a_day_nothing_is_known_to_be_fresh() {
    let given = vec![report(26, &[(RootKind::Terraform, "infra/prod", Drift::None)])];
    let facts = Facts { today: None, given, ..Facts::default() };
    let found = assess(&tree(&TEMPLATES), &facts);
    assert_eq!(check(&found, "infrastructure.drift").outcome, Unknown);
}

#[test]
fn what_is_no_report_is_refused() {
    for text in ["", "{}", "[1]", "{\"kind\":\"other\"}", "{\"kind\":\"lockgate.drift\"}"] {
        assert!(Given::read("x.json", text).is_err(), "{text}");
    }
}
