//! Calls that say nothing of their user, linked by what a model asked for.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use lockgate_model::identity::Issuer as _;
use lockgate_model::ledger::LedgerEntry;
use lockgate_model::operation::Operation;
use lockgate_model::tool::{Tool, ToolProtocol};
use serde_json::{Value, json};

use crate::egress_models;
use crate::egress_world::{World, identity, post, request, signer, token};
use crate::http_server;
use crate::world::{Client, get};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A request of a user's; the id that the version gets it with.
async fn interaction(world: &World, trace: Option<&str>) -> String {
    let mut asked = get("/");
    if let Some(trace) = trace {
        asked.headers_mut().insert("traceparent", trace.parse().unwrap());
    }
    let got = Client::connect(world.gateway.local_addr()).await.send(asked).await;
    let id = got.header("lockgate-interaction").to_owned();
    assert!(!id.is_empty(), "{got:?}");
    id
}

fn said(
    mut request: Request<Full<Bytes>>,
    name: &'static str,
    value: &str,
) -> Request<Full<Bytes>> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

#[derive(Clone, Copy)]
enum Api {
    Chat,
    Responses,
    Messages,
}

/// A call of a model that will ask for this function.
fn wish(api: Api, stream: bool, name: &str, arguments: &Value) -> Request<Full<Bytes>> {
    let says = json!([{ "role": "user", "content": arguments.to_string() }]);
    let function = json!({ "name": name, "parameters": { "type": "object" } });
    let (path, mut body) = match api {
        Api::Chat => (
            "/model/gpt/v1/chat/completions",
            json!({ "messages": says, "tools": [{ "type": "function", "function": function }] }),
        ),
        Api::Responses => (
            "/model/gpt/v1/responses",
            json!({ "input": arguments.to_string(), "tools": [{ "type": "function", "name": name }] }),
        ),
        Api::Messages => (
            "/model/claude/v1/messages",
            json!({ "messages": says, "max_tokens": 9, "tools": [{ "name": name, "input_schema": {} }] }),
        ),
    };
    body["model"] = "gpt-4o".into();
    body["stream"] = stream.into();
    let mut asked = post(&token("v1"), &body);
    *asked.uri_mut() = path.parse().unwrap();
    asked
}

/// A model asks for `read` of a path, in a session or in none.
async fn asked(world: &World, interaction: Option<&str>, name: &str, path: &str) {
    let mut asked = wish(Api::Chat, false, name, &json!({ "path": path }));
    if let Some(id) = interaction {
        asked = said(asked, "lockgate-interaction", id);
    }
    let got = world.client().await.send(asked).await;
    assert_eq!(got.status, 200, "{got:?}");
}

fn read(path: &str) -> Value {
    request("tools/call", &json!({ "name": "read", "arguments": { "path": path } }))
}

/// How a call is linked, and to which interaction.
async fn linked(world: &World, call: Request<Full<Bytes>>) -> (String, String) {
    let got = world.client().await.send(call).await;
    assert_eq!(got.status, 200, "{got:?}");
    link(world.intents().last().expect("it is recorded"))
}

fn link(intent: &LedgerEntry) -> (String, String) {
    let how = intent.detail["governed"]["link"].as_str().unwrap().to_owned();
    let label = intent.labels.iter().find(|(name, _)| *name == "interaction");
    (how, label.map(|(_, id)| id.clone()).unwrap_or_default())
}

fn by(how: &str, id: &str) -> (String, String) {
    (how.to_owned(), id.to_owned())
}

#[tokio::test]
async fn a_call_is_linked_to_the_session_whose_model_asked_for_it() {
    for (api, path) in [(Api::Chat, "/a"), (Api::Responses, "/b"), (Api::Messages, "/c")] {
        let (world, _) = egress_models::start().await;
        let id = interaction(&world, None).await;
        let call = || post(&token("v1"), &read(path));
        assert_eq!(linked(&world, call()).await, by("none", ""));
        let model = wish(api, false, "files_read", &json!({ "path": path }));
        let model = said(model, "lockgate-interaction", &id);
        assert_eq!(world.client().await.send(model).await.status, 200);
        assert_eq!(link(world.intents().last().unwrap()), by("explicit", &id));
        // Also when it is tried again.
        for _ in 0..2 {
            assert_eq!(linked(&world, call()).await, by("inferred", &id));
        }
        let facts = world.intents().last().unwrap().detail["governed"].to_string();
        assert!(facts.contains("inferred"), "rules see it: {facts}");
        let other = post(&token("v1"), &read("/other"));
        assert_eq!(linked(&world, other).await, by("none", ""), "another argument");
    }
}

/// Agents may act on what they are asked for while the rest of the stream is still to come.
#[tokio::test]
async fn a_streamed_answer_links_as_soon_as_its_call_is_whole() {
    for (api, last) in [
        (Api::Chat, "\"finish_reason\":\"tool_calls\""),
        (Api::Responses, "output_item.done"),
        (Api::Messages, "content_block_stop"),
    ] {
        let (mut world, _) = egress_models::start().await;
        for tool in &mut world.tools {
            tool.timeout_ms = 3_600_000;
        }
        world.publish(Vec::new()).await;
        let id = interaction(&world, Some(TRACE)).await;
        let model = wish(api, true, "mcp__files__read", &json!({ "path": "/a b" }));
        let model = said(model, "traceparent", TRACE);
        let mut client = world.client().await;
        let mut body = client.open(model).await.unwrap().into_body();
        let mut seen = String::new();
        while !seen.contains(last) || !seen.ends_with("\n\n") {
            let frame = body.frame().await.expect("it goes on").unwrap();
            seen.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
        let call = post(&token("v1"), &read("/a b"));
        assert_eq!(linked(&world, call).await, by("inferred", &id), "{seen}");
    }
}

#[tokio::test]
async fn what_two_sessions_asked_for_is_nobodys() {
    let (world, _) = egress_models::start().await;
    let (one, two) = (interaction(&world, None).await, interaction(&world, None).await);
    asked(&world, Some(&one), "read", "/a").await;
    asked(&world, Some(&one), "read", "/b").await;
    asked(&world, Some(&two), "files-read", "/b").await;
    // And so is what an answer asked for that is nobody's.
    asked(&world, Some(&two), "read", "/c").await;
    asked(&world, None, "read", "/c").await;
    for (path, whose) in
        [("/a", by("inferred", &one)), ("/b", by("none", "")), ("/c", by("none", ""))]
    {
        let call = post(&token("v1"), &read(path));
        assert_eq!(linked(&world, call).await, whose, "{path}");
    }
}

#[tokio::test]
async fn what_is_said_comes_before_what_a_model_asked_for() {
    let (world, _) = egress_models::start().await;
    let one = interaction(&world, None).await;
    let two = interaction(&world, Some(TRACE)).await;
    asked(&world, Some(&one), "read", "/a").await;
    let stranger = "0190a1b2-0000-7000-8000-000000000001";
    for (header, value, whose) in [
        ("lockgate-interaction", two.as_str(), by("explicit", &two)),
        ("traceparent", TRACE, by("trace", &two)),
        ("lockgate-interaction", stranger, by("none", "")),
        ("lockgate-interaction", "x", by("none", "")),
        ("traceparent", &TRACE.replace("4bf9", "5bf9"), by("none", "")),
    ] {
        let call = said(post(&token("v1"), &read("/a")), header, value);
        assert_eq!(linked(&world, call).await, whose, "{header}: {value}");
    }
    let mut meta = read("/a");
    meta["params"]["_meta"] = json!({ "lockgate-interaction": stranger });
    assert_eq!(linked(&world, post(&token("v1"), &meta)).await, by("none", ""));
    assert_eq!(linked(&world, post(&token("v1"), &read("/a"))).await, by("inferred", &one));
}

#[tokio::test]
async fn operations_and_what_others_enforce_are_linked_too() {
    let (mut world, _) = egress_models::start().await;
    let (address, _server) = http_server::start().await;
    let look_up = Operation {
        name: "look_up".into(),
        call: "GET /orders/{id}".parse().unwrap(),
        query: Vec::new(),
    };
    let like = |name: &str, protocol, url: String| Tool {
        name: name.parse().unwrap(),
        protocol,
        url,
        credential: None,
        ..world.tools[0].clone()
    };
    let more = [
        like("orders", ToolProtocol::Http(vec![look_up]), format!("http://{address}/api/")),
        like("desk", ToolProtocol::External, String::new()),
    ];
    world.tools.extend(more);
    world.publish(Vec::new()).await;
    let id = interaction(&world, None).await;
    for (name, arguments) in
        [("orders__look_up", json!({ "id": "17" })), ("desk_read", json!({ "path": "/a" }))]
    {
        let model = said(wish(Api::Chat, false, name, &arguments), "lockgate-interaction", &id);
        assert_eq!(world.client().await.send(model).await.status, 200);
    }
    let call = |order: u32| {
        let mut call = get(&format!("/http/orders/orders/{order}"));
        let bearer = format!("Bearer {}", token("v1"));
        call.headers_mut().insert("authorization", bearer.parse().unwrap());
        call
    };
    assert_eq!(linked(&world, call(17)).await, by("inferred", &id));
    assert_eq!(linked(&world, call(18)).await, by("none", ""));
    let decide = |more: Value| {
        let mut question =
            json!({ "tool": "desk", "action": "read", "arguments": { "path": "/a" } });
        question.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let mut asked = post(&token("v1"), &question);
        *asked.uri_mut() = "/decide".parse().unwrap();
        asked
    };
    assert_eq!(linked(&world, decide(json!({}))).await, by("inferred", &id));
    let stranger = json!({ "interaction": "0190a1b2-0000-7000-8000-000000000001" });
    assert_eq!(linked(&world, decide(stranger)).await, by("none", ""));
}

#[tokio::test]
async fn another_version_is_never_linked_by_what_this_one_was_asked_for() {
    let (world, _) = egress_models::start().await;
    let id = interaction(&world, None).await;
    asked(&world, Some(&id), "read", "/a").await;
    assert_eq!(linked(&world, post(&token("v2"), &read("/a"))).await, by("none", ""));
    // The word of its own token is what counts, not which one it is.
    let second = signer().issue(&identity("v1")).unwrap();
    assert_eq!(linked(&world, post(&second, &read("/a"))).await, by("inferred", &id));
}
