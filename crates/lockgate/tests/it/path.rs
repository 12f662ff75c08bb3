//! `lockgate path`, and releases that wait for it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sqlx::Connection as _;

use crate::support::agent::{Agent, World};
use crate::support::server::Server;
use crate::support::{Ran, run_in};

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(["-c", "user.name=test", "-c", "user.email=test@example.org"]);
    let ran = command.args(args).output().expect("git is there");
    assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("UTF-8").trim().to_owned()
}

/// A repository that shows all that the path of a monolith asks of files, as one commit.
fn ready() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory for the test");
    for (path, text) in FILES {
        write(dir.path(), path, text);
    }
    git(dir.path(), &["init", "--quiet"]);
    git(dir.path(), &["add", "."]);
    git(dir.path(), &["commit", "--quiet", "-m", "all of it"]);
    dir
}

const FILES: &[(&str, &str)] = &[
    (
        ".github/workflows/ci.yml",
        "on:
  pull_request:
  push: {branches: [main]}
jobs:
  all:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: python -m build
      - run: pytest tests/unit --cov --cov-fail-under=85
      - run: pytest tests/integration
      - run: pytest tests/e2e
      - run: pip-audit
      - uses: gitleaks/gitleaks-action@v2
      - run: bandit -r src
      - run: zap-baseline.py -t http://127.0.0.1:8000
",
    ),
    ("requirements.txt", "fastapi\nlanggraph\nprometheus-client\nstructlog\n"),
    (
        "src/app.py",
        "import structlog\nfrom prometheus_client import Counter\nstructlog.configure()\n",
    ),
    ("tests/unit/test_a.py", "def test_a():\n    assert True\n"),
    ("tests/integration/test_b.py", "def test_b():\n    assert True\n"),
    ("tests/e2e/test_c.py", "def test_c():\n    assert True\n"),
    ("Dockerfile", "FROM python:3\nHEALTHCHECK CMD curl -f http://127.0.0.1/\n"),
    ("deploy/a.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"),
    (
        "monitoring/rules.yml",
        "groups:\n- name: a\n  rules:\n  - {alert: Down, expr: up == 0, annotations: {runbook_url: 'https://wiki.acme.io/down'}}\n",
    ),
    (
        "monitoring/alertmanager.yml",
        "route: {receiver: team}\nreceivers:\n- name: team\n  pagerduty_configs: [{routing_key_file: /run/key}]\n",
    ),
];

#[test]
fn without_a_server_its_steps_are_unknown_and_say_what_to_do() {
    let dir = ready();
    let ran = run_in(dir.path(), &["path", "monolith"]);
    insta::assert_snapshot!("path", ran.shown());
    let json = run_in(dir.path(), &["path", "monolith", ".", "--output", "json"]);
    assert_eq!(json.code, 1);
    let told: Value = json.json();
    assert_eq!(
        (&told["schema"], &told["blocked"], &told["next"]),
        (&1.into(), &true.into(), &"monolith.canary".into())
    );
    let outcomes: Vec<&str> = told["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter_map(|step| step["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, ["pass", "pass", "pass", "pass", "pass", "unknown", "unknown", "unknown"]);
    assert_eq!(json.stdout, run_in(dir.path(), &["path", "monolith", "--output", "json"]).stdout);
    let markdown = run_in(dir.path(), &["path", "monolith", "--format", "markdown"]);
    assert!(markdown.stdout.starts_with("## Path to production: monolith"), "{}", markdown.stdout);
}

#[test]
fn without_a_name_it_is_the_path_of_the_file_or_all_in_short() {
    let dir = ready();
    let short = run_in(dir.path(), &["path"]);
    assert_eq!(short.code, 1, "{}", short.shown());
    let lines: Vec<&str> = short.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", short.stdout);
    assert!(lines[1].starts_with("monolith") && lines[1].contains("5 of 8"), "{}", short.stdout);
    let made = run_in(dir.path(), &["init", "--scenario", "serverless"]);
    assert_eq!(made.code, 0, "{}", made.shown());
    let named = run_in(dir.path(), &["path"]);
    assert!(named.stdout.contains("serverless: blocked by"), "{}", named.shown());
    for (args, said) in [
        (&["path", "everywhere"][..], "there is no path `everywhere`"),
        (&["path", "monolith", "gone"], "cannot look at the checkout"),
        (&["path", "monolith", "--report"], "--agent"),
    ] {
        let ran = run_in(dir.path(), args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.shown());
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}

/// Two versions behind the built-in stages, whose plan asks for the path of a monolith.
fn gated(versions: &[(&str, &Agent)]) -> String {
    let lines: Vec<String> = versions
        .iter()
        .map(|(name, agent)| {
            format!("      - {{name: {name}, endpoint: '{0}', test_endpoint: '{0}'}}\n", agent.url)
        })
        .collect();
    format!(
        "agents:\n  - name: support\n    health: {{path: /healthz, interval: 100ms, timeout: 2s, unhealthy_after: 20, healthy_after: 1}}\n    plan: gated\n    versions:\n{}plans:\n  - {{name: gated, path: monolith, tick: 100ms}}\n",
        lines.concat()
    )
}

fn report(server: &Server, dir: &Path, version: &str) -> Ran {
    let dir = dir.to_str().expect("UTF-8");
    server.run(&["path", "monolith", dir, "--report", "--agent", "support", "--version", version])
}

fn start(server: &Server, version: &str, more: &[&str]) -> Ran {
    let args = ["rollout", "start", "support", version, "--reason", "a test"];
    server.run(&[&args, more].concat())
}

#[test]
fn a_release_is_refused_until_its_path_is_open_and_a_crash_forgets_no_report() {
    let world = World::new();
    let (v1, v2) = (world.agent(), world.agent());
    let mut server = Server::start(&gated(&[("v1", &v1), ("v2", &v2)]));
    let refused = start(&server, "v1", &[]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{}", refused.shown());
    assert!(
        refused.stderr.contains("the path `monolith` is blocked: there is no report of version v1"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("hint: `lockgate path --agent NAME`"), "{}", refused.stderr);

    let dir = ready();
    write(dir.path(), "src/more.py", "print(1)\n");
    let dirty = report(&server, dir.path(), "v1");
    assert_eq!(dirty.code, 2, "{}", dirty.shown());
    assert!(dirty.stderr.contains("is not as its commit has it: src/more.py"), "{}", dirty.stderr);
    fs::remove_file(dir.path().join("src/more.py")).expect("it is there");
    let told = report(&server, dir.path(), "v1");
    assert_eq!(told.code, 0, "{}\n{}", told.shown(), server.log());
    let commit = git(dir.path(), &["rev-parse", "HEAD"]);
    assert!(told.stderr.contains(&commit), "{}", told.stderr);
    assert!(
        told.stderr.contains("the server lets version v1 of support be released"),
        "{}",
        told.stderr
    );
    server.until_served(&world);

    let other = start(&server, "v2", &[]);
    assert_eq!(other.code, 1);
    assert!(
        other.stderr.contains("the newest report is of version v1, and version v2"),
        "{}",
        other.stderr
    );
    assert_eq!(report(&server, dir.path(), "v2").code, 0);
    server.kill();
    server.again();
    server.until("control leads", |server| start(server, "v2", &[]).code == 0);
    let history = server.json(&["rollout", "history", "--agent", "support"]);
    assert!(history[0]["transition"]["causes"].to_string().contains(&commit), "{history}");
    let open = server.run(&["path", "--agent", "support", dir.path().to_str().expect("UTF-8")]);
    assert!(
        open.stdout.contains("monolith: open for a release; 5 of 8 steps passed"),
        "{}",
        open.shown()
    );
    assert_eq!(open.code, 0);
    assert!(open.stdout.contains("no release has shown it yet"), "{}", open.stdout);
}

#[test]
fn a_stale_report_is_none_and_an_override_is_recorded_with_who_and_why() {
    let world = World::new();
    let (v1, v2) = (world.agent(), world.agent());
    let mut server = Server::start(&gated(&[("v1", &v1), ("v2", &v2)]));
    let dir = ready();
    assert_eq!(report(&server, dir.path(), "v1").code, 0);
    server.until_served(&world);
    assert_eq!(report(&server, dir.path(), "v2").code, 0);
    server.kill();
    let state = server.data_dir().join("state.db");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut db =
            sqlx::SqliteConnection::connect(&state.display().to_string()).await.expect("opens");
        let older = "UPDATE path_report SET at_wall_ms = at_wall_ms - 8 * 86400000";
        let done = sqlx::query(older).execute(&mut db).await.expect("updates");
        assert_eq!(done.rows_affected(), 2);
        db.close().await.expect("closes");
    });
    server.again();
    server
        .until("control leads", |server| start(server, "v2", &[]).stderr.contains("is 8 days old"));
    let operator =
        server.json(&["token", "create", "ops", "--role", "operator", "--reason", "a test"]);
    let operator = operator["token"].as_str().expect("a token");
    let args = [
        "rollout",
        "start",
        "support",
        "v2",
        "--reason",
        "a fix",
        "--override",
        "users wait for it",
    ];
    let forbidden = server.run_as(operator, &args);
    assert_eq!(forbidden.code, 2, "{}", forbidden.shown());
    assert_eq!(server.run(&args).code, 0);
    assert_eq!(server.stop(), Some(0));
    let records = server.records();
    let named = |action: &str| records.iter().filter(|record| record.action == action).count();
    assert_eq!(named("path.report"), 2);
    assert!(named("rollout.start.refused") >= 1);
    let data = server.data_dir();
    let data = data.to_str().expect("UTF-8");
    let args =
        ["audit", "search", "--action", "rollout.start", "--output", "json", "--data-dir", data];
    let shown = crate::support::run(&args);
    assert!(shown.stdout.contains("users wait for it"), "{}", shown.shown());
}
