//! Clients that know the tool's own `https` address and nothing of Lockgate but their proxy, and a certificate to trust.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::agent::World;
use crate::support::peers::{python, script};
use crate::support::server::Server;

const POLICY: &str = "tools:
  orders: {actions: {look_up: {arguments: {id: text}}}}
  gpt: {actions: {chat.completions: {arguments: {model: text, bytes: number, messages: number, tools: texts, built_in: texts, stream: bool,
      max_tokens: {type: number, optional: true}, choices: number, stores: bool}}}}
rules:
  - {id: looking-up, tool: orders, action: look_up, effect: allow}
  - {id: not-that-one, tool: orders, action: look_up, effect: deny, when: {id.value: {is: '13'}}}
  - {id: small, tool: gpt, action: chat.completions, effect: allow, when: {model.value: {is: small}}}
";

/// What arrived, and with which credential.
type Arrived = Arc<Mutex<Vec<(String, String)>>>;

async fn answer(State(arrived): State<Arrived>, request: Request) -> axum::Json<Value> {
    let key = request.headers().get("authorization").and_then(|key| key.to_str().ok());
    let asked = format!("{} {}", request.method(), request.uri());
    arrived.lock().expect("nobody panics").push((asked.clone(), key.unwrap_or("none").to_owned()));
    axum::Json(json!({
        "asked": asked, "id": "c", "object": "chat.completion", "created": 1, "model": "small",
        "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "Hello" } }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 },
    }))
}

#[test]
fn clients_that_know_nothing_of_it_are_governed() {
    let world = World::new();
    let arrived = Arrived::default();
    let app = Router::new().fallback(answer).with_state(Arc::clone(&arrived));
    let listener = world.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let at = format!("localhost:{}", listener.local_addr().expect("bound").port());
    world.spawn(async move { axum::serve(listener, app).await });
    let policies = tempfile::tempdir().expect("a directory for the test");
    fs::write(policies.path().join("p.yaml"), POLICY).expect("it is written");
    let key = policies.path().join("key");
    fs::write(&key, "Bearer real").expect("it is written");
    let (version, key) = (world.agent().url, key.display());
    let config = format!(
        "listen: {{ egress_inspect: true }}
agents:\n  - name: support\n    versions: [{{ name: v1, endpoint: '{version}' }}]
tools:
  - {{ name: orders, protocol: http, url: 'http://{at}/api', credential: {{ value: 'file:{key}' }}, operations: [{{ name: look_up, call: 'GET /orders/{{id}}' }}] }}
  - {{ name: gpt, protocol: openai, url: 'http://{at}/v1', credential: {{ value: 'file:{key}' }} }}
"
    );
    let mut server = Server::start_with_policies(&config, policies.path());
    server.until_served(&world);
    let issue = ["identity", "issue", "support", "v1", "--expires", "1h", "--reason", "a test"];
    let token = server.json(&issue)["token"].as_str().expect("a text").to_owned();
    let proxy = server.egress().replace("http://", &format!("http://agent:{token}@"));
    let certificate = server.data_dir().join("keys/inspection.pem");
    assert!(server.log().contains("inspection.pem"), "it says what is to be trusted");

    let mut clients = python();
    clients
        .arg(script("inspected_clients.py"))
        .arg(format!("https://{at}"))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .envs([("HTTPS_PROXY", &proxy), ("HTTP_PROXY", &proxy)])
        .env("SSL_CERT_FILE", &certificate)
        .env("REQUESTS_CA_BUNDLE", &certificate);
    let ran = clients.output().expect("Python starts");
    let complained = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{complained}\n{}", server.log());
    let told: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(
        told,
        json!({
            "requests": ["GET /api/orders/7", "GET /api/orders/8"], "denied": 403, "elsewhere": 403,
            "httpx": "GET /api/orders/9", "openai": "Hello", "openai_denied": 403,
        })
    );
    // Who does not trust it does not talk.
    let mut curl = Command::new("curl");
    curl.env_remove("NO_PROXY").env_remove("no_proxy");
    curl.args(["--silent", "--show-error", "--max-time", "60", "--proxy", &proxy]);
    let ran = curl.arg(format!("https://{at}/api/orders/7")).output().expect("curl is there");
    assert_eq!(ran.status.code(), Some(60), "{}", String::from_utf8_lossy(&ran.stderr));

    let all = [
        "GET /api/orders/7",
        "GET /api/orders/8",
        "GET /api/orders/9",
        "POST /v1/chat/completions",
    ];
    let all = all.map(|asked| (asked.to_owned(), "Bearer real".to_owned()));
    assert_eq!(*arrived.lock().expect("nobody panics"), all);
    server.until("all that was refused is recorded", |server| {
        server.records().iter().filter(|one| one.action == "action.refused").count() == 4
    });
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let records = server.records();
    let intents: Vec<&str> =
        records.iter().filter(|one| one.step == "intent").map(|one| one.object.as_str()).collect();
    assert_eq!(
        intents,
        ["orders/look_up", "orders/look_up", "orders/look_up", "gpt/chat.completions"]
    );
    let refused = records.iter().filter(|one| one.action == "action.refused");
    let refused: Vec<&str> = refused.map(|one| one.object.as_str()).collect();
    assert_eq!(
        refused,
        ["orders/look_up", "(unknown)/request", "gpt/chat.completions", "(unknown)/connect",]
    );
}
