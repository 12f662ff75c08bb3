//! What agents may spend: reserved before a call, settled after it, never exceeded; and tools that are too busy or broken.
//! Counted at the provider and at the tool.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use reqwest::Response;
use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::metrics;
use crate::support::models::{self, Provider};
use crate::support::server::Server;
use crate::support::tools::{self, Calls};

const POLICY: &str = "tools:
  gpt:
    actions:
      chat.completions:
        arguments: {model: text, bytes: number, messages: number, tools: texts, built_in: texts, stream: bool,
          max_tokens: {type: number, optional: true}, choices: number, stores: bool}
  desk:
    actions:
      pay: {arguments: {amount: money}}
      wait: {arguments: {wait_ms: number}}
rules:
  - {id: gpt, tool: gpt, action: chat.completions, effect: allow}
  - {id: tokens, tool: '*', action: '*', effect: limit, limit: {tokens: 12000/day, count: version}}
  - {id: dollars, tool: gpt, action: chat.completions, effect: limit, when: {model.value: {in: [gpt-4o-mini, unclear]}},
     limit: {usd: 0.002/day}}
  - {id: pictures, tool: gpt, action: chat.completions, effect: limit, when: {model.value: {is: stalls}},
     limit: {tokens: 8000/day, otherwise: 3000}}
  - {id: desk, tool: desk, action: [pay, wait], effect: allow}
  - {id: euros, tool: desk, action: pay, effect: limit, when: {amount.currency: {is: EUR}},
     limit: {sum: amount.minor, most: 10000/day}}
";

struct Shop {
    world: World,
    server: Server,
    provider: Arc<Provider>,
    calls: Calls,
    token: String,
    _files: tempfile::TempDir,
}

impl Shop {
    /// With these settings of the desk.
    fn new(desk: &str) -> Self {
        let world = World::new();
        let (provider_url, provider) = models::start(world.runtime());
        let (url, calls) = tools::start(world.runtime());
        let files = tempfile::tempdir().expect("a directory for the test");
        std::fs::write(files.path().join("shop.yaml"), POLICY).expect("it is written");
        let key = files.path().join("key");
        std::fs::write(&key, models::OPENAI_KEY).expect("it is written");
        let version = world.agent().url;
        let config = format!(
            "agents:\n  - name: support\n    versions: [{{ name: v1, endpoint: '{version}' }}]\n\
             tools:\n  - {{ name: gpt, protocol: openai, url: '{provider_url}/v1', credential: {{ value: 'file:{}' }} }}\n\
             \x20 - {{ name: desk, url: '{url}', timeout: 20s{desk} }}\n\
             prices:\n  - {{ model: unclear, input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.6 }}\n",
            key.display()
        );
        let mut server = Server::start_with_policies(&config, Path::new(files.path()));
        server.until_served(&world);
        let args = ["identity", "issue", "support", "v1", "--expires", "1h", "--reason", "a test"];
        let token = server.json(&args)["token"].as_str().expect("a text").to_owned();
        Self { world, server, provider, calls, token, _files: files }
    }

    fn asks(&self, path: &str, body: &Value) -> impl Future<Output = Response> + Send + 'static {
        let asked = self.world.http().post(format!("{}{path}", self.server.egress()));
        let asked = asked.bearer_auth(&self.token).json(body);
        async move { asked.send().await.expect("egress answers") }
    }

    /// A chat; what it says when it is refused.
    fn chat(&self, model: &str, max_tokens: Option<u64>, more: &Value) -> Result<(), String> {
        let before = self.arrived();
        let asked = self.asks("/model/gpt/v1/chat/completions", &chat(model, max_tokens, more));
        let (status, answer): (u16, Value) = self.world.block_on(async {
            let answer = asked.await;
            (answer.status().as_u16(), answer.json().await.expect("JSON"))
        });
        assert_eq!(self.arrived() - before, usize::from(matches!(status, 200 | 400 | 429)));
        if status == 200 { Ok(()) } else { Err(answer["error"]["message"].to_string()) }
    }

    fn arrived(&self) -> usize {
        self.provider.asked.lock().expect("nobody panics").len()
    }

    /// A call of the desk; what it says when it is refused.
    fn desk(&self, id: &str, action: &str, arguments: &Value) -> Result<(), String> {
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": action, "arguments": arguments } });
        let asked = self.asks("/mcp/desk", &message);
        let answer: Value =
            self.world.block_on(async { asked.await.json().await.expect("an answer") });
        let arrived = self.calls.lock().expect("nobody panics").contains(&id.to_owned());
        assert_eq!(arrived, answer["result"]["isError"] == json!(false), "{answer}");
        if arrived { Ok(()) } else { Err(answer.to_string()) }
    }

    /// How many outcomes there are, once none is missing.
    fn settled(&mut self) {
        self.server.until("all that was begun is over", |server| {
            let records = server.records();
            let count = |step: &str| records.iter().filter(|one| one.step == step).count();
            count("intent") == count("outcome")
        });
    }
}

fn chat(model: &str, max_tokens: Option<u64>, more: &Value) -> Value {
    let mut body = json!({ "model": model, "messages": [{ "role": "user", "content": "whose" }] });
    if let Some(max_tokens) = max_tokens {
        body["max_tokens"] = max_tokens.into();
    }
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

#[test]
fn a_budget_of_tokens_is_reserved_before_and_settled_after() {
    let mut shop = Shop::new("");
    let none = json!({});
    // 5,000 and what is sent are reserved each time, 30 are used: many go on one after the other.
    for _ in 0..4 {
        shop.chat("gpt-4o", Some(5_000), &none).expect("there is room");
        shop.settled();
    }
    let refused = shop.chat("gpt-4o", None, &none).expect_err("it has no end");
    assert!(refused.contains("tokens") && refused.contains("max_tokens"), "{refused}");
    let picture = json!({ "messages": [{ "role": "user", "content": [
        { "type": "image_url", "image_url": { "url": "https://example.com/a.png" } }] }] });
    shop.chat("gpt-4o", Some(10), &picture).expect_err("nobody knows what a picture is");
    let refused = shop.chat("gpt-4o", Some(20_000), &none).expect_err("more than all there is");
    assert!(refused.contains("more than there ever is"), "{refused}");
    // A rate limit of the provider's costs nothing.
    assert!(shop.chat("limited", Some(5_000), &none).is_err());
    shop.settled();
    // What is under way holds what it may use, and what is never known holds it for good.
    let stalls = json!({ "stream": true });
    let asked = shop.asks("/model/gpt/v1/chat/completions", &chat("stalls", Some(1_000), &stalls));
    let mut held = shop.world.block_on(asked);
    let first = shop.world.block_on(async { held.chunk().await });
    assert!(first.is_ok_and(|part| part.is_some()), "its stream began");
    let refused = shop.chat("gpt-4o", Some(9_900), &none).expect_err("a part of it is held");
    assert!(refused.contains("left, and this may use"), "{refused}");
    shop.chat("gpt-4o", Some(7_000), &none).expect("there is as much");
    shop.settled_but_one();
    drop(held);
    shop.server.until("the stream is left", |_| shop.provider.left.load(Ordering::SeqCst) == 1);
    shop.settled();
    shop.chat("gpt-4o", Some(9_900), &none).expect_err("what it used is not known");
    shop.server.kill();
    shop.server.again();
    shop.server.until_served(&shop.world);
    shop.chat("gpt-4o", Some(9_900), &none).expect_err("a restart gives nothing back");
    // Tools that are no models use none.
    shop.desk("w", "wait", &json!({ "wait_ms": 1 })).expect("it is no model");
    assert_eq!(shop.server.stop(), Some(0), "{}", shop.server.log());
    let intents = shop.server.records();
    let intents: Vec<_> = intents.iter().filter(|one| one.step == "intent").collect();
    assert_eq!(intents[0].detail["limits"][0]["limit"], "tokens");
    assert!(intents[0].detail["limits"][0]["reserved"].as_u64().expect("a number") > 5_000);
}

impl Shop {
    /// All but the stream that is held.
    fn settled_but_one(&mut self) {
        self.server.until("all but one are over", |server| {
            let records = server.records();
            let count = |step: &str| records.iter().filter(|one| one.step == step).count();
            count("intent") == count("outcome") + 1
        });
    }
}

#[test]
fn calls_that_race_for_a_budget_never_exceed_it() {
    let shop = Shop::new("");
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let body = chat("stalls", Some(2_000), &json!({ "stream": true }));
            shop.world.spawn(shop.asks("/model/gpt/v1/chat/completions", &body))
        })
        .collect();
    let answers = shop.world.block_on(async {
        let mut answers = Vec::new();
        for one in asked {
            answers.push(one.await.expect("the task ends"));
        }
        answers
    });
    let went = answers.iter().filter(|answer| answer.status() == 200).count();
    // Each may use 2,000 and about 1,100 of what it sends: two are within 8,000, three are not.
    assert_eq!((went, shop.arrived()), (2, 2));
}

#[test]
fn a_budget_of_money_goes_by_what_a_call_can_cost_at_most() {
    let mut shop = Shop::new("");
    let none = json!({});
    // gpt-4o-mini: $0.15 and $0.60 a million. 1,000 cost up to $0.0008, of $0.002.
    for _ in 0..3 {
        shop.chat("gpt-4o-mini", Some(1_000), &none).expect("there is room");
        shop.settled();
    }
    let refused = shop.chat("gpt-4o-mini", Some(4_000), &none).expect_err("$0.0026");
    assert!(refused.contains("dollars"), "{refused}");
}

/// After a 400 nobody knows what was used, and some requests have prices that the table does not tell apart.
#[test]
fn money_stays_reserved_where_what_a_call_cost_is_not_known() {
    let mut shop = Shop::new("");
    let none = json!({});
    let kept = json!({ "messages": [{ "role": "user", "content": [
        { "type": "text", "text": "whose", "cache_control": { "type": "ephemeral", "ttl": "1h" } }] }] });
    // Up to about $0.00041 each, of $0.002. Plain ones cost $0.000225, at the price of the model that answered.
    for (model, more) in [
        ("gpt-4o-mini", &none),
        ("gpt-4o-mini", &none),
        ("unclear", &none),
        ("gpt-4o-mini", &json!({ "service_tier": "default" })),
        ("gpt-4o-mini", &kept),
    ] {
        let got = shop.chat(model, Some(400), more);
        assert_eq!(got.is_ok(), model != "unclear", "{got:?}");
        assert!(!got.is_err_and(|why| why.contains("limit")), "{model} {more}: there was room");
        shop.settled();
    }
    let refused = shop.chat("gpt-4o-mini", Some(400), &none).expect_err("three are held whole");
    let records = shop.server.records();
    let reserved: Vec<u64> = records
        .iter()
        .filter(|record| record.step == "intent")
        .map(|record| {
            let limits = record.detail["limits"].as_array().expect("what is held");
            let of_money = limits.iter().find(|one| one["limit"] == "dollars");
            of_money.expect("money is")["reserved"].as_u64().expect("a number")
        })
        .collect();
    let held: u64 = reserved[2..].iter().sum();
    let left = 2_000_000 - held - 2 * 225_000;
    let said = format!("limit dollars has {left} left");
    assert!(refused.contains(&said), "{said}: {refused}");
}

#[test]
fn amounts_add_up_and_what_is_no_amount_is_refused() {
    let mut shop = Shop::new("");
    let pay = |amount: &str| json!({ "amount": amount });
    shop.desk("a", "pay", &pay("60.00 EUR")).expect("60 of 100");
    let refused = shop.desk("b", "pay", &pay("40.01 EUR")).expect_err("100.01");
    assert!(refused.contains("euros") && refused.contains("4000 left"), "{refused}");
    shop.desk("c", "pay", &pay("500.00 USD")).expect("other money");
    for (id, amount) in [("d", "many EUR"), ("e", "-5.00 EUR"), ("f", "0.001 EUR")] {
        shop.desk(id, "pay", &pay(amount)).expect_err(amount);
    }
    shop.server.kill();
    shop.server.again();
    shop.server.until_served(&shop.world);
    shop.desk("g", "pay", &pay("40.01 EUR")).expect_err("a restart gives nothing back");
    shop.desk("h", "pay", &pay("40.00 EUR")).expect("all of it");
    shop.desk("i", "pay", &pay("0.01 EUR")).expect_err("it is used up");
}

#[test]
fn a_tool_that_is_full_or_broken_is_refused_at_once() {
    let mut shop =
        Shop::new(", at_once_max: 2, lasts_max: 2s, breaker: { failures: 2, pause: 1h }");
    let slow = |id: &str| {
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": "wait", "arguments": { "wait_ms": 600_000 } } })
    };
    let held: Vec<_> =
        ["x", "y"].iter().map(|id| shop.world.spawn(shop.asks("/mcp/desk", &slow(id)))).collect();
    let calls = shop.calls.clone();
    shop.server.until("both are under way", |_| calls.lock().expect("nobody panics").len() == 2);
    let refused = shop.desk("z", "wait", &json!({ "wait_ms": 1 })).expect_err("two are there");
    assert!(refused.contains("2 calls of this tool"), "{refused}");
    shop.chat("gpt-4o", Some(10), &json!({})).expect("another tool has its own room");
    // Both last too long, which are two failures.
    for one in held {
        let answer = shop.world.block_on(one).expect("the task ends");
        let answer: Value = shop.world.block_on(async { answer.json().await.expect("JSON") });
        assert!(answer["error"]["message"].to_string().contains("in time"), "{answer}");
    }
    let refused = shop.desk("z", "wait", &json!({ "wait_ms": 1 })).expect_err("it is left alone");
    assert!(refused.contains("again and again"), "{refused}");
    shop.settled();
    let records = shop.server.records();
    let refusals = records.iter().filter(|one| one.action == "action.refused").count();
    assert_eq!(refusals, 2);
    let told = metrics(&shop.server);
    for (tool, end, count) in [("desk", "refused", 2), ("desk", "timeout", 2), ("gpt", "ok", 1)] {
        let of = format!("tool=\"{tool}\",agent=\"support\",version=\"v1\",end=\"{end}\"");
        let line = format!("lockgate_egress_calls_total{{{of}}} {count}");
        assert!(told.contains(&line), "{line} is not in {told}");
    }
}
