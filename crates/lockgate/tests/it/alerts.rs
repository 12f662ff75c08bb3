//! The alerts that ship: that they fire when they should, and ask for nothing that a server does not tell.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::agent::World;
use crate::support::server::Server;
use crate::support::{config, metrics, tools};

const POLICY: &str = "tools: {desk: {actions: {echo: {arguments: {}}}}}
rules:
  - {id: none, tool: desk, action: echo, effect: deny}
";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus")
}

fn file(name: &str) -> String {
    fs::read_to_string(directory().join(name)).expect("it ships")
}

/// Prometheus' own checker.
fn promtool(args: &[&str]) {
    let program = std::env::var("LOCKGATE_TEST_PROMTOOL").unwrap_or_else(|_| "promtool".into());
    let ran = Command::new(program).args(args).current_dir(directory()).output();
    let ran = ran.expect("promtool starts; ./test gets it, and LOCKGATE_TEST_PROMTOOL names it");
    let said = [ran.stdout, ran.stderr].concat();
    assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn each_alert_fires_when_it_should_and_none_when_nothing_is_wrong() {
    promtool(&["check", "rules", "lockgate.rules.yaml"]);
    promtool(&["test", "rules", "lockgate.rules.test.yaml"]);
    let (rules, tests) = (file("lockgate.rules.yaml"), file("lockgate.rules.test.yaml"));
    let alerts: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!alerts.is_empty());
    for alert in alerts {
        let fires = format!("{{alertname=\"{alert}\"}}', value: 1");
        assert!(tests.contains(&fires), "nothing shows that {alert} fires");
    }
}

#[test]
fn each_alert_has_a_runbook_and_whoever_is_told() {
    let (rules, routes) = (file("lockgate.rules.yaml"), file("alertmanager.yml"));
    let runbooks = file("../../docs/runbooks.md");
    let mut alerts = BTreeSet::new();
    let mut alert = "";
    for line in rules.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- alert: ") {
            alert = name;
        } else if let Some(book) = line.strip_prefix("runbook: ") {
            assert_eq!(book, format!("docs/runbooks.md#{}", alert.to_lowercase()));
            assert!(alerts.insert(alert.to_owned()), "{alert} has two runbooks");
        }
    }
    assert_eq!(alerts.len(), rules.matches("- alert: ").count(), "{alerts:?}");
    let written = runbooks.lines().filter_map(|line| line.strip_prefix("## "));
    let written: BTreeSet<String> = written.map(str::to_owned).collect();
    assert_eq!(alerts, written, "alerts, and the sections of docs/runbooks.md");
    for severity in rules.split("severity: ").skip(1).map(|rest| rest.split('}').next()) {
        assert!(matches!(severity, Some("critical" | "warning" | "info")), "{severity:?}");
    }
    assert!(routes.contains("matchers: [severity=\"critical\"]"), "somebody is woken");
}

/// Names of metrics anywhere in a text.
fn named(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with("lockgate_")).collect()
}

#[test]
fn no_alert_asks_for_what_no_server_tells() {
    let rules = file("lockgate.rules.yaml");
    let wanted = named(&rules);
    assert!(wanted.len() >= 10, "{wanted:?}");
    let world = World::new();
    let v1 = world.agent();
    let (url, calls) = tools::start(world.runtime());
    let away = tempfile::tempdir().expect("a directory for the test");
    fs::write(away.path().join("policy.yaml"), POLICY).expect("it is written");
    // Nobody answers there: that is told as well.
    let key = "witness.example/w1+e75f6532+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    let mirror = away.path().join("copy");
    let text = format!(
        "audit: {{ mirror: \"file://{}\", witnesses: [{{ url: \"http://127.0.0.1:9\", key: \"{key}\" }}] }}\n\
         {}tools: [{{ name: desk, url: '{url}' }}]\n",
        mirror.display(),
        config::quick(&[("v1", &v1)])
    );
    let mut server = Server::start_with_policies(&text, away.path());
    server.until_served(&world);
    let issue = ["identity", "issue", "support", "v1", "--reason", "a test"];
    let token = server.json(&issue)["token"].as_str().expect("a text").to_owned();
    let call = json!({ "jsonrpc": "2.0", "id": "c", "method": "tools/call",
        "params": { "name": "echo", "arguments": {} } });
    world.post(&format!("{}/mcp/desk", server.egress()), &token, &call).expect("an answer");
    assert!(calls.lock().expect("nobody panics").is_empty());
    let refused = "tool=\"desk\",agent=\"support\",version=\"v1\",end=\"refused\"";
    let refused = format!("lockgate_egress_calls_total{{{refused}}} 1");
    let mut missing = Vec::new();
    server.until("all is told that alerts ask for", |server| {
        let told = metrics(server);
        let is_told = |name: &str| {
            let after = |line: &str| line.strip_prefix(name).and_then(|rest| rest.chars().next());
            told.lines().filter_map(after).any(|next| matches!(next, ' ' | '{'))
        };
        missing = wanted.iter().filter(|name| !is_told(name)).copied().collect();
        missing.is_empty() && told.contains(&refused)
    });
    assert_eq!(missing, Vec::<&str>::new());
}
