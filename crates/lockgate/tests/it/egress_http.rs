//! The server as it ships, with a policy about an HTTP tool.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::agent::World;
use crate::support::server::Server;

const POLICY: &str = "tools:
  orders:
    actions:
      look_up: {arguments: {id: text, expand: {type: text, optional: true}}}
      refund: {arguments: {id: text, amount: money}}
rules:
  - {id: looking-up, tool: orders, action: look_up, effect: allow}
  - {id: small-refunds, tool: orders, action: refund, effect: allow,
     when: {amount.currency: {is: EUR}, amount.minor: {at_most: 5000}}}
  - {id: not-that-one, tool: orders, action: '*', effect: deny, when: {id.value: {is: '13'}},
     message: Ask a person about order 13.}
";

/// Requests that arrived: method, path and query, and the credential.
type Arrived = Arc<Mutex<Vec<(String, String)>>>;

async fn answer(State(arrived): State<Arrived>, request: Request) -> axum::response::Response {
    let key =
        request.headers().get("x-api-key").and_then(|key| key.to_str().ok()).unwrap_or("none");
    let asked = format!("{} {}", request.method(), request.uri());
    arrived.lock().expect("nobody panics").push((asked.clone(), key.to_owned()));
    axum::Json(json!({ "asked": asked })).into_response()
}

#[test]
fn an_http_tool_is_asked_what_a_policy_allows() {
    let world = World::new();
    let arrived = Arrived::default();
    let app = Router::new().fallback(answer).with_state(Arc::clone(&arrived));
    let listener = world.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let url = format!("http://{}/api", listener.local_addr().expect("bound"));
    world.spawn(async move { axum::serve(listener, app).await });
    let dir = tempfile::tempdir().expect("a directory for the test");
    let key = dir.path().join("key");
    std::fs::write(&key, "real").expect("it is written");
    std::fs::write(dir.path().join("orders.yaml"), POLICY).expect("it is written");
    let (version, key) = (world.agent().url, key.display());
    let config = format!(
        "agents:\n  - name: support\n    versions: [{{ name: v1, endpoint: '{version}' }}]
tools:
  - name: orders
    protocol: http
    url: '{url}'
    credential: {{ header: x-api-key, value: 'file:{key}' }}
    operations:
      - {{ name: look_up, call: 'GET /orders/{{id}}', query: [expand] }}
      - {{ name: refund, call: 'POST /orders/{{id}}/refunds' }}
      - {{ name: remove, call: 'DELETE /orders/{{id}}' }}
"
    );
    let mut server = Server::start_with_policies(&config, dir.path());
    server.until_served(&world);
    let issue = ["identity", "issue", "support", "v1", "--reason", "a test"];
    let token = server.json(&issue)["token"].as_str().expect("a text").to_owned();
    let at = format!("{}/http/orders", server.egress());
    let ask = |method: &str, path: &str, body: Option<Value>| -> (u16, Value) {
        let method = method.parse().expect("a method");
        let mut request = world.http().request(method, format!("{at}{path}")).bearer_auth(&token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        world.block_on(async {
            let answer = request.send().await.expect("it answers");
            (answer.status().as_u16(), answer.json().await.unwrap_or_default())
        })
    };
    let eur = |amount: &str| Some(json!({ "amount": format!("{amount} EUR") }));
    assert_eq!(
        ask("GET", "/orders/7?expand=items", None),
        (200, json!({ "asked": "GET /api/orders/7?expand=items" }))
    );
    assert_eq!(ask("POST", "/orders/7/refunds", eur("49.99")).0, 200);
    for (method, path, body, status, rules) in [
        ("POST", "/orders/7/refunds", eur("50.01"), 403, json!([])),
        (
            "POST",
            "/orders/7/refunds",
            Some(json!({ "amount": "1 EUR", "to": "me" })),
            403,
            json!([]),
        ),
        ("POST", "/orders/7/refunds", None, 403, json!([])),
        ("GET", "/orders/13", None, 403, json!(["not-that-one"])),
        ("GET", "/orders/%31%33", None, 403, json!(["not-that-one"])),
        ("DELETE", "/orders/7", None, 404, Value::Null),
        ("GET", "/orders/7%2f..%2f13", None, 400, Value::Null),
    ] {
        let (got, problem) = ask(method, path, body);
        assert_eq!((got, &problem["rules"]), (status, &rules), "{method} {path}: {problem}");
    }
    let arrived = arrived.lock().expect("nobody panics").clone();
    assert_eq!(
        arrived,
        [("GET /api/orders/7?expand=items", "real"), ("POST /api/orders/7/refunds", "real")]
            .map(|(asked, key)| (asked.to_owned(), key.to_owned()))
    );
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let records = server.records();
    let count = |step: &str| records.iter().filter(|record| record.step == step).count();
    let refused: Vec<&str> = records
        .iter()
        .filter(|record| record.action == "action.refused")
        .map(|record| record.object.as_str())
        .collect();
    assert_eq!((count("intent"), count("outcome")), (2, 2));
    let refund = "orders/refund";
    let look_up = "orders/look_up";
    assert_eq!(refused, [refund, refund, refund, look_up, look_up, "orders/(unknown)"]);
}
