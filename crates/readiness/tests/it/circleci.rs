//! Pipelines of CircleCI.

use lockgate_readiness::catalog::Dimension::{CiCd, Security, Tests};
use lockgate_readiness::finding::Outcome::{self, Fail, Pass, Unknown};

use super::{Files, RUST, assert_check, assessed, check, told, with};

const FILE: &str = ".circleci/config.yml";
const ON_REQUEST: &str = "tests.unit_on_pull_request";
const TEST: &str = "jobs:\n  test:\n    docker: [{image: 'cimg/rust:1.90'}]\n    steps: [checkout, {run: cargo test}]\n";

fn outcome(id: &str, config: &str) -> (Outcome, String) {
    let found = assessed(&with(&[RUST, &[(FILE, config)]]));
    let check = check(&found, id);
    (check.outcome, told(check))
}

#[test]
fn filters_say_which_branches_and_tags_a_job_is_for() {
    for (filters, on_request, on_main) in [
        ("", Pass, Pass),
        ("filters: {branches: {only: main}}", Fail, Pass),
        ("filters: {branches: {only: [main, /release\\/.*/]}}", Fail, Pass),
        ("filters: {branches: {ignore: main}}", Pass, Fail),
        ("filters: {branches: {ignore: /.*/}, tags: {only: /^v.*/}}", Fail, Fail),
        ("filters: {tags: {only: /.*/}}", Pass, Pass),
        ("filters: {branches: {only: /top.*/}}", Pass, Fail),
        ("filters: {branches: {only: /top/}}", Fail, Fail),
        ("filters: {branches: {only: '/(/'}}", Unknown, Unknown),
        ("filters: pipeline.git.branch != \"main\"", Pass, Fail),
        (
            "filters: pipeline.git.branch == \"main\" or pipeline.git.branch starts-with \"rel\"",
            Fail,
            Pass,
        ),
        ("filters: not (pipeline.git.branch == \"main\") and pipeline.git.tag == \"\"", Pass, Fail),
        ("filters: pipeline.git.branch matches /^(main|topic)$/", Pass, Pass),
        ("filters: pipeline.id == \"a\"", Unknown, Unknown),
        ("filters: this is none", Unknown, Unknown),
        ("requires: [build]", Pass, Pass),
        ("requires: [only-main]", Fail, Pass),
        ("requires: [ask]", Fail, Fail),
        ("requires: [{build: failed}]", Fail, Fail),
        ("requires: [{build: [success, failed]}]", Pass, Pass),
        ("type: approval", Fail, Fail),
    ] {
        let text = format!(
            "version: 2.1\n{TEST}  build: {{docker: [{{image: a}}], steps: [checkout]}}\nworkflows:\n  all:\n    jobs:\n      - test:\n          context: acme\n          {filters}\n      - build\n      - ask: {{type: approval}}\n      - build: {{name: only-main, filters: {{branches: {{only: main}}}}}}\n"
        );
        let (found, told) = outcome(ON_REQUEST, &text);
        assert_eq!(found, on_request, "{filters}: {told}");
        let (found, told) = outcome("ci_cd.test_on_main", &text);
        assert_eq!(found, on_main, "{filters}: {told}");
    }
}

#[test]
fn conditions_of_workflows_are_asked_for_each_occasion() {
    for (condition, on_request, on_main) in [
        ("when: true", Pass, Pass),
        ("when: {equal: [main, << pipeline.git.branch >>]}", Fail, Pass),
        ("unless: {equal: [main, << pipeline.git.branch >>]}", Pass, Fail),
        ("when: {not: {equal: [scheduled_pipeline, << pipeline.trigger_source >>]}}", Pass, Pass),
        ("when: {equal: [webhook, << pipeline.trigger_source >>]}", Pass, Pass),
        ("when: << pipeline.parameters.run >>", Fail, Fail),
        ("unless: << pipeline.parameters.run >>", Pass, Pass),
        ("when: {and: [{not: << pipeline.parameters.run >>}, {equal: [a, a]}]}", Pass, Pass),
        (
            "when: {or: [<< pipeline.parameters.run >>, {equal: [topic, << pipeline.git.branch >>]}]}",
            Pass,
            Fail,
        ),
        ("when: {matches: {pattern: '^main$', value: << pipeline.git.branch >>}}", Fail, Pass),
        ("when: pipeline.git.branch == \"main\"", Fail, Pass),
        ("when: {equal: [push, << pipeline.event.name >>]}", Unknown, Unknown),
        ("when: {unheard: of}", Unknown, Unknown),
        (
            "triggers: [{schedule: {cron: '0 0 * * *', filters: {branches: {only: main}}}}]",
            Fail,
            Fail,
        ),
    ] {
        let text = format!(
            "version: 2.1\nparameters: {{run: {{type: boolean, default: false}}}}\n{TEST}workflows:\n  all:\n    {condition}\n    jobs: [test]\n"
        );
        let (found, told) = outcome(ON_REQUEST, &text);
        assert_eq!(found, on_request, "{condition}: {told}");
        let (found, told) = outcome("ci_cd.test_on_main", &text);
        assert_eq!(found, on_main, "{condition}: {told}");
    }
}

#[test]
fn schedules_in_the_file_are_seen_and_those_of_the_project_are_not() {
    let infra: Files<'_> =
        &[("infra/main.tf", "resource \"a\" \"b\" {\n}\n"), ("Dockerfile", "FROM scratch\n")];
    for (condition, expected) in [
        ("triggers: [{schedule: {cron: '0 0 * * *'}}]", Pass),
        ("when: {equal: [scheduled_pipeline, << pipeline.trigger_source >>]}", Unknown),
        ("when: {equal: [nightly, << pipeline.schedule.name >>]}", Unknown),
        ("when: true", Fail),
    ] {
        let text = format!(
            "version: 2.1\njobs:\n  drift:\n    machine: true\n    working_directory: ~/repo\n    steps:\n      - checkout\n      - run: {{command: terraform plan -detailed-exitcode, working_directory: ~/repo/infra}}\nworkflows:\n  nightly:\n    {condition}\n    jobs: [drift]\n"
        );
        let found = assessed(&with(&[infra, &[(FILE, &text)]]));
        let check = check(&found, "infrastructure.drift");
        assert_eq!(check.outcome, expected, "{condition}: {}", told(check));
    }
}

#[test]
fn what_runs_but_does_not_block_proves_nothing() {
    for (step, expected) in [
        ("run: cargo test", Pass),
        ("run: {name: Test, command: cargo test}", Pass),
        ("run: cargo test || true", Fail),
        ("run: cargo test | tee log", Pass),
        ("run: {command: cargo test | tee log, shell: /bin/bash -e}", Fail),
        ("run: {command: \"cargo test; echo\", shell: /bin/sh}", Fail),
        ("run: {command: cargo test, background: true}", Fail),
        ("run: {command: cargo test, when: on_fail}", Fail),
        ("run: {command: cargo test, when: always}", Pass),
        ("run: {command: $TOOL test, environment: {TOOL: cargo}}", Pass),
        ("run: $JOB_TOOL test", Pass),
        ("when: {condition: true, steps: [{run: cargo test}]}", Pass),
        ("unless: {condition: true, steps: [{run: cargo test}]}", Fail),
        (
            "when: {condition: {equal: [main, << pipeline.git.branch >>]}, steps: [{run: cargo test}]}",
            Fail,
        ),
        ("when: {condition: << pipeline.event.name >>, steps: [{run: cargo test}]}", Unknown),
        ("run: circleci tests run --command=\"xargs cargo test\"", Pass),
        ("run: circleci testsuite all", Unknown),
        ("run: go tool -modfile tools/go.mod gotestsum -- ./...", Fail),
        ("gone-command", Unknown),
        ("acme/everything", Unknown),
        ("store_test_results: {path: a}", Fail),
    ] {
        let text = format!(
            "version: 2.1\norbs: {{acme: acme/tools@1.0}}\njobs:\n  test:\n    docker: [{{image: a}}]\n    environment: {{JOB_TOOL: cargo}}\n    steps:\n      - checkout\n      - {step}\nworkflows: {{all: {{jobs: [test]}}}}\n"
        );
        let (found, told) = outcome(ON_REQUEST, &text);
        assert_eq!(found, expected, "{step}: {told}");
    }
}

#[test]
fn commands_executors_parameters_and_inline_orbs_are_put_in() {
    let text = "version: 2.1
executors:
  rust:
    parameters: {version: {type: string, default: '1.90'}}
    docker:
      - image: cimg/rust:<< parameters.version >>
      - image: postgres:18
    environment:
      TOOL: cargo
commands:
  checked:
    parameters:
      what: {type: string}
      before: {type: steps, default: []}
      soft: {type: boolean, default: false}
    steps:
      - steps: << parameters.before >>
      - when:
          condition: << parameters.soft >>
          steps:
            - run: $TOOL << parameters.what >> || true
      - unless:
          condition: << parameters.soft >>
          steps:
            - run:
                command: |
                  cat \\<<END
                  nothing
                  END
                  $TOOL << parameters.what >>
orbs:
  own:
    commands:
      audit:
        steps: [{run: cargo audit}]
    jobs:
      deep:
        docker: [{image: a}]
        steps: [audit]
jobs:
  test:
    parameters:
      what: {type: enum, enum: [test, build], default: build}
    executor: {name: rust, version: '1.91'}
    steps:
      - checkout
      - checked:
          what: << parameters.what >>
          before:
            - run: cargo build
workflows:
  version: 2
  all:
    jobs:
      - test:
          name: all-<< matrix.what >>
          matrix:
            parameters: {what: [test, build]}
      - own/deep:
          requires: [test]
";
    let found = assessed(&with(&[RUST, &[(FILE, text)]]));
    assert_check(&found, ON_REQUEST, Pass, ".circleci/config.yml:30");
    assert_check(&found, "tests.integration_on_pull_request", Pass, ".circleci/config.yml:30");
    assert_check(&found, "ci_cd.build_on_pull_request", Pass, ".circleci/config.yml:50");
    assert_check(&found, "security.dependencies_on_pull_request", Pass, ".circleci/config.yml:35");
    let soft = text
        .replace("soft: {type: boolean, default: false}", "soft: {type: boolean, default: true}");
    let found = assessed(&with(&[RUST, &[(FILE, &soft)]]));
    assert_check(&found, ON_REQUEST, Fail, ".circleci/config.yml:21");
}

#[test]
fn published_orbs_are_known_by_their_names_or_unknown() {
    let run = |id: &str, orbs: &str, steps: &str| {
        outcome(
            id,
            &format!(
                "version: 2.1\norbs: {{{orbs}}}\njobs:\n  test:\n    docker: [{{image: a}}]\n    steps:\n      - {steps}\nworkflows: {{all: {{jobs: [test]}}}}\n"
            ),
        )
    };
    let d = "security.dependencies_on_pull_request";
    for (id, orbs, step, expected) in [
        (d, "snyk: snyk/snyk@2.1", "snyk/scan", Pass),
        (d, "snyk: snyk/snyk@2.1", "snyk/scan: {fail-on-issues: false}", Fail),
        (d, "scan: snyk/snyk@2.1", "scan/scan: {command: code test}", Fail),
        (ON_REQUEST, "rust: circleci/rust@1.6", "rust/test", Pass),
        (ON_REQUEST, "codecov: codecov/codecov@4", "codecov/upload", Fail),
        (ON_REQUEST, "node: circleci/node@6", "node/install-packages", Fail),
        (ON_REQUEST, "slack: circleci/slack@4", "slack/notify", Fail),
        (ON_REQUEST, "acme: acme/all@1", "acme/test", Unknown),
        (
            "ci_cd.delivery",
            "ecs: circleci/aws-ecs@6",
            "ecs/deploy_service_update: {family: a}",
            Pass,
        ),
    ] {
        let (found, told) = run(id, orbs, step);
        assert_eq!(found, expected, "{step}: {told}");
    }
    let (found, told) = outcome(
        ON_REQUEST,
        "version: 2.1\norbs: {rust: circleci/rust@1.6}\nworkflows: {all: {jobs: [rust/test: {version: 1}]}}\n",
    );
    assert_eq!(found, Pass, "{told}");
}

#[test]
fn dynamic_and_broken_configurations_are_unknown_and_say_so() {
    for (text, why) in [
        (
            "version: 2.1\nsetup: true\norbs: {continuation: circleci/continuation@1}\njobs: {setup: {docker: [{image: a}], steps: [checkout]}}\nworkflows: {setup: {jobs: [setup]}}\n",
            "generated when it runs",
        ),
        ("version: 2.1\njobs: [\n", "not valid YAML"),
        ("version: 2.1\n", "no jobs"),
        ("version: 2.1\nworkflows: {all: {jobs: [gone]}}\n", "`gone` is not in the file"),
    ] {
        let (found, told) = outcome(ON_REQUEST, text);
        assert_eq!(found, Unknown, "{text}: {told}");
        assert!(told.contains(why), "{text}: {told}");
    }
    let old = "version: 2\njobs:\n  build:\n    docker: [{image: a}]\n    steps: [checkout, {run: cargo test}]\n";
    assert_eq!(outcome(ON_REQUEST, old).0, Pass, "without workflows the job `build` runs");
    let only = old.replace("    docker", "    branches: {only: main}\n    docker");
    assert_eq!(outcome(ON_REQUEST, &only).0, Fail);
}

const NODE: Files<'static> = &[
    (
        "package.json",
        "{\"scripts\": {\"test\": \"jest\", \"e2e\": \"playwright test\"}, \"dependencies\": {\"express\": \"5\"}, \"jest\": {\"coverageThreshold\": {\"global\": {\"lines\": 85}}}}\n",
    ),
    ("src/a.test.ts", ""),
    ("tests/integration/b.test.ts", ""),
    ("e2e/c.spec.ts", ""),
];

/// A whole repository: a shared command for its packages, a job `ci` with these steps, and what else its workflow has.
fn level(
    dimension: lockgate_readiness::catalog::Dimension,
    filters: &str,
    steps: &str,
    more: &str,
) -> Option<u8> {
    let text = format!(
        "version: 2.1
orbs:
  node: circleci/node@6
commands:
  ready:
    steps:
      - checkout
      - restore_cache: {{keys: [v1]}}
      - run: npm ci
jobs:
  ci:
    docker: [{{image: cimg/node:24.0}}]
    steps:
      - ready
{steps}  deploy:
    machine: {{image: ubuntu-2404:current}}
    steps:
      - ready
      - run: npm publish
workflows:
  all:
    jobs:
      - ci:
          context: acme
          {filters}
{more}"
    );
    let found = assessed(&with(&[NODE, &[(FILE, &text)]]));
    found.standing(dimension).level
}

#[test]
fn every_level_of_ci_cd() {
    let test = "      - run: npm test\n";
    let tags = "filters: {tags: {only: /.*/}}";
    let deploy = |more: &str| format!("      - deploy:\n          requires: [ci]\n{more}");
    let on_main = "          filters: {branches: {only: main}}\n";
    let on_tags = "          filters: {branches: {ignore: /.*/}, tags: {only: /^v.*/}}\n";
    let asked = "      - hold: {type: approval, requires: [ci]}\n      - deploy: {requires: [hold], filters: {branches: {only: main}}}\n";
    for (expected, filters, steps, more) in [
        (0, "filters: {branches: {ignore: /.*/}}", test, String::new()),
        (0, "", "      - run: echo npm test\n", String::new()),
        (1, "", "      - run: npm run build && npx tsc\n", String::new()),
        (1, "filters: {branches: {only: main}}", test, String::new()),
        (1, "filters: {branches: {ignore: main}}", test, String::new()),
        (2, "", test, String::new()),
        (2, "", test, asked.to_owned()),
        (2, "filters: {branches: {ignore: /v.*/}}", test, deploy(on_tags)),
        (3, "", test, deploy(on_main)),
        (3, tags, test, deploy(on_tags)),
        (3, "", test, deploy("          filters: pipeline.git.branch == \"main\"\n")),
    ] {
        assert_eq!(level(CiCd, filters, steps, &more), Some(expected), "{filters} {steps} {more}");
    }
}

#[test]
fn every_level_of_tests() {
    for (expected, filters, steps) in [
        (0, "", "      - run: npm run lint\n"),
        (1, "filters: {branches: {only: main}}", "      - run: npx jest\n"),
        (1, "", "      - run: npx jest src\n"),
        (1, "", "      - run: npx jest src\n      - run: npx jest tests/integration || true\n"),
        (2, "", "      - run: npx jest\n"),
        (2, "", "      - run: npx jest\n      - run: {command: npm run e2e, when: on_fail}\n"),
        (2, "", "      - run: npx jest --coverage\n"),
        (3, "", "      - run: npx jest --coverage\n      - run: npm run e2e\n"),
        (
            3,
            "",
            "      - run: circleci tests run --command=\"xargs npx jest --coverage\"\n      - run: npm run e2e\n",
        ),
    ] {
        assert_eq!(level(Tests, filters, steps, ""), Some(expected), "{filters} {steps}");
    }
}

#[test]
fn every_level_of_security() {
    let d = "      - run: npm audit\n";
    let s = "      - run: gitleaks detect\n";
    let c = "      - run: semgrep ci\n";
    let zap = "      - run: docker run zaproxy/zap-stable zap-baseline.py -t http://app\n";
    let sbom = "      - run: syft . -o spdx-json\n";
    for (expected, filters, steps) in [
        (0, "", String::new()),
        (0, "", "      - run: npm audit || true\n".to_owned()),
        (0, "", "      - run: {command: npm audit, background: true}\n".to_owned()),
        (1, "", d.to_owned()),
        (1, "filters: {branches: {only: main}}", [d, s, c, zap].concat()),
        (1, "", [d, s, c].concat()),
        (2, "", [d, s, c, zap].concat()),
        (3, "", [d, s, c, zap, sbom].concat()),
    ] {
        assert_eq!(level(Security, filters, &steps, ""), Some(expected), "{filters} {steps}");
    }
    let scheduled = "version: 2.1\njobs: {scan: {docker: [{image: a}], steps: [checkout, {run: cargo audit}]}}\nworkflows:\n  nightly:\n    triggers: [{schedule: {cron: '0 0 * * *'}}]\n    jobs: [scan]\n";
    let (found, told) = outcome("security.dependencies_on_pull_request", scheduled);
    assert_eq!(found, Fail, "{told}");
    assert!(told.contains("on a schedule, not on pull requests"), "{told}");
}

#[test]
fn circles_and_bombs_end_and_are_told() {
    let circle = "version: 2.1\ncommands:\n  a: {steps: [b, b]}\n  b: {steps: [a, a]}\njobs: {test: {docker: [{image: x}], steps: [a]}}\nworkflows: {all: {jobs: [test]}}\n";
    let (found, told) = outcome(ON_REQUEST, circle);
    assert_eq!(found, Unknown, "{told}");
    assert!(told.contains("more than 10 times"), "{told}");

    let requires = "version: 2.1\njobs: {test: {docker: [{image: x}], steps: [{run: cargo test}]}}\nworkflows: {all: {jobs: [{test: {name: a, requires: [b]}}, {test: {name: b, requires: [a]}}]}}\n";
    assert_eq!(outcome(ON_REQUEST, requires).0, Pass, "a circle of jobs ends");

    let commands: Vec<String> = (1..10)
        .map(|n| {
            let call = format!("{{c{}: {{p: << parameters.p >><< parameters.p >>}}}}", n - 1);
            let calls = [call.as_str(); 40].join(", ");
            format!("  c{n}: {{parameters: {{p: {{type: string}}}}, steps: [{calls}]}}\n")
        })
        .collect();
    let bomb = format!(
        "version: 2.1\ncommands:\n  c0: {{parameters: {{p: {{type: string}}}}, steps: [{{run: echo << parameters.p >>}}]}}\n{}jobs: {{test: {{docker: [{{image: x}}], steps: [{{c9: {{p: aaaaaaaa}}}}]}}}}\nworkflows: {{all: {{jobs: [test]}}}}\n",
        commands.concat()
    );
    let (found, told) = outcome(ON_REQUEST, &bomb);
    assert_eq!(found, Unknown, "{told}");
    assert!(told.contains("steps with what is repeated"), "{told}");

    let mut laughs = vec!["x0: &x0 [a, a, a, a, a, a, a, a, a, a]".to_owned()];
    laughs.extend((1..12).map(|n| {
        let names = format!("*x{}, ", n - 1).repeat(10);
        format!("x{n}: &x{n} [{}]", names.trim_end_matches(", "))
    }));
    let (found, told) = outcome(ON_REQUEST, &format!("version: 2.1\n{}\n", laughs.join("\n")));
    assert_eq!(found, Unknown, "{told}");
    assert!(told.contains("200000 values"), "{told}");
}
