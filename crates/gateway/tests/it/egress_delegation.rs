//! Agents that act for agents: authority that gets smaller from hand to hand, and calls that say whose they are, once.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use lockgate_model::agent::{Agent, Match};
use lockgate_model::identity::{Identity, Issuer as _, Revoked};
use lockgate_model::ids::QuarantineId;
use lockgate_model::ledger::LedgerEntry;
use lockgate_model::quarantine::{Quarantine, Stopped};
use lockgate_model::security::SecurityCause;
use lockgate_model::snapshot::{Snapshot, Split};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::egress_a2a;
use crate::egress_world::{
    World, body, breaks_off, call, gateway, identity, post, request, signer, token,
};
use crate::mcp_server::State;
use crate::world::{Got, agent, route, until, version};

/// Agents besides the first, each with a version v1.
const OTHERS: [&str; 5] = ["desk", "clerk", "third", "fourth", "fifth"];

fn other(name: &str) -> Agent {
    let mut other = agent(&[("v1", "127.0.0.1:1".parse().unwrap())]);
    other.name = name.parse().unwrap();
    other.matches = vec![Match { host: None, path: Some(format!("/{name}")), strip_path: false }];
    other.versions[0].agent = other.name.clone();
    other
}

fn token_of(name: &str) -> String {
    let other = other(name);
    let manifest = other.versions[0].digest();
    signer().issue(&Identity { agent: other.name, manifest, ..identity("v1") }).unwrap()
}

fn snapshot(world: &World, revoked: Vec<Revoked>) -> Snapshot {
    let mut snapshot = world.snapshot(revoked);
    let routes = OTHERS.map(|name| route(other(name), Split::whole(version("v1"))));
    snapshot.routes.extend(routes);
    snapshot
}

/// A world with many agents, one of which is reached by A2A.
async fn start() -> (World, Arc<State>) {
    let (mut world, desk, _) = egress_a2a::start().await;
    world.tools[0].timeout_ms = 3_600_000;
    world.tools[1].agent = Some("desk".parse().unwrap());
    world.put_in_force(snapshot(&world, Vec::new())).await;
    (world, desk)
}

fn with(
    mut request: Request<Full<Bytes>>,
    name: &'static str,
    value: &str,
) -> Request<Full<Bytes>> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

/// A request about agents.
fn about(path: &str, token: &str, sent: &Value) -> Request<Full<Bytes>> {
    let mut request = post(token, sent);
    *request.uri_mut() = path.parse().unwrap();
    request
}

async fn send(world: &World, request: Request<Full<Bytes>>) -> Got {
    world.client().await.send(request).await
}

/// What somebody passes on, itself acting by `parent`.
async fn give(world: &World, token: &str, parent: Option<&str>, sent: &Value) -> Got {
    let asked = about("/delegate", token, sent);
    let asked = match parent {
        Some(parent) => with(asked, "lockgate-delegation", parent),
        None => asked,
    };
    send(world, asked).await
}

async fn given(world: &World, token: &str, parent: Option<&str>, sent: &Value) -> String {
    let got = give(world, token, parent, sent).await;
    assert_eq!(got.status, 201, "{got:?}");
    body(&got)["delegation"].as_str().unwrap().to_owned()
}

async fn act(world: &World, token: &str, delegation: &str, sent: &Value) -> Got {
    send(world, with(post(token, sent), "lockgate-delegation", delegation)).await
}

fn text(got: &Got) -> String {
    String::from_utf8_lossy(&got.body).into_owned()
}

fn last(world: &World, action: &str) -> LedgerEntry {
    let mut all = world.entries();
    all.reverse();
    all.into_iter().find(|entry| entry.action == action).expect("it is recorded")
}

#[tokio::test]
async fn an_agent_acts_for_another_within_what_was_passed_on() {
    let (world, _) = start().await;
    let desk = token_of("desk");
    let sent = json!({ "to": "desk", "scope": ["files/echo"] });
    let got = give(&world, &token("v1"), None, &sent).await;
    assert_eq!(got.status, 201, "{got:?}");
    let told = body(&got);
    assert_eq!((&told["to"], &told["scope"]), (&json!("desk"), &json!(["files/echo"])));
    let record = last(&world, "delegation.give");
    assert_eq!(record.object, "agent desk");
    assert_eq!(record.principal.name(), "agent support/v1");
    assert_eq!(record.detail["delegation"], told["id"]);
    let delegation = told["delegation"].as_str().unwrap();

    let done = body(&act(&world, &desk, delegation, &call("echo")).await);
    assert_eq!(done["result"]["isError"], false, "{done}");
    let [intent] = &world.intents()[..] else { panic!("one intent") };
    assert_eq!(intent.principal.name(), "agent desk/v1");
    assert_eq!(intent.detail["governed"]["delegation"], json!(["agent support/v1"]));
    assert_eq!(intent.detail["delegation"], told["id"]);

    // Beyond it nothing is there, though the agent could do it of its own accord.
    let hidden = body(&act(&world, &desk, delegation, &call("fail")).await);
    assert_eq!(hidden["error"]["message"], "Unknown tool: fail");
    let list = request("tools/list", &json!({}));
    let shown = body(&act(&world, &desk, delegation, &list).await);
    let names = |shown: &Value| -> Vec<String> {
        let tools = shown["result"]["tools"].as_array().unwrap().iter();
        tools.map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&shown), ["echo"]);
    let other = json!({ "to": "desk", "scope": ["desk/*"] });
    let other = given(&world, &token("v1"), None, &other).await;
    assert_eq!(act(&world, &desk, &other, &list).await.status, 404, "of this tool it has nothing");
    let own = body(&send(&world, post(&desk, &list)).await);
    assert!(names(&own).contains(&"fail".to_owned()), "{own}");
    assert_eq!(world.server.calls().len(), 1);
}

#[tokio::test]
async fn what_a_giver_may_not_do_is_not_done_for_it() {
    let (world, _) = start().await;
    world.server.does_anything.store(true, std::sync::atomic::Ordering::SeqCst);
    let desk = token_of("desk");
    let own = body(&send(&world, post(&desk, &call("erase"))).await);
    assert_eq!(own["result"]["isError"], false, "the agent itself may: {own}");
    let sent = json!({ "to": "desk", "scope": ["files/erase"] });
    let delegation = given(&world, &token("v1"), None, &sent).await;
    let refused = body(&act(&world, &desk, &delegation, &call("erase")).await);
    assert_eq!(refused["result"]["isError"], true);
    let why = refused["result"]["content"][0]["text"].as_str().unwrap();
    assert!(why.contains("agent support, for whom it is done, may not"), "{why}");

    // Nobody passes on what is not there for it, nor does `*` make it so.
    let sent = json!({ "to": "desk", "scope": ["files/echo"] });
    let got = give(&world, &token("v9"), None, &sent).await;
    assert_eq!(got.status, 403, "{got:?}");
    let nowhere = json!({ "to": "desk", "scope": ["nowhere/*"] });
    assert_eq!(give(&world, &token("v1"), None, &nowhere).await.status, 403, "no such tool");
    let sent = json!({ "to": "desk", "scope": ["files/*"] });
    let delegation = given(&world, &token("v9"), None, &sent).await;
    let hidden = body(&act(&world, &desk, &delegation, &call("echo")).await);
    assert_eq!(hidden["error"]["message"], "Unknown tool: echo");
    assert_eq!(world.server.calls().len(), 1);
}

#[tokio::test]
async fn whose_rule_is_broken_has_the_security_event() {
    let (world, _) = start().await;
    let sent = json!({ "to": "desk", "scope": ["files/*"] });
    let delegation = given(&world, &token("v1"), None, &sent).await;
    let refused = body(&act(&world, &token_of("desk"), &delegation, &call("purge")).await);
    assert_eq!(refused["result"]["isError"], true, "{refused}");
    until("it is told", || !world.fake.events.lock().unwrap().is_empty()).await;
    let events = world.fake.events.lock().unwrap().clone();
    let [event] = &events[..] else { panic!("one: {events:?}") };
    assert_eq!((event.agent.as_str(), event.principal.as_str()), ("support", "agent desk/v1"));
}

/// An expired one is nobody's fault; of one that nobody here made, or made for another, whoever shows it is told of, once.
#[tokio::test]
async fn who_shows_what_is_forged_has_the_security_event() {
    let (world, _) = start().await;
    let sent = json!({ "to": "desk", "scope": ["files/*"] });
    let delegation = given(&world, &token("v1"), None, &sent).await;
    for (token, shown) in [("clerk", delegation.as_str()), ("desk", "x"), ("desk", "y")] {
        let got = act(&world, &token_of(token), shown, &call("echo")).await;
        assert_eq!(got.status, 401, "{token} {shown}");
    }
    assert_eq!(act(&world, "nobody's", "x", &call("echo")).await.status, 401);
    until("both are told of", || world.fake.events.lock().unwrap().len() >= 2).await;
    let good = body(&act(&world, &token_of("desk"), &delegation, &call("echo")).await);
    assert_eq!(good["result"]["isError"], false, "{good}");
    let events = world.fake.events.lock().unwrap().clone();
    let whose: Vec<_> = events.iter().map(|one| (one.agent.as_str(), one.cause)).collect();
    assert_eq!(
        whose,
        [("clerk", SecurityCause::Identity), ("desk", SecurityCause::Identity)],
        "{events:?}"
    );
}

#[tokio::test]
async fn each_party_stands_where_it_stood() {
    let (world, _) = start().await;
    world.server.does_anything.store(true, std::sync::atomic::Ordering::SeqCst);
    let sent = json!({ "to": "clerk", "scope": ["files/onward"] });
    let own = given(&world, &token_of("desk"), None, &sent).await;
    // Nobody is behind the desk, and that it has somebody do it changes nothing.
    let refused = body(&act(&world, &token_of("clerk"), &own, &call("onward")).await);
    let why = refused["result"]["content"][0]["text"].as_str().unwrap();
    assert!(why.contains("agent desk, for whom it is done, may not"), "{why}");
    assert!(world.server.calls().is_empty());
}

#[tokio::test]
async fn a_chain_only_narrows_and_is_not_longer_than_allowed() {
    let (world, _) = start().await;
    let of = |scope: &[&str], to: &str| json!({ "to": to, "scope": scope, "ttl_s": 300 });
    let first = given(&world, &token("v1"), None, &of(&["files/echo", "desk/*"], "desk")).await;
    let desk = token_of("desk");
    for scope in [&["files/*"][..], &["files/fail"], &["files/echo", "files/fail"]] {
        let got = give(&world, &desk, Some(&first), &of(scope, "clerk")).await;
        assert_eq!(got.status, 403, "{scope:?}: {got:?}");
        assert!(text(&got).contains("more than the caller may do"), "{got:?}");
    }
    for to in ["support", "desk"] {
        let got = give(&world, &desk, Some(&first), &of(&["files/echo"], to)).await;
        assert!(got.status == 400 && text(&got).contains("in the chain already"), "{got:?}");
    }
    let short = json!({ "to": "clerk", "scope": ["files/echo"], "ttl_s": 5 });
    let short = body(&give(&world, &desk, Some(&first), &short).await);
    let onward = json!({ "to": "third", "scope": ["files/echo"], "ttl_s": 300 });
    let parent = short["delegation"].as_str().unwrap();
    let onward = body(&give(&world, &token_of("clerk"), Some(parent), &onward).await);
    assert!(
        onward["expires_wall_s"].as_i64() <= short["expires_wall_s"].as_i64(),
        "it does not outlive what it came from: {onward}"
    );

    let mut parent = first;
    for (at, giver) in OTHERS.iter().enumerate().take(3) {
        let sent = of(&["files/echo"], OTHERS[at + 1]);
        parent = given(&world, &token_of(giver), Some(&parent), &sent).await;
    }
    let done = body(&act(&world, &token_of("fourth"), &parent, &call("echo")).await);
    assert_eq!(done["result"]["isError"], false, "{done}");
    let chain = ["support", "desk", "clerk", "third"].map(|name| format!("agent {name}/v1"));
    assert_eq!(world.intents()[0].detail["governed"]["delegation"], json!(chain));
    let got = give(&world, &token_of("fourth"), Some(&parent), &of(&["files/echo"], "fifth")).await;
    assert!(got.status == 403 && text(&got).contains("at most 4 agents"), "{got:?}");
}

#[tokio::test]
async fn a_delegation_is_good_for_its_agent_and_its_time_and_as_it_was_made() {
    let (world, _) = start().await;
    let sent = json!({ "to": "desk", "scope": ["files/*"] });
    let delegation = given(&world, &token("v1"), None, &sent).await;
    let desk = token_of("desk");
    let refused = async |token: &str, delegation: &str| {
        let got = act(&world, token, delegation, &call("echo")).await;
        assert_eq!(got.status, 401, "{got:?}");
        got.header("www-authenticate").to_owned()
    };
    assert!(refused(&token_of("clerk"), &delegation).await.contains("for another agent"));
    assert!(refused(&token("v1"), &delegation).await.contains("for another agent"));
    let forged = |at: usize| {
        let mut bytes = delegation.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let places = (0..delegation.len()).step_by(delegation.len() / 20);
    for bad in places.map(forged).chain(["x".into(), String::new(), "x".repeat(9_000)]) {
        assert!(refused(&desk, &bad).await.contains("not given out here"), "{bad}");
    }
    let twice = with(post(&desk, &call("echo")), "lockgate-delegation", &delegation);
    let twice = with(twice, "lockgate-delegation", &delegation);
    assert_eq!(send(&world, twice).await.status, 401);
    let short = json!({ "to": "desk", "scope": ["files/*"], "ttl_s": 1 });
    let short = given(&world, &token("v1"), None, &short).await;
    loop {
        let got = act(&world, &desk, &short, &request("ping", &json!({}))).await;
        if got.status == 401 {
            assert!(got.header("www-authenticate").contains("has expired"), "{got:?}");
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(world.server.calls().is_empty());
    assert_eq!(act(&world, &desk, &delegation, &call("echo")).await.status, 200);
}

#[tokio::test]
async fn a_giver_that_is_stopped_stops_what_is_done_for_it() {
    let (world, _) = start().await;
    let giver = identity("v1");
    let token = signer().issue(&giver).unwrap();
    let sent = json!({ "to": "desk", "scope": ["files/*"] });
    let delegation = given(&world, &token, None, &sent).await;
    let desk = token_of("desk");
    let under_way = post(&desk, &call("stream-hangs"));
    let under_way = with(under_way, "lockgate-delegation", &delegation);
    let mut client = world.client().await;
    let answer = client.open(under_way).await;
    until("it is under way", || !world.server.calls().is_empty()).await;
    let mut stopped = snapshot(&world, Vec::new());
    let agent = giver.agent.clone();
    stopped.quarantined.push(Quarantine {
        id: QuarantineId(Uuid::from_u128(1)),
        stopped: Stopped::Agent { agent },
    });
    world.put_in_force(stopped).await;
    assert!(breaks_off(answer.unwrap().into_body()).await, "what is under way is cut");
    let refused = body(&act(&world, &desk, &delegation, &call("echo")).await);
    assert_eq!(refused["result"]["isError"], true);
    let own = body(&send(&world, post(&desk, &call("echo"))).await);
    assert_eq!(own["result"]["isError"], false, "of its own accord it goes on: {own}");

    world.put_in_force(snapshot(&world, vec![Revoked::Token { id: giver.id }])).await;
    let got = act(&world, &desk, &delegation, &call("echo")).await;
    assert_eq!(got.status, 401);
    assert!(got.header("www-authenticate").contains("made for may not call any more"), "{got:?}");
}

#[tokio::test]
async fn what_cannot_be_given_is_said() {
    let (world, _) = start().await;
    let good = json!({ "to": "desk", "scope": ["files/echo"] });
    for (field, value, status, why) in [
        ("to", json!("nobody"), 404, "names no agent"),
        ("to", json!(7), 400, "`to` is missing"),
        ("to", json!("support"), 400, "in the chain already"),
        ("scope", Value::Null, 400, "no list of texts"),
        ("scope", json!([]), 400, "1 to 64 parts"),
        ("scope", json!(vec!["files/echo"; 65]), 400, "1 to 64 parts"),
        ("scope", json!(["files"]), 400, "TOOL/ACTION"),
        ("scope", json!(["nothing/echo"]), 403, "more than the caller may do"),
        ("scope", json!(["files/secret"]), 403, "more than the caller may do"),
        ("ttl_s", json!(0), 400, "from 1 to 300"),
        ("ttl_s", json!(301), 400, "from 1 to 300"),
        ("ttl_s", json!(1.5), 400, "from 1 to 300"),
        ("ttls", json!(1), 400, "a field besides"),
    ] {
        let mut sent = good.clone();
        sent[field] = value;
        let got = give(&world, &token("v1"), None, &sent).await;
        assert!(got.status == status && text(&got).contains(why), "{field}: {got:?}");
    }
    let refused = last(&world, "delegation.refused");
    assert_eq!(
        (refused.object.as_str(), &refused.detail["part"]),
        ("agent desk", &json!("files/secret"))
    );
    assert_eq!(give(&world, "x", None, &good).await.status, 401);
    for named in [Uuid::now_v7().to_string(), "garbage".to_owned()] {
        let mut said = good.clone();
        said["interaction"] = json!(named);
        let asked = with(about("/delegate", &token("v1"), &good), "lockgate-interaction", &named);
        for got in [give(&world, &token("v1"), None, &said).await, send(&world, asked).await] {
            assert!(got.status == 400 && text(&got).contains("not known here"), "{got:?}");
        }
    }
    world.fake.unrecorded.store(true, std::sync::atomic::Ordering::SeqCst);
    let got = give(&world, &token("v1"), None, &good).await;
    assert_eq!(got.status, 503, "what is not recorded is not given: {got:?}");
}

/// A message to the desk, and what it was told of the caller.
async fn message(world: &World, desk: &State, headers: &[(&'static str, &str)]) -> (Got, String) {
    let sent = json!({ "message": { "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": "hi" }] } });
    let mut asked = egress_a2a::asked(Method::POST, "/a2a/desk/message:send", "1.0", &sent);
    for (name, value) in headers {
        asked = with(asked, name, value);
    }
    let before = desk.seen.lock().unwrap().len();
    let got = send(world, asked).await;
    let seen = desk.seen.lock().unwrap();
    let caller = seen.get(before).and_then(|seen| seen.headers.get("lockgate-caller"));
    (got, caller.map_or_else(String::new, |caller| caller.to_str().unwrap().to_owned()))
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

async fn redeem(world: &World, token: &str, caller: &str, body_sha256: &str) -> Got {
    let sent = json!({ "caller": caller, "body_sha256": body_sha256 });
    send(world, about("/redeem", token, &sent)).await
}

#[tokio::test]
async fn another_agent_knows_who_calls_once_and_by_its_own_token() {
    let (world, desk) = start().await;
    let (got, caller) = message(&world, &desk, &[("lockgate-caller", "made-up")]).await;
    assert_eq!(got.status, 200, "{got:?}");
    let sent = desk.last().body.to_string();
    let (of_body, of_other) = (sha256(&sent), sha256("another"));
    let refused = async |token: &str, caller: &str, of_body: &str| {
        let got = redeem(&world, token, caller, of_body).await;
        assert_eq!(got.status, 403, "{got:?}");
        text(&got)
    };
    assert!(refused(&token_of("clerk"), &caller, &of_body).await.contains("another agent"));
    assert!(refused(&token_of("desk"), &caller, &of_other).await.contains("another message"));
    assert!(refused(&token_of("desk"), &caller[1..], &of_body).await.contains("not given out"));
    let told = body(&redeem(&world, &token_of("desk"), &caller, &of_body).await);
    assert_eq!((&told["agent"], &told["version"]), (&json!("support"), &json!("v1")), "{told}");
    assert_eq!(
        (&told["action"], &told["target"]),
        (&json!("SendMessage"), &json!("/message:send"))
    );
    assert_eq!(told["givers"], json!([]));
    let intent = &world.entries()[usize::try_from(told["record"].as_u64().unwrap()).unwrap()];
    assert_eq!(intent.object, "desk/SendMessage");
    assert!(refused(&token_of("desk"), &caller, &of_body).await.contains("shown before"));

    let (_, caller) = message(&world, &desk, &[]).await;
    let mut stopped = snapshot(&world, Vec::new());
    let agent = "support".parse().unwrap();
    let id = QuarantineId(Uuid::from_u128(1));
    stopped.quarantined.push(Quarantine { id, stopped: Stopped::Agent { agent } });
    world.put_in_force(stopped).await;
    assert!(refused(&token_of("desk"), &caller, &of_body).await.contains("may not call any more"));
    let sent = json!({ "to": "desk", "scope": ["files/echo"] });
    let got = give(&world, &token("v1"), None, &sent).await;
    assert!(got.status == 403 && text(&got).contains("stopped by order"), "{got:?}");
    world.put_in_force(snapshot(&world, Vec::new())).await;

    // Nobody knows after a restart what was shown before it.
    let (_, caller) = message(&world, &desk, &[]).await;
    let World { fake, gateway: before, tools, dir, server } = world;
    before.shutdown(std::time::Duration::from_secs(1)).await;
    let after = gateway(&fake, &dir).await;
    let world = World { fake, gateway: after, server, tools, dir };
    world.put_in_force(snapshot(&world, Vec::new())).await;
    let got = redeem(&world, &token_of("desk"), &caller, &of_body).await;
    assert!(got.status == 403 && text(&got).contains("before its restart"), "{got:?}");
}

#[tokio::test]
async fn what_a_caller_hands_over_reaches_the_agent_that_it_is_for_and_nobody_else() {
    let (world, desk) = start().await;
    let sent = json!({ "to": "desk", "scope": ["files/echo"] });
    let giver = token("v1");
    let mine = given(&world, &giver, None, &sent).await;
    let asked = |token: &str, handover: &str| {
        let sent = json!({ "message": { "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": "hi" }] } });
        let mut asked = egress_a2a::asked(Method::POST, "/a2a/desk/message:send", "1.0", &sent);
        let fields = asked.headers_mut();
        fields.insert("authorization", format!("Bearer {token}").parse().unwrap());
        fields.insert("lockgate-handover", handover.parse().unwrap());
        asked
    };
    let to_clerk = json!({ "to": "clerk", "scope": ["files/echo"] });
    let to_clerk = given(&world, &giver, None, &to_clerk).await;
    for (token, handover) in
        [(&token_of("clerk"), &mine), (&giver, &to_clerk), (&giver, &"x".to_owned())]
    {
        let got = send(&world, asked(token, handover)).await;
        assert!(got.status == 400 && text(&got).contains("lockgate-handover"), "{got:?}");
    }
    assert!(desk.seen.lock().unwrap().is_empty());
    let got = send(&world, asked(&giver, &mine)).await;
    assert_eq!(got.status, 200, "{got:?}");
    let handed = desk.last().headers["lockgate-delegation"].to_str().unwrap().to_owned();
    let done = body(&act(&world, &token_of("desk"), &handed, &call("echo")).await);
    assert_eq!(done["result"]["isError"], false, "{done}");
}
