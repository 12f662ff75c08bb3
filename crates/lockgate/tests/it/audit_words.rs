//! Everything that people can change through the API, done by someone whose name and words no file has by chance.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::audit_people::holding;
use crate::support::agent::World;
use crate::support::server::Server;
use crate::support::{config, run};

/// Who acts. No word of it is one of Lockgate's.
const NAME: &str = "Zaphira Quendel";
/// Whom others name.
const OTHER: &str = "Orlando Weststrand";
/// What begins every text that someone writes.
const WORDS: &str = "zqmark";

/// Paths of changes that this test makes, as the API's document has them.
const DRIVEN: [&str; 31] = [
    "DELETE /api/v1/agents/{agent}/versions/{version}/identities",
    "DELETE /api/v1/audit/holds/{name}",
    "DELETE /api/v1/identities/{id}",
    "DELETE /api/v1/identity-keys/{id}",
    "DELETE /api/v1/quarantines/{id}",
    "DELETE /api/v1/tokens/{id}",
    "DELETE /api/v1/value/imports/{digest}",
    "POST /api/v1/agents/{agent}/drift/{source}",
    "POST /api/v1/agents/{agent}/path/reports",
    "POST /api/v1/agents/{agent}/versions/{version}/identities",
    "POST /api/v1/agents/{agent}/versions/{version}/identities/outside",
    "POST /api/v1/agents/{agent}/versions/{version}/security-events",
    "POST /api/v1/approvals/{id}/approve",
    "POST /api/v1/approvals/{id}/deny",
    "POST /api/v1/audit/erase",
    "POST /api/v1/audit/holds",
    "POST /api/v1/identity-keys",
    "POST /api/v1/pins/accept",
    "POST /api/v1/quarantines",
    "POST /api/v1/rollouts",
    "POST /api/v1/rollouts/{id}/abort",
    "POST /api/v1/rollouts/{id}/confirm",
    "POST /api/v1/rollouts/{id}/pause",
    "POST /api/v1/rollouts/{id}/promote",
    "POST /api/v1/rollouts/{id}/resume",
    "POST /api/v1/rollouts/{id}/retry",
    "POST /api/v1/tokens",
    "POST /api/v1/value/events",
    "POST /api/v1/value/imports",
    "POST /api/v1/value/imports/{digest}/rows",
    "PUT /api/v1/config",
];

struct Asking<'a> {
    world: &'a World,
    api: String,
    token: String,
    http: reqwest::Client,
    done: BTreeSet<String>,
    words: u32,
}

impl Asking<'_> {
    /// A text that was never used.
    fn words(&mut self) -> String {
        self.words += 1;
        format!("{WORDS} {} of her own", self.words)
    }

    /// Asks for a change; `route` is the path in the document. Gives status and answer.
    fn ask(
        &mut self,
        method: Method,
        route: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        self.done.insert(format!("{method} {route}"));
        let mut asked =
            self.http.request(method, format!("{}{path}", self.api)).bearer_auth(&self.token);
        if let Some(body) = body {
            asked = asked.json(&body);
        }
        self.world.block_on(async {
            let answer = asked.send().await.expect("an answer");
            let status = answer.status().as_u16();
            let text = answer.text().await.expect("a body");
            assert!(status < 500, "{path}: {status} {text}");
            (status, serde_json::from_str(&text).unwrap_or_default())
        })
    }

    fn post(&mut self, route: &str, path: &str, mut body: Value) -> (u16, Value) {
        body["reason"] = self.words().into();
        self.ask(Method::POST, route, path, Some(body))
    }

    /// Says a word about a release, or about the newest one.
    fn say(&mut self, word: &str, id: Option<&str>) -> u16 {
        let route = format!("/api/v1/rollouts/{{id}}/{word}");
        let path = match id {
            Some(id) => format!("/api/v1/rollouts/{id}/{word}"),
            None => format!("/api/v1/rollouts/latest/{word}?agent=support"),
        };
        self.post(&route, &path, json!({})).0
    }

    fn start(&mut self, version: &str) -> String {
        let start = json!({ "agent": "support", "version": version });
        let (status, answer) = self.post("/api/v1/rollouts", "/api/v1/rollouts", start);
        assert_eq!(status, 202, "{answer}");
        answer["rollout"].as_str().expect("an id").to_owned()
    }
}

/// The configuration with a plan that someone allowed, and probes with secrets in them.
fn with_words(text: &str) -> (String, String) {
    let text = text.replace(
        "    stages:\n",
        "    stages:\n      - {weight: 0%, duration: 1s, extension_max: 60s, gates: {probes: \"= 100%\"}}\n",
    );
    let text = text.replace(
        "    plan: quick\n",
        "    plan: quick\n    probes: {file: probes.jsonl, per_second: 20}\n",
    );
    let text = format!(
        "{text}  - name: few\n    override: {{by: {OTHER}, reason: {WORDS} allowed}}\n    stages:\n      - {{weight: 50%, duration: 1h}}\n      - {{weight: 100%}}\n    gates: {{error_rate: \"< 20%\"}}\n    triggers:\n      p95_ms: {{off_because: {WORDS} no matter}}\n"
    );
    let probe = json!({
        "name": "asks",
        "request": {
            "path": "/ask", "headers": { "authorization": format!("{WORDS} secret") },
            "body": format!("{WORDS} body about {OTHER}"),
        },
        "expect": { "contains": [format!("{WORDS} answer")] },
    });
    (text, format!("{probe}\n"))
}

/// Of a version that was never cut off, and of a key that signs no more.
fn keys_of_tokens(her: &mut Asking<'_>) {
    let route = "/api/v1/agents/{agent}/versions/{version}/identities/outside";
    let path = "/api/v1/agents/support/versions/v1/identities/outside";
    assert_eq!(her.post(route, path, json!({})).0, 409);
    let (keys, one) = ("/api/v1/identity-keys", "/api/v1/identity-keys/{id}");
    let (status, rotated) = her.post(keys, keys, json!({}));
    assert_eq!(status, 201, "{rotated}");
    let former = rotated["former"].as_str().expect("a name");
    let path = format!("{keys}/{former}?reason={WORDS}%20dead");
    assert_eq!(her.ask(Method::DELETE, one, &path, None).0, 204);
}

/// What was looked at elsewhere, with texts of hers in it.
fn reports(her: &mut Asking<'_>) {
    let root = json!({
        "kind": "terraform", "path": format!("{WORDS} of {OTHER}"), "outcome": "drifted",
        "reason": her.words(), "changes_total": 1,
    });
    let drift = json!({
        "schema": 1, "kind": "lockgate.drift", "tool": {"name": "lockgate", "version": "1.0.0"},
        "at": "2026-11-01T12:00:00Z", "outcome": "drifted", "roots": [root],
    });
    let route = "/api/v1/agents/{agent}/drift/{source}";
    let (status, told) =
        her.ask(Method::POST, route, "/api/v1/agents/support/drift/infra", Some(drift));
    assert_eq!(status, 201, "{told}");
    let word = json!({
        "of": "monolith.tests", "owner": OTHER, "link": format!("https://{WORDS}.example.org"),
        "until": "2030-12-31",
    });
    let finding = json!({
        "outcome": "unknown", "reason": her.words(),
        "evidence": [{"where": her.words(), "text": her.words()}], "attested": [word],
    });
    let path = json!({
        "version": "v2", "path": "monolith", "commit": "c".repeat(40),
        "findings": {"monolith.tests": finding},
    });
    let route = "/api/v1/agents/{agent}/path/reports";
    let (status, told) =
        her.ask(Method::POST, route, "/api/v1/agents/support/path/reports", Some(path));
    assert_eq!(status, 201, "{told}");
}

/// What she knows of the agent's worth, and a file of it that she gives up.
fn worth(her: &mut Asking<'_>) {
    let event = |source: String, key: &str| {
        json!({
            "key": format!("{WORDS}-{key}"), "at": "2026-11-01T12:00:00Z", "agent": "support",
            "source": source, "kind": "error_introduced", "detail": format!("{WORDS} of {OTHER}"),
        })
    };
    let (events, imports) = ("/api/v1/value/events", "/api/v1/value/imports");
    let told = json!({ "events": [event(her.words(), "a")] });
    assert_eq!(her.ask(Method::POST, events, events, Some(told)).0, 201);
    let digest = format!("sha256:{}", "0".repeat(64));
    let begin = json!({ "digest": digest, "name": format!("{WORDS} {OTHER}.csv"), "rows": 2 });
    assert_eq!(her.ask(Method::POST, imports, imports, Some(begin)).0, 200);
    let rows = json!({ "first": 0, "events": [event(her.words(), "b")] });
    let route = "/api/v1/value/imports/{digest}/rows";
    assert_eq!(
        her.ask(Method::POST, route, &format!("{imports}/{digest}/rows"), Some(rows)).0,
        200
    );
    let because = json!({ "reason": her.words() });
    let route = "/api/v1/value/imports/{digest}";
    let path = format!("{imports}/{digest}");
    assert_eq!(her.ask(Method::DELETE, route, &path, Some(because)).0, 204);
}

#[test]
fn no_name_and_no_word_of_anyone_is_in_the_log_in_the_clear() {
    let world = World::new();
    let (v1, v2) = (world.agent(), world.agent());
    let text = config::with_stages(&[("v1", &v1), ("v2", &v2)], "1h");
    let mut server = Server::start(&text);
    server.until_served(&world);
    let made = server.run(&["token", "create", NAME, "--role", "admin", "--reason", "zqmark made"]);
    assert_eq!(made.code, 0, "{}", made.shown());
    let token = made.stdout.trim().to_owned();
    let http = reqwest::Client::builder().tls_certs_only([]).build().expect("a client");
    let (api, done) = (server.api(), BTreeSet::new());
    let mut her = Asking { world: &world, api, token, http, done, words: 0 };

    let first = her.start("v2");
    for word in ["pause", "resume", "confirm", "abort"] {
        her.say(word, Some(&first));
    }
    server.until("it is over", |server| {
        // Its exit code says that it was not promoted.
        server.run(&["rollout", "status", &first, "--output", "json"]).json()["phase"] == "aborted"
    });
    assert_eq!(her.say("retry", Some(&first)), 202);
    her.say("promote", None);
    let event = json!({ "detail": her.words(), "rule": her.words() });
    let route = "/api/v1/agents/{agent}/versions/{version}/security-events";
    let path = "/api/v1/agents/support/versions/v2/security-events";
    let (status, told) = her.ask(Method::POST, route, path, Some(event));
    assert_eq!(status, 201, "{told}");
    let tokens = "/api/v1/tokens";
    let (_, minted) = her.post(tokens, tokens, json!({ "name": OTHER, "role": "viewer" }));
    let id = minted["id"].as_str().expect("an id").to_owned();
    let path = format!("{tokens}/{id}?reason={WORDS}%20gone");
    assert_eq!(her.ask(Method::DELETE, "/api/v1/tokens/{id}", &path, None).0, 204);
    let route = "/api/v1/agents/{agent}/versions/{version}/identities";
    let path = "/api/v1/agents/support/versions/v1/identities";
    let (status, issued) = her.post(route, path, json!({}));
    assert_eq!(status, 201, "{issued}");
    let one = format!("/api/v1/identities/{}", issued["id"].as_str().expect("an id"));
    let because = format!("reason={WORDS}%20dead");
    let revoked =
        her.ask(Method::DELETE, "/api/v1/identities/{id}", &format!("{one}?{because}"), None);
    assert_eq!(revoked.0, 204);
    assert_eq!(her.ask(Method::DELETE, route, &format!("{path}?{because}"), None).0, 200);
    keys_of_tokens(&mut her);
    reports(&mut her);
    worth(&mut her);
    let orders = "/api/v1/quarantines";
    let (status, begun) = her.post(orders, orders, json!({ "agent": "support", "version": "v2" }));
    assert_eq!(status, 201, "{begun}");
    let path = format!("{orders}/{}?{because}", begun["id"].as_str().expect("an id"));
    assert_eq!(her.ask(Method::DELETE, "/api/v1/quarantines/{id}", &path, None).0, 204);
    // Nothing waits here; what is said to questions that do is in `egress_approvals`.
    for word in ["approve", "deny"] {
        let route = format!("/api/v1/approvals/{{id}}/{word}");
        assert_eq!(her.post(&route, &format!("/api/v1/approvals/none/{word}"), json!({})).0, 404);
    }
    // No tool has changed here either; `egress_pins` accepts one.
    let accept = "/api/v1/pins/accept";
    let digest = format!("sha256:{}", "0".repeat(64));
    let body = json!({ "tool": "desk", "action": "echo", "digest": digest });
    assert_eq!(her.post(accept, accept, body).0, 409);
    let (text, probes) = with_words(&text);
    let body = json!({ "text": text, "files": { "probes.jsonl": probes } });
    let path = format!("/api/v1/config?reason={WORDS}%20applied");
    let (status, applied) = her.ask(Method::PUT, "/api/v1/config", &path, Some(body));
    assert_eq!(status, 200, "{applied}");
    assert!(applied.to_string().contains(OTHER), "the change names people: {applied}");
    let holds = "/api/v1/audit/holds";
    assert_eq!(her.post(holds, holds, json!({ "name": "case 7" })).0, 204);
    let erase = "/api/v1/audit/erase";
    assert_eq!(her.post(erase, erase, json!({ "name": OTHER })).0, 409, "held");
    let because = json!({ "reason": her.words() });
    let (route, path) = ("/api/v1/audit/holds/{name}", "/api/v1/audit/holds/case%207");
    assert_eq!(her.ask(Method::DELETE, route, path, Some(because)).0, 204);
    assert_eq!(her.post(erase, erase, json!({ "name": "nobody at all" })).0, 200);

    // Whatever changes something is among them.
    let document = her.ask(Method::GET, "/openapi", "/api/v1/openapi.json", None).1;
    her.done.remove("GET /openapi");
    let mut changes = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            if method != "get" {
                changes.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    assert_eq!(changes, DRIVEN.map(str::to_owned).into(), "a new change is to be driven here too");
    assert_eq!(her.done, changes);

    let data = server.data_dir();
    let log = data.join("audit");
    let shown = || {
        let dir = data.to_str().expect("it is text");
        run(&["audit", "tail", "-n", "1000", "--data-dir", dir, "--output", "json"]).stdout
    };
    server.until("the releases' ends are recorded", |_| {
        let shown = shown();
        shown.contains("promoted") && shown.contains("aborted")
    });
    server.stop();
    let shown = shown();
    assert!(shown.contains(NAME) && shown.contains(OTHER), "whoever has the vault sees them");
    assert!(shown.matches(WORDS).count() >= 14, "and what was said: {shown}");
    for text in [NAME, "Zaphira", "Quendel", OTHER, "Weststrand", WORDS] {
        assert_eq!(holding(&log, text), [] as [std::path::PathBuf; 0], "{text}");
    }
}
