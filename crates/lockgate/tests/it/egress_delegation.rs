//! Two agents made with `a2a-sdk`: one asks the other through Lockgate, and the other looks something up for it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::agent::World;
use crate::support::peers::{python, ready, script, started};
use crate::support::server::Server;

/// The desk looks up orders for others only; who it is done for must be allowed to see them.
const POLICY: &str = "tools:
  desk:
    actions:
      SendMessage: {arguments: {text: text, bytes: number, parts: number, kinds: texts, media_types: texts, files: texts,
          link: {type: url, optional: true}, data: {type: json, optional: true}, metadata: {type: json, optional: true},
          role: text, context: {type: text, optional: true}, task: {type: text, optional: true}, references: texts,
          extensions: texts, blocking: bool, output_modes: texts, history: {type: number, optional: true},
          push_url: {type: url, optional: true}}}
  orders:
    actions:
      look_up: {arguments: {id: text}}
rules:
  - {id: asking, tool: desk, action: SendMessage, agents: [support], effect: allow, when: {push_url: {present: false}}}
  - {id: own-orders, tool: orders, action: look_up, agents: [support], effect: allow}
  - {id: not-that-one, tool: orders, action: look_up, agents: [support], effect: deny, when: {id.value: {is: '13'}}}
  - {id: one-a-day, tool: orders, action: look_up, agents: [support], effect: limit, limit: {rate: 1/day}}
  - {id: for-others, tool: orders, action: look_up, agents: [desk], effect: allow, when: {delegation.depth: {above: 0}}}
";

#[test]
fn an_agent_answers_whom_lockgate_knows_and_does_for_it_what_it_may_do_itself() {
    let world = World::new();
    let looked_up = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looked_up);
    let app = Router::new().fallback(async move || {
        count.fetch_add(1, Ordering::SeqCst);
        axum::Json(json!({}))
    });
    let listener = world.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let orders = format!("http://{}", listener.local_addr().expect("bound"));
    world.spawn(async move { axum::serve(listener, app).await });

    let dir = tempfile::tempdir().expect("a directory for the test");
    let at = |name: &str| dir.path().join(name);
    let (address, seen, lockgate, log) = (at("address"), at("seen"), at("lockgate"), at("log"));
    let mut agent = python();
    agent.arg(script("a2a_governed.py")).args([&address, &seen, &lockgate]);
    let _agent = started(&mut agent, &log);
    let address = ready(|| fs::read_to_string(&address).ok().filter(|text| !text.is_empty()), &log);
    let desk = format!("http://{address}/desk/");

    let policies = tempfile::tempdir().expect("a directory for the test");
    fs::write(policies.path().join("p.yaml"), POLICY).expect("it is written");
    let version = world.agent().url;
    let config = format!(
        "agents:
  - {{ name: support, match: [{{ path: /support }}], versions: [{{ name: v1, endpoint: '{version}' }}] }}
  - {{ name: desk, match: [{{ path: /desk }}], versions: [{{ name: v1, endpoint: '{version}' }}] }}
tools:
  - {{ name: desk, protocol: a2a, url: '{desk}', agent: desk }}
  - {{ name: orders, protocol: http, url: '{orders}', operations: [{{ name: look_up, call: 'GET /orders/{{id}}' }}] }}
"
    );
    let mut server = Server::start_with_policies(&config, policies.path());
    for agent in ["support", "desk"] {
        server.until("requests are served", |server| {
            let at = format!("{}/{agent}", server.ingress());
            world.ask(&at).is_some_and(|(status, _)| status == 200)
        });
    }
    let token = |agent: &str| {
        let issued = server.json(&["identity", "issue", agent, "v1", "--reason", "a test"]);
        issued["token"].as_str().expect("a text").to_owned()
    };
    let (support, own) = (token("support"), token("desk"));
    let egress = server.egress();
    fs::write(&lockgate, format!("{egress} {own}")).expect("it is written");
    let ask = |text: &str| -> Value {
        let ran = python().arg(script("a2a_handover.py")).args([&egress, &support, text]).output();
        let ran = ran.expect("Python starts");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}\n{}", fs::read_to_string(&log).unwrap_or_default());
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    };

    let told = ask("order 7");
    assert_eq!(
        (&told["caller"]["agent"], &told["caller"]["version"]),
        (&json!("support"), &json!("v1"))
    );
    assert_eq!((&told["for_caller"], &told["for_itself"]), (&json!(200), &json!(403)), "{told}");
    // It is counted with whom it was done for.
    let told = ask("order 7");
    assert_eq!(told["for_caller"], 403, "{told}");
    let told = ask("order 13");
    assert_eq!((&told["for_caller"], &told["for_itself"]), (&json!(403), &json!(403)), "{told}");
    assert_eq!(looked_up.load(Ordering::SeqCst), 1);

    // Somebody on the way sends what arrived once more, and another message with the same word on who calls.
    let arrived = fs::read_to_string(&seen).expect("it is there");
    let arrived: Value =
        serde_json::from_str(arrived.lines().next().expect("a line")).expect("JSON");
    let body = arrived["body"].as_str().expect("a text");
    for (body, why) in
        [(body.to_owned(), "shown before"), (body.replace('7', "8"), "another message")]
    {
        let mut again = world.http().post(&desk).body(body);
        for name in ["content-type", "a2a-version", "lockgate-caller", "lockgate-delegation"] {
            again = again.header(name, arrived["headers"][name].as_str().expect("it was sent"));
        }
        let (status, said) = world.block_on(async {
            let answer = again.send().await.expect("it answers");
            (answer.status(), answer.text().await.expect("a text"))
        });
        assert!(status == 401 && said.contains(why), "{status} {said}");
    }
    assert_eq!(looked_up.load(Ordering::SeqCst), 1);

    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let records = server.records();
    let done = records.iter().find(|one| one.step == "intent" && one.object == "orders/look_up");
    let done = done.expect("it is recorded");
    assert_eq!(done.detail["governed"]["delegation"], json!(["agent support/v1"]));
    let given = records.iter().filter(|one| one.action == "delegation.give");
    assert!(
        given.clone().count() == 3
            && given.clone().any(|one| one.detail["delegation"] == done.detail["delegation"])
    );
    let refused =
        records.iter().find(|one| one.action == "identity.refused").expect("it is recorded");
    for why in
        ["the word on who calls was shown before", "the word on who calls is about another message"]
    {
        assert_eq!(refused.detail["reasons"][why], 1, "{}", refused.detail);
    }
}
