//! Limits of coverage: which bind, and of what.

use lockgate_readiness::finding::Outcome::{self, Fail, Pass, Unknown};

use super::{Files, assessed, check, told, with};

const CI: &str = ".github/workflows/ci.yml";

const CODE: Files<'static> = &[
    ("src/shop/app.py", "def one():\n    return 1\n\n\ndef two():\n    return 2\n"),
    ("src/shop/price.py", "def price():\n    return 3\n"),
    ("tests/test_app.py", "def test_one(): pass\n"),
];

fn outcome(files: Files<'_>, run: &str) -> (Outcome, String) {
    let lines = run.replace('\n', "\n          ");
    let text = format!(
        "on: pull_request\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n          {lines}\n"
    );
    let found = assessed(&with(&[files, &[(CI, &text)]]));
    let check = check(&found, "tests.coverage_over_80");
    (check.outcome, told(check))
}

#[test]
fn the_last_limit_of_a_command_binds() {
    for (run, expected) in [
        ("pytest --cov --cov-fail-under=90", Pass),
        ("pytest --cov --cov-fail-under 90", Pass),
        ("pytest --cov=shop --cov-fail-under=90", Pass),
        ("pytest --cov --cov-fail-under=90 --cov-fail-under=0", Fail),
        ("pytest --cov --cov-fail-under=1e309", Unknown),
        ("pytest --cov --cov-fail-under=nan", Unknown),
        ("pytest --cov=tests --cov-fail-under=90", Unknown),
        ("pytest --cov=shop.price --cov-fail-under=90", Unknown),
        ("coverage run -m pytest\ncoverage report --fail-under=90", Pass),
        ("coverage run -m pytest\ncoverage xml --fail-under=90", Pass),
        ("coverage run -m pytest\ncoverage report --fail-under=90 --include='tests/*'", Unknown),
        ("coverage run -m pytest\ncoverage report --fail-under=90 --omit='*'", Unknown),
        ("pytest --collect-only --cov --cov-fail-under=90", Fail),
    ] {
        let (found, told) = outcome(CODE, run);
        assert_eq!(found, expected, "{run}: {told}");
    }
}

#[test]
fn a_report_keeps_a_limit_only_of_what_was_measured_before_it() {
    for (run, expected) in [
        ("coverage report --fail-under=90", Fail),
        ("pytest\ncoverage report --fail-under=90", Fail),
        ("coverage report --fail-under=90\ncoverage run -m pytest", Fail),
        ("coverage run -m pytest --help\ncoverage report --fail-under=90", Fail),
        ("pytest --cov --no-cov\ncoverage report --fail-under=90", Fail),
        ("pytest --cov\ncoverage report --fail-under=90", Pass),
        ("coverage run tests/all.py\ncoverage report --fail-under=90", Pass),
        ("./ci/test.py\ncoverage report --fail-under=90", Unknown),
    ] {
        let (found, told) = outcome(CODE, run);
        assert_eq!(found, expected, "{run}: {told}");
        let says = told.contains("nothing in its job measures coverage before it");
        assert_eq!(says, expected == Fail, "{told}");
    }
    let by_settings = with(&[CODE, &[("pytest.ini", "[pytest]\naddopts = --cov=shop\n")]]);
    assert_eq!(outcome(&by_settings, "pytest\ncoverage report --fail-under=90").0, Pass);
}

#[test]
fn a_report_of_what_other_jobs_measured_counts_where_their_files_are_brought() {
    let pipeline = |run: &str, bring: &str| {
        format!(
            "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: {run}\n  b:\n    needs: a\n    runs-on: x\n    steps:\n      - run: pip install coverage\n{bring}      - run: coverage combine\n      - run: coverage report --fail-under=90\n"
        )
    };
    let bring = "      - uses: actions/download-artifact@v4\n";
    for (run, bring, expected) in [
        ("coverage run -m pytest", bring, Pass),
        ("coverage run -m pytest", "", Fail),
        ("pytest", bring, Unknown),
    ] {
        let text = pipeline(run, bring);
        let found = assessed(&with(&[CODE, &[(CI, &text)]]));
        let check = check(&found, "tests.coverage_over_80");
        assert_eq!(check.outcome, expected, "{run} {bring}: {}", told(check));
    }
    let gitlab =
        "a: {stage: build, script: pytest --cov}\nb: {script: coverage report --fail-under=90}\n";
    let found = assessed(&with(&[CODE, &[(".gitlab-ci.yml", gitlab)]]));
    assert_eq!(check(&found, "tests.coverage_over_80").outcome, Pass);
}

#[test]
fn settings_bind_where_they_are_read() {
    let settings = |name: &'static str, text: &'static str| with(&[CODE, &[(name, text)]]);
    let rc = "[report]\nfail_under = 90\n";
    for (files, run, expected) in [
        (settings(".coveragerc", rc), "pytest --cov", Pass),
        (settings(".coveragerc", rc), "pytest --cov --cov-config=/dev/null", Fail),
        (
            settings("cov.ini", "[coverage:report]\nfail_under = 90\n"),
            "pytest --cov --cov-config=cov.ini",
            Pass,
        ),
        (
            settings(".coveragerc", "[run]\nomit = *\n[report]\nfail_under = 90\n"),
            "pytest --cov",
            Unknown,
        ),
        (
            settings(
                ".coveragerc",
                "[run]\nomit =\n    tests/*\n    src/*\n[report]\nfail_under = 90\n",
            ),
            "pytest --cov",
            Unknown,
        ),
        (
            settings(".coveragerc", "[run]\nomit =\n    tests/*\n[report]\nfail_under = 90\n"),
            "pytest --cov",
            Pass,
        ),
        (
            settings(
                "pyproject.toml",
                "[tool.coverage.run]\nsource = [\"shop\"]\n[tool.coverage.report]\nfail_under = 90\n",
            ),
            "pytest --cov",
            Pass,
        ),
        (
            settings(
                "pyproject.toml",
                "[tool.coverage.run]\nsource = [\"tests\"]\n[tool.coverage.report]\nfail_under = 90\n",
            ),
            "pytest --cov",
            Unknown,
        ),
    ] {
        let (found, told) = outcome(&files, run);
        assert_eq!(found, expected, "{run}: {told}");
    }
}

#[test]
fn limits_of_other_runners_bind_as_their_words_say() {
    let node = |more: &str| format!("{{\"scripts\": {{\"test\": \"{more}\"}}}}\n");
    for (script, expected) in [
        ("nyc --check-coverage --lines 90 mocha", Pass),
        ("nyc --check-coverage --lines=90 --lines=10 mocha", Fail),
        ("c8 --check-coverage --lines 90 npm run unit", Pass),
        ("nyc mocha && nyc check-coverage --lines 90", Pass),
        ("nyc --lines 90 mocha", Fail),
        ("vitest run --coverage --coverage.thresholds.lines=90", Pass),
        ("jest --coverage --coverageThreshold={}", Fail),
    ] {
        let package = node(script);
        let (found, told) = outcome(&[("package.json", &package), ("a.test.js", "")], "npm test");
        assert_eq!(found, expected, "{script}: {told}");
    }
    let jest = "{\"jest\": {\"coverageThreshold\": {\"global\": {\"lines\": 90}}}}\n";
    let jest: Files<'_> = &[("package.json", jest), ("a.test.js", "")];
    assert_eq!(outcome(jest, "npx jest --coverage").0, Pass);
    assert_eq!(outcome(jest, "npx jest --coverage --coverageThreshold='{}'").0, Fail);
    let ruby = |helper: &'static str| [("spec/spec_helper.rb", helper), ("spec/a_spec.rb", "")];
    assert_eq!(
        outcome(&ruby("SimpleCov.start do\n  minimum_coverage line: 90\nend\n"), "rspec").0,
        Pass
    );
    assert_eq!(outcome(&ruby("# minimum_coverage 90\n"), "rspec").0, Fail);
    let go: Files<'_> = &[("go.mod", "module a\n"), ("a_test.go", "package a\n")];
    let compares = "go test -coverprofile=c.out ./...\ntotal=$(go tool cover -func=c.out | tail -1)\nif [ \"$total\" -lt 90 ]; then exit 1; fi";
    assert_eq!(outcome(go, compares).0, Unknown);
    assert_eq!(outcome(go, "go test -coverprofile=c.out ./...\ngo tool cover -func=c.out").0, Fail);
}

#[test]
fn a_limit_of_maven_is_that_of_the_plugin_that_checks() {
    let pom = |skip: &str, rest: &str| {
        format!(
            "<project><plugin><artifactId>other</artifactId><minimum>0.95</minimum></plugin><plugin><artifactId>jacoco-maven-plugin</artifactId><goal>check</goal>{skip}<minimum>{rest}</minimum></plugin></project>\n"
        )
    };
    for (skip, minimum, expected) in [
        ("", "0.85", Pass),
        ("", "0.10", Fail),
        ("<skip>true</skip>", "0.85", Fail),
        ("<haltOnFailure>false</haltOnFailure>", "0.85", Fail),
    ] {
        let text = pom(skip, minimum);
        let (found, told) =
            outcome(&[("pom.xml", &text), ("src/test/java/ATest.java", "")], "mvn verify");
        assert_eq!(found, expected, "{skip} {minimum}: {told}");
    }
}

#[test]
fn a_limit_of_a_small_part_of_the_code_is_none_of_the_whole() {
    let code = |lines: usize| "export const a = 1;\n".repeat(lines);
    let package =
        "{\"scripts\": {\"test\": \"vitest run --coverage --coverage.thresholds.lines=90\"}}\n";
    for (lines, run, expected) in [
        (10, "cd small && npm test", Unknown),
        (200, "cd small && npm test", Pass),
        (10, "cd small && npm test && cd ../large && npm test", Pass),
        (10, "for d in small large; do (cd $d && npm test); done", Pass),
        (10, "for d in */; do (cd $d && npm test); done", Unknown),
    ] {
        let (small, large) = (code(lines), code(100));
        let files: Files<'_> = &[
            ("small/package.json", package),
            ("small/a.ts", &small),
            ("small/a.test.ts", ""),
            ("large/package.json", package),
            ("large/b.ts", &large),
            ("large/b.test.ts", ""),
        ];
        let (found, told) = outcome(files, run);
        assert_eq!(found, expected, "{lines} {run}: {told}");
        let says = told.contains("of less than half of the code: small");
        assert_eq!(says, run.starts_with("cd small") && expected == Unknown, "{told}");
    }
}

const CODECOV: &str = "coverage:\n  status:\n    project:\n      default:\n        target: 85%\n";
const UPLOAD: &str = "      - uses: codecov/codecov-action@v5\n";
const RULES: &str = ".github/rulesets/main.json";

fn ruleset(check: &str) -> String {
    format!(
        "{{\"enforcement\": \"active\", \"conditions\": {{\"ref_name\": {{\"include\": [\"~DEFAULT_BRANCH\"]}}}}, \"rules\": [{{\"type\": \"required_status_checks\", \"parameters\": {{\"required_status_checks\": [{{\"context\": \"{check}\"}}]}}}}]}}\n"
    )
}

/// What the threshold and whether it is above 80 % come to.
fn of_codecov(settings: &str, upload: &str, rules: &str) -> ([Outcome; 2], String) {
    let ci = format!(
        "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: pytest --cov\n{upload}"
    );
    let files: Files<'_> = &[(CI, &ci), ("codecov.yml", settings), (RULES, rules)];
    let found = assessed(&with(&[CODE, files]));
    let [first, over] =
        ["tests.coverage_threshold", "tests.coverage_over_80"].map(|id| check(&found, id).clone());
    ([first.outcome, over.outcome], format!("{} {}", told(&first), told(&over)))
}

#[test]
fn what_codecov_is_told_to_ask_for_is_a_limit_where_its_status_is_required() {
    let required = ruleset("codecov/project");
    let with = |from: &str, to: &str| CODECOV.replace(from, to);
    for (settings, upload, rules, expected, says) in [
        (CODECOV.to_owned(), UPLOAD, required.as_str(), [Pass, Pass], "at all"),
        (CODECOV.to_owned(), UPLOAD, "", [Unknown, Unknown], "only the forge can tell"),
        (CODECOV.to_owned(), UPLOAD, &ruleset("ci"), [Fail, Fail], "runs but does not block"),
        (CODECOV.to_owned(), "", &required, [Fail, Fail], "no pipeline sends"),
        (
            with("target: 85%", "target: 85%\n        informational: true"),
            UPLOAD,
            &required,
            [Fail, Fail],
            "runs but does not block: `informational: true`",
        ),
        (with("85%", "70"), UPLOAD, &required, [Pass, Fail], "70 %"),
        (with("85%", "70"), UPLOAD, "", [Unknown, Fail], "70 %"),
        (
            with("target: 85%", "target: 85%\n        threshold: 10%"),
            UPLOAD,
            &required,
            [Pass, Fail],
            "75 %",
        ),
        (with("default:", "unit:"), UPLOAD, &required, [Fail, Fail], "other checks"),
        (
            with("default:", "unit:"),
            UPLOAD,
            &ruleset("codecov/project/unit"),
            [Pass, Pass],
            "codecov/project/unit",
        ),
        (with("85%", "auto"), UPLOAD, &required, [Fail, Fail], "no step"),
        (with("project:", "patch:"), UPLOAD, &required, [Fail, Fail], "no step"),
        (
            with("target: 85%", "target: 85%\n        flags: [unit]"),
            UPLOAD,
            &required,
            [Fail, Fail],
            "no step",
        ),
        (with("85%", "850%"), UPLOAD, &required, [Fail, Fail], "no step"),
    ] {
        let (found, told) = of_codecov(&settings, upload, rules);
        assert_eq!(found, expected, "{settings}{upload}{rules}: {told}");
        assert!(says == "at all" || told.contains(says), "{says}: {told}");
    }
}

#[test]
fn coverage_is_sent_to_codecov_by_several_programs() {
    let required = ruleset("codecov/project");
    for (step, expected) in [
        ("uses: codecov/codecov-action@v5\n        continue-on-error: true", Pass),
        ("run: bash <(curl -s https://codecov.io/bash)", Pass),
        ("run: codecov upload-process", Pass),
        ("run: ./codecov -t x", Pass),
        ("run: codecov --help", Fail),
        ("uses: codecov/codecov-action@v5\n        if: github.ref == 'refs/heads/main'", Fail),
        ("uses: coverallsapp/github-action@v2", Fail),
        ("run: ./ci/upload-coverage.sh", Unknown),
        ("uses: codecov/codecov-action@v5\n      - run: ./ci/tests.py", Pass),
    ] {
        let (found, told) = of_codecov(CODECOV, &format!("      - {step}\n"), &required);
        assert_eq!(found, [expected; 2], "{step}: {told}");
    }
}
