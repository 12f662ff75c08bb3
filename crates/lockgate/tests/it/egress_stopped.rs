//! What a person's order or a security event stops is stopped: what comes, what is under way, and after a restart.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use crate::support::agent::{Agent, World};
use crate::support::config;
use crate::support::server::Server;
use crate::support::tools::{self, Calls};

const POLICY: &str = "tools:
  desk:
    actions:
      echo: {arguments: {wait_ms: number}}
      wipe: {arguments: {}}
rules:
  - {id: echoes, tool: desk, action: echo, effect: allow}
  - {id: wipes, tool: desk, action: wipe, effect: allow}
  - {id: no-wiping, tool: desk, action: wipe, effect: deny, risk: ASI02, security_event: true}
";

/// Two agents, one with two versions, and a tool.
struct Desk {
    world: World,
    versions: Vec<Agent>,
    server: Server,
    calls: Calls,
    _policies: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self::with("")
    }

    /// The same, with more in its configuration.
    fn with(more: &str) -> Self {
        let world = World::new();
        let versions = vec![world.agent(), world.agent(), world.agent()];
        let (url, calls) = tools::start(world.runtime());
        let policies = tempfile::tempdir().expect("a directory for the test");
        std::fs::write(policies.path().join("desk.yaml"), POLICY).expect("it is written");
        let text = config::quick(&[("v1", &versions[0]), ("v2", &versions[1])])
            .replace("\n    health:", "\n    sticky: {header: x-user}\n    health:");
        let text = format!(
            "{text}tools:\n  - {{ name: desk, url: '{url}', timeout: 30s }}\n  - {{ name: shelf, url: '{url}', timeout: 30s }}\n"
        );
        let text = text.replacen(
            "agents:\n",
            &format!(
                "agents:\n  - name: clerk\n    match: [{{ path: /clerk }}]\n    versions: [{{ name: v1, endpoint: '{}' }}]\n",
                versions[2].url
            ),
            1,
        );
        let text = format!("{text}{more}");
        let mut server = Server::start_with_policies(&text, Path::new(policies.path()));
        server.until_served(&world);
        Self { world, versions, server, calls, _policies: policies }
    }

    fn token(&self, agent: &str, version: &str) -> String {
        let args = ["identity", "issue", agent, version, "--expires", "1h", "--reason", "a test"];
        self.server.json(&args)["token"].as_str().expect("a text").to_owned()
    }

    fn call(&self, token: &str, id: &str, action: &str, arguments: &Value) -> (u16, Value) {
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": action, "arguments": arguments } });
        let at = format!("{}/mcp/desk", self.server.egress());
        self.world
            .post(&at, token, &message)
            .unwrap_or_else(|| panic!("egress answers: {}", self.server.log()))
    }

    fn echo(&self, token: &str, id: &str) -> Value {
        self.call(token, id, "echo", &json!({ "wait_ms": 1 })).1
    }

    /// A call that takes long, under way when this returns.
    fn slow(&mut self, token: &str, id: &'static str) -> tokio::task::JoinHandle<Option<u16>> {
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": "echo", "arguments": { "wait_ms": 20_000 } } });
        let at = format!("{}/mcp/desk", self.server.egress());
        let asked = self.world.http().post(at).bearer_auth(token).json(&message);
        let going =
            self.world.spawn(async move { Some(asked.send().await.ok()?.status().as_u16()) });
        let calls = self.calls.clone();
        self.server.until("the call has arrived", |_| {
            calls.lock().expect("nobody panics with it").iter().any(|call| call == id)
        });
        going
    }

    fn begin(&self, what: &[&str]) -> String {
        let args = [&["quarantine", "begin", "--reason", "a drill"], what].concat();
        let begun = self.server.json(&args);
        assert_eq!(begun["everywhere"], json!(true), "{begun}");
        begun["id"].as_str().expect("a text").to_owned()
    }

    fn lift(&self, id: &str) {
        let ran = self.server.run(&["quarantine", "lift", id, "--reason", "it was a drill"]);
        assert_eq!(ran.code, 0, "{}", ran.shown());
    }

    fn made(&self) -> Vec<String> {
        self.calls.lock().expect("nobody panics with it").clone()
    }
}

fn is_done(answer: &Value) -> bool {
    answer["result"]["isError"] == json!(false)
}

/// The words of a refusal.
fn refusal(answer: &Value) -> &str {
    assert_eq!(answer["result"]["isError"], json!(true), "{answer}");
    answer["result"]["content"][0]["text"].as_str().expect("a text")
}

#[test]
fn what_an_order_stops_stays_stopped_until_a_person_lifts_it() {
    let mut desk = Desk::new();
    let (v1, v2, clerk) =
        (desk.token("support", "v1"), desk.token("support", "v2"), desk.token("clerk", "v1"));
    assert!(is_done(&desk.echo(&v1, "before")));

    // A version: what is under way is cut, and nothing of it is served to users either.
    let slow = desk.slow(&v1, "slow-1");
    let order = desk.begin(&["--agent", "support", "--version", "v1"]);
    let cut = desk.world.block_on(slow).expect("the task ends");
    assert_eq!(cut, Some(403), "it was cut off");
    assert!(refusal(&desk.echo(&v1, "no-1")).contains(&order));
    let listed = json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/list" });
    let at = format!("{}/mcp/desk", desk.server.egress());
    let told = desk.world.post(&at, &v1, &listed).expect("an answer").1;
    assert!(told["error"]["message"].as_str().is_some_and(|text| text.contains(&order)), "{told}");
    assert!(is_done(&desk.echo(&v2, "v2-goes-on")));
    assert!(is_done(&desk.echo(&clerk, "clerk-goes-on")));
    let (status, body) = desk.world.ask(&desk.server.ingress()).expect("an answer");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("quarantined"), "{body}");
    let clerks = format!("{}/clerk", desk.server.ingress());
    assert_eq!(desk.world.ask(&clerks).expect("an answer").0, 200);

    // It outlives a kill, and the same order twice is one.
    assert_eq!(desk.begin(&["--agent", "support", "--version", "v1"]), order);
    desk.server.kill();
    desk.server.again();
    assert!(refusal(&desk.echo(&v1, "no-2")).contains(&order));
    assert_eq!(desk.world.ask(&desk.server.ingress()).expect("an answer").0, 503);
    desk.lift(&order);
    desk.server.until("users are served again", |server| {
        desk.world.ask(&server.ingress()).is_some_and(|(status, _)| status == 200)
    });
    assert!(is_done(&desk.echo(&v1, "again")));

    // An agent, a tool, all calls.
    for (what, stopped, going) in [
        (&["--agent", "support"][..], vec![&v1, &v2], vec![&clerk]),
        (&["--tool", "desk"][..], vec![&v1, &v2, &clerk], vec![]),
        (&["--tool", "shelf"][..], vec![], vec![&v1, &v2, &clerk]),
        (&["--calls"][..], vec![&v1, &v2, &clerk], vec![]),
    ] {
        let order = desk.begin(what);
        for token in stopped {
            assert!(refusal(&desk.echo(token, "no-3")).contains(&order), "{what:?}");
        }
        for token in going {
            assert!(is_done(&desk.echo(token, "others")), "{what:?}");
        }
        let is_agent = what.len() == 2 && what[0] == "--agent";
        let status = desk.world.ask(&desk.server.ingress()).expect("an answer").0;
        assert_eq!(status, if is_agent { 503 } else { 200 }, "{what:?}");
        desk.lift(&order);
        let since = Instant::now();
        while !is_done(&desk.echo(&v1, "lifted")) {
            assert!(since.elapsed() < Duration::from_secs(20), "{what:?} is not lifted");
        }
    }
    assert!(desk.made().iter().all(|id| !id.starts_with("no-")), "{:?}", desk.made());
    ends(&mut desk);
}

/// What was recorded of it.
fn ends(desk: &mut Desk) {
    assert_eq!(desk.server.stop(), Some(0), "{}", desk.server.log());
    let records = desk.server.records();
    let count = |action: &str| records.iter().filter(|one| one.action == action).count();
    assert_eq!((count("quarantine.begin"), count("quarantine.lift")), (6, 5));
    // Calls that came before a lift was heard of were refused, too.
    let is_own = |id: &Value| id.as_str().is_some_and(|id| id.starts_with("no-"));
    let refused = records
        .iter()
        .filter(|one| one.action == "action.refused" && is_own(&one.detail["request"]));
    assert_eq!(refused.count(), 10, "each refused call is recorded");
    let cut = records
        .iter()
        .filter(|one| one.step == "outcome" && one.detail["outcome"] == json!("cut"))
        .count();
    assert_eq!(cut, 1);
    let of_step = |step: &str| records.iter().filter(|one| one.step == step).count();
    assert_eq!(of_step("intent"), of_step("outcome"));
    assert_eq!(of_step("intent"), desk.made().len(), "each call at the peer has its intent");
}

#[test]
fn a_user_is_stopped_and_others_are_served() {
    let mut desk = Desk::new();
    let asked = |world: &World, server: &Server, user: &str| {
        let asked = world.http().post(format!("{}/ask", server.ingress()));
        let asked = asked.header("x-user", user).body("hello");
        world.block_on(async { asked.send().await }).expect("an answer").status().as_u16()
    };
    let status = |desk: &Desk, user: &str| asked(&desk.world, &desk.server, user);
    assert_eq!(status(&desk, "mallory"), 200);
    let order = desk.begin(&["--agent", "support", "--user", "mallory"]);
    assert_eq!((status(&desk, "mallory"), status(&desk, "ada")), (403, 200));
    desk.server.kill();
    desk.server.again();
    assert_eq!((status(&desk, "mallory"), status(&desk, "ada")), (403, 200));
    let listed = desk.server.json(&["quarantine", "list"]);
    assert!(!listed.to_string().contains("mallory"), "{listed}");
    desk.lift(&order);
    desk.server
        .until("the user is served again", |server| asked(&desk.world, server, "mallory") == 200);
    let refused = desk.server.run(&[
        "quarantine",
        "begin",
        "--agent",
        "clerk",
        "--user",
        "x",
        "--reason",
        "r",
    ]);
    assert_eq!(refused.code, 1, "{}", refused.shown());
    assert!(refused.stderr.contains("sticky"), "{}", refused.shown());
}

/// A sensitive action that the policy denies takes the candidate back, and its token is dead at once and stays dead.
#[test]
fn a_denied_sensitive_action_of_a_candidate_takes_it_back_and_kills_its_token() {
    let mut desk = Desk::new();
    desk.versions[1].behaviour.delay_ms.store(1, std::sync::atomic::Ordering::Relaxed);
    let (v1, v2) = (desk.token("support", "v1"), desk.token("support", "v2"));
    let started = desk.server.run(&["rollout", "start", "support", "v2", "--reason", "a test"]);
    assert_eq!(started.code, 0, "{}", started.shown());
    desk.server.until("it gets traffic", |server| {
        let status = ["rollout", "status", "--agent", "support", "--output", "json"];
        server.run(&status).json()["phase"] == json!("running")
    });
    let slow = desk.slow(&v2, "slow-2");
    let denied = desk.call(&v2, "no-wipe", "wipe", &json!({})).1;
    assert!(refusal(&denied).contains("no-wiping"), "{denied}");
    // The answer to the denied action comes after the version was cut off.
    assert_eq!(desk.call(&v2, "no-more", "echo", &json!({ "wait_ms": 1 })).0, 401);
    assert_eq!(desk.world.block_on(slow).expect("the task ends"), Some(403));
    assert!(is_done(&desk.echo(&v1, "stable-goes-on")));
    desk.server.until("it is taken back", |server| {
        server.run(&["rollout", "watch", "--agent", "support"]).code == 3
    });
    let status = ["rollout", "status", "--agent", "support", "--output", "json"];
    let view = desk.server.run(&status).json();
    assert_eq!((&view["phase"], &view["revoked"]), (&json!("rolled_back"), &json!(true)));
    // After the fuse has yielded, the revocation holds, over a kill too.
    desk.server.until("control took the fuse over", |server| {
        let listed = server.json(&["identity", "list"]);
        let rows = listed.as_array().expect("a list");
        rows.iter().any(|row| row["version"] == json!("v2") && !row["revoked_wall_ms"].is_null())
    });
    assert_eq!(desk.call(&v2, "no-more", "echo", &json!({ "wait_ms": 1 })).0, 401);
    desk.server.kill();
    desk.server.again();
    assert_eq!(desk.call(&v2, "no-more", "echo", &json!({ "wait_ms": 1 })).0, 401);
    assert!(is_done(&desk.echo(&v1, "stable-still")));
    assert!(!desk.made().iter().any(|id| id.starts_with("no-")), "{:?}", desk.made());
}

/// An issuer outside goes on issuing: for a candidate that was cut off in vain, until a person says otherwise.
#[test]
fn a_candidate_that_was_cut_off_comes_no_further_with_new_tokens_of_an_issuer() {
    let (dir, key) = (tempfile::tempdir().expect("a directory"), SigningKey::from_bytes(&[5; 32]));
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public = b64(key.verifying_key().as_bytes());
    let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": public }] });
    let file = dir.path().join("keys.json");
    std::fs::write(&file, keys.to_string()).expect("it is written");
    let more = format!(
        "issuers:\n  - {{ name: corp, kind: oidc, issuer: 'http://127.0.0.1:1', audience: lockgate, jwks: 'file:{}',\n      map: [{{ claims: {{ sub: two }}, agent: support, version: v2 }}] }}\n",
        file.display()
    );
    let mut desk = Desk::with(&more);
    // Of an issuer whose clock is ahead: nothing but the order itself stands against it.
    let issue = || {
        let iat = jiff::Timestamp::now().as_second() + 59;
        let claims = json!({ "iss": "http://127.0.0.1:1", "aud": "lockgate", "sub": "two", "iat": iat, "exp": iat + 600 });
        let header = json!({ "alg": "EdDSA", "kid": "k" });
        let text = format!(
            "{}.{}",
            b64(header.to_string().as_bytes()),
            b64(claims.to_string().as_bytes())
        );
        format!("{text}.{}", b64(&key.sign(text.as_bytes()).to_bytes()))
    };
    let echo =
        |desk: &Desk| is_done(&desk.call(&issue(), "one", "echo", &json!({ "wait_ms": 1 })).1);
    let since = Instant::now();
    while !echo(&desk) {
        assert!(since.elapsed() < Duration::from_secs(20), "{}", desk.server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    let started = desk.server.run(&["rollout", "start", "support", "v2", "--reason", "a test"]);
    assert_eq!(started.code, 0, "{}", started.shown());
    desk.server.until("it gets traffic", |server| {
        let status = ["rollout", "status", "--agent", "support", "--output", "json"];
        server.run(&status).json()["phase"] == json!("running")
    });
    let denied = desk.call(&issue(), "no-wipe", "wipe", &json!({})).1;
    assert!(refusal(&denied).contains("no-wiping"), "{denied}");
    assert!(!echo(&desk));
    desk.server.until("it is taken back", |server| {
        server.run(&["rollout", "watch", "--agent", "support"]).code == 3
    });
    let admit = ["identity", "admit-outside", "support/v2", "--reason", "it was a false alarm"];
    // As long as it is cut off there is nothing that could be let in.
    std::thread::sleep(Duration::from_secs(3));
    assert!(!echo(&desk));
    desk.server.kill();
    desk.server.again();
    std::thread::sleep(Duration::from_secs(2));
    assert!(!echo(&desk), "after a restart too");
    let admitted = desk.server.run(&admit);
    assert_eq!(admitted.code, 0, "{}", admitted.shown());
    let since = Instant::now();
    while !echo(&desk) {
        assert!(since.elapsed() < Duration::from_secs(20), "{}", desk.server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(desk.server.run(&admit).code, 1, "once");
}

/// Whoever hangs up before the answer to a forbidden call has not got away with it.
#[test]
fn hanging_up_does_not_save_a_candidate_from_its_security_event() {
    use std::io::Write as _;
    let mut desk = Desk::new();
    let v2 = desk.token("support", "v2");
    let started = desk.server.run(&["rollout", "start", "support", "v2", "--reason", "a test"]);
    assert_eq!(started.code, 0, "{}", started.shown());
    let message = json!({ "jsonrpc": "2.0", "id": "no-wipe", "method": "tools/call",
        "params": { "name": "wipe", "arguments": {} } })
    .to_string();
    let at = desk.server.egress().trim_start_matches("http://").to_owned();
    let mut line = std::net::TcpStream::connect(&at).expect("it listens");
    write!(
        line,
        "POST /mcp/desk HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {v2}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{message}",
        message.len()
    )
    .expect("it is sent");
    // Long enough for it to be read, and not for the answer.
    std::thread::sleep(Duration::from_millis(1));
    drop(line);
    let since = Instant::now();
    while desk.call(&v2, "no-more", "echo", &json!({ "wait_ms": 1 })).0 != 401 {
        let gone = desk.server.run(&["audit", "tail", "-n", "5"]);
        assert!(since.elapsed() < Duration::from_secs(20), "it got away: {}", gone.shown());
        std::thread::sleep(Duration::from_millis(5));
        // One that was gone before it was read was never seen: it is sent again.
        if since.elapsed() > Duration::from_secs(2) {
            let _ = desk.call(&v2, "no-wipe-2", "wipe", &json!({}));
        }
    }
    desk.server.until("it is taken back", |server| {
        server.run(&["rollout", "watch", "--agent", "support"]).code == 3
    });
    // Another release of it does not bring its old token back.
    let again = desk.server.run(&["rollout", "retry", "--agent", "support", "--reason", "mended"]);
    assert_eq!(again.code, 0, "{}", again.shown());
    desk.server.until("it gets traffic", |server| {
        let status = ["rollout", "status", "--agent", "support", "--output", "json"];
        server.run(&status).json()["phase"] == json!("running")
    });
    assert_eq!(desk.call(&v2, "no-more", "echo", &json!({ "wait_ms": 1 })).0, 401);
    let fresh = desk.token("support", "v2");
    assert!(is_done(&desk.echo(&fresh, "fresh")));
}
