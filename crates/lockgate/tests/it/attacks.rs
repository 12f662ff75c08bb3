//! `examples/attacks/run`: it says that attacks are blocked only when they are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::Ran;
use crate::support::peers::{node_modules, python, repository};

/// The six that the mission takes from its source.
const RISKS: [&str; 6] = ["ASI01", "ASI02", "ASI03", "ASI06", "ASI08", "ASI10"];

fn played(policies: &Path) -> Ran {
    let mut command = python();
    command
        .arg(repository("examples/attacks/run"))
        .args(["--output", "json", "--lockgate", env!("CARGO_BIN_EXE_lockgate")])
        .arg("--node-modules")
        .arg(node_modules())
        .arg("--policies")
        .arg(policies)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command.output().expect("Python starts").into()
}

fn attempts(ran: &Ran, kind: &str) -> Vec<Value> {
    let report = ran.json();
    let all = report["attempts"].as_array().expect("a list").clone();
    all.into_iter().filter(|one| one["kind"] == kind).collect()
}

fn risks(of: &[Value]) -> BTreeSet<String> {
    of.iter().map(|one| one["risk"].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn attacks_of_all_six_risks_are_blocked_and_their_twins_go_through() {
    let ran = played(&repository("policies"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let report = ran.json();
    assert_eq!(report["failed"], 0, "{}", ran.shown());
    let (attacks, twins) = (attempts(&ran, "attack"), attempts(&ran, "twin"));
    for of in [&attacks, &twins] {
        assert_eq!(risks(of), RISKS.map(str::to_owned).into());
    }
    assert!(attacks.len() >= 60 && twins.len() >= 25, "{} {}", attacks.len(), twins.len());
    // Whatever the program makes of it.
    assert!(attacks.iter().all(|one| one["seen"] == 0 && one["answer"] != "done"));
    assert!(twins.iter().all(|one| one["seen"] == 1 && one["answer"] == "done"));
    let refused = attacks.iter().filter(|one| one["answer"] == "refused");
    assert!(refused.clone().all(|one| one["record"].is_u64()));
    assert!(refused.filter(|one| one["rules"] != Value::Array(Vec::new())).count() >= 25);
    // Mission: a malicious agent sees more than a fifth of its requests refused.
    let rogue = &report["requests"]["rogue"];
    let count = |name: &str| rogue[name].as_u64().expect("a number");
    assert!(count("refused") * 5 > count("all"), "{rogue}");
    let audit = &report["audit"];
    assert_eq!(audit["intents"], audit["reached"]);
    assert_eq!(audit["intents"], audit["outcomes"]);
}

/// The same tools, and everything allowed: whoever plays must see the attacks succeed.
#[test]
fn without_rules_the_same_attacks_succeed_and_are_told_so() {
    let open = tempfile::tempdir().expect("a directory for the test");
    for pack in ["filesystem", "http", "mail", "memory", "payments", "shell", "sql"] {
        let text = fs::read_to_string(repository("policies").join(format!("{pack}/{pack}.yaml")));
        let text = text.expect("the pack is there");
        let (tools, _) = text.split_once("\nrules:").expect("it has rules");
        let tool = tools.lines().skip_while(|line| *line != "tools:").nth(1).expect("a tool");
        let tool = tool.trim().trim_end_matches(':');
        let all =
            format!("rules: [{{id: all-{pack}, tool: {tool}, action: \"*\", effect: allow}}]");
        fs::create_dir(open.path().join(pack)).expect("the directory takes files");
        let file = open.path().join(format!("{pack}/{pack}.yaml"));
        fs::write(file, format!("{tools}\n{all}\n")).expect("it is written");
    }
    let ran = played(open.path());
    assert_eq!(ran.code, 1, "{}", ran.shown());
    let through = attempts(&ran, "attack").iter().filter(|one| one["seen"] == 1).count();
    assert!(through >= 40, "{through}");
}
