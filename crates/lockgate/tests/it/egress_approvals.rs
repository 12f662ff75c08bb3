//! Actions that a person must agree to, against the running server: what is done, counted at the tool, is what somebody
//! said yes to, once.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::agent::World;
use crate::support::server::Server;
use crate::support::tools::{self, Calls};

const POLICY: &str = "tools:
  desk:
    actions:
      echo: {arguments: {to: text, amount: number}}
      wire: {arguments: {to: text, amount: number}}
rules:
  - {id: may-echo, tool: desk, action: echo, effect: allow}
  - {id: may-wire, tool: desk, action: wire, effect: allow}
  - {id: ask-echo, tool: desk, action: echo, effect: ask, when: {amount.value: {at_least: 10}}, message: ten and more are looked at}
  - {id: ask-wire, tool: desk, action: wire, effect: ask, ask: {approvals: 2, from: [ada, bo]}}
";

struct Desk {
    world: World,
    server: Server,
    calls: Calls,
    token: String,
    policies: tempfile::TempDir,
}

impl Desk {
    fn new(approvals: &str) -> Self {
        let world = World::new();
        let (url, calls) = tools::start(world.runtime());
        let policies = tempfile::tempdir().expect("a directory for the test");
        std::fs::write(policies.path().join("desk.yaml"), POLICY).expect("it is written");
        let config = format!("{}approvals: {approvals}\n", tools::config(&world.agent().url, &url));
        let mut server = Server::start_with_policies(&config, Path::new(policies.path()));
        server.until_served(&world);
        let args = ["identity", "issue", "support", "v1", "--expires", "1h", "--reason", "a test"];
        let token = server.json(&args)["token"].as_str().expect("a text").to_owned();
        Self { world, server, calls, token, policies }
    }

    fn person(&self, name: &str, role: &str) -> String {
        let args = ["token", "create", name, "--role", role, "--reason", "a test"];
        self.server.json(&args)["token"].as_str().expect("a text").to_owned()
    }

    fn message(id: &str, action: &str, arguments: &Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": action, "arguments": arguments } })
    }

    fn call(&self, id: &str, action: &str, arguments: &Value) -> Value {
        let at = format!("{}/mcp/desk", self.server.egress());
        let answer = self.world.post(&at, &self.token, &Self::message(id, action, arguments));
        answer.unwrap_or_else(|| panic!("egress answers: {}", self.server.log())).1
    }

    /// The question that a refused call waits for.
    fn waits(&self, id: &str, action: &str, arguments: &Value) -> String {
        let answer = self.call(id, action, arguments);
        let text = refusal(&answer);
        assert!(text.contains("waits for a person"), "{text}");
        let approval = &answer["result"]["structuredContent"]["lockgate_approval"];
        approval.as_str().unwrap_or_else(|| panic!("a ticket: {answer}")).to_owned()
    }

    fn say(&self, token: &str, verb: &str, id: &str) -> Ran {
        self.server.run_as(token, &["approvals", verb, id, "--reason", "it was looked at"])
    }

    fn made(&self) -> Vec<String> {
        self.calls.lock().expect("nobody panics with it").clone()
    }
}

fn is_done(answer: &Value) -> bool {
    answer["result"]["isError"] == json!(false)
}

fn refusal(answer: &Value) -> &str {
    assert_eq!(answer["result"]["isError"], json!(true), "{answer}");
    answer["result"]["content"][0]["text"].as_str().expect("a text")
}

#[test]
fn what_is_done_is_what_somebody_agreed_to_once() {
    let mut desk = Desk::new("{hold: 0s}");
    let (ada, oscar) = (desk.person("ada", "approver"), desk.person("oscar", "operator"));
    assert!(is_done(&desk.call("small", "echo", &json!({ "to": "mia", "amount": 9 }))));
    let pay = json!({ "to": "mia", "amount": 10 });
    let id = desk.waits("no-1", "echo", &pay);
    assert_eq!(desk.waits("no-2", "echo", &pay), id, "one question about one action");

    // Not by an operator, and not by whoever holds, or could hold, the agent's token.
    assert_ne!(desk.say(&oscar, "approve", &id).code, 0);
    let own = desk.server.run(&["approvals", "approve", &id, "--reason", "my own"]);
    assert_ne!(own.code, 0, "{}", own.shown());
    assert!(own.stderr.contains("no say"), "{}", own.shown());
    let with_the_agents_token = desk.say(&desk.token, "approve", &id);
    assert_ne!(with_the_agents_token.code, 0, "{}", with_the_agents_token.shown());
    desk.waits("no-3", "echo", &pay);

    // What they are asked, they see; others do not.
    let seen = desk.server.run_as(&ada, &["approvals", "show", &id]);
    assert!(seen.stdout.contains("mia") && seen.stdout.contains("ask-echo"), "{}", seen.shown());
    assert!(!desk.server.run_as(&oscar, &["approvals", "show", &id]).stdout.contains("mia"));

    let yes = desk.say(&ada, "approve", &id);
    assert_eq!(yes.code, 0, "{}", yes.shown());
    // For exactly this: not for other arguments, whatever they look like.
    for (n, other) in [
        json!({ "to": "mia", "amount": 11 }),
        json!({ "to": "mallory", "amount": 10 }),
        json!({ "to": "mia ", "amount": 10 }),
    ]
    .iter()
    .enumerate()
    {
        assert_ne!(desk.waits(&format!("no-other-{n}"), "echo", other), id);
    }
    assert!(is_done(&desk.call("yes-1", "echo", &json!({ "amount": 10, "to": "mia" }))));
    assert_ne!(desk.waits("no-4", "echo", &pay), id, "once");
    assert_ne!(desk.say(&ada, "approve", &id).code, 0, "it was used");
    assert_eq!(desk.made(), ["small", "yes-1"]);
    ends(&mut desk, &id);
}

fn ends(desk: &mut Desk, id: &str) {
    assert_eq!(desk.server.stop(), Some(0), "{}", desk.server.log());
    let records = desk.server.records();
    let of = |action: &str| records.iter().filter(|one| one.action == action).collect::<Vec<_>>();
    assert_eq!(of("approval.ask").len(), 5, "each question, once");
    assert_eq!(of("approval.approve").len(), 1);
    let intents: Vec<_> = records.iter().filter(|one| one.step == "intent").collect();
    assert_eq!(intents.len(), 2);
    assert_eq!(intents[1].detail["approval"], json!(id));
    let text = serde_json::to_string(&records).expect("records are JSON");
    for word in ["mia", "\"ada\"", "looked at"] {
        assert!(!text.contains(word), "{word} is nobody's to read");
    }
}

#[test]
fn one_yes_is_one_use_whoever_races_for_it_and_over_a_kill() {
    let mut desk = Desk::new("{hold: 0s}");
    let ada = desk.person("ada", "approver");
    let pay = json!({ "to": "mia", "amount": 10 });
    let id = desk.waits("no", "echo", &pay);
    assert_eq!(desk.say(&ada, "approve", &id).code, 0);
    desk.server.kill();
    desk.server.again();
    let at = format!("{}/mcp/desk", desk.server.egress());
    let racing: Vec<_> = (0..16)
        .map(|n| {
            let message = Desk::message(&format!("race-{n}"), "echo", &pay);
            let asked = desk.world.http().post(&at).bearer_auth(&desk.token).json(&message);
            desk.world.spawn(async move { asked.send().await?.json::<Value>().await })
        })
        .collect();
    let mut done = 0;
    for one in racing {
        let answer = desk.world.block_on(one).expect("the task ends").expect("an answer");
        done += usize::from(is_done(&answer));
    }
    assert_eq!((done, desk.made().len()), (1, 1));
}

#[test]
fn enough_of_those_named_and_a_no_is_final() {
    let mut desk = Desk::new("{hold: 0s}");
    let [ada, bo, cy] = ["ada", "bo", "cy"].map(|name| desk.person(name, "approver"));
    let wire = |amount: u32| json!({ "to": "mia", "amount": amount });
    let id = desk.waits("no-1", "wire", &wire(1));
    assert_ne!(desk.say(&cy, "approve", &id).code, 0, "the rule names others");
    assert_eq!(desk.say(&ada, "approve", &id).code, 0);
    assert_ne!(desk.say(&ada, "approve", &id).code, 0, "nobody counts twice");
    desk.waits("no-2", "wire", &wire(1));
    assert_eq!(desk.say(&bo, "approve", &id).code, 0);
    assert!(is_done(&desk.call("yes", "wire", &wire(1))));

    let id = desk.waits("no-3", "wire", &wire(2));
    assert_eq!(desk.say(&ada, "approve", &id).code, 0);
    assert_eq!(desk.say(&bo, "deny", &id).code, 0);
    let late = desk.say(&ada, "approve", &id);
    assert_ne!(late.code, 0);
    assert!(late.stderr.contains("final"), "{}", late.shown());
    for n in 0..3 {
        let answer = desk.call(&format!("no-4-{n}"), "wire", &wire(2));
        assert!(refusal(&answer).contains("said no"), "{answer}");
        if n == 1 {
            desk.server.kill();
            desk.server.again();
        }
    }

    // What was agreed to under one policy is not under another.
    let id = desk.waits("no-5", "wire", &wire(3));
    assert_eq!(desk.say(&ada, "approve", &id).code, 0);
    assert_eq!(desk.say(&bo, "approve", &id).code, 0);
    desk.server.kill();
    let stricter =
        POLICY.replace("approvals: 2, from: [ada, bo]", "approvals: 3, from: [ada, bo, cy]");
    std::fs::write(desk.policies.path().join("desk.yaml"), stricter).expect("it is written");
    desk.server.again();
    assert_ne!(desk.waits("no-6", "wire", &wire(3)), id);
    assert_eq!(desk.made(), ["yes"]);
}

#[test]
fn a_call_is_held_until_it_is_answered_and_no_longer_than_it_is_good_for() {
    let mut desk = Desk::new("{hold: 1m, expires: 10s}");
    let ada = desk.person("ada", "approver");
    let at = format!("{}/mcp/desk", desk.server.egress());
    let begin = |id: &str, amount: u32| {
        let message = Desk::message(id, "echo", &json!({ "to": "mia", "amount": amount }));
        let asked = desk.world.http().post(&at).bearer_auth(&desk.token).json(&message);
        desk.world.spawn(async move { asked.send().await?.json::<Value>().await })
    };
    let (held, silent) = (begin("yes", 20), begin("no-silence", 30));
    let mut ids = Vec::new();
    desk.server.until("both wait", |server| {
        let listed = server.json(&["approvals", "list"]);
        ids = listed.as_array().expect("a list").clone();
        ids.len() == 2
    });
    let shown = |row: &Value| {
        let id = row["id"].as_str().expect("a text").to_owned();
        let seen = desk.server.run_as(&ada, &["approvals", "show", &id, "--output", "json"]);
        (id, seen.json()["shown"]["arguments"]["amount"].clone())
    };
    let all: Vec<(String, Value)> = ids.iter().map(shown).collect();
    let of = |amount: u32| &all.iter().find(|one| one.1 == json!(amount)).expect("it waits").0;
    assert_eq!(desk.say(&ada, "approve", of(20)).code, 0);
    let answer = desk.world.block_on(held).expect("the task ends").expect("an answer");
    assert!(is_done(&answer), "{answer}");
    // Nobody answers the other one: that is a no, and an answer after it is none.
    let answer = desk.world.block_on(silent).expect("the task ends").expect("an answer");
    assert!(!is_done(&answer), "{answer}");
    let late = desk.say(&ada, "approve", of(30));
    assert_ne!(late.code, 0, "{}", late.shown());
    assert_eq!(desk.made(), ["yes"]);
    desk.server.until("that nobody answered is recorded", |server| {
        let shown =
            server.run(&["audit", "search", "--action", "approval.expire", "--output", "json"]);
        shown.code != 0 || shown.stdout.contains("approval.expire")
    });
}

/// A yes is for the token that asked, and for nothing beside the arguments that were shown.
#[test]
fn a_yes_is_for_whoever_asked_and_for_what_was_shown() {
    let mut desk = Desk::new("{hold: 0s}");
    let ada = desk.person("ada", "admin");
    let pay = json!({ "to": "mia", "amount": 10 });
    let id = desk.waits("no-1", "echo", &pay);
    // Who approves has a token of the same version, too.
    let issue = [
        "identity",
        "issue",
        "support",
        "v1",
        "--expires",
        "1h",
        "--reason",
        "hers",
        "--output",
        "json",
    ];
    let hers =
        desk.server.run_as(&ada, &issue).json()["token"].as_str().expect("a text").to_owned();
    assert_eq!(desk.say(&ada, "approve", &id).code, 0);
    let own = std::mem::replace(&mut desk.token, hers);
    assert_ne!(desk.waits("no-2", "echo", &pay), id);
    desk.token = own;
    let at = format!("{}/mcp/desk", desk.server.egress());
    for (field, value) in
        [("inputResponses", json!({ "x": 1 })), ("requestState", json!("s")), ("n", json!(1))]
    {
        let mut message = Desk::message("no-3", "echo", &pay);
        message["params"][field] = value;
        let (_, answer) = desk.world.post(&at, &desk.token, &message).expect("an answer");
        assert_eq!(answer["error"]["code"], json!(-32602), "{field}: {answer}");
    }
    let long = json!({ "to": "x".repeat(70_000), "amount": 10 });
    assert!(refusal(&desk.call("no-4", "echo", &long)).contains("longer"));
    assert!(is_done(&desk.call("yes", "echo", &pay)));
    assert_eq!(desk.made(), ["yes"]);
}
