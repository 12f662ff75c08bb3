//! Real clients get through Lockgate exactly what they get without it.

use serde_json::{Value, json};

use crate::served::{Served, client, curl};

const QUESTION: &str = "How many nights is mooring along the towpath free?";

fn chat(extra: &Value) -> String {
    let mut body = json!({
        "model": "harbour",
        "messages": [{"role": "user", "content": QUESTION}],
        "max_completion_tokens": 300,
    });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body.to_string()
}

/// One server for all clients: starting it costs more than talking to it.
#[test]
fn curl_openai_and_a2a_sdk_get_the_same_through_lockgate() {
    let served = Served::start();
    curl_gets_the_same_bytes(&served);
    openai_gets_the_same(&served);
    a2a_gets_the_same(&served);
    every_request_was_seen(&served);
}

fn curl_gets_the_same_bytes(served: &Served) {
    for (extra, status) in [
        (json!({}), "200"),
        (json!({"stream": true}), "200"),
        (json!({"stream": true, "stream_options": {"include_usage": true}}), "200"),
        (json!({"messages": []}), "400"),
    ] {
        let body = chat(&extra);
        let ask =
            |base: &str| curl(&format!("{base}/v1/chat/completions"), &body, &["x-user: u-1"]);
        let (direct, through) = (ask(&served.direct), ask(&served.through));
        assert_eq!(direct.0, status, "{extra}");
        assert_eq!(through.0, status, "{extra}");
        let shown = String::from_utf8_lossy(&through.1);
        assert!(through.1 == direct.1, "{extra}: bytes differ:\n{shown}");
        assert!(status != "200" || shown.contains("14 nights"), "{shown}");
        assert!(extra["stream"] != true || shown.ends_with("data: [DONE]\n\n"), "{shown}");
    }
}

fn openai_gets_the_same(served: &Served) {
    let ask = |base: &str| client("openai_client.py", &format!("{base}/v1"));
    let (direct, through) = (ask(&served.direct), ask(&served.through));
    assert_eq!(through, direct);
    let text = through["plain"]["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("14 nights"), "{text}");
    let usage = through["plain"]["usage"]["total_tokens"].as_u64().unwrap();
    assert!(usage > 20, "{usage}");
    let last_usage =
        |name: &str| through[name].as_array().unwrap().last().unwrap()["usage"].clone();
    assert_eq!(last_usage("stream"), Value::Null);
    assert_eq!(last_usage("stream_usage"), through["plain"]["usage"]);
    assert_eq!(through["error"]["status"], 400);
}

fn a2a_gets_the_same(served: &Served) {
    let through = client("a2a_client.py", &served.through);
    assert_eq!(through, client("a2a_client.py", &served.direct_a2a));
    assert_eq!(through["True"], json!([["retaw eht level", "ctx-1"]]));
    assert_eq!(through["False"], through["True"]);
    for method in ["SendMessage", "SendStreamingMessage"] {
        let body = json!({"jsonrpc": "2.0", "id": "1", "method": method, "params": {"message": {
            "messageId": "m-1", "contextId": "ctx-2", "role": "ROLE_USER",
            "parts": [{"text": "abc"}],
        }}});
        let ask = |base: &str| curl(&format!("{base}/"), &body.to_string(), &["A2A-Version: 1.0"]);
        let (direct, through) = (ask(&served.direct_a2a), ask(&served.through));
        let shown = String::from_utf8_lossy(&through.1).into_owned();
        assert!(through == direct, "{method}: bytes differ:\n{shown}");
        assert!(shown.contains("cba"), "{shown}");
    }
}

/// Proof that the clients did not go around Lockgate: each left a row.
fn every_request_was_seen(served: &Served) {
    for (agent, at_least) in [("harbour", 8), ("reverser", 4)] {
        let path = format!("agents/{agent}/interactions?limit=100");
        let mut rows = 0;
        for _ in 0..100 {
            let told = served.api(&path);
            rows = told.as_array().or(told["interactions"].as_array()).map_or(0, Vec::len);
            if rows >= at_least {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        assert!(rows >= at_least, "{agent}: {rows} interactions of at least {at_least}");
    }
}
