//! Pipelines of Buildkite.

use lockgate_readiness::finding::Outcome::{self, Fail, Pass, Unknown};

use super::{Files, RUST, assert_check, assessed, check, told, with};

const FILE: &str = ".buildkite/pipeline.yml";

fn of(id: &str, steps: &str, more: Files<'_>) -> (Outcome, String) {
    // The last step shows that pull requests are built.
    let text =
        format!("steps:\n{steps}  - command: echo hello\n    if: build.pull_request.id != null\n");
    let found = assessed(&with(&[RUST, &[(FILE, &text)], more]));
    let check = check(&found, id);
    (check.outcome, told(check))
}

fn outcome(steps: &str) -> (Outcome, String) {
    of("ci_cd.test_on_pull_request", steps, &[])
}

#[test]
fn steps_are_their_commands() {
    for (steps, expected) in [
        ("  - command: cargo test\n", Pass),
        ("  - commands: [cargo build, cargo test]\n", Pass),
        ("  - command: [cd src, cd .., cargo test]\n", Pass),
        ("  - label: test\n    command: |\n      cargo build\n      cargo test\n", Pass),
        ("  - command: {command: cargo test}\n", Pass),
        ("  - name: test\n    type: script\n    command: cargo test\n", Pass),
        ("  - group: tests\n    steps:\n      - command: cargo test\n", Pass),
        (
            "  - group: tests\n    if: build.branch == 'main'\n    steps:\n      - command: cargo test\n",
            Fail,
        ),
        ("  - command: cargo test\n    soft_fail: true\n", Fail),
        ("  - command: cargo test\n    soft_fail: [{exit_status: 1}]\n", Fail),
        ("  - command: cargo test\n    soft_fail: [{exit_status: '*'}]\n", Fail),
        ("  - command: cargo test\n    soft_fail: [{exit_status: 42}]\n", Unknown),
        ("  - command: cargo test\n    soft_fail: false\n", Pass),
        ("  - command: cargo test || true\n", Fail),
        ("  - command: cargo test\n    skip: too slow\n", Fail),
        ("  - command: cargo test\n    skip: false\n", Pass),
        ("  - command: echo cargo test\n", Fail),
        ("  - wait\n  - command: cargo test\n", Pass),
        ("  - wait: ~\n    continue_on_failure: true\n  - command: cargo test\n", Pass),
        ("  - command: cargo $$WHAT\n    env: {WHAT: test}\n", Pass),
        ("  - command: cargo {{matrix}}\n    matrix: [build, test]\n", Pass),
        (
            "  - command: cargo {{matrix.what}}\n    matrix: {setup: {what: [build, test], os: [a, b]}}\n",
            Pass,
        ),
        ("  - command: cargo {{matrix.what}}\n    matrix: {setup: {what: [build]}}\n", Fail),
        ("  - command: cargo test\n    if_changed: 'src/**'\n", Pass),
        ("  - command: cargo test\n    if_changed: ['web/**']\n", Fail),
        ("  - trigger: tests\n", Unknown),
        ("  - command: cargo test\n    retry: {automatic: true}\n    parallelism: 4\n", Pass),
    ] {
        let (found, told) = outcome(steps);
        assert_eq!(found, expected, "{steps}: {told}");
    }
    let file = "env:\n  CARGO: cargo\nsteps:\n  - command: |\n      # first\n      $CARGO test\n    if: build.pull_request.id != null\n";
    let found = assessed(&with(&[RUST, &[(FILE, file)]]));
    assert_check(&found, "tests.unit_on_pull_request", Pass, ".buildkite/pipeline.yml:6");
    let list = "- command: cargo test\n  if: build.pull_request.id != null\n";
    assert_eq!(
        check(&assessed(&with(&[RUST, &[(FILE, list)]])), "tests.unit_on_pull_request").outcome,
        Pass
    );
    let json =
        "{\"steps\": [{\"command\": \"cargo test\", \"if\": \"build.pull_request.id != null\"}]}\n";
    let found = assessed(&with(&[RUST, &[(".buildkite/pipeline.json", json)]]));
    assert_check(&found, "tests.unit_on_pull_request", Pass, ".buildkite/pipeline.json:1");
}

#[test]
fn a_step_is_there_when_its_conditions_say_so() {
    for (condition, expected) in [
        ("if: build.pull_request.id != null", Pass),
        ("if: build.pull_request.id == null", Fail),
        ("if: \"!build.pull_request.draft\"", Pass),
        ("if: build.branch == 'main'", Fail),
        ("if: build.branch != 'main' && build.source == 'webhook'", Pass),
        ("if: build.source == 'schedule'", Fail),
        ("if: build.tag =~ /^v/", Fail),
        ("if: build.pull_request.base_branch == pipeline.default_branch", Pass),
        ("if: build.pull_request.labels includes 'full'", Fail),
        ("if: build.creator.name == 'ann'", Unknown),
        ("if: build.env('TESTS') == 'on'", Unknown),
        ("if: build.branch ~ 'x'", Unknown),
        ("branches: main", Fail),
        ("branches: '!main'", Pass),
        ("branches: ['*', '!release/*']", Pass),
    ] {
        let (found, told) = outcome(&format!("  - command: cargo test\n    {condition}\n"));
        assert_eq!(found, expected, "{condition}: {told}");
    }
}

#[test]
fn what_waits_for_a_person_does_not_come_by_itself() {
    let deploy = "  - command: cargo publish\n    branches: main\n";
    for (before, expected) in [
        ("", Pass),
        ("  - block: Release?\n", Fail),
        ("  - block: Release?\n    branches: release/*\n", Pass),
        ("  - block: Release?\n    if: build.tag != null\n", Pass),
        ("  - input: Who?\n", Pass),
        ("  - block\n", Fail),
        ("  - group: g\n    steps:\n      - block: Inside?\n", Pass),
    ] {
        let (found, told) = of("ci_cd.delivery", &format!("{before}{deploy}"), &[]);
        assert_eq!(found, expected, "{before}: {told}");
    }
    for (depends, expected) in [
        ("depends_on: built", Pass),
        ("depends_on: ~", Pass),
        ("depends_on: asked", Fail),
        ("depends_on: [{step: built}, {step: asked}]", Fail),
        ("depends_on: also", Fail),
    ] {
        let steps = format!(
            "  - command: cargo build\n    key: built\n  - block: Release?\n    key: asked\n  - command: 'true'\n    key: also\n{deploy}    {depends}\n"
        );
        let (found, told) = of("ci_cd.delivery", &steps, &[]);
        assert_eq!(found, expected, "{depends}: {told}");
    }
}

#[test]
fn what_is_built_is_known_only_where_the_files_ask_for_it() {
    let test = "steps:\n  - command: cargo test\n";
    for (text, main, requests) in [
        (test.to_owned(), Unknown, Unknown),
        (format!("{test}  - command: 'true'\n    branches: main\n"), Pass, Unknown),
        (format!("{test}  - command: 'true'\n    branches: '!main'\n"), Pass, Pass),
        (format!("{test}  - command: 'true'\n    if: build.branch == 'main'\n"), Pass, Unknown),
        (format!("{test}  - command: 'true'\n    if: build.branch != 'main'\n"), Pass, Pass),
        (format!("{test}  - command: echo $BUILDKITE_PULL_REQUEST\n"), Pass, Pass),
        (format!("{test}  # build.pull_request.id\n"), Unknown, Unknown),
    ] {
        let found = assessed(&with(&[RUST, &[(FILE, &text)]]));
        let on_main = check(&found, "ci_cd.test_on_main");
        let on_requests = check(&found, "ci_cd.test_on_pull_request");
        assert_eq!(on_main.outcome, main, "{text}: {}", told(on_main));
        assert_eq!(on_requests.outcome, requests, "{text}: {}", told(on_requests));
    }
    let (_, told) = {
        let found = assessed(&with(&[RUST, &[(FILE, test)]]));
        let check = check(&found, "ci_cd.test_on_pull_request").clone();
        (check.outcome, super::told(&check))
    };
    assert!(told.contains("does not show that it builds pull requests"), "{told}");
    // Another file of the directory is run when Buildkite is told to.
    let other = "steps:\n  - command: cargo test\n    if: build.pull_request.id != null\n";
    let found = assessed(&with(&[RUST, &[(".buildkite/nightly.yml", other)]]));
    assert_eq!(check(&found, "ci_cd.test_on_pull_request").outcome, Unknown);
    let tags = "  - command: cargo publish\n    if: build.tag != null\n";
    assert_eq!(of("ci_cd.delivery", tags, &[]).0, Pass);
    let drift = "  - command: terraform -chdir=infra plan -detailed-exitcode\n    if: build.source == 'schedule'\n";
    let infra = ("infra/main.tf", "resource \"x\" \"y\" {\n}\n");
    assert_eq!(of("infrastructure.drift", drift, &[infra]).0, Pass);
}

#[test]
fn what_is_uploaded_from_the_repository_is_followed() {
    let tests = "steps:\n  - command: cargo test\n";
    let script =
        "#!/bin/bash\nset -e\necho go\nbuildkite-agent pipeline upload .buildkite/tests.yml\n";
    let maybe = "#!/bin/bash\nset -e\nif [ -n \"$FULL\" ]; then\n  buildkite-agent pipeline upload .buildkite/tests.yml\nfi\n";
    let more: Files<'_> = &[
        (".buildkite/tests.yml", tests),
        (".buildkite/go.sh", script),
        (".buildkite/maybe.sh", maybe),
        (".buildkite/empty.yml", "services: {}\n"),
    ];
    for (command, expected) in [
        ("buildkite-agent pipeline upload .buildkite/tests.yml", Pass),
        ("buildkite-agent pipeline upload --replace .buildkite/tests.yml", Pass),
        ("cat .buildkite/tests.yml | buildkite-agent pipeline upload", Pass),
        (".buildkite/go.sh", Pass),
        ("bash .buildkite/go.sh", Pass),
        (".buildkite/maybe.sh", Unknown),
        ("ruby .buildkite/make.rb | buildkite-agent pipeline upload", Unknown),
        ("buildkite-agent pipeline upload .buildkite/gone.yml", Unknown),
        ("buildkite-agent pipeline upload .buildkite/pipeline.$NAME.yml", Unknown),
    ] {
        let (found, told) =
            of("ci_cd.test_on_pull_request", &format!("  - command: {command}\n"), more);
        assert_eq!(found, expected, "{command}: {told}");
    }
    let (found, told) = of(
        "ci_cd.test_on_pull_request",
        "  - command: buildkite-agent pipeline upload .buildkite/tests.yml\n    branches: main\n",
        more,
    );
    assert_eq!(found, Fail, "what is uploaded runs when its step does: {told}");
    let itself = "  - command: buildkite-agent pipeline upload .buildkite/pipeline.yml\n  - command: cargo test\n";
    assert_eq!(outcome(itself).0, Pass, "circles end");
}

#[test]
fn plugins_run_the_command_or_are_opaque() {
    let compose = "services:\n  app: {build: ., depends_on: [db]}\n  db: {image: postgres}\n  own: {image: rust, command: cargo test}\n";
    let more: Files<'_> = &[("docker-compose.yml", compose)];
    let test = "  - command: cargo test\n    plugins:\n";
    for (steps, id, expected) in [
        (
            format!("{test}      - docker#v5.0.0: {{image: 'rust:1'}}\n"),
            "tests.unit_on_pull_request",
            Pass,
        ),
        (
            format!("{test}      - docker-compose#v5.0.0: {{run: app}}\n"),
            "tests.integration_on_pull_request",
            Pass,
        ),
        (
            format!("{test}      - docker-compose#v5.0.0: {{run: own}}\n"),
            "tests.integration_on_pull_request",
            Fail,
        ),
        (format!("{test}      - ecr#v2.0.0: {{login: true}}\n"), "security.static", Fail),
        (format!("{test}      - acme/scanner#v1.0.0\n"), "security.static", Unknown),
        (format!("{test}      - acme/scanner#v1.0.0\n"), "tests.unit_on_pull_request", Pass),
        (
            "  - plugins:\n      - docker-compose#v5.0.0: {run: own}\n".into(),
            "tests.unit_on_pull_request",
            Pass,
        ),
        (
            "  - plugins:\n      - docker-compose#v5.0.0: {run: app}\n".into(),
            "tests.unit_on_pull_request",
            Unknown,
        ),
        (
            "  - plugins:\n      - docker-compose#v5.0.0: {build: app, push: app}\n    branches: main\n"
                .into(),
            "ci_cd.delivery",
            Fail,
        ),
        (
            "  - plugins:\n      - docker-compose#v5.0.0: {push: app}\n    branches: main\n".into(),
            "ci_cd.delivery",
            Pass,
        ),
        (
            "  - plugins:\n      - docker#v5.0.0: {image: 'rust:1', command: [cargo, test]}\n"
                .into(),
            "tests.unit_on_pull_request",
            Pass,
        ),
        (
            "  - plugins:\n      - equinixmetal-buildkite/trivy#v1.0.0: {exit-code: 1}\n".into(),
            "security.dependencies_on_pull_request",
            Pass,
        ),
        (
            "  - plugins:\n      - equinixmetal-buildkite/trivy#v1.0.0: ~\n".into(),
            "security.dependencies_on_pull_request",
            Fail,
        ),
        (
            "  - plugins:\n      - monorepo-diff#v1.0.0: {watch: []}\n".into(),
            "tests.unit_on_pull_request",
            Unknown,
        ),
    ] {
        let (found, told) = of(id, &steps, more);
        assert_eq!(found, expected, "{steps}: {told}");
    }
}

#[test]
fn a_pipeline_that_cannot_be_read_is_unknown_with_its_place() {
    for (text, line) in [("steps: [\n", 2), ("steps: []\n", 1), ("a: b: c\n", 1), ("", 1)] {
        let found = assessed(&with(&[RUST, &[(FILE, text)]]));
        let unit = check(&found, "tests.unit");
        assert_eq!(unit.outcome, Unknown, "{text}: {}", told(unit));
        let place = format!("{FILE}:{line}: the pipeline ");
        assert!(found.notes.iter().any(|note| note.starts_with(&place)), "{:?}", found.notes);
    }
    let compose = assessed(&with(&[RUST, &[(".buildkite/docker-compose.yml", "services: {}\n")]]));
    assert_eq!(check(&compose, "tests.unit").outcome, Fail, "no pipeline");
    let many = format!("steps:\n{}", "  - command: cargo build\n".repeat(12_000));
    let found = assessed(&with(&[RUST, &[(FILE, &many)]]));
    assert_eq!(check(&found, "tests.unit").outcome, Unknown, "what is cut off is not known");
}
