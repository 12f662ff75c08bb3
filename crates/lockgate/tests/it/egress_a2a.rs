//! An agent made with `a2a-sdk` behind Lockgate, and the client of `a2a-sdk` in front of it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::peers::{Peer, python, ready, script, started};
use crate::support::server::Server;

/// Arguments of a message.
const MESSAGE: &str = "{text: text, bytes: number, parts: number, kinds: texts, media_types: texts, files: texts,
          link: {type: url, optional: true}, data: {type: json, optional: true}, metadata: {type: json, optional: true},
          role: text, context: {type: text, optional: true}, task: {type: text, optional: true}, references: texts,
          extensions: texts, blocking: bool, output_modes: texts, history: {type: number, optional: true},
          push_url: {type: url, optional: true}}";

const POLICY: &str = "tools:
  desk:
    actions:
      SendMessage: {arguments: MESSAGE}
      SendStreamingMessage: {arguments: MESSAGE}
      GetTask: {arguments: {task: text, history: {type: number, optional: true}}}
      CancelTask: {arguments: {task: text, metadata: {type: json, optional: true}}}
      CreateTaskPushNotificationConfig: {arguments: {task: text, config: {type: text, optional: true}, push_url: url}}
rules:
  - {id: talking, tool: desk, action: [SendMessage, SendStreamingMessage], effect: allow,
     when: {kinds.values: {subset_of: [text]}, push_url: {present: false}}}
  - {id: no-refunds, tool: desk, action: [SendMessage, SendStreamingMessage], effect: deny,
     when: {text.folded: {matches: 'refund*'}}, message: People make refunds.}
  - {id: tasks, tool: desk, action: [GetTask, CancelTask], effect: allow}
  - {id: hooks, tool: desk, action: CreateTaskPushNotificationConfig, effect: allow,
     when: {push_url.domains: {contains: hooks.example.com}}}
";

/// The agent, where it is, and where it writes down what arrives.
struct Desk {
    _peer: Peer,
    url: String,
    dir: tempfile::TempDir,
}

impl Desk {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let at = |name: &str| dir.path().join(name);
        let (address, log) = (at("address"), at("log"));
        let peer =
            started(python().arg(script("a2a_agent.py")).arg(&address).arg(at("seen")), &log);
        let at = ready(|| fs::read_to_string(&address).ok().filter(|text| !text.is_empty()), &log);
        Self { _peer: peer, url: format!("http://{at}/agents/desk/"), dir }
    }

    /// What arrived since this was last asked.
    fn arrived(&self) -> Vec<Value> {
        let seen = self.dir.path().join("seen");
        let text = fs::read_to_string(&seen).expect("it is there");
        fs::write(&seen, "").expect("it is written");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// What the client of the package is told.
fn told(url: &str, token: &str) -> Value {
    let ran = python().arg(script("a2a_caller.py")).args([url, token]).output();
    let ran = ran.expect("Python starts");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn start(world: &World, desk: &Desk, policies: &Path) -> Server {
    let policy = POLICY.replace("MESSAGE", MESSAGE);
    fs::write(policies.join("desk.yaml"), policy).expect("it is written");
    let key = policies.join("key");
    fs::write(&key, "Bearer real").expect("it is written");
    let (version, url, key) = (world.agent().url, &desk.url, key.display());
    let config = format!(
        "agents:\n  - name: support\n    versions: [{{ name: v1, endpoint: '{version}' }}]\n\
         tools:\n  - {{ name: desk, protocol: a2a, url: '{url}', credential: {{ value: 'file:{key}' }} }}\n"
    );
    let mut server = Server::start_with_policies(&config, policies);
    server.until_served(world);
    server
}

#[test]
fn agents_call_another_agent_as_they_may() {
    let world = World::new();
    let desk = Desk::start();
    let policies = tempfile::tempdir().expect("a directory for the test");
    let mut server = start(&world, &desk, policies.path());
    let issue = ["identity", "issue", "support", "v1", "--reason", "a test"];
    let token = server.json(&issue)["token"].as_str().expect("a text").to_owned();

    let without = told(desk.url.trim_end_matches('/'), "none");
    desk.arrived();
    let here = format!("{}/a2a/desk", server.egress());
    let through = told(&here, &token);

    assert_eq!(
        through["interfaces"],
        json!([[here, "JSONRPC", "1.0"], [here, "HTTP+JSON", "1.0"], [here, "JSONRPC", "0.3"]])
    );
    assert_eq!((&through["signatures"], &through["skills"]), (&json!(0), &without["skills"]));
    assert_eq!((&through["nobody"], &without["nobody"]), (&json!(401), &json!(200)));
    assert_eq!(through["push"], true, "some of it can be allowed");
    for interface in ["JSONRPC 1.0", "HTTP+JSON 1.0", "JSONRPC 0.3"] {
        let (through, without) = (&through[interface], &without[interface]);
        for same in ["whole", "stream", "task", "cancelled", "missing"] {
            assert!(!through[same].is_null(), "{interface}: {same}");
            assert_eq!(through[same], without[same], "{interface}: {same}");
        }
        assert_eq!(through["stream"].as_array().map(Vec::len), Some(4), "{interface}");
        assert_eq!(through["left"], true, "{interface}");
        refused(interface, through);
    }
    // Nothing that was refused arrived, and nothing of the agent's own came along.
    let arrived = desk.arrived();
    for one in &arrived {
        assert_eq!(one["credential"], "Bearer real");
        let said = one.to_string();
        assert!(
            !said.contains("Refund") && !said.contains("169.254") && !said.contains(&token),
            "{said}"
        );
    }
    server.until("streams that were left are recorded", |server| {
        server.records().iter().filter(|record| record.detail["outcome"] == "cancelled").count()
            == 3
    });
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    recorded(&server, &arrived);
}

/// A refusal says why, in whatever form it comes.
fn refused(interface: &str, told: &Value) {
    for what in ["refused", "refused_stream", "push", "push_config"] {
        let text =
            told[what]["text"].as_str().unwrap_or_else(|| panic!("{interface} {what}: {told}"));
        assert!(text.contains("Refused by Lockgate: "), "{interface} {what}: {text}");
        assert_eq!(told[what]["class"], "UnsupportedOperationError", "{interface} {what}");
        assert!(!what.starts_with("refused") || text.contains("People make refunds."), "{text}");
        // The client for 0.3 drops what else an error says.
        if interface != "JSONRPC 0.3" {
            let record = told[what]["data"]["audit_record"].as_str().map(str::parse::<u64>);
            assert!(matches!(record, Some(Ok(_))), "{interface} {what}: {}", told[what]);
        }
    }
    if interface != "JSONRPC 0.3" {
        assert_eq!(told["hidden"]["class"], "MethodNotFoundError", "{interface}");
    }
}

/// Each call that arrived was recorded before, and after as what it was.
fn recorded(server: &Server, arrived: &[Value]) {
    let records = server.records();
    let calls = arrived
        .iter()
        .filter(|one| one["path"].as_str().is_some_and(|path| !path.contains("/.well-known/")));
    let intents = records.iter().filter(|record| record.step == "intent").count();
    assert_eq!(intents, calls.count());
    let ends = |object: &str, outcome: &str| {
        let ends = records.iter().filter(|record| {
            record.step == "outcome"
                && record.object == object
                && record.detail["outcome"] == outcome
        });
        ends.count()
    };
    assert_eq!(records.iter().filter(|record| record.step == "outcome").count(), intents);
    assert_eq!(ends("desk/SendMessage", "ok"), 3);
    // The one that was cancelled by a call of its own says that it failed.
    assert_eq!(ends("desk/SendStreamingMessage", "ok"), 3);
    assert_eq!(ends("desk/SendStreamingMessage", "tool_error"), 3);
    assert_eq!(ends("desk/SendStreamingMessage", "cancelled"), 3);
    assert_eq!((ends("desk/GetTask", "ok"), ends("desk/CancelTask", "ok")), (3, 3));
    let refused = |object: &str| {
        records.iter().filter(|one| one.action == "action.refused" && one.object == object).count()
    };
    assert_eq!(refused("desk/SendMessage"), 6);
    assert_eq!(refused("desk/SendStreamingMessage"), 3);
    assert_eq!(refused("desk/CreateTaskPushNotificationConfig"), 3);
    assert_eq!(refused("desk/(unknown)"), 2);
}
