//! Repositories of several packages: what is tested of each, and that none without tests is hidden.

use lockgate_readiness::catalog::Dimension;
use lockgate_readiness::finding::Outcome;
use lockgate_readiness::given::Given;
use lockgate_readiness::{Assessment, Facts, Package, assess};
use serde_json::Value;

use super::{Files, assert_check, assessed, check, told, tree, with};

/// Enough lines to be code.
const CODE: &str = "a()\na()\na()\na()\na()\na()\na()\na()\na()\na()\na()\na()\na()\na()\na()\na()\na()\na()\na()\na()\na()\n";

const RUST_CODE: &str = "pub fn a() {}\npub fn b() {}\npub fn c() {}\npub fn d() {}\npub fn e() {}\npub fn f() {}\npub fn g() {}\npub fn h() {}
pub fn i() {}\npub fn j() {}\npub fn k() {}\npub fn l() {}\npub fn m() {}\npub fn n() {}\npub fn o() {}\npub fn p() {}
pub fn q() {}\npub fn r() {}\npub fn s() {}\npub fn t() {}\n#[test]\nfn it_is() {}\n";

fn package<'a>(found: &'a Assessment, path: &str) -> &'a Package {
    let paths: Vec<&str> = found.packages.iter().map(|one| one.path.as_str()).collect();
    found
        .packages
        .iter()
        .find(|one| one.path == path)
        .unwrap_or_else(|| panic!("{path} of {paths:?}"))
}

fn unit<'a>(found: &'a Assessment, path: &str, outcome: Outcome) -> &'a str {
    let unit = &package(found, path).unit;
    assert_eq!(unit.outcome, outcome, "{path}: {}", unit.reason);
    &unit.reason
}

/// Two services in Python, of which the workflows test what they say.
fn services(workflows: Files<'_>) -> Vec<(&str, &str)> {
    with(&[
        &[
            ("a/pyproject.toml", "[project]\nname = \"a\"\n"),
            ("a/a/main.py", CODE),
            ("a/tests/test_a.py", "def test_a(): pass\n"),
            ("b/pyproject.toml", "[project]\nname = \"b\"\n"),
            ("b/b/main.py", CODE),
            ("b/tests/test_b.py", "def test_b(): pass\n"),
        ],
        workflows,
    ])
}

const A: (&str, &str) = (
    ".github/workflows/a.yml",
    "on: {pull_request: {paths: ['a/**']}}\njobs: {a: {runs-on: x, steps: [{run: pytest, working-directory: a}]}}\n",
);

#[test]
fn tests_belong_to_the_package_that_they_are_in() {
    let found = assessed(&services(&[A]));
    unit(&found, "a", Outcome::Pass);
    assert_eq!(
        unit(&found, "b", Outcome::Fail),
        "it has tests, and no pipeline runs them on its pull requests"
    );
    assert_eq!(package(&found, "b").unit.evidence[0].file, "b/tests/test_b.py");
    assert_check(&found, "tests.unit_on_pull_request", Outcome::Fail, "b/tests/test_b.py:1");
    assert_eq!(found.standing(Dimension::Tests).level, Some(1));
    let both: Files<'_> = &[(
        ".github/workflows/ci.yml",
        "on: pull_request\njobs: {a: {runs-on: x, strategy: {matrix: {d: [a, b]}}, steps: [{run: pytest, working-directory: '${{ matrix.d }}'}]}}\n",
    )];
    let found = assessed(&services(both));
    unit(&found, "a", Outcome::Pass);
    unit(&found, "b", Outcome::Pass);
    assert_check(&found, "tests.unit_on_pull_request", Outcome::Pass, ".github/workflows/ci.yml:2");
}

#[test]
fn tests_that_a_change_of_the_package_does_not_start_are_none_of_it() {
    let b_by_changes_of_a: Files<'_> = &[
        A,
        (
            ".github/workflows/b.yml",
            "on: {pull_request: {paths: ['a/**', '!a/docs/**']}}\njobs: {b: {runs-on: x, steps: [{run: pytest b}]}}\n",
        ),
    ];
    let found = assessed(&services(b_by_changes_of_a));
    unit(&found, "b", Outcome::Fail);
    let all_but_a: Files<'_> = &[
        A,
        (
            ".github/workflows/b.yml",
            "on: {pull_request: {paths-ignore: ['a/**']}}\njobs: {b: {runs-on: x, steps: [{run: pytest b}]}}\n",
        ),
    ];
    unit(&assessed(&services(all_but_a)), "b", Outcome::Pass);
}

#[test]
fn a_package_without_tests_leaves_it_open_until_a_report_shows_that_others_reach_it() {
    let mut files = services(&[(
        ".github/workflows/ci.yml",
        "on: pull_request\njobs: {a: {runs-on: x, steps: [{run: pytest}]}}\n",
    )]);
    files.retain(|(path, _)| *path != "b/tests/test_b.py");
    let found = assessed(&files);
    unit(&found, "b", Outcome::Unknown);
    let reason = &check(&found, "tests.unit_on_pull_request").reason;
    assert!(
        reason.starts_with("of 2 packages, no unit tests of these are seen to run: b;"),
        "{reason}"
    );
    assert_eq!(found.standing(Dimension::Tests).level, Some(1));
    assert_eq!(package(&found, "b").coverage.outcome, Outcome::Unknown);
    let report = "SF:b/b/main.py\nDA:1,1\nDA:2,0\nend_of_record\n";
    let given = vec![Given::read("lcov.info", report).unwrap()];
    let found = assess(&tree(&files), &Facts { given, ..Facts::default() });
    unit(&found, "b", Outcome::Pass);
    assert_eq!(package(&found, "b").coverage.reason, "50 % of 2 lines reached");
    assert_eq!(check(&found, "tests.unit_on_pull_request").outcome, Outcome::Pass);
}

#[test]
fn what_holds_no_code_or_only_helps_tests_is_not_asked() {
    let found = assessed(&with(&[
        &services(&[(
            ".github/workflows/ci.yml",
            "on: pull_request\njobs: {a: {runs-on: x, steps: [{run: pytest}]}}\n",
        )]),
        &[
            ("config/package.json", "{\"name\": \"config\"}\n"),
            ("config/eslint.config.js", CODE),
            ("testkit/pyproject.toml", "[project]\nname = \"testkit\"\n"),
            ("testkit/kit.py", CODE),
            ("examples/x/package.json", "{\"name\": \"x\"}\n"),
            ("js-examples/package.json", "{\"name\": \"y\"}\n"),
        ],
    ]));
    assert_eq!(found.packages.len(), 4, "{:?}", found.packages);
    assert!(!package(&found, "config").asked && !package(&found, "testkit").asked);
    assert_eq!(check(&found, "tests.unit_on_pull_request").outcome, Outcome::Pass);
}

#[test]
fn cargo_tests_the_packages_that_it_is_told_to() {
    let workspace = |root: &'static str, run: &'static str| {
        let ci =
            format!("on: pull_request\njobs: {{a: {{runs-on: x, steps: [{{run: {run}}}]}}}}\n");
        let files: Files<'_> = &[
            ("Cargo.toml", root),
            ("src/lib.rs", RUST_CODE),
            ("crates/one/Cargo.toml", "[package]\nname = \"one\"\n"),
            ("crates/one/src/lib.rs", RUST_CODE),
            ("crates/two/Cargo.toml", "[package]\nname = \"two\"\n"),
            ("crates/two/src/lib.rs", RUST_CODE),
            (".github/workflows/ci.yml", &ci),
        ];
        let found = assessed(files);
        let passing = found.packages.iter().filter(|one| one.unit.outcome == Outcome::Pass);
        passing.map(|one| one.path.clone()).collect::<Vec<_>>().join(" ")
    };
    let package = "[package]\nname = \"root\"\n[workspace]\nmembers = [\"crates/*\"]\n";
    let virtual_one = "[workspace]\nmembers = [\"crates/*\"]\n";
    assert_eq!(workspace(package, "cargo test"), ".");
    assert_eq!(workspace(package, "cargo test --workspace"), ". crates/one crates/two");
    assert_eq!(workspace(package, "cargo test -p two"), "crates/two");
    assert_eq!(
        workspace(package, "cargo test --manifest-path crates/one/Cargo.toml"),
        "crates/one"
    );
    assert_eq!(workspace(virtual_one, "cargo test"), "crates/one crates/two");
    assert_eq!(workspace(virtual_one, "cargo test --package=one"), "crates/one");
    assert_eq!(workspace(virtual_one, "cargo test --package gone"), "crates/one crates/two");
}

#[test]
fn modules_of_go_and_workspaces_of_npm_are_told_apart() {
    let ci = |run: &str| {
        format!("on: pull_request\njobs: {{a: {{runs-on: x, steps: [{{run: {run}}}]}}}}\n")
    };
    let go = ci("go test ./...");
    let found = assessed(&[
        ("go.mod", "module x\n"),
        ("x.go", CODE),
        ("x_test.go", "package x\n"),
        ("tool/go.mod", "module tool\n"),
        ("tool/t.go", CODE),
        ("tool/t_test.go", "package tool\n"),
        (".github/workflows/ci.yml", &go),
    ]);
    unit(&found, ".", Outcome::Pass);
    unit(&found, "tool", Outcome::Fail);
    let npm = ci("npm test --workspaces");
    let found = assessed(&[
        ("package.json", "{\"workspaces\": [\"packages/*\"]}\n"),
        ("packages/a/package.json", "{\"name\": \"a\", \"scripts\": {\"test\": \"vitest run\"}}\n"),
        ("packages/a/a.ts", CODE),
        ("packages/a/a.test.ts", "it()\n"),
        ("packages/b/package.json", "{\"name\": \"b\"}\n"),
        ("packages/b/b.ts", CODE),
        (".github/workflows/ci.yml", &npm),
    ]);
    assert_eq!(found.packages.len(), 2);
    unit(&found, "packages/a", Outcome::Pass);
    unit(&found, "packages/b", Outcome::Unknown);
}

#[test]
fn one_package_is_not_told() {
    let one = assessed(&[("a/pyproject.toml", "[project]\n"), ("a/x.py", CODE)]);
    assert!(one.packages.is_empty());
    assert_eq!(serde_json::to_value(&one).unwrap().get("packages"), None::<&Value>);
    let check = check(&one, "tests.unit_on_pull_request");
    assert!(!check.reason.contains("packages"), "{}", told(check));
}

#[test]
fn other_tests_stand_in_for_unit_tests_that_are_not_there_and_for_none_that_are() {
    let run = "on: pull_request\njobs: {a: {runs-on: x, steps: [{run: pytest tests/integration, working-directory: a}, {run: pytest, working-directory: b}]}}\n";
    let files = |unit: bool| {
        let mut files = vec![
            ("a/pyproject.toml", "[project]\nname = \"a\"\n"),
            ("a/a/main.py", CODE),
            ("a/tests/integration/test_a.py", "def test_a(): pass\n"),
            ("b/pyproject.toml", "[project]\nname = \"b\"\n"),
            ("b/b/main.py", CODE),
            ("b/tests/test_b.py", "def test_b(): pass\n"),
            (".github/workflows/ci.yml", run),
        ];
        files.extend(unit.then_some(("a/tests/unit/test_a.py", "def test_a(): pass\n")));
        assessed(&files)
    };
    assert_eq!(
        unit(&files(false), "a", Outcome::Pass),
        "its tests run, and none of them are unit tests"
    );
    assert_eq!(
        unit(&files(true), "a", Outcome::Fail),
        "it has tests, and no pipeline runs them on its pull requests"
    );
}

/// Enough lines of another language.
const GO_CODE: &str = "package a\nfunc a() {}\nfunc b() {}\nfunc c() {}\nfunc d() {}\nfunc e() {}\nfunc f() {}\nfunc g() {}\nfunc h() {}\nfunc i() {}
func j() {}\nfunc k() {}\nfunc l() {}\nfunc m() {}\nfunc n() {}\nfunc o() {}\nfunc p() {}\nfunc q() {}\nfunc r() {}\nfunc s() {}\n";

#[test]
fn all_packages_of_a_workspace_are_those_that_its_patterns_name() {
    let ci = "on: pull_request\njobs: {a: {runs-on: x, steps: [{run: npx lerna run test}]}}\n";
    let package = "{\"scripts\": {\"test\": \"vitest run\"}}\n";
    for (file, text, expected) in [
        ("lerna.json", "{\"packages\": [\"packages/*\"]}\n", Outcome::Fail),
        ("lerna.json", "{\"packages\": [\"./packages/*\", \"old/*/\"]}\n", Outcome::Pass),
        ("pnpm-workspace.yaml", "packages: ['**', '!old/**']\n", Outcome::Fail),
        ("pnpm-workspace.yaml", "packages: ['**']\n", Outcome::Pass),
        ("package.json", "{\"workspaces\": {\"packages\": [\"packages/*\"]}}\n", Outcome::Fail),
        ("package.json", "{\"workspaces\": [\"packages/*\", \"old/b\"]}\n", Outcome::Pass),
        ("README.md", "", Outcome::Pass),
    ] {
        let found = assessed(&[
            (".github/workflows/ci.yml", ci),
            (file, text),
            ("packages/a/package.json", package),
            ("packages/a/a.ts", CODE),
            ("packages/a/a.test.ts", ""),
            ("old/b/package.json", package),
            ("old/b/b.ts", CODE),
            ("old/b/b.test.ts", ""),
        ]);
        unit(&found, "packages/a", Outcome::Pass);
        let b = found.packages.iter().find(|package| package.path == "old/b").unwrap();
        assert_eq!(b.unit.outcome, expected, "{file} {text}: {}", b.unit.reason);
    }
}

#[test]
fn a_step_works_in_a_directory_of_the_checkout_or_elsewhere() {
    for (dir, expected) in [
        ("a", Outcome::Pass),
        ("./a/", Outcome::Pass),
        ("${{ github.workspace }}/a", Outcome::Pass),
        ("${{github.workspace}}", Outcome::Pass),
        ("${{ github.workspace }}/b", Outcome::Fail),
        ("${{ vars.A }}/a", Outcome::Unknown),
        ("/a", Outcome::Unknown),
    ] {
        let ci = format!(
            "on: pull_request\njobs: {{a: {{runs-on: x, steps: [{{run: pytest, working-directory: '{dir}'}}]}}}}\n"
        );
        let found = assessed(&[
            (".github/workflows/ci.yml", &ci),
            ("a/pyproject.toml", "[project]\nname = \"a\"\n"),
            ("a/a.py", CODE),
            ("a/tests/test_a.py", "def test_a(): pass\n"),
            ("b/pyproject.toml", "[project]\nname = \"b\"\n"),
            ("b/tests/test_b.py", "def test_b(): pass\n"),
        ]);
        let a = found.packages.iter().find(|package| package.path == "a").unwrap();
        assert_eq!(a.unit.outcome, expected, "{dir}: {}", a.unit.reason);
    }
}

#[test]
fn a_loop_over_directories_that_are_written_out_runs_in_each() {
    let ci = |list: &str, body: &str| {
        format!(
            "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n          for d in {list}; do\n            {body}\n          done\n"
        )
    };
    let inside = "(cd \"$d\" && pytest)";
    for (list, body, expected) in [
        ("a b", inside, [Outcome::Pass, Outcome::Pass]),
        ("a b", "pytest $d", [Outcome::Pass, Outcome::Pass]),
        ("a", inside, [Outcome::Pass, Outcome::Fail]),
        ("a b", "(cd \"$d\" && pytest) || true", [Outcome::Fail, Outcome::Fail]),
        ("a b", "[ $d = b ] || (cd $d && pytest)", [Outcome::Pass, Outcome::Fail]),
        ("*/", inside, [Outcome::Unknown, Outcome::Unknown]),
        ("$DIRS", inside, [Outcome::Unknown, Outcome::Unknown]),
    ] {
        let ci = ci(list, body);
        let found = assessed(&[
            (".github/workflows/ci.yml", &ci),
            ("a/pyproject.toml", "[project]\nname = \"a\"\n"),
            ("a/a.py", CODE),
            ("a/tests/test_a.py", "def test_a(): pass\n"),
            ("b/pyproject.toml", "[project]\nname = \"b\"\n"),
            ("b/b.py", CODE),
            ("b/tests/test_b.py", "def test_b(): pass\n"),
        ]);
        unit(&found, "a", expected[0]);
        unit(&found, "b", expected[1]);
    }
}

#[test]
fn tests_of_one_service_are_none_of_another() {
    let ci = "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: dotnet test src/cart/\n      - run: |\n          for d in one two; do\n            cd $UNKNOWN/$d && go test\n          done\n";
    let found = assessed(&[
        (".github/workflows/ci.yml", ci),
        ("src/cart/tests/cart.tests.csproj", "<Project/>\n"),
        ("src/cart/tests/CartTest.cs", "class CartTest { [Fact] void A() {} }\n"),
        ("src/ads/build.gradle", "plugins {}\n"),
        ("src/ads/src/main/java/Ads.java", CODE),
        ("src/ads/src/test/java/AdsTest.java", "class AdsTest { @Test void a() {} }\n"),
        ("src/pay/package.json", "{\"name\": \"pay\"}\n"),
        ("src/pay/index.js", CODE),
        ("src/out/go.mod", "module out\n"),
        ("src/out/out.go", GO_CODE),
        ("src/out/out_test.go", "package out\nfunc TestA(t *testing.T) {}\n"),
        ("src/mail/requirements.txt", "grpcio\n"),
        ("src/mail/Dockerfile", "FROM python:3.13\n"),
        ("src/mail/server.py", CODE),
        ("docs/requirements.txt", "sphinx\n"),
        ("docs/conf.py", CODE),
    ]);
    unit(&found, "src/ads", Outcome::Fail);
    unit(&found, "src/pay", Outcome::Unknown);
    assert_eq!(
        unit(&found, "src/out", Outcome::Unknown),
        "unit tests run in directories that no file writes out"
    );
    unit(&found, "src/mail", Outcome::Unknown);
    assert_eq!(found.packages.len(), 4, "{:?}", found.packages);
}
