//! Commands that look like tests or scans and do none, or whose failures stop nothing.

use lockgate_readiness::finding::Outcome::{self, Fail, Pass, Unknown};

use super::{Files, assessed, check, told, with};

const CI: &str = ".github/workflows/ci.yml";

fn workflow(run: &str) -> String {
    let lines = run.replace('\n', "\n          ");
    format!(
        "on: pull_request\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n          {lines}\n"
    )
}

/// Asserts what a check comes to with a workflow of one script.
fn assert_each(files: Files<'_>, id: &str, table: &[(&str, Outcome)]) {
    for (run, expected) in table {
        let found = assessed(&with(&[files, &[(CI, &workflow(run))]]));
        let check = check(&found, id);
        assert_eq!(check.outcome, *expected, "{run}: {}", told(check));
    }
}

const PYTHON: Files<'static> = &[
    ("src/app.py", "def one():\n    return 1\n"),
    ("tests/test_app.py", "def test_one(): pass\n"),
];

#[test]
fn a_test_counts_where_it_is_reached_and_its_failure_shows() {
    assert_each(
        PYTHON,
        "tests.unit_on_pull_request",
        &[
            ("pytest", Pass),
            ("pip install -r requirements.txt && pytest\necho done", Pass),
            ("exit 0\npytest", Fail),
            ("true || pytest", Fail),
            ("false && pytest\ntrue", Fail),
            ("test -n \"$NOPE\" && pytest\ntrue", Unknown),
            ("while false; do pytest; done", Fail),
            ("for i in ; do pytest; done", Fail),
            ("exec true\npytest", Fail),
            ("f() { return 0; pytest; }; f", Fail),
            ("trap \"exit 0\" EXIT\npytest", Fail),
            ("alias pytest=true\npytest", Unknown),
            ("pytest || { exit 0; exit 1; }", Fail),
            ("pytest || exit 256", Fail),
            ("pytest || exit $ZERO", Unknown),
            ("sh -c \"exit 0; pytest\"", Fail),
            ("bash -n -c \"pytest\"", Fail),
            ("bash -c \"pytest\"", Pass),
            ("find . -name nothing | xargs -r pytest", Unknown),
            ("command -v pytest", Fail),
            ("command pytest", Pass),
            ("eval pytest", Pass),
        ],
    );
}

#[test]
fn a_run_that_only_lists_or_collects_tests_nothing() {
    assert_each(
        PYTHON,
        "tests.unit_on_pull_request",
        &[
            ("pytest --collect-only", Fail),
            ("pytest tests --co -q", Fail),
            ("pytest tests -q --help", Fail),
            ("pytest --setup-plan", Fail),
            ("PYTEST_ADDOPTS=--co pytest", Fail),
            ("export PYTEST_ADDOPTS=--co\npytest", Fail),
            ("env PYTEST_ADDOPTS=--co pytest", Fail),
            ("PYTEST_ADDOPTS=--color=yes pytest", Pass),
            ("PYTEST_ADDOPTS=$OPTIONS pytest", Unknown),
            ("pytest -k zzz --suppress-no-test-exit-code", Unknown),
            ("pytest --ignore=tests", Fail),
            ("tox --notest", Fail),
        ],
    );
    let by_settings =
        with(&[PYTHON, &[("pytest.ini", "[pytest]\naddopts =\n    -ra\n    --co\n")]]);
    let table = [("pytest", Fail), ("pytest -o addopts=-ra", Pass), ("pytest -c other.ini", Pass)];
    assert_each(&by_settings, "tests.unit_on_pull_request", &table);
    let go: Files<'_> =
        &[("go.mod", "module a\n"), ("a_test.go", "package a\n\nfunc TestA(t *testing.T) {}\n")];
    assert_each(
        go,
        "tests.unit_on_pull_request",
        &[
            ("go test ./...", Pass),
            ("go test -run TestA ./...", Pass),
            ("go test -run='^$' -bench=. ./...", Fail),
            ("go test -run Nope ./...", Fail),
            ("go test -list . ./...", Fail),
            ("go test -n ./...", Fail),
            ("go test -skip . ./...", Fail),
            ("go test -exec true ./...", Fail),
        ],
    );
    assert_each(
        super::RUST,
        "tests.unit_on_pull_request",
        &[
            ("cargo test --no-fail-fast", Pass),
            ("cargo test --lib --benches", Pass),
            ("cargo test -- --list", Fail),
            ("cargo test --bench x", Fail),
            ("cargo test -- --ignored", Unknown),
        ],
    );
}

#[test]
fn runners_of_other_languages_list_too() {
    let node: Files<'_> =
        &[("a.test.js", ""), ("package.json", "{\"scripts\": {\"test\": \"jest\"}}\n")];
    assert_each(
        node,
        "tests.unit_on_pull_request",
        &[
            ("npm test", Pass),
            ("npm test -- --listTests", Fail),
            ("npm test -- --help", Fail),
            ("npx jest --passWithNoTests", Pass),
            ("npx jest --passWithNoTests --testPathPattern=zzz", Unknown),
        ],
    );
    let others: [(Files<'_>, &[(&str, Outcome)]); 4] = [
        (
            &[("pom.xml", "<project/>"), ("src/test/java/ATest.java", "")],
            &[
                ("mvn verify", Pass),
                ("mvn verify -Dsurefire.testFailureIgnore=true", Fail),
                ("MAVEN_OPTS=-DskipTests mvn verify", Fail),
                ("mvn verify -DskipTests=false", Pass),
            ],
        ),
        (
            &[("build.gradle", ""), ("src/test/java/ATest.java", "")],
            &[
                ("./gradlew test", Pass),
                ("./gradlew test --dry-run", Fail),
                ("gradle -m test", Fail),
            ],
        ),
        (
            &[("spec/a_spec.rb", "")],
            &[
                ("bundle exec rspec", Pass),
                ("rspec --dry-run", Fail),
                ("rspec --failure-exit-code 0", Fail),
            ],
        ),
        (
            &[("tests/ATest.php", "")],
            &[
                ("vendor/bin/phpunit", Pass),
                ("php vendor/bin/phpunit", Pass),
                ("php artisan test", Pass),
                ("phpunit --list-tests", Fail),
            ],
        ),
    ];
    for (files, table) in others {
        assert_each(files, "tests.unit_on_pull_request", table);
    }
}

#[test]
fn a_program_of_the_repository_that_is_not_read_is_unknown() {
    assert_each(
        PYTHON,
        "tests.unit_on_pull_request",
        &[
            ("./Build.ps1", Unknown),
            ("./build.cmd", Unknown),
            ("./ci/run.py", Unknown),
            ("perl t.pl", Unknown),
            ("go run ./ci", Unknown),
            ("go run ./ci/main.go", Unknown),
            ("go run main.go", Unknown),
            ("go run ./hack/docs/main.go", Fail),
            ("invoke test", Unknown),
            ("mage test", Unknown),
            ("mise run test", Unknown),
            ("pixi run test", Unknown),
            ("pixi run pytest", Pass),
            ("python manage.py test", Pass),
            ("./scripts/deploy.py", Fail),
            ("$DIR/run-tests.sh", Unknown),
            ("$DIR/test", Unknown),
            ("$DIR/deploy.sh", Fail),
            ("$DIR/bin/pytest", Pass),
            ("invoke docs", Fail),
        ],
    );
}

#[test]
fn a_path_of_end_to_end_tests_beside_others_is_one_more() {
    let files: Files<'_> = &[("test/a.js", ""), ("test/acceptance/b.js", "")];
    for (id, table) in [
        ("tests.unit_on_pull_request", [Pass, Fail, Pass]),
        ("tests.end_to_end_on_pull_request", [Pass, Pass, Fail]),
    ] {
        let runs = [
            "npx mocha --require test/support/env --reporter spec test/ test/acceptance/",
            "npx mocha test/acceptance/",
            "npx mocha",
        ];
        let table: Vec<(&str, Outcome)> = runs.into_iter().zip(table).collect();
        assert_each(files, id, &table);
    }
}

#[test]
fn tox_runs_the_environments_that_are_asked_for() {
    let ini = "[tox]\nenvlist = py{310,311}, lint\n\n[testenv]\ncommands =\n    pytest {posargs}\n\n[testenv:lint]\ncommands = ruff check\n\n[testenv:soft]\ncommands = - pytest\n\n[testenv:ignored]\nignore_outcome = true\n\n[testenv:{a,b}-x]\ncommands = echo\n\n[testenv:factors]\ncommands =\n    factors: {[testenv]commands}\n    lint: ruff check\n";
    let files = with(&[PYTHON, &[("tox.ini", ini)]]);
    assert_each(
        &files,
        "tests.unit_on_pull_request",
        &[
            ("tox", Pass),
            ("tox -e py310", Pass),
            ("tox run -e lint,py311", Pass),
            ("tox -e lint", Fail),
            ("TOXENV=lint tox", Fail),
            ("tox -e soft", Fail),
            ("tox -e ignored", Fail),
            ("tox -e a-x", Fail),
            ("tox -e $ENV", Unknown),
            ("tox list", Fail),
        ],
    );
    let toml = "[tool.tox]\nenv_list = [\"py\", \"lint\"]\n[tool.tox.env_run_base]\ncommands = [[\"pytest\"]]\n[tool.tox.env.lint]\ncommands = [[\"ruff\", \"check\"]]\n";
    let files = with(&[PYTHON, &[("pyproject.toml", toml)]]);
    let table = [("tox", Pass), ("tox -e py", Pass), ("tox -e lint", Fail)];
    assert_each(&files, "tests.unit_on_pull_request", &table);
}

#[test]
fn a_scanner_that_is_told_not_to_look_or_to_fail_scans_nothing() {
    assert_each(
        &[],
        "security.static",
        &[
            ("gitleaks detect", Pass),
            ("gitleaks detect --exit-code 0", Fail),
            ("gitleaks detect --exit-code 0 --exit-code=1", Pass),
            ("govulncheck ./...", Pass),
            ("govulncheck -format json ./...", Fail),
            ("govulncheck --json ./...", Fail),
            ("npm audit", Pass),
            ("npm audit --audit-level=none", Fail),
            ("npm audit --audit-level high", Pass),
            ("npm audit signatures", Fail),
            ("pip-audit", Pass),
            ("pip-audit --dry-run", Fail),
            ("bundle-audit check", Pass),
            ("bundle-audit update", Fail),
            ("trivy fs --exit-code 1 .", Pass),
            ("trivy fs --exit-code 1 --exit-code 0 .", Fail),
            ("trivy fs --exit-code 1 --severity NONE .", Fail),
            ("trivy fs --exit-code 1 --skip-dirs '**' .", Fail),
            ("trivy fs --exit-code 1 --skip-dirs docs .", Pass),
            ("trivy fs --exit-code 1 --download-db-only", Fail),
            ("TRIVY_EXIT_CODE=1 trivy fs .", Pass),
            ("bandit -r src", Pass),
            ("bandit -r src --exclude '*'", Fail),
            ("checkov -d .", Pass),
            ("checkov --list", Fail),
            ("checkov -d . --soft-fail-on CRITICAL", Unknown),
            ("checkov -d . --soft-fail-on LOW", Pass),
            ("mvn org.owasp:dependency-check-maven:check", Fail),
            ("mvn org.owasp:dependency-check-maven:check -DfailBuildOnCVSS=7", Pass),
        ],
    );
    let hooks = "repos:\n- repo: https://github.com/gitleaks/gitleaks\n  hooks: [{id: gitleaks}]\n";
    assert_each(
        &[(".pre-commit-config.yaml", hooks)],
        "security.static",
        &[
            ("pre-commit run --all-files", Pass),
            ("pre-commit run --hook-stage manual gitleaks", Pass),
            ("SKIP=ruff,gitleaks pre-commit run --all-files", Fail),
            ("SKIP=$LESS pre-commit run --all-files", Unknown),
        ],
    );
    assert_each(
        &[],
        "security.dynamic",
        &[
            ("zap-baseline.py -t http://app -h", Fail),
            ("cargo fuzz run x", Pass),
            ("cargo fuzz run x -- -runs=0", Fail),
            ("go test -fuzz=F -fuzztime=30s ./a", Pass),
            ("go test -fuzz=F -fuzztime=0s ./a", Unknown),
        ],
    );
}

#[test]
fn an_action_that_is_told_not_to_fail_proves_nothing() {
    for (uses, given, expected) in [
        ("anchore/scan-action@v6", "path: .", Pass),
        ("anchore/scan-action@v6", "fail-build: false", Fail),
        ("securego/gosec@v2", "args: ./...", Pass),
        ("securego/gosec@v2", "args: -no-fail ./...", Fail),
        ("snyk/actions/node@v1", "command: test", Pass),
        ("snyk/actions/node@v1", "command: monitor", Fail),
        ("github/codeql-action/analyze@v3", "category: a", Pass),
        ("github/codeql-action/analyze@v3", "upload: never", Fail),
    ] {
        let text = format!(
            "on: pull_request\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: {uses}\n        with: {{{given}}}\n"
        );
        let found = assessed(&[(CI, &text)]);
        let check = check(&found, "security.static");
        assert_eq!(check.outcome, expected, "{uses} {given}: {}", told(check));
    }
}

#[test]
fn a_plan_that_does_not_look_at_what_runs_compares_nothing() {
    let files: Files<'_> = &[("infra/main.tf", "resource \"x\" \"y\" {\n}\n")];
    for (more, expected) in
        [("", Pass), (" -refresh=false", Fail), (" -target=x.y", Unknown), (" -help --help", Fail)]
    {
        let text = format!(
            "on:\n  schedule: [{{cron: '0 3 * * *'}}]\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: terraform plan -detailed-exitcode{more}\n        working-directory: infra\n"
        );
        let found = assessed(&with(&[files, &[(CI, &text)]]));
        let check = check(&found, "infrastructure.drift");
        assert_eq!(check.outcome, expected, "{more}: {}", told(check));
    }
}
