//! Real servers and a real client of both families, with Lockgate between them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::peers::{
    Peer, free_port, listening, node_modules, python, ready, script, started,
};
use crate::support::server::Server;
use crate::support::tools;

/// npm's server that shows everything; it speaks 2025-11-25.
fn everything(dir: &Path) -> (Peer, String) {
    let main = node_modules().join("@modelcontextprotocol/server-everything/dist/index.js");
    let (port, log) = (free_port(), dir.join("everything.log"));
    let mut command = Command::new("node");
    command.arg(main).arg("streamableHttp").env("PORT", port.to_string());
    let peer = started(&mut command, &log);
    listening(port, &log);
    (peer, format!("http://127.0.0.1:{port}/mcp"))
}

/// The server of the same package; it speaks 2026-07-28.
fn python_server(dir: &Path) -> (Peer, String) {
    let (address, log) = (dir.join("address"), dir.join("python.log"));
    let peer = started(python().arg(script("mcp_server.py")).arg(&address), &log);
    let at = ready(|| fs::read_to_string(&address).ok().filter(|text| !text.is_empty()), &log);
    (peer, format!("http://{at}/mcp"))
}

/// What the client of the package sees.
fn seen(url: &str, token: &str, mode: &str) -> Value {
    let ran = python().arg(script("mcp_client.py")).args([url, token, mode]).output();
    let ran = ran.expect("Python starts");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{mode}: {said}");
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn clients_of_both_families_call_what_they_may() {
    let world = World::new();
    let dir = tempfile::tempdir().expect("a directory for the test");
    let (_node, everything) = everything(dir.path());
    let (_python, modern) = python_server(dir.path());
    let config = tools::config(&world.agent().url, &everything);
    let more = format!("  - {{ name: modern, url: '{modern}', timeout: 20s }}\n");
    let mut server = Server::start_governed(&format!("{config}{more}"));
    let issue = ["identity", "issue", "support", "v1", "--reason", "a test"];
    let token = server.json(&issue)["token"].as_str().expect("a text").to_owned();

    // The first two ask which family it is; the last does not.
    for (tool, direct, mode, version) in [
        ("desk", &everything, "auto", "2025-11-25"),
        ("modern", &modern, "auto", "2026-07-28"),
        ("modern", &modern, "legacy", "2025-11-25"),
    ] {
        let through = seen(&format!("{}/mcp/{tool}", server.egress()), &token, mode);
        let without = seen(direct, "none", mode);
        assert_eq!(through["version"], version, "{tool} {mode}");
        for same in [
            "version",
            "server",
            "echo",
            "sum",
            "long",
            "progress",
            "cancelled",
            "after",
            "resources",
            "read",
        ] {
            assert!(!through[same].is_null(), "{tool} {mode}: {same}");
            assert_eq!(through[same], without[same], "{tool} {mode}: {same}");
        }
        assert_eq!(through["progress"].as_array().map(Vec::len), Some(4));
        let without_env: Vec<&Value> = without["tools"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|name| *name != "get-env")
            .collect();
        assert_eq!(through["tools"], json!(without_env), "{tool} {mode}");
        assert_eq!(through["denied"]["error"], true);
        let text = through["denied"]["text"][0].as_str().expect("a text");
        assert!(text.starts_with("Refused by Lockgate: sums are limited to a thousand. Smaller ones are allowed. (audit record "), "{text}");
        let hidden = through["hidden"]["refused"].as_str().expect("a text");
        assert!(hidden.contains("Unknown tool: get-env"), "{hidden}");
    }
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    recorded(&server);
}

/// Each call was recorded before and after, as what it was.
fn recorded(server: &Server) {
    let records = server.records();
    let ended: Vec<(&str, &str)> = records
        .iter()
        .filter(|record| record.step == "outcome")
        .map(|record| (record.object.as_str(), record.detail["outcome"].as_str().expect("a text")))
        .collect();
    let intents = records.iter().filter(|record| record.step == "intent").count();
    assert_eq!(intents, ended.len());
    for tool in ["desk", "modern"] {
        let long = format!("{tool}/trigger-long-running-operation");
        let ends: Vec<&str> =
            ended.iter().filter(|(of, _)| *of == long).map(|(_, end)| *end).collect();
        let runs = if tool == "desk" { 1 } else { 2 };
        let count = |name: &str| ends.iter().filter(|end| **end == name).count();
        assert_eq!((count("ok"), count("cancelled")), (runs, runs), "{tool}: {ends:?}");
        assert!(ended.contains(&(&format!("{tool}/resources/read"), "ok")));
    }
    let refused = |name: &str| {
        records
            .iter()
            .filter(|one| one.action == "action.refused" && one.object.ends_with(name))
            .count()
    };
    assert_eq!((refused("/get-sum"), refused("/(unknown)")), (3, 3));
}
