//! What runs Lockgate in the pipelines of others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::run_in;

const LOCKGATE: &str = env!("CARGO_BIN_EXE_lockgate");

fn integrations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integrations")
}

fn read(path: &str) -> String {
    fs::read_to_string(integrations().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A checkout with a report of coverage whose name a shell would take for a command.
fn checkout() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let tree = dir.path().join("a tree");
    fs::create_dir_all(&tree).expect("made");
    fs::write(tree.join("a.py"), "x\n").expect("written");
    fs::write(dir.path().join("$(touch ran).info"), "SF:a.py\nDA:1,1\nend_of_record\n")
        .expect("written");
    dir
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{:?}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Runs the action's script as its step does.
fn act(dir: &Path, require: &str, lockgate: &str) -> Output {
    Command::new("bash")
        .arg(integrations().join("github-action/assess.sh"))
        .current_dir(dir)
        .env("ASSESS_PATH", "a tree")
        .env("ASSESS_REQUIRE", require)
        .env("ASSESS_EVIDENCE", "$(touch ran).info\n")
        .env("ASSESS_ZIZMOR", "false")
        .env("ASSESS_SARIF", "out.sarif")
        .env("ASSESS_LOCKGATE", lockgate)
        .env("GITHUB_STEP_SUMMARY", dir.join("summary.md"))
        .env("GITHUB_OUTPUT", dir.join("output"))
        .output()
        .expect("bash")
}

#[test]
fn the_action_writes_its_reports_and_ends_with_the_gate() {
    for (require, code, passed) in
        [("", 0, "passed=true\n"), ("monolith serverless", 1, "passed=false\n")]
    {
        let dir = checkout();
        let output = act(dir.path(), require, LOCKGATE);
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        let file = |name: &str| fs::read_to_string(dir.path().join(name)).expect(name);
        let sarif: Value = serde_json::from_str(&file("out.sarif")).expect("JSON");
        assert_eq!(sarif["version"], "2.1.0");
        assert!(
            file("summary.md").contains("100&#37; of 1 line")
                || file("summary.md").contains("100 &#37; of 1 line"),
            "{}",
            file("summary.md")
        );
        assert_eq!(file("output"), passed);
        assert!(!dir.path().join("ran").exists(), "a name was run");
    }
    let dir = checkout();
    for (require, lockgate) in [("none-such", LOCKGATE), ("", "no-such-program")] {
        let output = act(dir.path(), require, lockgate);
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    }
}

#[test]
fn the_job_of_gitlab_writes_its_reports_and_ends_with_the_gate() {
    let template = read("gitlab/assess.gitlab-ci.yml");
    let (_, script) = template.split_once("    - |\n").expect("a script");
    let (script, _) = script.split_once("  artifacts:").expect("an end");
    let script: Vec<&str> = script.lines().map(|line| line.trim_start_matches("      ")).collect();
    let script = script.join("\n");
    for (require, code) in [("", 0), ("monolith", 1), ("none-such", 2)] {
        let dir = checkout();
        let bin = Path::new(LOCKGATE).parent().expect("a directory");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a PATH"));
        let output = Command::new("sh")
            .args(["-e", "-c", &script])
            .current_dir(dir.path())
            .env("PATH", path)
            .env("LOCKGATE_PATH", "a tree")
            .env("LOCKGATE_REQUIRE", require)
            .env("LOCKGATE_EVIDENCE", "$(touch ran).info")
            .output()
            .expect("sh");
        assert_eq!(output.status.code(), Some(code), "{require}: {}", told(&output));
        let html = fs::read_to_string(dir.path().join("lockgate.html")).expect("a page");
        assert!(html.starts_with("<!DOCTYPE html>"), "{html}");
        assert!(!dir.path().join("ran").exists(), "a name was run");
    }
}

/// The scanner of workflows that the tests' environment for Python has.
fn zizmor() -> PathBuf {
    let python = std::env::var("LOCKGATE_TEST_PYTHON").expect("./test sets LOCKGATE_TEST_PYTHON");
    Path::new(&python).with_file_name("zizmor")
}

#[test]
fn a_scanner_of_workflows_finds_nothing_in_them() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let workflows = dir.path().join(".github/workflows");
    fs::create_dir_all(&workflows).expect("made");
    fs::write(workflows.join("example.yml"), read("github-action/example.yml")).expect("written");
    fs::write(dir.path().join("action.yml"), read("github-action/action.yml")).expect("written");
    assert_nothing_found(dir.path(), ".");
}

#[test]
fn a_scanner_of_workflows_finds_nothing_in_our_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    assert_nothing_found(&root, ".github");
}

fn assert_nothing_found(dir: &Path, input: &str) {
    let ran = Command::new(zizmor())
        .args(["--offline", "--no-progress", "--persona", "pedantic"])
        .arg(input)
        .current_dir(dir)
        .output()
        .expect("zizmor");
    assert!(ran.status.success(), "{}", told(&ran));
    assert!(told(&ran).contains("No findings to report"), "{}", told(&ran));
}

#[test]
fn our_own_reader_of_pipelines_reads_them_whole() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let example = read("github-action/example.yml");
    let (before, after) =
        example.split_once("acme/lockgate/integrations/github-action@").expect("the action");
    let (_, after) = after.split_once('\n').expect("the rest");
    for (path, text) in [
        (".github/workflows/example.yml", format!("{before}./integrations/github-action\n{after}")),
        ("integrations/github-action/action.yml", read("github-action/action.yml")),
        ("integrations/github-action/assess.sh", read("github-action/assess.sh")),
        ("integrations/gitlab/assess.gitlab-ci.yml", read("gitlab/assess.gitlab-ci.yml")),
        (
            ".gitlab-ci.yml",
            "include:\n  - local: integrations/gitlab/assess.gitlab-ci.yml\n".to_owned(),
        ),
    ] {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, text).expect("written");
    }
    let ran = run_in(dir.path(), &["assess", "--output", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let found: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(found["notes"], Value::Array(Vec::new()), "{}", found["notes"]);
}
