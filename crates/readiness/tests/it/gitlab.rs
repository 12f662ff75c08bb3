//! Pipelines of GitLab.

use lockgate_readiness::finding::Outcome::{self, Fail, Pass, Unknown};

use super::{RUST, assert_check, assessed, check, told, with};

const FILE: &str = ".gitlab-ci.yml";

fn outcome(id: &str, pipeline: &str) -> (Outcome, String) {
    let found = assessed(&with(&[RUST, &[(FILE, pipeline)]]));
    let check = check(&found, id);
    (check.outcome, told(check))
}

/// Jobs to wait for: one at any time, and two that wait for a person.
const OTHERS: &str = "stages: [build, test, gate, late]
free: {stage: build, script: echo}
manual: {stage: gate, when: manual, allow_failure: false, script: echo}
manual-too: {stage: build, rules: [{when: manual, allow_failure: true}], script: echo}
";

#[test]
fn the_lines_of_a_job_are_one_shells() {
    for (lines, expected) in [
        ("[cargo test, echo done]", Pass),
        ("[set +e, cargo test, echo done]", Fail),
        ("[set +e, echo, cargo test]", Pass),
        ("[set +e, true, set -e, cargo test, echo done]", Pass),
        ("['if [ -n \"$X\" ]; then', cargo test, fi]", Unknown),
    ] {
        let (found, told) =
            outcome("tests.unit_on_pull_request", &format!("test:\n  script: {lines}\n"));
        assert_eq!(found, expected, "{lines}: {told}");
    }
}

#[test]
fn a_job_runs_when_its_rules_say_so() {
    for (job, expected) in [
        ("", Pass),
        ("rules: [{if: '$CI_PIPELINE_SOURCE == \"merge_request_event\"'}]", Pass),
        ("rules: [{if: '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH'}]", Fail),
        ("rules: [{if: '$CI_COMMIT_TAG =~ /^v[0-9]+/'}]", Fail),
        ("rules: [{if: '$CI_COMMIT_BRANCH && $CI_COMMIT_BRANCH !~ /^release/'}]", Pass),
        ("rules: [{if: $CI_MERGE_REQUEST_IID, when: never}, {when: on_success}]", Pass),
        ("rules: [{if: $CI_MERGE_REQUEST_IID, when: manual}]", Fail),
        ("rules: [{changes: ['src/**/*']}]", Pass),
        ("rules: [{changes: ['web/**/*']}]", Fail),
        ("rules: [{if: $RUN_TESTS}]", Unknown),
        ("variables: {RUN_TESTS: 'yes'}\n  rules: [{if: '$RUN_TESTS == \"yes\"'}]", Pass),
        ("rules: [{if: $CI_MERGE_REQUEST_IID, allow_failure: true}]", Fail),
        ("only: [merge_requests]", Pass),
        ("only: [tags]", Fail),
        ("only: [main]", Fail),
        ("except: [branches]", Fail),
        ("allow_failure: true", Fail),
        ("allow_failure: false", Pass),
        ("allow_failure: 'yes'", Unknown),
        ("image: {name: rust, entrypoint: ['']}", Pass),
        ("image: {name: rust, entrypoint: [/bin/sh, -c]}", Pass),
        ("image: {name: rust, entrypoint: ''}", Pass),
        ("image: {name: rust, entrypoint: [/usr/bin/env, 'PATH=/opt:/bin']}", Pass),
        ("image: {name: rust, entrypoint: [/sbin/tini, --, bash]}", Pass),
        ("image: {name: rust, entrypoint: [/bin/true]}", Unknown),
        ("image: {name: rust, entrypoint: cargo}", Unknown),
        ("image: {name: rust, entrypoint: [/usr/bin/env, true]}", Unknown),
        ("image: {name: rust, entrypoint: [/sbin/tini, --, /app/serve]}", Unknown),
        ("image: {name: rust, entrypoint: [sh, -c, 'exit 0']}", Unknown),
        ("when: manual", Fail),
        ("when: never", Fail),
        ("when: on_failure", Fail),
        ("when: always", Pass),
        ("rules: [{if: $CI_MERGE_REQUEST_IID, when: on_failure}]", Fail),
        ("rules: [{when: on_success}]\n  when: manual", Pass),
        ("needs: [free]", Pass),
        ("needs: [manual]", Fail),
        ("needs: [{job: manual, optional: true}]", Pass),
        ("needs: [manual-too]", Fail),
        ("needs: [nothere]", Unknown),
        ("needs: [{job: nothere, optional: true}]", Pass),
        ("needs: [test]", Unknown),
        ("stage: late", Fail),
        ("stage: late\n  needs: []", Pass),
    ] {
        let (found, told) = outcome(
            "tests.unit_on_pull_request",
            &format!("{OTHERS}test:\n  script: [cargo test]\n  {job}\n"),
        );
        assert_eq!(found, expected, "{job}: {told}");
    }
    for image in
        ["default: {image: {name: a, entrypoint: [x]}}", "image: {name: a, entrypoint: [x]}"]
    {
        let pipeline = format!("{image}\ntest: {{script: cargo test}}\n");
        assert_eq!(outcome("tests.unit_on_pull_request", &pipeline).0, Unknown, "{image}");
        let own = format!("{image}\ntest: {{image: rust, script: cargo test}}\n");
        assert_eq!(outcome("tests.unit_on_pull_request", &own).0, Pass, "{image}");
    }
    let workflow =
        "workflow: {rules: [{if: '$CI_COMMIT_BRANCH == \"main\"'}]}\ntest: {script: cargo test}\n";
    assert_eq!(outcome("tests.unit_on_pull_request", workflow).0, Fail);
    assert_eq!(outcome("ci_cd.test_on_main", workflow).0, Pass);
}

#[test]
fn templates_of_the_same_repository_are_put_together() {
    let main = "include: [/ci/base.yml, {local: 'ci/more/*.yml'}]
default:
  before_script: [mkdir x, cd x, cd ..]
unit:
  extends: .base
  script:
    - !reference [.setup, script]
    - - echo go
      - $TOOL test
lint: {extends: [.base, .soft], script: cargo audit}
";
    let base = ".base:\n  variables: {TOOL: cargo}\n.setup:\n  script:\n    - cargo build\n";
    let more = ".soft: {allow_failure: true}\n";
    let found =
        assessed(&with(&[RUST, &[(FILE, main), ("ci/base.yml", base), ("ci/more/a.yml", more)]]));
    assert_check(&found, "tests.unit_on_pull_request", Pass, ".gitlab-ci.yml:9");
    assert_check(&found, "security.static", Fail, ".gitlab-ci.yml:10");
    assert!(check(&found, "security.static").reason.contains("allow_failure"));
    assert_check(&found, "ci_cd.build", Pass, "ci/base.yml:5");
}

#[test]
fn what_is_included_from_elsewhere_is_unknown_and_gitlabs_scans_do_not_block() {
    let project = "include: {project: acme/ci, file: all.yml}\n";
    let (found, told) = outcome("tests.unit", project);
    assert_eq!(found, Unknown, "{told}");
    let template = "include: [{template: Jobs/SAST.gitlab-ci.yml}]\ntest: {script: cargo test}\n";
    let (found, told) = outcome("security.code_on_pull_request", template);
    assert_eq!(found, Fail, "{told}");
    assert!(told.contains("allows it to fail"), "{told}");
    let itself = "include: .gitlab-ci.yml\na: {extends: b, script: cargo test}\nb: {extends: a}\n";
    assert_eq!(outcome("tests.unit", itself).0, Pass, "circles end");
    assert_eq!(outcome("tests.unit", "test: [\n").0, Unknown);
}
