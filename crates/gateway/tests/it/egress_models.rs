//! Calls of models: decided like any other action, in the forms that clients of such APIs know, and counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use lockgate_model::config::SecretRef;
use lockgate_model::ledger::Kept;
use lockgate_model::tool::{
    Credential, ModelPattern, Models, Tool, ToolLimits, ToolMode, ToolProtocol,
};
use serde_json::{Value, json};

use crate::egress_world::{World, body, breaks_off, token};
use crate::mcp_server::State;
use crate::model_server;
use crate::world::{Client, Got, until};

/// A world with a provider behind both APIs.
pub(crate) async fn start() -> (World, Arc<State>) {
    let mut world = World::start().await;
    let (address, provider) = model_server::start().await;
    let tool = |name: &str, path: &str, header: &str, protocol| Tool {
        name: name.parse().unwrap(),
        url: format!("http://{address}{path}"),
        protocol,
        credential: Some(Credential { header: header.into(), value: SecretRef::Env("KEY".into()) }),
        timeout_ms: 2_000,
        limits: ToolLimits::default(),
        mode: ToolMode::Enforce,
        agent: None,
    };
    let names = [
        "gpt-4o", "dear", "cut", "drips", "fails", "stalls", "hangs", "limited", "unpaid", "moved",
        "page",
    ];
    let names = names.map(|name| ModelPattern(name.into())).to_vec();
    let openai = ToolProtocol::Openai(Models(Some(names)));
    world.tools.push(tool("gpt", "/v1", "authorization", openai));
    let anthropic = ToolProtocol::Anthropic(Models(None));
    world.tools.push(tool("claude", "", "x-api-key", anthropic));
    world.publish(Vec::new()).await;
    (world, provider)
}

fn to(path: &str, body: &Value) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", "egress.test")
        .header("authorization", format!("Bearer {}", token("v1")))
        .header("content-type", "application/json")
        .body(Full::new(body.to_string().into()))
        .unwrap()
}

fn chat(model: &str, stream: bool) -> Request<Full<Bytes>> {
    to(
        "/model/gpt/v1/chat/completions",
        &json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": "whose" }] }),
    )
}

fn messages(model: &str, stream: bool) -> Request<Full<Bytes>> {
    let body = json!({ "model": model, "stream": stream, "max_tokens": 5, "messages": [] });
    let mut request = to("/model/claude/v1/messages", &body);
    let fields = request.headers_mut();
    fields.remove("authorization");
    fields.insert("x-api-key", token("v1").parse().unwrap());
    fields.insert("anthropic-version", "2023-06-01".parse().unwrap());
    request
}

async fn send(world: &World, request: Request<Full<Bytes>>) -> Got {
    world.client().await.send(request).await
}

fn text(got: &Got) -> String {
    String::from_utf8(got.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_call_is_recorded_before_and_after_with_what_it_used() {
    let (world, provider) = start().await;
    let got = send(&world, chat("gpt-4o", false)).await;
    assert_eq!(
        (got.status, &body(&got)["choices"][0]["message"]["content"]),
        (200, &json!("Hello"))
    );
    assert_eq!(got.header("set-cookie"), "");
    let outcome = world.outcome().await;
    assert_eq!(outcome["outcome"], "ok");
    assert_eq!(
        outcome["usage"],
        json!({ "input_tokens": 10, "cached_input_tokens": 4, "cache_write_tokens": null,
            "cache_write_1h_tokens": null, "output_tokens": 20, "reasoning_tokens": 6 })
    );
    // $2.50, $1.25 and $10 a million.
    assert_eq!(outcome["cost_nanousd"], 6 * 2_500 + 4 * 1_250 + 20 * 10_000);
    assert_eq!(outcome["model"], "gpt-4o-2024-08-06");
    let table = outcome["prices"].as_str().unwrap();
    assert!(table.starts_with("genai-prices ") && table.contains(" of 20"), "{table}");
    let [intent] = &world.intents()[..] else { panic!("one intent") };
    assert_eq!(intent.object, "gpt/chat.completions");
    assert!(intent.personal.iter().any(|one| one.kept == Kept::Sealed));
    let payload = &intent.detail["governed"]["payload"];
    assert_eq!((&payload["model"], &payload["messages"]), (&json!("gpt-4o"), &json!(1)));
    assert!(!intent.detail.to_string().contains("whose"), "what is said stays out of the log");
    let seen = provider.last();
    assert_eq!(
        (seen.path.as_str(), &seen.headers["authorization"]),
        ("/v1/chat/completions", &"Bearer upstream".parse().unwrap())
    );
    assert!(seen.headers.contains_key("traceparent"));
}

#[tokio::test]
async fn an_answer_at_a_tier_without_prices_has_no_cost() {
    let (world, _provider) = start().await;
    let at = |tier: &str| {
        let body = json!({ "model": "gpt-4o", "service_tier": tier, "messages": [] });
        to("/model/gpt/v1/chat/completions", &body)
    };
    assert_eq!(send(&world, at("default")).await.status, 200);
    let usual = world.outcome().await;
    assert_eq!(
        (&usual["service_tier"], usual["cost_nanousd"].is_u64()),
        (&json!("standard"), true)
    );
    let (world, _provider) = start().await;
    assert_eq!(send(&world, at("flex")).await.status, 200);
    let flex = world.outcome().await;
    assert_eq!(flex["service_tier"], "flex");
    assert_eq!(flex["usage"]["output_tokens"], 20);
    assert!(flex["cost_nanousd"].is_null() && flex.get("prices").is_none(), "{flex}");
}

#[tokio::test]
async fn counts_that_nobody_asked_for_are_read_and_not_shown() {
    let (world, provider) = start().await;
    let got = send(&world, chat("gpt-4o", true)).await;
    assert_eq!(provider.last().body["stream_options"], json!({ "include_usage": true }));
    let shown = text(&got);
    assert!(!shown.contains("prompt_tokens") && shown.ends_with("data: [DONE]\n\n"), "{shown}");
    assert_eq!(shown.matches("chat.completion.chunk").count(), 3);
    assert_eq!(world.outcome().await["usage"]["output_tokens"], 20);
    // Whoever asks sees them.
    let (world, _) = start().await;
    let asks = json!({ "model": "gpt-4o", "stream": true, "stream_options": { "include_usage": true }, "messages": [] });
    let got = send(&world, to("/model/gpt/v1/chat/completions", &asks)).await;
    assert_eq!(text(&got).matches("chat.completion.chunk").count(), 4);
    assert!(text(&got).contains("\"prompt_tokens\":10"));
    assert_eq!(world.outcome().await["usage"]["input_tokens"], 10);
}

#[tokio::test]
async fn the_other_api_is_governed_in_its_own_words() {
    let (world, provider) = start().await;
    let mut request = messages("claude-haiku-4-5", true);
    request.headers_mut().insert("anthropic-beta", "a-1, b-2".parse().unwrap());
    let got = send(&world, request).await;
    assert_eq!((got.status, text(&got).matches("event: ").count()), (200, 4));
    let outcome = world.outcome().await;
    assert_eq!(
        (&outcome["outcome"], &outcome["usage"]["input_tokens"]),
        (&json!("ok"), &json!(11))
    );
    assert_eq!(outcome["usage"]["output_tokens"], 13);
    // $1 and $5 a million.
    assert_eq!(outcome["cost_nanousd"], 11 * 1_000 + 13 * 5_000);
    let seen = provider.last();
    assert_eq!(
        (seen.path.as_str(), &seen.headers["x-api-key"]),
        ("/v1/messages", &"Bearer upstream".parse().unwrap())
    );
    assert_eq!(seen.headers["anthropic-version"], "2023-06-01");
    assert!(!seen.headers.contains_key("authorization"));
    let [intent] = &world.intents()[..] else { panic!("one intent") };
    assert_eq!(intent.detail["governed"]["payload"]["betas"], json!(["a-1", "b-2"]));
    let (world, provider) = start().await;
    let count = to(
        "/model/claude/v1/messages/count_tokens?beta=true",
        &json!({ "model": "c", "messages": [] }),
    );
    assert_eq!(body(&send(&world, count).await), json!({ "input_tokens": 9 }));
    assert_eq!(provider.last().path, "/v1/messages/count_tokens?beta=true");
    let outcome = world.outcome().await;
    assert_eq!((&outcome["usage"], &outcome["cost_nanousd"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn responses_and_embeddings_are_counted_too() {
    for (path, request, input, output) in [
        ("responses", json!({ "model": "gpt-4o", "input": "hi" }), 5, 7),
        ("embeddings", json!({ "model": "gpt-4o", "input": "hi" }), 4, 0),
    ] {
        let (world, _) = start().await;
        let got = send(&world, to(&format!("/model/gpt/v1/{path}"), &request)).await;
        assert_eq!(got.status, 200, "{path}");
        let outcome = world.outcome().await;
        assert_eq!(outcome["usage"]["input_tokens"], input, "{path}");
        assert_eq!(outcome["usage"]["output_tokens"], output, "{path}");
        assert!(outcome["cost_nanousd"].as_u64().unwrap() > 0, "{path}: {outcome}");
        assert_eq!(world.intents()[0].object, format!("gpt/{path}"));
    }
}

#[tokio::test]
async fn a_refusal_has_the_form_of_the_api_and_reaches_nobody() {
    let (world, provider) = start().await;
    let got = send(&world, chat("dear", true)).await;
    assert_eq!((got.status, got.header("x-should-retry")), (403, "false"));
    assert_eq!(
        body(&got)["error"],
        json!({ "message": "Refused by Lockgate: this model is too dear. Reading is allowed. (audit record 0)",
            "type": "permission_error", "param": null, "code": "denied", "audit_record": 0,
            "rules": ["rule-chat.completions"] })
    );
    let got = send(&world, chat("gpt-4", false)).await;
    assert_eq!(got.status, 403);
    let said = body(&got)["error"]["message"].as_str().unwrap().to_owned();
    assert!(said.contains("not among those that may be called"), "{said}");
    let got = send(&world, messages("dear", false)).await;
    assert_eq!((got.status, &body(&got)["type"]), (403, &json!("error")));
    assert_eq!(body(&got)["error"]["type"], "permission_error");
    let refused = world.entries();
    assert_eq!(refused.len(), 3, "all are recorded");
    assert!(refused.iter().all(|entry| entry.action == "action.refused"));
    assert_eq!(refused[1].object, "gpt/chat.completions");
    assert!(provider.seen.lock().unwrap().is_empty());
    // For a version that may call nothing, nothing is there.
    let mut hidden = chat("gpt-4o", false);
    hidden
        .headers_mut()
        .insert("authorization", format!("Bearer {}", token("v9")).parse().unwrap());
    assert_eq!(send(&world, hidden).await.status, 404);
}

#[tokio::test]
async fn whoever_calls_is_known_by_one_key() {
    let (world, provider) = start().await;
    let with = |path: &str, fields: &[(&'static str, String)]| {
        let mut request = to(path, &json!({ "model": "gpt-4o", "messages": [] }));
        request.headers_mut().remove("authorization");
        for (name, value) in fields {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request
    };
    let bearer = |version: &str| ("authorization", format!("Bearer {}", token(version)));
    let key = |version: &str| ("x-api-key", token(version));
    let chat = "/model/gpt/v1/chat/completions";
    for (path, fields) in [
        (chat, vec![]),
        (chat, vec![("authorization", "Bearer sk-own".to_owned())]),
        (chat, vec![("x-api-key", "sk-own".to_owned())]),
        (chat, vec![key("v1"), key("v1")]),
        (chat, vec![key("v1"), bearer("v2")]),
        ("/model/none/v1/chat/completions", vec![]),
        ("/model/claude/v1/messages", vec![("x-api-key", "x".to_owned())]),
    ] {
        let got = send(&world, with(path, &fields)).await;
        let anthropic =
            path.ends_with("messages") || fields.iter().any(|(name, _)| *name == "x-api-key");
        assert_eq!(got.status, 401, "{path} {fields:?}");
        assert!(got.header("www-authenticate").starts_with("Bearer realm"), "{path}");
        assert_eq!(body(&got)["type"] == "error", anthropic, "{path} {fields:?}");
        assert_eq!(body(&got)["error"]["type"], "authentication_error");
    }
    assert!(provider.seen.lock().unwrap().is_empty() && world.entries().is_empty());
    assert_eq!(send(&world, with(chat, &[key("v1")])).await.status, 200);
    let mut page = with(chat, &[bearer("v1")]);
    page.headers_mut().insert("origin", "https://x".parse().unwrap());
    assert_eq!(send(&world, page).await.status, 403);
}

#[tokio::test]
async fn what_is_not_known_is_not_forwarded() {
    let (world, provider) = start().await;
    for (path, body, status) in [
        ("/model/gpt/v1/files", json!({}), 404),
        ("/model/gpt/v1/chat/completions/", json!({}), 404),
        ("/model/gpt/v1/../v1/chat/completions", json!({}), 404),
        ("/model/gpt/v1/chat%2fcompletions", json!({}), 404),
        ("/model/gpt/v1/messages", json!({}), 404),
        ("/model/files/v1/chat/completions", json!({}), 404),
        ("/model/gpt", json!({}), 404),
        ("/model/none/v1/chat/completions", json!({}), 404),
        ("/mcp/gpt", json!({}), 404),
        ("/model/gpt/v1/chat/completions?to=x", json!({}), 400),
        ("/model/gpt/v1/chat/completions", json!([]), 400),
        ("/model/gpt/v1/chat/completions", json!({ "model": "gpt-4o", "models": ["dear"] }), 400),
    ] {
        let got = send(&world, to(path, &body)).await;
        assert_eq!(got.status, status, "{path} {body}");
    }
    let mut form = chat("gpt-4o", false);
    form.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(send(&world, form).await.status, 415);
    let large = json!({ "model": "gpt-4o", "messages": "x".repeat(33 * 1024 * 1024) });
    let got = world.client().await.try_send(to("/model/gpt/v1/chat/completions", &large)).await;
    assert!(got.is_err() || got.is_ok_and(|got| got.status == 413));
    assert!(provider.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_providers_own_errors_pass_and_what_is_between_it_and_us_does_not() {
    for (model, status, outcome, shown) in [
        ("limited", 429, json!({ "outcome": "upstream_error", "status": 429 }), "slow down"),
        ("unpaid", 502, json!({ "outcome": "upstream_error", "status": 401 }), "status 401"),
        ("moved", 502, json!({ "outcome": "upstream_error", "status": 307 }), "status 307"),
        ("page", 502, json!({ "outcome": "upstream_error", "status": null }), "neither JSON"),
        ("hangs", 504, json!({ "outcome": "timeout", "status": null }), "in time"),
    ] {
        let (world, provider) = start().await;
        let got = send(&world, chat(model, false)).await;
        assert_eq!(got.status, status, "{model}");
        let said = text(&got);
        assert!(said.contains(shown) && !said.contains("sk-secret"), "{model}: {said}");
        let recorded = world.outcome().await;
        assert_eq!(
            (&recorded["outcome"], &recorded["status"]),
            (&outcome["outcome"], &outcome["status"]),
            "{model}"
        );
        assert_eq!(provider.seen.lock().unwrap().len(), 1, "{model}: nothing is tried again");
        for absent in ["location", "openai-organization", "set-cookie"] {
            assert_eq!(got.header(absent), "", "{model} {absent}");
        }
        if model == "limited" {
            assert_eq!((got.header("retry-after"), got.header("x-request-id")), ("7", "req-1"));
        }
    }
}

#[tokio::test]
async fn who_leaves_early_has_cancelled_and_what_was_used_is_unknown() {
    for request in [chat("stalls", true), messages("stalls", true)] {
        let (world, provider) = start().await;
        let mut client = world.client().await;
        let mut stream = client.open(request).await.unwrap().into_body();
        assert!(stream.frame().await.unwrap().unwrap().into_data().is_ok());
        assert_eq!(provider.left.load(Ordering::SeqCst), 0);
        drop((stream, client));
        until("the provider is left", || provider.left.load(Ordering::SeqCst) == 1).await;
        let outcome = world.outcome().await;
        assert_eq!(
            (&outcome["outcome"], &outcome["forwarded"]),
            (&json!("cancelled"), &json!(true))
        );
        assert!(outcome["usage"].is_null() && outcome.get("usage").is_some(), "{outcome}");
    }
    let (world, provider) = start().await;
    let mut client = world.client().await;
    let sent = tokio::spawn(async move {
        let _ = client.open(chat("hangs", true)).await;
    });
    until("the call arrives", || provider.seen.lock().unwrap().len() == 1).await;
    sent.abort();
    until("the provider is left", || provider.left.load(Ordering::SeqCst) == 1).await;
    assert_eq!(world.outcome().await["outcome"], "cancelled");
}

#[tokio::test]
async fn a_stream_that_breaks_off_looks_broken() {
    for (model, outcome, broken) in
        [("cut", "cut", true), ("stalls", "timeout", true), ("fails", "tool_error", false)]
    {
        let (world, _) = start().await;
        let got = world.client().await.try_send(chat(model, true)).await;
        assert_eq!(got.is_err(), broken, "{model}");
        let recorded = world.outcome().await;
        assert_eq!(
            (&recorded["outcome"], &recorded["usage"]),
            (&json!(outcome), &Value::Null),
            "{model}"
        );
    }
}

/// Whether it is silent or drips, and whichever API it is of.
#[tokio::test]
async fn a_stream_lasts_as_long_as_it_may_and_no_longer() {
    for (model, request) in [
        ("drips", chat("drips", true)),
        ("stalls", chat("stalls", true)),
        ("stalls", messages("stalls", true)),
    ] {
        let (mut world, provider) = start().await;
        for tool in &mut world.tools[1..] {
            tool.timeout_ms = 3_600_000;
            tool.limits.lasts_max_ms = Some(3_000);
        }
        world.publish(Vec::new()).await;
        let mut client = world.client().await;
        let mut stream = client.open(request).await.unwrap().into_body();
        let first = stream.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(!first.is_empty(), "{model}: what came before is there");
        assert!(breaks_off(stream).await, "{model}: it ends, and looks broken");
        let outcome = world.outcome().await;
        assert_eq!(
            (&outcome["outcome"], &outcome["why"], &outcome["usage"]),
            (&json!("cut"), &json!("it lasted longer than it may"), &Value::Null),
            "{model}"
        );
        until("the provider is left", || provider.left.load(Ordering::SeqCst) == 1).await;
    }
}

#[tokio::test]
async fn lists_show_the_models_that_may_be_called() {
    let (world, provider) = start().await;
    let get = |path: &str| {
        let mut request = to(path, &json!({}));
        *request.method_mut() = http::Method::GET;
        *request.body_mut() = Full::default();
        request
    };
    let ids = |got: &Got| -> Vec<String> {
        let list = body(got)["data"].as_array().unwrap().clone();
        list.iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&send(&world, get("/model/gpt/v1/models")).await), ["gpt-4o", "dear"]);
    assert_eq!(world.outcome().await["outcome"], "ok");
    assert_eq!(world.intents()[0].object, "gpt/models");
    let all = send(&world, get("/model/claude/v1/models?limit=2")).await;
    assert_eq!(ids(&all), ["gpt-4o", "other", "dear"]);
    assert_eq!(provider.last().path, "/v1/models?limit=2");
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let (world, provider) = start().await;
    world.fake.unrecorded.store(true, Ordering::SeqCst);
    let got = send(&world, chat("gpt-4o", false)).await;
    assert_eq!((got.status, &body(&got)["error"]["type"]), (503, &json!("server_error")));
    assert!(provider.seen.lock().unwrap().is_empty());
    world.fake.unrecorded.store(false, Ordering::SeqCst);
    *world.fake.secret.lock().unwrap() = None;
    world.publish(Vec::new()).await;
    let got = send(&world, messages("c", false)).await;
    assert_eq!((got.status, &body(&got)["error"]["type"]), (503, &json!("api_error")));
    assert!(text(&got).contains("credential") && provider.seen.lock().unwrap().is_empty());
}

/// A token that dies under a stream ends it.
#[tokio::test]
async fn a_stream_ends_with_the_token() {
    let (world, provider) = start().await;
    let identity = crate::egress_world::identity("v1");
    let id = identity.id;
    let own =
        lockgate_model::identity::Issuer::issue(&crate::egress_world::signer(), &identity).unwrap();
    let mut request = chat("drips", true);
    request.headers_mut().insert("authorization", format!("Bearer {own}").parse().unwrap());
    let mut client: Client = world.client().await;
    let mut stream = client.open(request).await.unwrap().into_body();
    assert!(stream.frame().await.unwrap().is_ok());
    world.publish(vec![lockgate_model::identity::Revoked::Token { id }]).await;
    // It would never end.
    let rest = tokio::time::timeout(std::time::Duration::from_secs(20), stream.collect()).await;
    assert!(rest.expect("it ends").is_err(), "and looks broken");
    let outcome = world.outcome().await;
    assert_eq!(
        (&outcome["outcome"], &outcome["why"]),
        (&json!("cut"), &json!("the caller or the tool was stopped"))
    );
    until("the provider is left", || provider.left.load(Ordering::SeqCst) == 1).await;
}
