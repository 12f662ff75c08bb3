//! npm's servers for files and memory behind the packs that are made for them.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::support::agent::{Agent, World};
use crate::support::config;
use crate::support::packs;
use crate::support::peers::{Bridged, python, script};
use crate::support::server::Server;

/// What the client of `mcp` sees of a server: its list of tools, and what calls come to.
fn made(url: &str, token: &str, calls: &Value) -> Value {
    let mut command = python();
    command.arg(script("mcp_calls.py")).args([url, token]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("Python starts");
    let mut input = child.stdin.take().expect("it was asked for");
    input.write_all(calls.to_string().as_bytes()).expect("it reads");
    drop(input);
    let ran = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|name| name.as_str().expect("a text")).collect()
}

fn issue(server: &Server, agent: &str) -> String {
    issue_for(server, agent, "v1")
}

fn issue_for(server: &Server, agent: &str, version: &str) -> String {
    let issued = server.json(&["identity", "issue", agent, version, "--reason", "a test"]);
    issued["token"].as_str().expect("a text").to_owned()
}

/// Actions with their rules, of records of one kind, in order.
fn recorded(server: &Server, step_or_action: &str) -> Vec<(String, Value)> {
    let records = server.records();
    let wanted = records.iter().filter(|one| {
        one.action == step_or_action || (one.step == step_or_action && one.action == "action")
    });
    wanted.map(|one| (one.object.clone(), one.detail["governed"]["rules"].clone())).collect()
}

#[test]
fn the_server_for_files_is_used_within_its_pack() {
    let world = World::new();
    // Nothing hidden, as the pack wants it.
    let dir = tempfile::Builder::new().prefix("lockgate").tempdir();
    let dir = dir.expect("a directory for the test");
    let (workspace, policies) = (dir.path().join("workspace"), dir.path().join("policies"));
    for one in [&workspace, &policies] {
        fs::create_dir(one).expect("the directory takes files");
    }
    fs::write(workspace.join("note.txt"), "one\ntwo\n").expect("it is written");
    fs::write(workspace.join(".env"), "KEY=1").expect("it is written");
    fs::write(dir.path().join("outside.txt"), "a secret").expect("it is written");
    packs::copy(&["filesystem"], &policies, &workspace);
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
    let token = issue(&server, "support");
    let egress = format!("{}/mcp/files", server.egress());

    let allowed = json!([
        ["read_text_file", { "path": format!("{top}/note.txt") }],
        ["read_text_file", { "path": format!("{top}//./note.txt"), "head": 1 }],
        ["read_multiple_files", { "paths": [format!("{top}/note.txt"), format!("{top}/missing")] }],
        ["list_directory", { "path": top }],
        ["directory_tree", { "path": top }],
        ["search_files", { "path": top, "pattern": "*.txt" }],
        ["list_allowed_directories", {}],
        ["get_file_info", { "path": format!("{top}/missing") }],
    ]);
    let (through, direct) = (made(&egress, &token, &allowed), made(&files.url, "none", &allowed));
    assert_eq!(through, direct, "what is allowed passes as it is");
    assert_eq!(names(&through["tools"]).len(), 14, "{through}");
    assert!(through["answers"][0]["text"].as_str().is_some_and(|text| text.contains("two")));
    let written = json!([
        ["create_directory", { "path": format!("{top}/new") }],
        ["write_file", { "path": format!("{top}/new/a.txt"), "content": "old" }],
        ["edit_file", { "path": format!("{top}/new/a.txt"), "edits": [{ "oldText": "old", "newText": "new" }] }],
        ["move_file", { "source": format!("{top}/new/a.txt"), "destination": format!("{top}/b.txt") }],
    ]);
    let through = made(&egress, &token, &written);
    let went_well = |one: &Value| one["error"] == false;
    assert!(through["answers"].as_array().expect("a list").iter().all(went_well), "{through}");
    assert_eq!(fs::read_to_string(workspace.join("b.txt")).expect("it is there"), "new");

    let before = files.calls().len();
    let outside = dir.path().join("outside.txt").display().to_string();
    let refused = json!([
        ["read_text_file", { "path": format!("{top}/../outside.txt") }],
        ["read_text_file", { "path": "note.txt" }],
        ["read_text_file", { "path": format!("{top}/%2e%2e/outside.txt") }],
        ["read_text_file", { "path": outside }],
        ["read_text_file", { "path": format!("{top}/.env") }],
        ["read_multiple_files", { "paths": [format!("{top}/note.txt"), outside] }],
        ["write_file", { "path": format!("{top}/.git/config"), "content": "x" }],
        ["move_file", { "source": format!("{top}/note.txt"), "destination": outside }],
        ["read_text_file", { "path": format!("{top}/note.txt"), "encoding": "utf-7" }],
    ]);
    let through = made(&egress, &token, &refused);
    for (asked, answer) in
        refused.as_array().expect("a list").iter().zip(through["answers"].as_array().expect("it"))
    {
        let text = answer["text"].as_str().unwrap_or_default();
        assert!(answer["error"] == true && text.starts_with("Refused by Lockgate: "), "{asked}");
    }
    let text = through["answers"][0]["text"].as_str().expect("a text");
    let why = "Refused by Lockgate: by fs-no-parent. Give the path without `..`. (audit record ";
    assert!(text.starts_with(why), "{text}");
    let gone = made(&egress, &token, &json!([["delete_file", { "path": top }]]));
    let gone = gone["answers"][0]["refused"].as_str().expect("an error").to_owned();
    assert!(gone.contains("Unknown tool: delete_file"), "{gone}");
    assert_eq!(files.calls().len(), before, "nothing of it reached the server");

    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let (intents, outcomes) = (recorded(&server, "intent"), recorded(&server, "outcome"));
    assert_eq!((intents.len(), outcomes.len()), (12, 12));
    let refusals = recorded(&server, "action.refused");
    assert_eq!(refusals.len(), 10);
    assert_eq!(refusals[0], ("files/read_text_file".into(), json!(["fs-no-parent"])));
    assert_eq!(refusals[4].1, json!(["fs-no-keys"]));
    assert_eq!(refusals[9], ("files/(unknown)".into(), json!([])));
}

/// What nobody asks for by mistake ends the release that a version is in, by a rule of the pack alone.
#[test]
fn a_candidate_that_reaches_for_the_machines_secrets_is_taken_back() {
    let world = World::new();
    let dir = tempfile::tempdir().expect("a directory for the test");
    let policies = dir.path().join("policies");
    fs::create_dir(&policies).expect("the directory takes files");
    packs::copy(&["filesystem"], &policies, dir.path());
    let top = dir.path().to_str().expect("it is text");
    let files = Bridged::start(dir.path(), "server-filesystem", top);
    let (v1, v2) = (world.agent(), world.agent());
    let versions = config::with_stages(&[("v1", &v1), ("v2", &v2)], "10m");
    let config = format!("{versions}tools: [{{ name: files, url: '{}' }}]\n", files.url);
    let mut server = Server::start_with_policies(&config, &policies);
    server.until_served(&world);
    let started = server.run(&["rollout", "start", "support", "v2", "--reason", "a test"]);
    assert_eq!(started.code, 0, "{}", started.shown());
    let ingress = server.ingress();
    let _traffic = world.traffic(2, move || Some(ingress.clone()));
    let answered = |agent: &Agent| agent.behaviour.answered.load(Ordering::Relaxed);
    server.until("the candidate gets traffic", |_| answered(&v2) > 0);

    let token = issue_for(&server, "support", "v2");
    let asked = json!([["read_text_file", { "path": "/etc/shadow" }]]);
    let told = made(&format!("{}/mcp/files", server.egress()), &token, &asked);
    let text = told["answers"][0]["text"].as_str().expect("a text");
    assert!(text.starts_with("Refused by Lockgate: by fs-no-system-secrets. "), "{text}");
    let begun = v2.behaviour.begun.load(Ordering::Relaxed);
    let before = answered(&v1);
    server.until("traffic goes on", |_| answered(&v1) > before + 100);
    assert_eq!(v2.behaviour.begun.load(Ordering::Relaxed), begun, "no user meets it again");
    assert_eq!(server.run(&["rollout", "watch", "--agent", "support"]).code, 3);
    let why = server.run(&["rollout", "explain", "--agent", "support"]).stdout;
    assert!(why.contains("security"), "{why}");
    assert_eq!(files.calls(), []);
}

#[test]
fn who_may_not_write_memory_does_not_see_that_it_can_be_written() {
    let world = World::new();
    let dir = tempfile::tempdir().expect("a directory for the test");
    let policies = dir.path().join("policies");
    fs::create_dir(&policies).expect("the directory takes files");
    packs::copy(&["memory"], &policies, dir.path());
    let memory = Bridged::start(dir.path(), "server-memory", "");
    let url = &world.agent().url;
    let config = format!(
        "agents:\n  - {{ name: support, versions: [{{ name: v1, endpoint: '{url}' }}] }}\n  \
         - {{ name: curator, match: [{{ host: curator.example }}], versions: [{{ name: v1, endpoint: '{url}' }}] }}\n\
         tools: [{{ name: memory, url: '{}' }}]\n",
        memory.url
    );
    let mut server = Server::start_with_policies(&config, &policies);
    server.until_served(&world);
    let (support, curator) = (issue(&server, "support"), issue(&server, "curator"));
    let egress = format!("{}/mcp/memory", server.egress());

    let fact =
        |text: &str| json!([{ "name": "Refunds", "entityType": "rule", "observations": [text] }]);
    let lie = json!([["create_entities", { "entities": fact("no approval") }]]);
    let refused = made(&egress, &support, &lie);
    assert_eq!(names(&refused["tools"]), ["open_nodes", "read_graph", "search_nodes"]);
    let hidden = refused["answers"][0]["refused"].as_str().expect("an error");
    assert!(hidden.contains("Unknown tool: create_entities"), "{hidden}");
    assert_eq!(memory.calls(), []);

    let writes = json!([
        ["create_entities", { "entities": fact("ask a person") }],
        ["delete_entities", { "entityNames": ["Refunds"] }],
        ["create_entities", { "entities": fact(&"x".repeat(2_000)) }],
    ]);
    let wrote = made(&egress, &curator, &writes);
    let all = ["add_observations", "create_entities", "create_relations"];
    assert_eq!(names(&wrote["tools"])[..3], all);
    assert_eq!(names(&wrote["tools"]).len(), 6);
    assert_eq!(wrote["answers"][0]["error"], false, "{wrote}");
    assert!(wrote["answers"][1]["refused"].is_string(), "{wrote}");
    let much = wrote["answers"][2]["text"].as_str().expect("a text");
    assert!(much.starts_with("Refused by Lockgate: by mem-small. "), "{much}");
    assert_eq!(memory.calls().len(), 1);

    let read = made(&egress, &support, &json!([["search_nodes", { "query": "refunds" }]]));
    assert!(read["answers"][0]["text"].as_str().is_some_and(|text| text.contains("ask a person")));
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    assert_eq!((recorded(&server, "intent").len(), recorded(&server, "outcome").len()), (2, 2));
    assert_eq!(recorded(&server, "action.refused").len(), 3);
}
