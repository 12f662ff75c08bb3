//! Twelve things that real repositories have and that look like something else.

use lockgate_readiness::catalog::Dimension;
use lockgate_readiness::finding::Outcome::{Fail, Pass, Unknown};

use super::{RUST, assert_check, assessed, check, told, with};

const CI: &str = ".github/workflows/ci.yml";

#[test]
fn rules_whose_content_is_an_error_message_are_no_rules() {
    let found = assessed(&[(
        "branch_protection_rules.json",
        "{\"message\":\"Not Found\",\"status\":\"404\"}\n",
    )]);
    assert_check(&found, "branch_protection.review", Unknown, "branch_protection_rules.json:1");
    assert!(check(&found, "branch_protection.review").reason.contains("message of an error"));
    let real = "{\"required_pull_request_reviews\": {\"required_approving_review_count\": 1}}\n";
    let found = assessed(&[("branch_protection_rules.json", real)]);
    assert_check(&found, "branch_protection.review", Pass, "branch_protection_rules.json:1");
}

#[test]
fn a_job_named_trivy_that_writes_an_empty_sarif_scans_nothing() {
    let workflow = "on: pull_request
jobs:
  trivy:
    name: trivy
    runs-on: ubuntu-latest
    steps:
      - name: trivy fs .
        run: |
          # trivy fs .
          echo 'trivy fs . found nothing'
          echo '{\"runs\": []}' > trivy.sarif
      - uses: github/codeql-action/upload-sarif@v3
        with: {sarif_file: trivy.sarif}
";
    let found = assessed(&with(&[RUST, &[(CI, workflow)]]));
    assert_check(&found, "security.static", Fail, "");
    assert_eq!(found.standing(Dimension::Security).level, Some(0));
    let scans = workflow
        .replace("echo '{\"runs\": []}' > trivy.sarif", "trivy fs . -f sarif -o trivy.sarif");
    let found = assessed(&with(&[RUST, &[(CI, &scans)]]));
    assert_check(&found, "security.static", Pass, ".github/workflows/ci.yml:11");
}

#[test]
fn a_nightly_look_for_drift_of_templates_that_are_missing_proves_nothing() {
    let workflow = "on:
  schedule: [{cron: '0 3 * * *'}]
jobs:
  drift:
    runs-on: ubuntu-latest
    steps:
      - run: terraform plan -detailed-exitcode
        working-directory: infra/prod
";
    let files: &[(&str, &str)] =
        &[(".github/workflows/drift.yml", workflow), ("Dockerfile", "FROM scratch\n")];
    let found = assessed(files);
    assert_check(&found, "infrastructure.drift", Fail, ".github/workflows/drift.yml:7");
    assert!(check(&found, "infrastructure.drift").reason.contains("infra/prod"));
    assert_eq!(found.standing(Dimension::Infrastructure).level, Some(1));
    let there = with(&[files, &[("infra/prod/main.tf", "resource \"x\" \"y\" {\n}\n")]]);
    let found = assessed(&there);
    assert_check(&found, "infrastructure.drift", Pass, ".github/workflows/drift.yml:7");
    assert_eq!(found.standing(Dimension::Infrastructure).level, Some(3));
    let elsewhere = with(&[files, &[("infra/test/main.tf", "resource \"x\" \"y\" {\n}\n")]]);
    assert_check(
        &assessed(&elsewhere),
        "infrastructure.drift",
        Fail,
        ".github/workflows/drift.yml:7",
    );
}

#[test]
fn lockgate_that_looks_for_drift_counts_for_the_templates_that_it_is_pointed_at() {
    let assess = |run: &str| {
        let workflow = format!(
            "on:\n  schedule: [{{cron: '0 3 * * *'}}]\njobs:\n  drift:\n    runs-on: ubuntu-latest\n    steps:\n      - run: {run}\n"
        );
        assessed(&[
            (".github/workflows/drift.yml", &workflow),
            ("infra/prod/main.tf", "resource \"x\" \"y\" {\n}\n"),
        ])
    };
    for (run, outcome) in [
        ("lockgate drift --terraform infra/prod", Pass),
        ("lockgate drift . --init --env 'AWS_*' --terraform=infra/prod --output json", Pass),
        ("lockgate drift infra --terraform prod", Pass),
        ("lockgate drift --terraform infra/test", Fail),
        ("lockgate drift --lockgate lockgate.yaml --policies policies", Fail),
        ("lockgate drift --terraform infra/prod || true", Fail),
        ("lockgate diff --terraform infra/prod", Fail),
    ] {
        assert_eq!(check(&assess(run), "infrastructure.drift").outcome, outcome, "{run}");
    }
}

#[test]
fn an_owner_of_everything_in_a_comment_owns_nothing() {
    for (text, outcome, line) in [
        ("# Owners\n# * @team\n/docs @writers\n", Unknown, 2),
        ("# Owners\n* @team\n", Pass, 2),
        ("* @team # all of it\n/docs @writers\n", Pass, 1),
        ("* @team\n*\n", Unknown, 2),
        ("*\n", Unknown, 1),
        ("*.rs @team\n", Unknown, 1),
        ("* team\n", Unknown, 1),
        ("* @\n", Unknown, 1),
        ("*\t#@own\n", Unknown, 1),
        ("* @your-org/your-team\n", Unknown, 1),
        ("* @own\n/src/\n", Unknown, 2),
        ("* @own\n*.py\n", Unknown, 2),
        ("* @own\n/*\n", Unknown, 2),
        ("* @own\n*.*\n", Unknown, 2),
        ("* @own\nsrc\n", Unknown, 2),
        ("* @own\nsrc/*\n", Pass, 1),
        ("* @own\n/src/\n/src/ @b\n", Pass, 1),
        ("* @own\n/web/\n", Pass, 1),
        ("* @own\n/docs/\n*.md\npoetry.lock\n", Pass, 1),
        ("* own@acme.io\n", Pass, 1),
        ("* @acme/team @@maintainer\n", Pass, 1),
        ("[Optional][0]\n* @own\n", Unknown, 1),
        ("^[Optional]\n* @own\n", Unknown, 1),
        ("[All] @own\n*\n", Pass, 2),
        ("* @own\n[Code]\n/src/\n", Pass, 1),
    ] {
        let found = assessed(&[
            ("CODEOWNERS", text),
            ("docs/a.md", "x"),
            ("poetry.lock", "x"),
            ("setup.py", "x"),
            ("src/a/b.py", "x"),
        ]);
        assert_check(&found, "branch_protection.review", outcome, &format!("CODEOWNERS:{line}"));
        let level = found.standing(Dimension::BranchProtection).level;
        assert_eq!(level, (outcome == Pass).then_some(1), "{text}");
    }
}

/// Each line for everything was compared with all behind it, so that a file of a megabyte took minutes.
#[test]
fn many_owners_of_everything_cost_no_more_than_one() {
    for (all, last) in
        [("* @own\n", 20_001), ("/** @own\n", 20_001), ("* @own\n/** @own\n", 40_001)]
    {
        let text = format!("{}/src/\n", all.repeat(20_000));
        let found = assessed(&[("CODEOWNERS", &text), ("src/a.py", "x"), ("b.py", "x")]);
        let place = format!("CODEOWNERS:{last}");
        assert_check(&found, "branch_protection.review", Unknown, &place);
    }
    let sections = "[a]\n* @own\n/src/\n".repeat(20_000);
    let found = assessed(&[("CODEOWNERS", &sections), ("src/a.py", "x")]);
    assert_check(&found, "branch_protection.review", Unknown, "CODEOWNERS:60000");
}

#[test]
fn receivers_at_localhost_or_example_reach_nobody() {
    let rules = "groups:\n- name: a\n  rules:\n  - alert: Down\n    expr: up == 0\n    annotations: {runbook_url: 'https://runbooks.acme.io/down'}\n";
    let alertmanager =
        |config: &str| format!("route:\n  receiver: team\nreceivers:\n- name: team\n  {config}\n");
    for (config, outcome) in [
        ("webhook_configs: [{url: 'http://localhost:5001/'}]", Fail),
        ("webhook_configs: [{url: 'http://127.0.0.1:5001/'}]", Fail),
        ("email_configs: [{to: 'oncall@example.com'}]", Fail),
        ("email_configs: []", Fail),
        ("email_configs: [{to: 'oncall@acme.io'}]", Pass),
        ("pagerduty_configs: [{routing_key_file: /run/secrets/pagerduty}]", Pass),
    ] {
        let config = alertmanager(config);
        let found = assessed(&[
            ("Dockerfile", "FROM x\n"),
            ("ops/rules.yml", rules),
            ("ops/alertmanager.yml", &config),
        ]);
        let alerts = check(&found, "observability.alerts");
        assert_eq!(alerts.outcome, outcome, "{config}: {}", told(alerts));
        assert_check(&found, "observability.escalation", Pass, "ops/rules.yml:6");
    }
    let unrouted = assessed(&[("Dockerfile", "FROM x\n"), ("ops/rules.yml", rules)]);
    assert_check(&unrouted, "observability.alerts", Unknown, "ops/rules.yml:4");
}

#[test]
fn codeql_behind_a_local_workflow_is_found() {
    let outer = "on: [push, pull_request]\njobs:\n  scan:\n    uses: ./.github/workflows/codeql.yml\n    with: {language: rust}\n";
    let called = "on:
  workflow_call:
    inputs:
      language: {type: string}
      skip: {type: boolean, default: false}
jobs:
  analyze:
    if: ${{ !inputs.skip }}
    runs-on: ubuntu-latest
    steps:
      - uses: github/codeql-action/init@v3
      - uses: github/codeql-action/analyze@v3
";
    let files: &[(&str, &str)] = &[(CI, outer), (".github/workflows/codeql.yml", called)];
    let found = assessed(files);
    assert_check(&found, "security.code_on_pull_request", Pass, ".github/workflows/codeql.yml:12");
    let skipped = outer.replace("language: rust", "skip: true");
    let found = assessed(&[(CI, &skipped), files[1]]);
    assert_check(&found, "security.code_on_pull_request", Fail, "");
    let uncalled = assessed(&files[1..]);
    assert_check(&uncalled, "security.code_on_pull_request", Fail, "");
}

#[test]
fn a_command_in_a_variable_is_the_command() {
    let workflow = "on: pull_request
env:
  CARGO: cargo
jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        task: [{run: clippy}, {run: 'deny check'}]
    steps:
      - run: ${{ env.CARGO }} test
      - run: $CARGO ${{ matrix.task.run }}
";
    let found = assessed(&with(&[RUST, &[(CI, workflow)]]));
    assert_check(&found, "tests.unit_on_pull_request", Pass, ".github/workflows/ci.yml:11");
    assert_check(
        &found,
        "security.dependencies_on_pull_request",
        Pass,
        ".github/workflows/ci.yml:12",
    );
}

#[test]
fn assertzapper_is_not_zap() {
    let workflow = |run: &str| {
        format!("on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: {run}\n")
    };
    for (run, outcome) in [
        ("npx assertzapper", Fail),
        ("./zap-baseline.pyx -t http://app", Fail),
        ("echo zap-baseline.py", Fail),
        ("zap-baseline.py -t http://app", Pass),
        ("docker run -t ghcr.io/zaproxy/zaproxy:stable zap-baseline.py -t http://app", Pass),
        ("zap-baseline.py -t http://app -I", Fail),
    ] {
        let found = assessed(&[(CI, &workflow(run))]);
        let dynamic = check(&found, "security.dynamic");
        assert_eq!(dynamic.outcome, outcome, "{run}: {}", told(dynamic));
    }
}

#[test]
fn a_scan_that_may_fail_softly_caps_the_level() {
    let workflow = |with: &str| {
        format!(
            "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: bridgecrewio/checkov-action@v12\n        with: {{directory: ., {with}}}\n"
        )
    };
    for (with, outcome) in
        [("soft_fail: true", Fail), ("soft_fail: false", Pass), ("quiet: true", Pass)]
    {
        let found = assessed(&[(CI, &workflow(with))]);
        assert_check(&found, "security.static", outcome, ".github/workflows/ci.yml:6");
        let level = found.standing(Dimension::Security).level;
        assert_eq!(level, Some(u8::from(outcome == Pass)), "{with}");
    }
    let found = assessed(&[(CI, &workflow("soft_fail: true"))]);
    assert!(check(&found, "security.static").reason.contains("do not block: `soft_fail: true`"));
}

#[test]
fn a_threshold_of_a_tool_that_no_pipeline_runs_enforces_nothing() {
    let settings = "[project]\nname = \"a\"\n[tool.coverage.report]\nfail_under = 90\n";
    let workflow = |run: &str| {
        format!("on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: {run}\n")
    };
    for (run, outcome, place) in [
        ("pytest", Fail, ""),
        ("pytest --cov=a", Pass, ".github/workflows/ci.yml:6"),
        ("coverage run -m pytest && coverage report", Pass, ".github/workflows/ci.yml:6"),
        ("coverage run -m pytest", Fail, ""),
        ("pytest --cov=a || true", Fail, ".github/workflows/ci.yml:6"),
    ] {
        let found = assessed(&[
            ("pyproject.toml", settings),
            ("tests/test_a.py", "def test(): pass\n"),
            (CI, &workflow(run)),
        ]);
        assert_check(&found, "tests.coverage_threshold", outcome, place);
        assert_check(&found, "tests.coverage_over_80", outcome, place);
    }
}

#[test]
fn a_monorepo_without_a_manifest_at_its_root_is_read() {
    let workflow = "on: pull_request
jobs:
  web:
    defaults: {run: {working-directory: packages/web}}
    runs-on: x
    steps:
      - run: npm test
  api:
    runs-on: x
    steps:
      - run: cd services/api && pytest
";
    let found = assessed(&[
        (CI, workflow),
        (
            "packages/web/package.json",
            "{\n  \"dependencies\": {\"express\": \"5\"},\n  \"scripts\": {\"test\": \"vitest run\"}\n}\n",
        ),
        ("packages/web/src/a.test.ts", "test()\n"),
        (
            "services/api/pyproject.toml",
            "[project]\ndependencies = [\"fastapi\", \"structlog>=1\"]\n",
        ),
        ("services/api/app/main.py", "import structlog\n"),
        ("services/api/tests/integration/test_a.py", "def test(): pass\n"),
    ]);
    assert_check(&found, "tests.unit_on_pull_request", Pass, ".github/workflows/ci.yml:7");
    assert_check(&found, "tests.integration_on_pull_request", Pass, ".github/workflows/ci.yml:11");
    assert_check(&found, "observability.logs", Pass, "services/api/pyproject.toml:2");
    assert_eq!(found.standing(Dimension::Tests).level, Some(2));
}

#[test]
fn triggers_outside_the_files_are_unknown_and_not_absent() {
    for (file, text) in [
        ("Jenkinsfile", "@Library('acme') _\nacmePipeline()\n"),
        (".circleci/config.yml", "version: 2.1\n"),
        (".buildkite/pipeline.yml", "steps: []\n"),
    ] {
        let found = assessed(&with(&[RUST, &[(file, text)]]));
        for dimension in [Dimension::CiCd, Dimension::Tests, Dimension::Security] {
            let standing = found.standing(dimension);
            assert_eq!((standing.level, standing.outcome), (None, Unknown), "{file} {dimension:?}");
        }
        assert_check(&found, "tests.unit", Unknown, &format!("{file}:1"));
        assert!(found.notes.iter().any(|note| note.starts_with(file)), "{:?}", found.notes);
    }
    // What it does is read; what starts it may be set in Azure DevOps.
    let file = "azure-pipelines.yml";
    let text = "trigger: none\npr: none\nsteps:\n- script: cargo test\n";
    let found = assessed(&with(&[RUST, &[(file, text)]]));
    for dimension in [Dimension::CiCd, Dimension::Tests] {
        let standing = found.standing(dimension);
        assert_eq!((standing.level, standing.outcome), (None, Unknown), "{file} {dimension:?}");
    }
    for id in ["tests.unit", "ci_cd.build", "ci_cd.test_on_main", "ci_cd.test_on_pull_request"] {
        assert_check(&found, id, Unknown, "azure-pipelines.yml:4");
    }
    let nothing = assessed(RUST);
    assert_eq!(nothing.standing(Dimension::CiCd).level, Some(0), "no pipeline at all is L0");
}

#[test]
fn a_system_that_is_not_read_yet_leaves_open_what_it_does() {
    for file in [
        ".forgejo/workflows/ci.yml",
        ".gitea/workflows/ci.yaml",
        "cloudbuild.yaml",
        "buildspec.yml",
        ".semaphore/semaphore.yml",
        "Earthfile",
        ".build.yml",
        ".builds/debian.yml",
        ".harness/pipelines/ci.yaml",
        ".travis.yml",
    ] {
        let found = assessed(&with(&[RUST, &[(file, "x: 1\n")]]));
        assert_check(&found, "tests.unit", Unknown, &format!("{file}:1"));
    }
    let found = assessed(&with(&[RUST, &[("examples/cloudbuild.yaml", "x: 1\n")]]));
    assert_eq!(check(&found, "tests.unit").outcome, Fail);
}
