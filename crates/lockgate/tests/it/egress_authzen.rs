//! An enforcement point that speaks `AuthZEN`, and the server as it ships: permits are recorded, people agree, and what
//! became of it is told.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::server::Server;

const POLICY: &str = "tools:
  desk:
    actions:
      read: {arguments: {id: text}}
      write: {arguments: {id: text}}
      delete: {arguments: {id: text, soft: bool}}
rules:
  - {id: reading, tool: desk, action: read, effect: allow}
  - {id: writing, tool: desk, action: write, effect: allow}
  - {id: asked, tool: desk, action: write, effect: ask, when: {id.value: {is: '13'}}}
  - {id: softly, tool: desk, action: delete, effect: allow, when: {soft.value: {is: true}}}
";

struct Desk {
    world: World,
    server: Server,
    token: String,
    _policies: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let world = World::new();
        let policies = tempfile::tempdir().expect("a directory for the test");
        std::fs::write(policies.path().join("desk.yaml"), POLICY).expect("it is written");
        let config = format!(
            "agents:\n  - name: support\n    versions: [{{ name: v1, endpoint: '{}' }}]
tools:\n  - {{ name: desk, protocol: external, timeout: 5s }}\n",
            world.agent().url
        );
        let mut server = Server::start_with_policies(&config, Path::new(policies.path()));
        server.until_served(&world);
        let issue = ["identity", "issue", "support", "v1", "--expires", "1h", "--reason", "a test"];
        let token = server.json(&issue)["token"].as_str().expect("a text").to_owned();
        Self { world, server, token, _policies: policies }
    }

    /// The status, the request's id as it came back, and the body.
    fn post(&self, path: &str, body: &Value) -> (u16, String, Value) {
        let at = format!("{}{path}", self.server.egress());
        let request = self.world.http().post(at).bearer_auth(&self.token).json(body);
        self.world.block_on(async {
            let answer = request.header("x-request-id", "r-7").send().await.expect("it answers");
            let id = answer.headers().get("x-request-id").cloned();
            let id = id.and_then(|id| id.to_str().ok().map(str::to_owned)).unwrap_or_default();
            (answer.status().as_u16(), id, answer.json().await.unwrap_or_default())
        })
    }

    fn evaluate(&self, action: &str, properties: &Value) -> Value {
        let asked = json!({
            "subject": { "type": "agent", "id": "support" },
            "action": { "name": action, "properties": properties },
            "resource": { "type": "tool", "id": "desk", "properties": { "owner": "bob" } },
            "context": { "time": "2026-06-27T18:03-07:00" },
            "futureField": { "nested": true },
        });
        let (status, id, answer) = self.post("/access/v1/evaluation", &asked);
        assert_eq!((status, id.as_str()), (200, "r-7"), "{answer}");
        answer
    }
}

#[test]
fn an_enforcement_point_asks_in_the_words_of_the_standard() {
    let mut desk = Desk::new();
    let permit = desk.evaluate("read", &json!({ "id": "7" }));
    assert_eq!(permit["decision"], true, "{permit}");
    let record = permit["context"]["record"].as_u64().expect("a number");
    let told = json!({ "outcome": "ok" });
    assert_eq!(desk.post(&format!("/decide/{record}"), &told).0, 204);
    assert_eq!(desk.evaluate("delete", &json!({ "id": "7", "soft": false }))["decision"], false);
    assert_eq!(desk.evaluate("read", &json!({ "id": "7", "more": 1 }))["decision"], false);

    // A person agrees to exactly this, once.
    let ada = ["token", "create", "ada", "--role", "approver", "--reason", "a test"];
    let ada = desk.server.json(&ada)["token"].as_str().expect("a text").to_owned();
    let waits = desk.evaluate("write", &json!({ "id": "13" }));
    assert_eq!(waits["decision"], false);
    let question = waits["context"]["approval"].as_str().expect("a question").to_owned();
    let args = ["approvals", "approve", &question, "--reason", "it was looked at"];
    let yes = desk.server.run_as(&ada, &args);
    assert_eq!(yes.code, 0, "{}", yes.shown());
    assert_eq!(desk.evaluate("write", &json!({ "id": "13" }))["decision"], true);
    assert_eq!(desk.evaluate("write", &json!({ "id": "13" }))["decision"], false, "once");

    let boxcar = json!({
        "subject": { "type": "agent", "id": "support/v1" },
        "resource": { "type": "tool", "id": "desk" },
        "evaluations": [
            { "action": { "name": "read", "properties": { "id": "7" } } },
            { "action": { "name": "delete", "properties": { "id": "7", "soft": true } } },
            { "action": { "name": "drop", "properties": {} } },
            {},
            { "subject": { "type": "agent", "id": "clerk" },
              "action": { "name": "read", "properties": { "id": "7" } } },
        ],
    });
    let (status, _, answer) = desk.post("/access/v1/evaluations", &boxcar);
    assert_eq!(status, 200);
    let decisions: Vec<bool> = answer["evaluations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["decision"].as_bool().expect("yes or no"))
        .collect();
    assert_eq!(decisions, [true, true, false, false, false], "{answer}");
    ends(&mut desk);
}

/// Four were permitted, and nobody has said what became of three of them.
fn ends(desk: &mut Desk) {
    let log = desk.server.data_dir().join("audit");
    desk.server.until("what nobody tells ends by itself", |_| {
        let reader = lockgate_audit::Reader::open(log.clone(), Vec::new()).expect("a log");
        let records = (0..reader.size()).map(|seq| reader.record(seq).expect("it is there"));
        records.filter(|record| record.step == "outcome").count() == 4
    });
    assert_eq!(desk.server.stop(), Some(0), "{}", desk.server.log());
    let records = desk.server.records();
    let of = |step: &str| records.iter().filter(|one| one.step == step).collect::<Vec<_>>();
    assert_eq!(of("intent").len(), 4);
    let ends: Vec<&Value> = of("outcome").iter().map(|one| &one.detail["outcome"]).collect();
    assert_eq!(ends, [&json!("ok"), &json!("timeout"), &json!("timeout"), &json!("timeout")]);
    let refused = records.iter().filter(|one| one.action == "action.refused");
    let whys: Vec<&str> = refused.map(|one| one.detail["why"].as_str().expect("a text")).collect();
    assert!(
        whys.last().expect("some").contains("the subject is not whose token this is"),
        "{whys:?}"
    );
}
