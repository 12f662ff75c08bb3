//! `lockgate assess`

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::run_in;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

#[test]
fn a_checkout_is_told_with_its_lines_and_a_gate_fails_it() {
    let dir = package_that_runs("cargo test");
    let ran = run_in(dir.path(), &["assess"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!("assess", ran.stdout);
    let json = run_in(dir.path(), &["assess", ".", "--output", "json"]);
    assert_eq!(json.stdout, run_in(dir.path(), &["assess", "--output", "json"]).stdout);
    let told: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(told["schema"], 1);
    assert_eq!(told["dimensions"]["ci_cd"]["level"], 1);
    assert_eq!(told["dimensions"]["branch_protection"]["level"], Value::Null);
    let gate = run_in(dir.path(), &["assess", "--require", "scenario=monolith"]);
    assert_eq!(gate.code, 1);
    assert!(gate.stderr.contains("tests.coverage_over_80 is missing"), "{}", gate.stderr);
}

#[test]
fn what_cannot_be_assessed_is_a_mistake_in_usage() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    for args in [&["assess", "gone"][..], &["assess", "--require", "scenario=none"]] {
        let ran = run_in(dir.path(), args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {}", ran.stderr);
    }
}

/// A package with this in its pipeline, and whose review only the forge knows.
fn package_that_runs(command: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory for the test");
    write(dir.path(), "Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\naxum = \"0.8\"\n");
    write(dir.path(), "src/lib.rs", "#[test]\nfn a() {}\n");
    write(
        dir.path(),
        ".github/workflows/ci.yml",
        &format!(
            "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: {command}\n"
        ),
    );
    write(dir.path(), "CODEOWNERS", "# * @team\n");
    dir
}

/// One whose tests block nothing.
fn a_checkout(said: &str) -> tempfile::TempDir {
    let dir = package_that_runs("cargo test || true");
    if !said.is_empty() {
        write(dir.path(), "lockgate.attest.yaml", said);
    }
    dir
}

const SAID: &str = "\
attest:
- {check: branch_protection.review, owner: platform, until: 2999-12-31, link: 'https://wiki.acme.io/reviews'}
- {check: observability.alerts, owner: platform, until: 2001-12-31, link: 'https://wiki.acme.io/alerts'}
- {check: tests.unti, owner: platform, until: 2999-12-31, link: 'https://wiki.acme.io/tests'}
suppress:
- {check: tests.unit, reason: rewritten soon, until: 2999-12-31}
";

#[test]
fn what_people_say_is_marked_and_what_is_wrong_with_it_is_told() {
    let dir = a_checkout(SAID);
    let ran = run_in(dir.path(), &["assess"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let line = |part: &str| {
        let found = ran.stdout.lines().find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("{part}: {}", ran.stdout)).to_owned()
    };
    let review = line(" review ");
    assert!(
        review.starts_with("branch_protection  unknown (L1 attested)  attested")
            && review.contains("by platform until 2999-12-31, https://wiki.acme.io/reviews; "),
        "{review}"
    );
    assert!(line(" unit ").contains("fail, suppressed"), "{}", ran.stdout);
    assert!(
        line(" unit ").contains("accepted until 2999-12-31: rewritten soon; "),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("  tests.unit:"), "nothing to fix next: {}", ran.stdout);
    for part in [
        "note: lockgate.attest.yaml:3:3: the attestation of observability.alerts ended on 2001-12-31",
        "note: lockgate.attest.yaml:4:11: error: there is no check `tests.unti`; hint: did you mean `tests.unit`?",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
}

#[test]
fn reports_for_other_places_are_printed_instead() {
    let dir = a_checkout(SAID);
    let markdown = run_in(dir.path(), &["assess", "--format", "markdown"]);
    assert_eq!((markdown.code, markdown.stderr.as_str()), (0, ""));
    assert!(markdown.stdout.starts_with("## Readiness\n\n| dimension |"), "{}", markdown.stdout);
    assert!(markdown.stdout.contains("](.github/workflows/ci.yml#L6)"), "{}", markdown.stdout);
    let args = ["assess", "--format", "sarif", "--require", "scenario=monolith"];
    let sarif = run_in(dir.path(), &args);
    assert_eq!(sarif.code, 1, "the gate still ends it: {}", sarif.stderr);
    let told: Value = serde_json::from_str(&sarif.stdout).expect("JSON");
    assert_eq!(told["version"], "2.1.0");
    let results = told["runs"][0]["results"].as_array().expect("results");
    let unit = results.iter().find(|result| result["ruleId"] == "tests.unit").expect("a result");
    assert_eq!(unit["level"], "error");
    assert_eq!(
        unit["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        ".github/workflows/ci.yml"
    );
    assert!(!sarif.stdout.contains(&dir.path().display().to_string()), "no path of the machine");
    for args in [
        &["assess", "--format", "sarif", "--output", "json"][..],
        &["assess", "--format", "sarif", "--baseline", "Cargo.toml"],
        &["assess", "--format", "badge", "--baseline", "Cargo.toml"],
        &[
            "assess",
            "--format",
            "badge",
            "--require",
            "scenario=monolith",
            "--require",
            "scenario=serverless",
        ],
        &["assess", "--fix", "--format", "html"],
        &["assess", "--format", "pdf"],
    ] {
        let ran = run_in(dir.path(), args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn what_changed_since_a_baseline_is_told() {
    let dir = a_checkout("");
    let before = run_in(dir.path(), &["assess", "--output", "json"]);
    let kept = tempfile::tempdir().expect("a directory for the test");
    write(kept.path(), "before.json", &before.stdout);
    let baseline = kept.path().join("before.json").display().to_string();
    let same = run_in(dir.path(), &["assess", "--baseline", &baseline]);
    assert!(same.stdout.contains("changed since the baseline:\n  nothing\n"), "{}", same.stdout);
    write(
        dir.path(),
        ".github/workflows/ci.yml",
        "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: cargo test\n",
    );
    let better = run_in(dir.path(), &["assess", "--baseline", &baseline]);
    assert!(
        better.stdout.contains("  level of tests: L0 → L1\n")
            && better.stdout.contains("  better: tests.unit fail → pass\n"),
        "{}",
        better.stdout
    );
    let args = ["assess", "--output", "json", "--baseline", &baseline];
    let told: Value = serde_json::from_str(&run_in(dir.path(), &args).stdout).expect("JSON");
    let unit = serde_json::json!({"id": "tests.unit", "from": "fail", "to": "pass"});
    assert!(told["changes"]["better"].as_array().expect("a list").contains(&unit), "{told}");
    assert_eq!((&told["schema"], &told["dimensions"]["tests"]["level"]), (&1.into(), &1.into()));
    let before: Value = serde_json::from_str(&before.stdout).expect("JSON");
    assert_eq!(before.get("changes"), None);
}

#[test]
fn a_baseline_that_is_none_is_a_mistake_in_usage() {
    let dir = a_checkout("");
    write(dir.path(), "other.json", "{\"schema\": 2}");
    for (file, why) in [
        ("gone.json", "cannot read gone.json"),
        ("Cargo.toml", "it is no JSON of an assessment"),
        ("other.json", "it has schema 2, and only 1 is known"),
    ] {
        let ran = run_in(dir.path(), &["assess", "--baseline", file]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{file}: {}", ran.stderr);
        assert!(ran.stderr.contains(why), "{file}: {}", ran.stderr);
        assert!(ran.stderr.contains("hint: print one with"), "{file}: {}", ran.stderr);
    }
}

#[test]
fn a_page_and_a_badge_are_printed_and_a_schema_is_published() {
    let dir = a_checkout(SAID);
    let page =
        run_in(dir.path(), &["assess", "--format", "html", "--require", "scenario=monolith"]);
    assert_eq!(page.code, 1, "the gate still ends it: {}", page.stderr);
    assert!(page.stdout.starts_with("<!DOCTYPE html>") && page.stdout.ends_with("</html>\n"));
    assert!(!page.stdout.contains(&dir.path().display().to_string()), "no path of the machine");
    let badge = run_in(dir.path(), &["assess", "--format", "badge"]);
    assert!(
        badge.stdout.contains(">5× L0, 1 unknown<") || badge.stdout.contains("1 unknown<"),
        "{}",
        badge.stdout
    );
    let badge =
        run_in(dir.path(), &["assess", "--format", "badge", "--require", "scenario=serverless"]);
    assert_eq!(badge.code, 1);
    assert!(
        badge.stdout.contains(">serverless<") && badge.stdout.contains(">not ready<"),
        "{}",
        badge.stdout
    );
    let schema = run_in(dir.path(), &["schema", "assessment"]);
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/assessment.schema.json");
    assert_eq!(schema.stdout, fs::read_to_string(published).expect("the schema"));
    let configuration = run_in(dir.path(), &["schema"]).stdout;
    assert_eq!(configuration, run_in(dir.path(), &["schema", "configuration"]).stdout);
    assert_ne!(configuration, schema.stdout);
}

#[test]
fn gaps_are_told_with_what_is_asked_always_and_where_people_can_tell() {
    let dir = a_checkout("");
    let ran = run_in(dir.path(), &["assess", "--show", "packages"]);
    for part in [
        "  tests.coverage_over_80: raise the enforced threshold above 80",
        "  observability.health_checks: add liveness and readiness probes",
        "whoever answers for it can say so in `lockgate.attest.yaml`:\n  - {check: branch_protection.review, owner: …",
        "monolith: does not pass\n  needed at L2: tests (L0), observability (L0), and 2 of ci_cd (L0), infrastructure (L0), security (L0), branch_protection (unknown)\n  asked always: tests.coverage_over_80,",
        "packages: fewer than two are seen",
    ] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
    write(dir.path(), "tool/Cargo.toml", "[package]\nname = \"tool\"\n");
    let ran = run_in(dir.path(), &["assess", "--show", "packages"]);
    let line = ran.stdout.lines().find(|line| line.starts_with("tool ")).expect("a package");
    assert!(line.ends_with("holds no code that is asked about"), "{line}");
}
