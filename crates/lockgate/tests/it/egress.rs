//! The server as it ships, without a policy: agents are known, everything is denied, and that is recorded.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::server::Server;
use crate::support::tools;

/// Sends a message of an agent; status and body.
fn post(world: &World, server: &Server, token: &str, message: &Value) -> (u16, Value) {
    let at = format!("{}/mcp/desk", server.egress());
    let sent = world.post(&at, token, message);
    sent.unwrap_or_else(|| panic!("egress answers: {}", server.log()))
}

fn call() -> Value {
    json!({ "jsonrpc": "2.0", "id": "c-1", "method": "tools/call",
        "params": { "name": "echo", "arguments": { "secret": "whose" } } })
}

fn issue(server: &Server) -> (String, String) {
    let args = ["identity", "issue", "support", "v1", "--expires", "1h", "--reason", "a test"];
    let issued = server.json(&args);
    let text = |name: &str| issued[name].as_str().expect("it is there").to_owned();
    (text("id"), text("token"))
}

/// A policy of a directory is in force from the start on, and a directory with an error in it starts nothing.
#[test]
fn what_a_policy_allows_is_done_and_recorded_and_the_rest_is_not() {
    const POLICY: &str = "tools:
  desk: {actions: {echo: {arguments: {secret: text}}, wipe: {arguments: {}}}}
rules:
  - {id: short-echo, tool: desk, action: echo, effect: allow, when: {secret.bytes: {at_most: 5}}}
  - {id: no-wiping, tool: desk, action: wipe, effect: deny, risk: ASI02, message: nothing is wiped here}
";
    let world = World::new();
    let (url, calls) = tools::start(world.runtime());
    let policies = tempfile::tempdir().expect("a directory for the test");
    std::fs::write(policies.path().join("desk.yaml"), POLICY).expect("it is written");
    let config = tools::config(&world.agent().url, &url);
    let mut server = Server::start_with_policies(&config, policies.path());
    server.until_served(&world);
    let (_, token) = issue(&server);
    let done = post(&world, &server, &token, &call());
    assert!(done.1["result"].is_object() && done.1["result"]["isError"] != json!(true), "{done:?}");
    let mut long = call();
    long["params"]["arguments"]["secret"] = json!("whose is it");
    let refused = post(&world, &server, &token, &long);
    assert_eq!(refused.1["result"]["isError"], json!(true), "{refused:?}");
    let mut undeclared = call();
    undeclared["params"]["arguments"]["more"] = json!(1);
    assert_eq!(post(&world, &server, &token, &undeclared).1["result"]["isError"], json!(true));
    let mut hidden = call();
    hidden["params"]["name"] = json!("wipe");
    assert_eq!(post(&world, &server, &token, &hidden).1["error"]["code"], json!(-32602));
    assert_eq!(
        calls.lock().expect("nobody panics with it").len(),
        1,
        "what was refused was not done"
    );
    std::fs::write(policies.path().join("more.yaml"), "rules: [{id: x}]").expect("it is written");
    server.kill();
    let flag = policies.path().to_str().expect("it is text");
    let ran = crate::support::run(&["serve", "--policies", flag]);
    assert_eq!(ran.code, 2, "{}", ran.shown());
    assert!(ran.stderr.contains("more.yaml:1:"), "{}", ran.shown());
}

#[test]
fn without_a_policy_everything_is_denied_and_a_revoked_token_is_dead() {
    let world = World::new();
    let (url, calls) = tools::start(world.runtime());
    let mut server = Server::start(&tools::config(&world.agent().url, &url));
    server.until_served(&world);
    let nobody = post(&world, &server, "x", &call());
    assert_eq!(nobody.0, 401);
    let (first, token) = issue(&server);
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    assert_eq!(
        post(&world, &server, &token, &ping),
        (200, json!({ "jsonrpc": "2.0", "id": 1, "result": {} }))
    );
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    assert_eq!(post(&world, &server, &token, &list).1["result"]["tools"], json!([]));
    let denied = post(&world, &server, &token, &call());
    assert_eq!(denied.1["error"], json!({ "code": -32602, "message": "Unknown tool: echo" }));
    assert!(calls.lock().expect("nobody panics with it").is_empty());

    // One token, and then all of the version.
    let (_, other) = issue(&server);
    assert_eq!(server.run(&["identity", "revoke", &first, "--reason", "lost"]).code, 0);
    dies(&world, &server, &token, &ping);
    assert_eq!(post(&world, &server, &other, &ping).0, 200);
    assert_eq!(server.run(&["identity", "revoke", "support/v1", "--reason", "moved"]).code, 0);
    dies(&world, &server, &other, &ping);
    let (_, later) = issue(&server);
    assert_eq!(post(&world, &server, &later, &ping).0, 200, "issued since");
    server.kill();
    server.again();
    assert_eq!(post(&world, &server, &token, &ping).0, 401);
    assert_eq!(post(&world, &server, &other, &ping).0, 401);
    assert_eq!(post(&world, &server, &later, &ping).0, 200);

    let listed = server.json(&["identity", "list"]);
    let revoked = |row: &&Value| !row["revoked_wall_ms"].is_null();
    let rows = listed.as_array().expect("a list");
    assert_eq!((rows.len(), rows.iter().filter(revoked).count()), (3, 2));
    let log =
        std::fs::read_to_string(server.data_dir().join("addresses.json")).expect("it is there");
    assert!(log.contains("egress"));
    recorded(&mut server);
}

/// Gateways hear of it within a moment; how long that is depends on the machine.
fn dies(world: &World, server: &Server, token: &str, message: &Value) {
    let since = Instant::now();
    while post(world, server, token, message).0 != 401 {
        assert!(since.elapsed() < Duration::from_secs(20), "a revoked token lives on");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Who was given tokens, who lost them, and what was refused.
fn recorded(server: &mut Server) {
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let records = server.records();
    let count = |action: &str| records.iter().filter(|record| record.action == action).count();
    assert_eq!(count("identity.issue"), 3);
    assert_eq!((count("identity.revoke"), count("identity.revoke_all")), (1, 1));
    // Tokens that were refused are counted, and told at the latest when the server stops.
    let refused = records.iter().filter(|one| one.action == "identity.refused");
    let reasons = refused.map(|one| one.detail["reasons"].to_string()).collect::<String>();
    assert!(reasons.contains("cannot be read") || reasons.contains("revoked"), "{reasons}");
    let refused: Vec<_> = records.iter().filter(|one| one.action == "action.refused").collect();
    let [refused] = &refused[..] else { panic!("{} refusals", refused.len()) };
    assert_eq!(refused.principal, "agent support/v1");
    assert_eq!(refused.object, "desk/(unknown)");
    assert!(refused.detail["why"].as_str().is_some_and(|why| why.contains("no policy")));
    let text = serde_json::to_string(&refused).expect("a record is JSON");
    assert!(!text.contains("whose"), "arguments are nobody's to read: {text}");
    assert!(records.iter().all(|record| record.step == "event"));
}
