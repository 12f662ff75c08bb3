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
