//! What scenarios ask, and the JSON.

use lockgate_readiness::{Facts, Scenario, assess};
use serde_json::Value;

use super::{Files, assessed, tree, with};

/// A service at level 3 in everything that a file can show.
const READY: Files<'static> = &[
    (
        ".github/workflows/ci.yml",
        "on: {pull_request: , merge_group: , push: {branches: [main], tags: ['v*']}}
jobs:
  test:
    runs-on: x
    steps:
      - run: pytest --cov=app --cov-fail-under=85
  scan:
    runs-on: x
    steps:
      - run: pip-audit
      - uses: gitleaks/gitleaks-action@v2
      - run: bandit -r app
      - run: schemathesis run http://app/openapi.json
      - run: syft . -o cyclonedx-json=sbom.json
  release:
    if: github.ref_type == 'tag'
    needs: [test, scan]
    runs-on: x
    steps:
      - run: docker push acme/app
",
    ),
    (
        ".github/workflows/drift.yml",
        "on: {schedule: [{cron: '0 3 * * *'}]}\njobs: {a: {runs-on: x, steps: [{run: terraform plan -detailed-exitcode, working-directory: infra}]}}\n",
    ),
    (
        ".github/rulesets/main.json",
        "{\"enforcement\": \"active\", \"rules\": [{\"type\": \"pull_request\", \"parameters\": {\"required_approving_review_count\": 1}}]}\n",
    ),
    (
        "pyproject.toml",
        "[project]\ndependencies = [\"fastapi\", \"structlog\", \"opentelemetry-sdk\"]\n",
    ),
    ("app/main.py", "import structlog\nfrom opentelemetry import trace\n"),
    ("tests/unit/test_a.py", ""),
    ("tests/integration/test_b.py", ""),
    ("tests/e2e/test_c.py", ""),
    ("Dockerfile", "FROM python:3\nHEALTHCHECK CMD curl -f localhost/healthz\n"),
    ("infra/main.tf", "resource \"aws_ecs_service\" \"a\" {\n}\n"),
    (
        "ops/rules.yml",
        "groups:\n- rules:\n  - alert: Down\n    expr: up == 0\n    annotations: {runbook_url: 'https://acme.io/runbooks/down'}\n",
    ),
    (
        "ops/alertmanager.yml",
        "route: {receiver: team}\nreceivers:\n- name: team\n  slack_configs: [{channel: '#oncall'}]\n",
    ),
];

fn without(path: &str) -> Vec<(&'static str, &'static str)> {
    READY.iter().copied().filter(|(name, _)| *name != path).collect()
}

#[test]
fn what_is_ready_passes_every_gate() {
    let found = assessed(READY);
    for scenario in Scenario::ALL {
        assert_eq!(found.gate(scenario).missing, Vec::<String>::new(), "{scenario:?}");
        assert!(found.gate(scenario).pass);
    }
}

#[test]
fn what_is_missing_or_unknown_is_named_and_never_passed() {
    for (path, scenario, part) in [
        (".github/rulesets/main.json", Scenario::Microservices, "branch_protection is unknown"),
        (".github/rulesets/main.json", Scenario::Serverless, "branch_protection.review unknown"),
        (".github/workflows/drift.yml", Scenario::Microservices, "infrastructure.drift missing"),
        (
            "tests/integration/test_b.py",
            Scenario::Monolith,
            "tests.integration_on_pull_request missing",
        ),
        ("ops/rules.yml", Scenario::Monolith, "observability.alerts is missing"),
        ("Dockerfile", Scenario::Monolith, "observability.health_checks is missing"),
    ] {
        let gate = assessed(&without(path)).gate(scenario);
        assert!(
            !gate.pass && gate.missing.iter().any(|missing| missing.contains(part)),
            "{path}: {:?}",
            gate.missing
        );
    }
    let unrouted = assessed(&without("ops/alertmanager.yml")).gate(Scenario::Monolith);
    assert!(
        unrouted
            .missing
            .iter()
            .any(|missing| missing.starts_with("observability.alerts is unknown")),
        "{unrouted:?}"
    );
}

#[test]
fn a_monolith_needs_four_of_six_and_those_that_matter() {
    let mut files = without(".github/rulesets/main.json");
    files.retain(|(path, _)| *path != "infra/main.tf" && *path != ".github/workflows/drift.yml");
    let found = assessed(&files);
    assert!(found.gate(Scenario::Monolith).pass, "{:?}", found.gate(Scenario::Monolith));
    assert!(!found.gate(Scenario::Serverless).pass);
    let eighty: Vec<(&str, String)> =
        files.iter().map(|(path, text)| (*path, text.replace("=85", "=80"))).collect();
    let eighty: Vec<(&str, &str)> =
        eighty.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let gate = assessed(&eighty).gate(Scenario::Monolith);
    assert!(!gate.pass && gate.missing[0].contains("80 % is enforced"), "{gate:?}");
}

#[test]
fn a_tree_that_was_not_read_whole_lacks_nothing_for_certain() {
    let mut cut = tree(&[("Dockerfile", "FROM x\n")]);
    cut.incomplete = true;
    let found = assess(&cut, &Facts::default());
    assert_eq!(found.standing(lockgate_readiness::catalog::Dimension::Tests).level, None);
}

#[test]
fn the_same_tree_gives_the_same_bytes_of_the_published_shape() {
    let one = serde_json::to_string(&assessed(READY)).unwrap();
    let mut reversed: Vec<(&str, &str)> = with(&[READY]);
    reversed.reverse();
    assert_eq!(one, serde_json::to_string(&assessed(&reversed)).unwrap());
    let json: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["scenario_gates"]["monolith"]["pass"], true);
    assert!(json["scenario_gates"]["serverless"]["missing"].is_array());
    for name in
        ["ci_cd", "tests", "infrastructure", "security", "branch_protection", "observability"]
    {
        let dimension = &json["dimensions"][name];
        assert_eq!(dimension["level"], 3, "{name}");
        assert_eq!(dimension["outcome"], "pass");
        let check = &dimension["checks"][0];
        for key in ["id", "outcome", "level", "evidence", "risk", "fix"] {
            assert!(!check[key].is_null(), "{name} {key}");
        }
        assert!(check["evidence"][0]["line"].as_u64() >= Some(1), "{name}");
    }
}

#[test]
fn a_gate_names_no_more_than_it_needs() {
    let none = assessed(&[("Dockerfile", "FROM x\n")]).gate(Scenario::Monolith);
    assert_eq!(
        none.lines(),
        [
            "needed at L2: tests (L0), observability (L0), and 2 of ci_cd (L0), infrastructure (L1), security (L0), branch_protection (unknown)",
            "asked always: tests.coverage_over_80, observability.metrics, observability.alerts, observability.health_checks",
        ]
    );
    assert_eq!(none.missing.len(), 7, "{none:?}");
    // Four of six hold, tests not among them: nothing else is asked for.
    let untested = assessed(&without("tests/integration/test_b.py")).gate(Scenario::Monolith);
    assert_eq!(untested.lines(), ["needed at L2: tests (L1)"]);
    assert_eq!((untested.more, untested.others.len(), untested.pass), (0, 0, false));
    let all = assessed(&without("Dockerfile")).gate(Scenario::Serverless);
    assert_eq!(all.lines(), ["asked always: observability.health_checks"]);
    assert_eq!(assessed(READY).gate(Scenario::Monolith).lines(), Vec::<String>::new());
}
