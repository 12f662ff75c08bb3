//! Agents of frameworks as their makers ship them, with their tools behind Lockgate and a model that does as it is told:
//! see docs/frameworks.md.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::packs;
use crate::support::peers::{Bridged, Peer, python, ready, repository, started};
use crate::support::server::Server;

/// The Python that has a framework.
fn framework(name: &str) -> PathBuf {
    let all = std::env::var("LOCKGATE_TEST_FRAMEWORKS");
    let all = all.expect("LOCKGATE_TEST_FRAMEWORKS must name the directory with the environments of frameworks; ./test sets it");
    Path::new(&all).join(name).join("bin/python")
}

/// A model that asks for these calls; where it is.
fn model(dir: &Path, script: &Value) -> (Peer, String) {
    let (file, address, log) =
        (dir.join("script.json"), dir.join("model.address"), dir.join("model.log"));
    fs::write(&file, script.to_string()).expect("the directory takes files");
    let mut command = python();
    command.arg(repository("examples/frameworks/model.py")).arg(&file).arg(&address);
    let peer = started(&mut command, &log);
    let at = ready(|| fs::read_to_string(&address).ok().filter(|text| !text.is_empty()), &log);
    (peer, format!("http://{at}/v1"))
}

/// An agent of a framework reads what it may, is refused what it may not, and is not offered what nobody may.
fn is_governed(name: &str) {
    let world = World::new();
    // Nothing hidden, as the pack wants it.
    let dir = tempfile::Builder::new().prefix("lockgate").tempdir();
    let dir = dir.expect("a directory for the test");
    let (workspace, policies) = (dir.path().join("workspace"), dir.path().join("policies"));
    for one in [&workspace, &policies] {
        fs::create_dir(one).expect("the directory takes files");
    }
    fs::write(workspace.join("hours.txt"), "Open from nine to five.").expect("it is written");
    fs::write(dir.path().join("outside.txt"), "a secret").expect("it is written");
    packs::copy(&["filesystem"], &policies, &workspace);
    // Whoever may move nothing does not see that there is moving.
    let pack = policies.join("filesystem.yaml");
    let text = fs::read_to_string(&pack).expect("it is there");
    let agents = text.replace("id: fs-move\n", "id: fs-move\n    agents: [mover]\n");
    assert_ne!(text, agents);
    fs::write(&pack, agents).expect("it is written");
    let top = workspace.to_str().expect("it is text");
    let files = Bridged::start(dir.path(), "server-filesystem", top);
    let config = format!(
        "agents: [{{ name: support, versions: [{{ name: v1, endpoint: '{}' }}] }}]\n\
         tools: [{{ name: files, url: '{}' }}]\n",
        world.agent().url,
        files.url
    );
    let mut server = Server::start_with_policies(&config, &policies);
    server.until_served(&world);
    let issued = server.json(&["identity", "issue", "support", "v1", "--reason", "a test"]);
    let good = json!({ "paths": [format!("{top}/hours.txt")] });
    let (_model, base) = model(
        dir.path(),
        &json!([
            { "tool": "read_multiple_files", "arguments": good },
            { "tool": "read_multiple_files", "arguments": { "paths": [format!("{top}/../outside.txt")] } },
            { "tool": "move_file", "arguments": { "source": format!("{top}/hours.txt"), "destination": format!("{top}/x") } },
        ]),
    );

    let mut agent = Command::new(framework(name));
    agent
        .arg(repository(&format!("examples/frameworks/{name}_agent.py")))
        .arg("When are you open?")
        .current_dir(dir.path())
        .env("LOCKGATE_EGRESS", server.egress())
        .env("LOCKGATE_AGENT_TOKEN", issued["token"].as_str().expect("a text"))
        .env("OPENAI_BASE_URL", base)
        .envs([("OPENAI_API_KEY", "unused"), ("MODEL", "scripted")])
        // Nothing is written elsewhere, and nobody is told that it ran.
        .env("HOME", dir.path())
        .envs([("CREWAI_DISABLE_TELEMETRY", "true"), ("OTEL_SDK_DISABLED", "true")])
        .envs([("LANGSMITH_TRACING", "false"), ("PYTHONDONTWRITEBYTECODE", "1")]);
    let ran = agent.output().expect("the environment of the framework is there");
    let (said, complained) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}{complained}");
    let offered = said.lines().find_map(|line| line.strip_prefix("offered: ")).expect("a list");
    let offered: Vec<&str> = offered.split(", ").collect();
    assert!(offered.contains(&"read_multiple_files") && !offered.contains(&"move_file"), "{said}");
    assert!(said.contains("Open from nine to five."), "{said}");
    assert!(said.contains("Refused by Lockgate: by fs-no-parent-in-several."), "{said}");
    assert!(!said.contains("a secret"), "{said}");
    assert_eq!(files.calls(), [("read_multiple_files".to_owned(), good)], "{said}");

    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let records = server.records();
    let count = |step: &str| records.iter().filter(|record| record.step == step).count();
    assert_eq!((count("intent"), count("outcome")), (1, 1));
    let refused = records.iter().find(|record| record.action == "action.refused").expect("one");
    assert_eq!(refused.principal, "agent support/v1");
    assert_eq!(refused.detail["risk"], "ASI02");
}

#[test]
fn an_agent_of_langgraph_is_governed() {
    is_governed("langgraph");
}

#[test]
fn an_agent_of_autogen_is_governed() {
    is_governed("autogen");
}

#[test]
fn an_agent_of_crewai_is_governed() {
    is_governed("crewai");
}
