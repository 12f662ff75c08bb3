//! A tool's server that counts what it is asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Ids of the calls that arrived, in order.
pub(crate) type Calls = Arc<Mutex<Vec<String>>>;

/// Starts one; gives its URL.
pub(crate) fn start(runtime: &Runtime) -> (String, Calls) {
    let calls = Calls::default();
    let app = Router::new().route("/mcp", post(answer)).with_state(Arc::clone(&calls));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("bound"));
    runtime.spawn(async move { axum::serve(listener, app).await });
    (url, calls)
}

async fn answer(State(calls): State<Calls>, Json(message): Json<Value>) -> Json<Value> {
    let id = &message["id"];
    let result = match message["method"].as_str() {
        Some("tools/list") => json!({ "tools": [{ "name": "echo", "inputSchema": {} }] }),
        Some("tools/call") => {
            calls.lock().expect("nobody panics").push(id.as_str().unwrap_or("?").to_owned());
            // Long enough to be killed in, or as long as it is asked to.
            let wait_ms = message["params"]["arguments"]["wait_ms"].as_u64().unwrap_or(5);
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            json!({ "content": [{ "type": "text", "text": "done" }], "isError": false })
        }
        _ => json!({}),
    };
    Json(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

/// A configuration with one agent, whose version is there, and one tool.
pub(crate) fn config(version: &str, tool: &str) -> String {
    format!(
        "agents:\n  - name: support\n    versions: [{{ name: v1, endpoint: '{version}' }}]\n\
         tools:\n  - {{ name: desk, url: '{tool}', timeout: 20s }}\n"
    )
}
