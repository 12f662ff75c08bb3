//! When steps run, and whether they stop anything.

use lockgate_readiness::finding::Outcome::{self, Fail, Pass, Unknown};

use super::{RUST, assessed, check, told, with};

const CI: &str = ".github/workflows/ci.yml";

/// What the tests of pull requests come to with a workflow.
fn outcome(workflow: &str) -> (Outcome, String) {
    let found = assessed(&with(&[RUST, &[(CI, workflow)]]));
    let check = check(&found, "ci_cd.test_on_pull_request");
    (check.outcome, told(check))
}

#[test]
fn a_step_proves_what_it_does_on_an_ordinary_pull_request() {
    let test = "jobs:\n  a:\n    runs-on: x\n    steps:\n      - run: cargo test\n";
    for (on, expected) in [
        ("pull_request", Pass),
        ("[push, pull_request]", Pass),
        ("{pull_request: {branches: [main]}}", Pass),
        ("{pull_request: {branches: ['release/**']}, push: {branches: [main]}}", Fail),
        ("{pull_request: {types: [labeled]}}", Fail),
        ("{pull_request: {types: [opened, synchronize]}}", Pass),
        ("{pull_request: {paths: ['docs/**', '**.md']}}", Fail),
        ("{pull_request: {paths: ['src/**']}}", Pass),
        ("{pull_request: {paths-ignore: ['docs/**']}}", Pass),
        ("{pull_request: {paths-ignore: ['**']}}", Fail),
        ("{pull_request: {paths-ignore: ['src/**']}}", Fail),
        ("{pull_request: {paths-ignore: ['**.rs']}}", Fail),
        ("{pull_request: {paths: ['**', '!src/**']}}", Fail),
        ("{pull_request: {paths: ['**/*.yaml?']}}", Fail),
        ("{pull_request: {paths: ['**.rs', Cargo.toml]}}", Pass),
        ("{merge_group: }", Pass),
        ("push", Unknown),
        ("{push: {branches: [main]}}", Fail),
        ("{push: {paths: ['docs/**']}}", Fail),
        ("pull_request_target", Fail),
        ("schedule", Fail),
        ("workflow_call", Fail),
    ] {
        let (found, told) = outcome(&format!("on: {on}\n{test}"));
        assert_eq!(found, expected, "{on}: {told}");
    }
}

#[test]
fn conditions_are_asked_and_not_read_over() {
    for (job, step, expected) in [
        ("", "", Pass),
        ("if: false", "", Fail),
        ("if: github.event_name == 'push'", "", Fail),
        ("if: github.event_name != 'push'", "", Pass),
        ("", "if: ${{ github.ref == 'refs/heads/main' }}", Fail),
        ("if: \"!github.event.pull_request.draft\"", "", Pass),
        ("if: contains(github.event.pull_request.labels.*.name, 'test')", "", Fail),
        ("if: github.repository == 'acme/app'", "", Pass),
        ("if: github.repository_owner == 'Acme'", "", Pass),
        ("if: github.repository == 'other/app'", "", Unknown),
        ("needs: changes\n    if: needs.changes.outputs.rust == 'true'", "", Pass),
        ("needs: changes\n    if: needs.changes.outputs.go == 'true'", "", Fail),
        ("if: needs.changes.outputs.rust == 'true'", "", Fail),
        ("", "if: steps.first.outputs.is == 'x'", Pass),
        ("", "if: steps.none.outputs.is == 'x'", Fail),
        ("if: ''", "", Pass),
        ("if: github.actor == 'dependabot[bot]'", "", Fail),
        ("if: github.actor != 'dependabot[bot]'", "", Pass),
        ("if: github.actor == 'nobody'", "", Fail),
        ("if: github.run_attempt > 100", "", Fail),
        ("if: github.sha == 'abc'", "", Unknown),
        ("if: hashFiles('src/*.rs') != ''", "", Pass),
        ("if: hashFiles('nothing') != ''", "", Unknown),
        ("if: github.event.number == -1", "", Unknown),
        ("if: github.event.pull_request.head.repo.full_name == github.repository", "", Pass),
        ("runs-on: ubuntu-latest", "if: runner.arch == 'ARM64'", Fail),
        ("runs-on: ubuntu-24.04-arm", "if: runner.arch == 'ARM64'", Pass),
        (
            "strategy: {matrix: {on: [ubuntu-latest]}}\n    runs-on: '${{ matrix.on }}'",
            "if: runner.os == 'Linux'",
            Pass,
        ),
        ("", "if: env.NOPE == 'yes'", Unknown),
        ("", "if: ${{ !env.ACT }}", Pass),
        ("if: NaN", "", Fail),
        ("if: ${{ this is not ) valid }}", "", Unknown),
        ("strategy: {matrix: {a: []}}", "", Fail),
        ("strategy: {matrix: {include: []}}", "", Fail),
        ("strategy: {matrix: \"${{ fromJSON('[]') }}\"}", "", Fail),
        (
            "needs: changes\n    strategy: {matrix: '${{ fromJSON(needs.changes.outputs.rust) }}'}",
            "",
            Pass,
        ),
        ("needs: nothere", "", Unknown),
        ("needs: a", "", Unknown),
        ("continue-on-error: false\n    continue-on-error: false", "", Unknown),
        ("", "uses: actions/checkout@v4", Unknown),
        ("if: vars.TESTS == 'on'", "", Unknown),
        ("continue-on-error: true", "", Fail),
        ("", "continue-on-error: ${{ github.event_name == 'pull_request' }}", Unknown),
        ("", "if: failure()", Fail),
        ("needs: never", "", Fail),
        ("needs: never\n    if: always()", "", Pass),
    ] {
        let machine = if job.contains("runs-on") { "" } else { "runs-on: x\n    " };
        let workflow = format!(
            "on: pull_request\njobs:\n  never:\n    if: ${{{{ false }}}}\n    runs-on: x\n    steps: []\n  changes:\n    outputs: {{rust: x}}\n    runs-on: x\n    steps: []\n  a:\n    {machine}{job}\n    steps:\n      - id: first\n        run: echo\n      - run: cargo test\n        {step}\n"
        );
        let readme = ("README.md", "<https://github.com/acme/app>\n");
        let found = assessed(&with(&[RUST, &[(CI, &workflow), readme]]));
        let check = check(&found, "ci_cd.test_on_pull_request");
        let (found, told) = (check.outcome, told(check));
        assert_eq!(found, expected, "{job} {step}: {told}");
    }
}

#[test]
fn what_runs_but_does_not_block_proves_nothing() {
    for (run, expected) in [
        ("cargo test", Pass),
        ("cargo test || true", Fail),
        ("cargo test | tee log", Fail),
        ("cargo test --no-run", Fail),
        ("cargo test --doc", Fail),
        ("set +e; cargo test; echo done", Fail),
        ("bash -c 'cargo test'", Pass),
        ("if ! cargo test; then exit 1; fi", Pass),
        ("if [ -n \"$X\" ]; then cargo test; fi", Unknown),
        ("./ci.sh", Pass),
        ("./loose.sh", Fail),
        ("./gone-test.sh", Unknown),
        ("make check", Pass),
        ("make loose", Fail),
        ("make gone-test", Unknown),
        ("just test", Pass),
        ("cargo check-all", Pass),
        ("cargo xtask ci", Unknown),
        ("python3 scripts/run_tests.py", Unknown),
    ] {
        let workflow = format!(
            "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n          {run}\n"
        );
        let files = with(&[
            RUST,
            &[
                (CI, &workflow),
                ("ci.sh", "#!/bin/sh\nset -e\ncargo test\necho done\n"),
                ("loose.sh", "#!/bin/sh\ncargo test\necho done\n"),
                (
                    "Makefile",
                    "T = test\ncheck: build\n\tcargo $(T)\nbuild:\n\tcargo build\nloose:\n\t-cargo test\n",
                ),
                ("justfile", "test: build\n    cargo test\nbuild:\n    cargo build\n"),
                (".cargo/config.toml", "[alias]\ncheck-all = [\"test\", \"--all\"]\n"),
                ("scripts/run_tests.py", "print()\n"),
            ],
        ]);
        let found = assessed(&files);
        let check = check(&found, "ci_cd.test_on_pull_request");
        assert_eq!(check.outcome, expected, "{run}: {}", told(check));
    }
}

#[test]
fn a_local_action_is_its_steps() {
    let workflow = "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: ./.github/actions/test\n        with: {what: test}\n";
    let action = "inputs:\n  what: {default: build}\n  extra: {default: 'false'}\nruns:\n  using: composite\n  steps:\n    - run: cargo ${{ inputs.what }}\n      shell: bash\n";
    let file = ".github/actions/test/action.yml";
    let found = assessed(&with(&[RUST, &[(CI, workflow), (file, action)]]));
    assert_eq!(check(&found, "tests.unit").outcome, Pass);
    assert_eq!(check(&found, "tests.unit").evidence[0].line, 7);
    let program =
        assessed(&with(&[RUST, &[(CI, workflow), (file, "runs: {using: node20, main: a.js}\n")]]));
    assert_eq!(check(&program, "tests.unit").outcome, Unknown);
    let itself = "runs:\n  using: composite\n  steps:\n    - uses: ./.github/actions/test\n";
    let circle = assessed(&with(&[RUST, &[(CI, workflow), (file, itself)]]));
    assert_eq!(check(&circle, "tests.unit").outcome, Unknown, "a circle ends");
}

#[test]
fn a_workflow_of_another_repository_is_unknown() {
    let workflow = |uses: &str| format!("on: pull_request\njobs:\n  a:\n    uses: {uses}\n");
    let (found, told) = outcome(&workflow("acme/ci/.github/workflows/all.yml@v1"));
    assert_eq!(found, Unknown, "{told}");
    let osv =
        workflow("google/osv-scanner-action/.github/workflows/osv-scanner-reusable-pr.yml@v2");
    let found = assessed(&with(&[RUST, &[(CI, &osv)]]));
    assert_eq!(check(&found, "security.dependencies_on_pull_request").outcome, Pass);
    assert_eq!(check(&found, "tests.unit").outcome, Fail, "what it does is known");
}

#[test]
fn what_starts_for_no_code_does_not_hide_what_is_not_seen() {
    let docs = "on: {pull_request: {paths: ['docs/**', '**.md']}}\njobs: {a: {runs-on: x, steps: [{run: cargo test}]}}\n";
    let setup = docs.replace("'docs/**', '**.md'", ".github/workflows/ci.yml, Cargo.lock");
    let other = "on: pull_request\njobs: {a: {uses: acme/ci/.github/workflows/all.yml@v1}}\n";
    let lock = ("Cargo.lock", "");
    let found = |text: &str, others: &[(&'static str, &'static str)]| {
        let files = with(&[RUST, &[lock, (CI, text)], others]);
        check(&assessed(&files), "ci_cd.test_on_pull_request").outcome
    };
    for text in [docs, setup.as_str()] {
        assert_eq!(found(text, &[]), Fail, "{text}");
        assert_eq!(found(text, &[(".github/workflows/b.yml", other)]), Unknown, "{text}");
    }
}

#[test]
fn a_workflow_that_github_does_not_call_is_unknown() {
    let caller = |uses: &str| format!("on: pull_request\njobs:\n  a:\n    uses: {uses}\n");
    let reusable = |on: &str| {
        format!("on: {on}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: cargo test\n")
    };
    for (file, on, expected) in [
        (".github/workflows/r.yml", "workflow_call", Pass),
        (".github/workflows/r.yml", "{workflow_call: {}}", Pass),
        (".github/workflows/r.yml", "workflow_dispatch", Unknown),
        ("ci/r.yml", "workflow_call", Unknown),
    ] {
        let (calls, is_called) = (caller(&format!("./{file}")), reusable(on));
        let found = assessed(&with(&[RUST, &[(CI, &calls), (file, &is_called)]]));
        let check = check(&found, "ci_cd.test_on_pull_request");
        assert_eq!(check.outcome, expected, "{file} {on}: {}", told(check));
    }
}

#[test]
fn nothing_of_a_workflow_counts_that_has_a_job_without_a_machine() {
    let step = "steps: [{run: cargo test}]";
    for (jobs, expected) in [
        (format!("a: {{runs-on: [self-hosted, x], {step}}}"), Pass),
        (format!("a: {{runs-on: {{group: x}}, {step}}}"), Pass),
        (format!("a: {{{step}}}"), Unknown),
        (format!("a: {{runs-on: , {step}}}"), Unknown),
        (format!("a: {{container: rust, {step}}}"), Unknown),
        (format!("a: {{runs-on: x, {step}}}, b: {{steps: []}}"), Unknown),
        (format!("a: {{runs-on: x, {step}}}, b: {{uses: ./.github/workflows/b.yml}}"), Pass),
    ] {
        let (found, told) = outcome(&format!("on: pull_request\njobs: {{{jobs}}}\n"));
        assert_eq!(found, expected, "{jobs}: {told}");
        assert_eq!(told.contains("without `runs-on`"), expected == Unknown, "{told}");
    }
}

#[test]
fn a_broken_workflow_is_unknown_with_its_place() {
    let found = assessed(&with(&[RUST, &[(CI, "on: push\njobs: [\n")]]));
    let unit = check(&found, "tests.unit");
    assert_eq!(unit.outcome, Unknown, "{}", told(unit));
    assert!(
        found.notes.iter().any(|note| note.starts_with(".github/workflows/ci.yml:")),
        "{:?}",
        found.notes
    );
}

#[test]
fn what_a_cluster_for_one_run_gets_is_no_delivery() {
    let workflow = |first: &str, run: &str| {
        format!(
            "on: {{push: {{branches: [main]}}}}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - {first}\n      - run: {run}\n"
        )
    };
    for (first, run, expected) in [
        ("uses: actions/checkout@v4", "kubectl apply -f k8s", Pass),
        ("uses: helm/kind-action@v1", "kubectl apply -f k8s", Fail),
        ("run: kind create cluster", "helm upgrade --install a chart", Fail),
        ("uses: helm/kind-action@v1", "docker push acme/app", Pass),
        ("uses: actions/checkout@v4", "cargo publish --dry-run", Fail),
        ("uses: actions/checkout@v4", "cargo publish", Pass),
    ] {
        let found = assessed(&[(CI, &workflow(first, run))]);
        let delivery = check(&found, "ci_cd.delivery");
        assert_eq!(delivery.outcome, expected, "{first} {run}: {}", told(delivery));
    }
}

#[test]
fn what_a_cluster_for_one_run_gets_cannot_drift() {
    let manifest = ("k8s/a.yaml", "apiVersion: apps/v1\nkind: Deployment\n");
    for (first, run, expected) in [
        ("uses: actions/checkout@v4", "kubectl diff -f k8s", Pass),
        ("run: kind create cluster", "kubectl diff -f k8s", Fail),
        ("uses: helm/kind-action@v1", "lockgate drift --kubernetes k8s", Fail),
        ("uses: actions/checkout@v4", "lockgate drift --kubernetes k8s", Pass),
    ] {
        let workflow = format!(
            "on: {{schedule: [{{cron: '0 3 * * *'}}]}}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - {first}\n      - run: {run}\n"
        );
        let found = assessed(&[(CI, &workflow), manifest]);
        let drift = check(&found, "infrastructure.drift");
        assert_eq!(drift.outcome, expected, "{first} {run}: {}", told(drift));
    }
}
