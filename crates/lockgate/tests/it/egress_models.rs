//! The clients that agents have, between whom and their models Lockgate stands.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::models;
use crate::support::server::Server;

const POLICY: &str = "tools:
  gpt:
    actions:
      chat.completions:
        arguments: {model: text, bytes: number, messages: number, tools: texts, built_in: texts, stream: bool,
          max_tokens: {type: number, optional: true}, choices: number, stores: bool}
      responses:
        arguments: {model: text, bytes: number, messages: number, tools: texts, built_in: texts, stream: bool,
          max_tokens: {type: number, optional: true}, continues: bool, stores: bool}
      embeddings: {arguments: {model: text, bytes: number, inputs: number}}
      models: {arguments: {}}
  claude:
    actions:
      messages:
        arguments: {model: text, bytes: number, messages: number, tools: texts, built_in: texts, stream: bool,
          max_tokens: {type: number, optional: true}, betas: texts}
      messages.count_tokens:
        arguments: {model: text, bytes: number, messages: number, tools: texts, built_in: texts, betas: texts}
rules:
  - {id: gpt, tool: gpt, action: '*', effect: allow}
  - id: small-models
    tool: claude
    action: messages
    effect: allow
    when: {model.value: {in: [claude-haiku-4-5, stalls]}, max_tokens.value: {at_most: 100}}
  - {id: counting, tool: claude, action: messages.count_tokens, effect: allow}
";

/// What the packages were told.
fn told(openai: &str, anthropic: &str, key: &str) -> Value {
    let python = std::env::var("LOCKGATE_TEST_PYTHON").expect(
        "LOCKGATE_TEST_PYTHON must name a Python with `openai` and `anthropic`; ./test sets it",
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/model_clients.py");
    let ran = Command::new(python).arg(script).args([openai, anthropic, key]).output();
    let ran = ran.expect("Python starts");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn real_clients_call_the_models_that_they_may() {
    let world = World::new();
    let (provider_url, provider) = models::start(world.runtime());
    let policies = tempfile::tempdir().expect("a directory for the test");
    std::fs::write(policies.path().join("models.yaml"), POLICY).expect("it is written");
    let secret = |name: &str, value: &str| {
        let path = policies.path().join(name);
        std::fs::write(&path, value).expect("it is written");
        path.display().to_string()
    };
    let (gpt, claude) =
        (secret("gpt", models::OPENAI_KEY), secret("claude", models::ANTHROPIC_KEY));
    let version = world.agent().url;
    let config = format!(
        "agents:\n  - name: support\n    versions: [{{ name: v1, endpoint: '{version}' }}]\n\
         tools:\n  - {{ name: gpt, protocol: openai, url: '{provider_url}/v1', credential: {{ value: 'file:{gpt}' }},\n\
         \x20     models: ['gpt-4*', 'text-embedding-*', stalls, limited] }}\n\
         \x20 - {{ name: claude, protocol: anthropic, url: '{provider_url}', credential: {{ value: 'file:{claude}' }} }}\n"
    );
    let mut server = Server::start_with_policies(&config, policies.path());
    server.until_served(&world);
    let issue = ["identity", "issue", "support", "v1", "--reason", "a test"];
    let token = server.json(&issue)["token"].as_str().expect("a text").to_owned();
    let egress = server.egress();
    let through =
        told(&format!("{egress}/model/gpt/v1"), &format!("{egress}/model/claude"), &token);

    for (what, text) in [("chat", "Two."), ("message", "Two.")] {
        assert!(through[what].to_string().contains(text), "{what}: {}", through[what]);
    }
    let counts = |what: &str| -> Vec<Value> {
        let chunks = through[what].as_array().expect("a list");
        chunks.iter().filter(|chunk| !chunk["usage"].is_null()).cloned().collect()
    };
    assert_eq!(
        (through["chat_stream"].as_array().map(Vec::len), counts("chat_stream").len()),
        (Some(3), 0)
    );
    assert_eq!(
        (through["chat_counted"].as_array().map(Vec::len), counts("chat_counted").len()),
        (Some(4), 1)
    );
    assert_eq!(through["responses"]["usage"]["output_tokens"], 7);
    assert_eq!(through["embedding"]["data"][0]["embedding"], json!([0.5, 1.5]));
    assert_eq!(
        through["models"],
        json!(["gpt-4o", "stalls"]),
        "gpt-5 may not be called, so it is not shown"
    );
    assert_eq!(
        (&through["message_text"], &through["message_usage"]["output_tokens"]),
        (&json!(["Two"]), &json!(13))
    );
    assert_eq!(through["count"], 9);

    let class = |what: &str| (through[what]["class"].as_str(), through[what]["status"].as_u64());
    for what in ["chat_refused", "message_refused"] {
        assert_eq!(class(what), (Some("PermissionDeniedError"), Some(403)), "{what}");
        let said = through[what]["message"].as_str().expect("a text");
        assert!(said.contains("Refused by Lockgate") && said.contains("audit record"), "{said}");
    }
    assert_eq!(class("limited"), (Some("RateLimitError"), Some(429)));
    for what in ["stranger", "stranger_too"] {
        assert_eq!(class(what), (Some("AuthenticationError"), Some(401)), "{what}");
    }
    assert_eq!(class("elsewhere"), (Some("NotFoundError"), Some(404)));
    assert_eq!((&through["begun"], &through["begun_too"]), (&json!("Two"), &json!("Two")));
    server.until("both streams are left", |_| provider.left.load(Ordering::SeqCst) == 2);

    let asked = provider.asked.lock().expect("nobody panics").clone();
    assert_eq!(provider.strangers.load(Ordering::SeqCst), 0, "the agent's own key goes nowhere");
    assert!(
        asked.iter().all(|(_, model)| !["gpt-5", "claude-opus-4-5"].contains(&&**model)),
        "{asked:?}"
    );
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    recorded(&server, asked.len());
}

/// Each request that arrived was recorded before, and after with what it used.
fn recorded(server: &Server, arrived: usize) {
    let records = server.records();
    let intents = records.iter().filter(|record| record.step == "intent").count();
    let ends: Vec<_> = records.iter().filter(|record| record.step == "outcome").collect();
    assert_eq!((intents, ends.len()), (arrived, arrived));
    let of = |object: &str, outcome: &str| {
        let ends =
            ends.iter().filter(|end| end.object == object && end.detail["outcome"] == outcome);
        ends.map(|end| end.detail.clone()).collect::<Vec<_>>()
    };
    let chats = of("gpt/chat.completions", "ok");
    assert_eq!(chats.len(), 3);
    for chat in chats {
        assert_eq!(
            (&chat["usage"]["input_tokens"], &chat["usage"]["output_tokens"]),
            (&json!(10), &json!(20))
        );
        assert_eq!(chat["cost_nanousd"], 10 * 2_500 + 20 * 10_000);
    }
    assert_eq!(of("claude/messages", "ok").len(), 2);
    for object in ["gpt/chat.completions", "claude/messages"] {
        let cancelled = of(object, "cancelled");
        assert_eq!(cancelled.len(), 1, "{object}");
        assert!(cancelled[0]["usage"].is_null(), "{object}");
    }
    let refused = records.iter().filter(|record| record.action == "action.refused");
    let refused: Vec<&str> = refused.map(|record| record.object.as_str()).collect();
    assert_eq!(refused, ["gpt/chat.completions", "claude/messages"]);
    let all = serde_json::to_string(&records).expect("records are JSON");
    assert!(
        !all.contains("towpath") && !all.contains("sk-real"),
        "nothing that was said, and no key"
    );
}
