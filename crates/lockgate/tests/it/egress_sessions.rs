//! What an agent has read and done for a user decides what it may do next, and how often; counted at the tool.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::config;
use crate::support::server::Server;
use crate::support::tools::{self, Calls};

const POLICY: &str = "tools:
  desk:
    actions:
      browse: {arguments: {url: text}, labels: [web]}
      mail: {arguments: {to: text}}
      check: {arguments: {order: text}}
      refund: {arguments: {order: text}}
      few: {arguments: {n: number}}
      wait: {arguments: {wait_ms: number}}
      loop: {arguments: {n: number}}
rules:
  - {id: may, tool: desk, action: [browse, mail, check, few, loop, wait], effect: allow}
  - {id: clean-mail, tool: desk, action: mail, effect: deny, when: {session.labels: {contains: web}}, risk: ASI01}
  - {id: checked-refund, tool: desk, action: refund, effect: allow, when: {session.done: {contains: desk/check}}}
  - {id: three, tool: desk, action: few, effect: limit, limit: {rate: 3/hour, count: session}}
  - {id: user-four, tool: desk, action: few, effect: limit, limit: {rate: 4/hour, count: user}}
  - {id: no-loops, tool: desk, action: loop, effect: limit, limit: {rate: 2/hour, count: call}}
";

struct Desk {
    world: World,
    server: Server,
    calls: Calls,
    token: String,
    policies: tempfile::TempDir,
    asked: u32,
}

impl Desk {
    fn new() -> Self {
        let world = World::new();
        let (url, calls) = tools::start(world.runtime());
        let policies = tempfile::tempdir().expect("a directory for the test");
        std::fs::write(policies.path().join("desk.yaml"), POLICY).expect("it is written");
        let version = world.agent();
        let text = config::quick(&[("v1", &version)])
            .replace("\n    health:", "\n    sticky: {header: x-user}\n    health:");
        let text = format!("{text}tools:\n  - {{ name: desk, url: '{url}' }}\n");
        let mut server = Server::start_with_policies(&text, Path::new(policies.path()));
        server.until_served(&world);
        let args = ["identity", "issue", "support", "v1", "--expires", "1h", "--reason", "a test"];
        let token = server.json(&args)["token"].as_str().expect("a text").to_owned();
        Self { world, server, calls, token, policies, asked: 0 }
    }

    /// A request of a user; what its answer is known by.
    fn interaction(&self, user: &str) -> String {
        let asked = self.world.http().post(format!("{}/ask", self.server.ingress()));
        let asked = asked.header("x-user", user).body("hello");
        let answer = self.world.block_on(async { asked.send().await }).expect("an answer");
        assert_eq!(answer.status(), 200);
        let id = answer.headers().get("lockgate-interaction").expect("its id");
        id.to_str().expect("a text").to_owned()
    }

    /// A call for an interaction, or for nobody; whether it was done.
    fn calls(
        &mut self,
        interaction: Option<&str>,
        action: &str,
        arguments: &Value,
    ) -> Result<(), String> {
        self.asked += 1;
        let id = format!("c-{}", self.asked);
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": action, "arguments": arguments } });
        let at = format!("{}/mcp/desk", self.server.egress());
        let mut asked = self.world.http().post(at).bearer_auth(&self.token).json(&message);
        if let Some(interaction) = interaction {
            asked = asked.header("lockgate-interaction", interaction);
        }
        let answer: Value = self
            .world
            .block_on(async { asked.send().await?.json().await })
            .unwrap_or_else(|error| panic!("egress answers: {error} {}", self.server.log()));
        let arrived = self.calls.lock().expect("nobody panics with it").contains(&id);
        assert_eq!(arrived, answer["result"]["isError"] == json!(false), "{answer}");
        match answer["result"]["content"][0]["text"].as_str() {
            _ if arrived => Ok(()),
            Some(text) => Err(text.to_owned()),
            None => Err(answer.to_string()),
        }
    }

    fn restart(&mut self) {
        self.server.kill();
        self.server.again();
        self.server.until_served(&self.world);
    }
}

#[test]
fn what_was_read_for_one_user_binds_what_is_done_for_that_user() {
    let mut desk = Desk::new();
    let (first, second) = (desk.interaction("ada"), desk.interaction("bo"));
    let to = json!({ "to": "x@example.com" });
    desk.calls(Some(&first), "mail", &to).expect("nothing was read yet");
    desk.calls(Some(&first), "browse", &json!({ "url": "https://example.com" })).expect("it may");
    let refused = desk.calls(Some(&first), "mail", &to).expect_err("the web was read");
    assert!(refused.contains("clean-mail"), "{refused}");
    desk.calls(Some(&second), "mail", &to).expect("another session is clean");
    // Who says nothing, or names what is not there, carries what all have read.
    for nobody in [None, Some("0190a1b2-0000-7000-8000-000000000001")] {
        assert!(desk.calls(nobody, "mail", &to).expect_err("unlinked").contains("clean-mail"));
    }
    desk.restart();
    assert!(desk.calls(Some(&first), "mail", &to).is_err(), "a restart makes nobody clean");
    assert!(desk.calls(None, "mail", &to).is_err());
    let third = desk.interaction("ada");
    desk.calls(Some(&third), "mail", &to).expect("a new session is clean");
}

#[test]
fn what_was_done_before_allows_what_comes_after_in_the_same_session() {
    let mut desk = Desk::new();
    let (first, second) = (desk.interaction("ada"), desk.interaction("ada"));
    let order = json!({ "order": "7" });
    assert!(desk.calls(Some(&first), "refund", &order).is_err());
    desk.calls(Some(&first), "check", &order).expect("it may");
    desk.calls(Some(&first), "refund", &order).expect("it was checked");
    assert!(desk.calls(Some(&second), "refund", &order).is_err(), "not in this one");
    assert!(
        desk.calls(None, "refund", &order).is_err(),
        "what nobody is linked to was never checked"
    );
}

#[test]
fn limits_count_sessions_users_and_loops_over_a_kill() {
    let mut desk = Desk::new();
    let (first, second, other) =
        (desk.interaction("ada"), desk.interaction("ada"), desk.interaction("bo"));
    for n in 0..3 {
        desk.calls(Some(&first), "few", &json!({ "n": n })).expect("within the limit");
    }
    let refused = desk.calls(Some(&first), "few", &json!({ "n": 3 })).expect_err("three");
    assert!(refused.contains("three"), "{refused}");
    desk.calls(Some(&second), "few", &json!({ "n": 0 })).expect("another session of the user");
    let refused =
        desk.calls(Some(&second), "few", &json!({ "n": 1 })).expect_err("the fifth of ada");
    assert!(refused.contains("user-four"), "{refused}");
    desk.calls(Some(&other), "few", &json!({ "n": 0 })).expect("another user");
    for _ in 0..2 {
        desk.calls(Some(&other), "loop", &json!({ "n": 1 })).expect("twice");
    }
    assert!(desk.calls(Some(&other), "loop", &json!({ "n": 1 })).is_err(), "the same again");
    desk.calls(Some(&other), "loop", &json!({ "n": 2 })).expect("something else");
    for n in 0..3 {
        desk.calls(None, "few", &json!({ "n": n })).expect("those who are nobody's count together");
    }
    desk.restart();
    assert!(desk.calls(None, "few", &json!({ "n": 9 })).is_err(), "a restart gives nothing back");
}

#[test]
fn what_is_done_for_a_user_who_is_stopped_is_not_done() {
    let mut desk = Desk::new();
    let (ada, bo) = (desk.interaction("ada"), desk.interaction("bo"));
    desk.calls(Some(&ada), "check", &json!({ "order": "1" })).expect("it may");
    let args = ["quarantine", "begin", "--agent", "support", "--user", "ada", "--reason", "a test"];
    let order = desk.server.json(&args)["id"].as_str().expect("a text").to_owned();
    let refused = desk.calls(Some(&ada), "check", &json!({ "order": "1" })).expect_err("stopped");
    assert!(refused.contains(&order), "{refused}");
    desk.calls(Some(&bo), "check", &json!({ "order": "1" })).expect("another user");
    // What is under way for a user is cut.
    let slow = json!({ "jsonrpc": "2.0", "id": "slow", "method": "tools/call",
        "params": { "name": "wait", "arguments": { "wait_ms": 20_000 } } });
    let at = format!("{}/mcp/desk", desk.server.egress());
    let asked = desk.world.http().post(at).bearer_auth(&desk.token).json(&slow);
    let asked = asked.header("lockgate-interaction", &bo);
    let going = desk.world.spawn(async move { asked.send().await.map(|answer| answer.status()) });
    let calls = desk.calls.clone();
    desk.server.until("the call has arrived", |_| {
        calls.lock().expect("nobody panics with it").iter().any(|call| call == "slow")
    });
    let args = ["quarantine", "begin", "--agent", "support", "--user", "bo", "--reason", "a test"];
    desk.server.json(&args);
    let status = desk.world.block_on(going).expect("the task ends").expect("an answer");
    assert_eq!(status.as_u16(), 403);
}

/// Other policies decide from when they are recorded on; wrong ones change nothing.
#[test]
fn policies_are_read_again_and_wrong_ones_change_nothing() {
    let mut desk = Desk::new();
    let order = json!({ "order": "1" });
    let in_force = |desk: &Desk| desk.server.json(&["policy", "status"])["digest"].clone();
    let first = in_force(&desk);
    desk.calls(None, "check", &order).expect("it may");
    let write = |desk: &Desk, text: &str| {
        std::fs::write(desk.policies.path().join("desk.yaml"), text).expect("it is written");
        desk.server.signal("HUP");
    };
    for wrong in
        [POLICY.replace("effect: allow", "effect: allowed"), "rules: [".into(), String::new()]
    {
        let before = desk.server.log().matches("not put in force").count();
        write(&desk, &wrong);
        desk.server.until("it is refused", |server| {
            server.log().matches("not put in force").count() > before
        });
        assert_eq!(in_force(&desk), first);
        desk.calls(None, "check", &order).expect("what was in force is");
    }
    write(&desk, &POLICY.replace("[browse, mail, check,", "[browse, mail,"));
    desk.server.until("another one is in force", |server| {
        server.json(&["policy", "status"])["digest"] != first
    });
    assert!(desk.calls(None, "check", &order).is_err());
    assert_eq!(desk.server.stop(), Some(0), "{}", desk.server.log());
    let records = desk.server.records();
    let activated = records.iter().filter(|one| one.action == "policy.activate");
    let digests: Vec<&Value> = activated.map(|one| &one.detail["digest"]).collect();
    assert_eq!(digests.len(), 2, "{digests:?}");
    assert_eq!(*digests[0], first);
}
