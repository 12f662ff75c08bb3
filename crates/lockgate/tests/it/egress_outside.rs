//! Tokens of an issuer that is not ours, made by another library.

use std::fs;

use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::peers::{self, python, ready, script};
use crate::support::server::Server;
use crate::support::tools;

/// Their names with what egress answers to them.
fn answers(world: &World, server: &Server, tokens: &Value) -> Vec<(String, u16)> {
    let at = format!("{}/mcp/desk", server.egress());
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "echo", "arguments": {} } });
    let tokens = tokens.as_object().expect("tokens by name").iter();
    tokens
        .map(|(name, token)| {
            let token = token.as_str().expect("a text");
            (name.clone(), world.post(&at, token, &message).expect("egress answers").0)
        })
        .collect()
}

#[test]
fn tokens_of_another_library_are_taken_and_forged_ones_are_not() {
    let world = World::new();
    let (url, calls) = tools::start(world.runtime());
    let dir = tempfile::tempdir().expect("a directory for the test");
    let log = dir.path().join("issuer.log");
    let _issuer: peers::Peer =
        peers::started(python().arg(script("outside_issuer.py")).arg(dir.path()), &log);
    let told = ready(|| fs::read(dir.path().join("issuer.json")).ok(), &log);
    let told: Value = serde_json::from_slice(&told).expect("JSON");
    let (good, bad) = (&told["good"], &told["bad"]);
    let config = format!(
        "{}issuers:\n  - name: corp\n    kind: oidc\n    issuer: {}\n    audience: lockgate\n    map: [{{ claims: {{ sub: support-v1 }}, agent: support, version: v1 }}]\n  - name: mesh\n    kind: spiffe\n    trust_domain: example.org\n    audience: lockgate\n    jwks: 'file:{}'\n    map: [{{ spiffe_id: spiffe://example.org/ns/agents/sa/support-v1, agent: support, version: v1 }}]\n",
        tools::config(&world.agent().url, &url),
        told["url"].as_str().expect("a text"),
        dir.path().join("bundle.json").display(),
    );
    let mut server = Server::start_governed(&config);
    server.until("the issuers' keys are read", |server| {
        ["oidc RS256", "svid RS256"]
            .iter()
            .all(|name| answers(&world, server, &json!({ "one": good[*name] }))[0].1 == 200)
    });
    let before = calls.lock().expect("nobody panics with it").len();
    for (name, status) in answers(&world, &server, good) {
        assert_eq!(status, 200, "{name}");
    }
    let taken = calls.lock().expect("nobody panics with it").len();
    assert_eq!(taken - before, good.as_object().expect("tokens by name").len());
    for (name, status) in answers(&world, &server, bad) {
        assert_eq!(status, 401, "{name}");
    }
    assert!(bad.as_object().expect("tokens by name").len() >= 25);
    assert_eq!(calls.lock().expect("nobody panics with it").len(), taken, "none came through");

    // Revoking the version is for what was issued by others too, over a kill.
    let args = ["identity", "revoke", "support/v1", "--reason", "a test"];
    assert_eq!(server.run(&args).code, 0);
    let one = json!({ "one": good["oidc RS256"] });
    server.until("it is void", |server| answers(&world, server, &one)[0].1 == 401);
    let before = calls.lock().expect("nobody panics with it").len();
    server.kill();
    server.again();
    // Until it has heard of the newest revocations it says so instead, and lets nothing through.
    server.until("it is void still", |server| answers(&world, server, &one)[0].1 == 401);
    assert_eq!(calls.lock().expect("nobody panics with it").len(), before);
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let intents: Vec<_> =
        server.records().into_iter().filter(|record| record.step == "intent").collect();
    // Until the revocation was heard of, more may have come through.
    let taken = calls.lock().expect("nobody panics with it").len();
    assert_eq!(intents.len(), taken);
    let issuers = |name: &str| intents.iter().filter(|one| one.detail["issuer"] == name).count();
    assert_eq!(issuers("corp") + issuers("mesh"), taken, "records say whose word it was");
    assert!(issuers("corp") > 0 && issuers("mesh") > 0);
}
