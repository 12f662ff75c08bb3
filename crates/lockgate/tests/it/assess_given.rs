//! `lockgate assess` with what is handed in, what `zizmor` finds, and starter files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Ran, lockgate, run_in};

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

fn json(dir: &Path, args: &[&str]) -> Value {
    let ran = run_in(dir, &[&["assess", "--output", "json"], args].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).expect("JSON")
}

/// A check of an assessment in JSON.
fn check<'a>(told: &'a Value, id: &str) -> &'a Value {
    let (dimension, _) = id.split_once('.').expect("an id");
    let checks = told["dimensions"][dimension]["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no check {id}"))
}

#[test]
fn what_is_handed_in_is_told_by_its_name() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    write(dir.path(), "a.py", "x\nx\n");
    write(dir.path(), "out/lcov.info", "SF:a.py\nDA:1,1\nDA:2,1\nend_of_record\n");
    write(
        dir.path(),
        "scan.sarif",
        "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"gitleaks\"}},\"results\":[]}]}",
    );
    let absolute = dir.path().join("scan.sarif").display().to_string();
    let args = ["--evidence", "out/lcov.info", "--evidence", &absolute];
    let told = json(dir.path(), &args);
    assert_eq!(told["given"][0]["file"], "out/lcov.info");
    assert_eq!(told["given"][1]["file"], "scan.sarif", "no path of the machine");
    assert_eq!(told["given"][1]["date"], Value::Null);
    assert_eq!(check(&told, "tests.coverage_over_80")["outcome"], "pass");
    assert_eq!(check(&told, "security.secrets_on_pull_request")["outcome"], "unknown");
    let text = run_in(dir.path(), &[&["assess"], &args[..]].concat());
    assert!(text.stdout.contains("handed in:\n  out/lcov.info (no date is in it): LCOV: 100 % of 2 lines in 1 file reached\n"), "{}", text.stdout);
    for (file, part) in
        [("a.py", "neither LCOV, XML nor JSON"), ("gone.xml", "cannot read gone.xml")]
    {
        let ran = run_in(dir.path(), &["assess", "--evidence", file]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    let hint = run_in(dir.path(), &["assess", "--evidence", "a.py"]).stderr;
    assert!(
        hint.contains(
            "hint: hand in a report of coverage (LCOV, Cobertura XML, JaCoCo XML), a SARIF"
        ),
        "{hint}"
    );
}

/// Where the scanner of workflows is that the tests' environment for Python has.
fn scanners() -> PathBuf {
    let python = std::env::var("LOCKGATE_TEST_PYTHON").expect("./test sets LOCKGATE_TEST_PYTHON");
    Path::new(&python).parent().expect("a directory").to_owned()
}

#[test]
fn zizmor_looks_at_workflows_when_it_is_asked_to() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    write(
        dir.path(),
        "repo/.github/workflows/ci.yml",
        "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n      - run: echo \"${{ github.event.pull_request.title }}\"\n",
    );
    // A program of the checkout is not the one that is asked.
    write(dir.path(), "zizmor", "#!/bin/sh\ntouch ran\n");
    let path = format!(".:{}", scanners().display());
    let ran = run_with(dir.path(), &["assess", "repo", "--zizmor", "--output", "json"], &path);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let says = told["given"][0]["says"].as_str().expect("text");
    assert!(says.starts_with("SARIF: zizmor (code or templates): 2 errors, "), "{says}");
    assert!(told["given"][0]["date"].is_string(), "it was run today: {told}");
    let code = check(&told, "security.code_on_pull_request");
    assert_eq!((&code["outcome"], &code["given"][0]), (&"unknown".into(), &"zizmor".into()));
    assert!(!dir.path().join("ran").exists() && !dir.path().join("repo/ran").exists());
    write(dir.path(), "empty/README.md", "hello\n");
    let nothing = run_with(dir.path(), &["assess", "empty", "--zizmor", "--output", "json"], &path);
    let nothing: Value = serde_json::from_str(&nothing.stdout).expect("JSON");
    assert_eq!(nothing["given"], Value::Array(Vec::new()), "no workflows, no scan");
    let missing = run_with(dir.path(), &["assess", "repo", "--zizmor"], ".");
    assert_eq!((missing.code, missing.stdout.as_str()), (2, ""));
    assert!(
        missing.stderr.contains("zizmor is not installed")
            && missing.stderr.contains("pip install zizmor"),
        "{}",
        missing.stderr
    );
}

/// Runs a command in a directory, where programs are looked for in these.
fn run_with(dir: &Path, args: &[&str], path: &str) -> Ran {
    let mut command = lockgate();
    command.current_dir(dir).args(args).env("PATH", path);
    command.output().expect("the binary starts").into()
}

fn git(dir: &Path, args: &[&str]) {
    let ran = Command::new("git").args(args).current_dir(dir).output().expect("git");
    assert!(ran.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn starter_files_applied_show_what_they_say_and_no_more() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let root = dir.path();
    write(root, "Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\naxum = \"0.8\"\n");
    write(root, "src/lib.rs", "#[test]\nfn a() {}\n");
    write(root, "infra/main.tf", "resource \"aws_ecs_service\" \"a\" {\n}\n");
    git(root, &["init", "--quiet"]);
    let diff = run_in(root, &["assess", "--fix"]);
    assert_eq!((diff.code, diff.stderr.as_str()), (0, ""));
    let list = |what: &str| -> Vec<String> {
        let lines =
            diff.stdout.lines().filter_map(|line| line.strip_prefix(&format!("  {what}: ")));
        lines.flat_map(|line| line.split(", ").map(str::to_owned)).collect()
    };
    let (shown, waiting) = (list("shows as it is"), list("shows once it is filled in"));
    for id in [
        "ci_cd.build",
        "ci_cd.test_on_main",
        "tests.unit_on_pull_request",
        "security.secrets_on_pull_request",
        "security.compliance",
    ] {
        assert!(shown.iter().any(|known| known == id), "{id}: {shown:?}");
    }
    for id in [
        "branch_protection.review",
        "infrastructure.drift",
        "observability.alerts",
        "observability.escalation",
    ] {
        assert!(waiting.iter().any(|known| known == id), "{id}: {waiting:?}");
    }
    let before = json(root, &[]);
    write(root, "fix.diff", &diff.stdout);
    git(root, &["apply", "--check", "fix.diff"]);
    git(root, &["apply", "fix.diff"]);
    let after = json(root, &[]);
    for id in &shown {
        assert_ne!(check(&before, id)["outcome"], "pass", "{id}");
        assert_eq!(check(&after, id)["outcome"], "pass", "{id}");
    }
    for id in &waiting {
        assert_ne!(check(&after, id)["outcome"], "pass", "{id} waits for a person");
    }
    assert_eq!(after["notes"], before["notes"]);
    let zizmor = Command::new(scanners().join("zizmor"))
        .args(["--offline", "--no-progress", "."])
        .current_dir(root)
        .output()
        .expect("zizmor");
    assert!(zizmor.status.success(), "{}", String::from_utf8_lossy(&zizmor.stdout));
    let again = run_in(root, &["assess", "--fix"]);
    assert_eq!(again.stdout, "", "nothing is offered over what is there");
    let changed = "* @acme/platform\n";
    write(root, ".github/CODEOWNERS", changed);
    assert_eq!(check(&json(root, &[]), "branch_protection.review")["outcome"], "pass");
}
