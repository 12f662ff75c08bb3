//! An agent whose only way out the proxy is: real clients over the real network, with servers of TLS behind it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use lockgate_audit::Record;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::agent::World;
use crate::support::peers::{Peer, free_port, python, ready, script, started};
use crate::support::server::Server;

const POLICY: &str = "tools:
  web: {actions: {connect: {arguments: {host: text, port: number}}}}
  blind: {actions: {connect: {arguments: {host: text, port: number}}}}
  closed: {actions: {connect: {arguments: {host: text, port: number}}}}
  orders: {actions: {look_up: {arguments: {id: text}}}}
rules:
  - {id: web, tool: web, action: connect, effect: allow, when: {host.value: {is: localhost}}}
  - {id: blind, tool: blind, action: connect, effect: allow}
  - {id: maybe, tool: closed, action: connect, effect: allow}
  - {id: never, tool: closed, action: connect, effect: deny, message: Use the mirror.}
  - {id: looking-up, tool: orders, action: look_up, effect: allow}
";

/// A server of TLS that is known as `localhost`.
struct Secure {
    _peer: Peer,
    port: u16,
    seen: PathBuf,
    certificate: PathBuf,
}

impl Secure {
    fn start(dir: &Path) -> Self {
        let at = |name: &str| dir.join(name);
        let (certificate, key) = (at("certificate.pem"), at("key.pem"));
        let mut openssl = Command::new("openssl");
        openssl
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
            ])
            .args(["-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost,DNS:other.test"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate);
        let made = openssl.output().expect("openssl is there");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (address, seen, log) = (at("tls.address"), at("tls.seen"), at("tls.log"));
        fs::write(&seen, "").expect("the directory takes files");
        let mut command = python();
        command.arg(script("tls_server.py")).arg(&certificate).arg(&key).arg(&address).arg(&seen);
        let peer = started(&mut command, &log);
        let port = ready(|| fs::read_to_string(&address).ok()?.parse().ok(), &log);
        Self { _peer: peer, port, seen, certificate }
    }

    fn seen(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.seen).expect("it is there");
        text.lines().map(str::to_owned).collect()
    }
}

/// Requests that arrived at the HTTP tool.
type Arrived = Arc<Mutex<Vec<String>>>;

async fn answer(State(arrived): State<Arrived>, request: Request) -> axum::Json<Value> {
    let asked = format!("{} {}", request.method(), request.uri());
    arrived.lock().expect("nobody panics").push(asked.clone());
    axum::Json(json!({ "asked": asked }))
}

struct Scene {
    world: World,
    server: Server,
    secure: Secure,
    /// The port of a tunnel that leads to the internet, or nowhere.
    blind: u16,
    /// Where the HTTP tool is, and what it was asked.
    orders: String,
    arrived: Arrived,
    token: String,
    dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let world = World::new();
        let dir = tempfile::tempdir().expect("a directory for the test");
        let policies = dir.path().join("policies");
        fs::create_dir(&policies).expect("the directory takes files");
        fs::write(policies.join("web.yaml"), POLICY).expect("it is written");
        let secure = Secure::start(dir.path());
        let arrived = Arrived::default();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&arrived));
        let listener = world.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let orders = format!("http://{}", listener.local_addr().expect("bound"));
        world.spawn(async move { axum::serve(listener, app).await });
        let (version, port, blind) = (world.agent().url, secure.port, free_port());
        let config = format!(
            "agents:\n  - name: support\n    versions: [{{ name: v1, endpoint: '{version}' }}]
tools:
  - {{ name: web, protocol: tunnel, url: 'https://localhost:{port}', addresses: private }}
  - {{ name: blind, protocol: tunnel, url: 'https://localhost:{blind}' }}
  - {{ name: closed, protocol: tunnel, url: 'https://closed.test' }}
  - {{ name: orders, protocol: http, url: '{orders}/api', operations: [{{ name: look_up, call: 'GET /orders/{{id}}' }}] }}
"
        );
        let mut server = Server::start_with_policies(&config, &policies);
        server.until_served(&world);
        let issue = ["identity", "issue", "support", "v1", "--expires", "1h", "--reason", "a test"];
        let token = server.json(&issue)["token"].as_str().expect("a text").to_owned();
        Self { world, server, secure, blind, orders, arrived, token, dir }
    }

    /// What an agent's environment names as its proxy.
    fn proxy(&self) -> String {
        self.server.egress().replace("http://", &format!("http://agent:{}@", self.token))
    }

    fn base(&self) -> String {
        format!("https://localhost:{}", self.secure.port)
    }

    fn curl(&self, proxy: &str, more: &[&str]) -> Command {
        let mut curl = Command::new("curl");
        curl.env_remove("NO_PROXY").env_remove("no_proxy");
        curl.args(["--silent", "--show-error", "--max-time", "60", "--proxy", proxy]);
        curl.args(["--write-out", "\n%{http_connect} %{http_code}"]).args(more);
        curl.arg("--cacert").arg(&self.secure.certificate);
        curl
    }

    /// The body, the proxy's answer to `CONNECT`, and the status.
    fn ask(&self, proxy: &str, more: &[&str]) -> (String, String) {
        let ran = self.curl(proxy, more).output().expect("curl is there");
        let said = String::from_utf8(ran.stdout).expect("text");
        let (body, codes) = said.rsplit_once('\n').expect("the codes");
        (body.to_owned(), codes.to_owned())
    }

    /// Begins something that never ends, and waits until it has arrived.
    fn slow(&mut self) -> std::process::Child {
        let url = format!("{}/slow", self.base());
        let mut curl = self.curl(&self.proxy(), &[&url]);
        let child = curl.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("curl is there");
        let seen = self.secure.seen.clone();
        self.server.until("it has arrived", |_| {
            fs::read_to_string(&seen).expect("it is there").contains("/slow")
        });
        child
    }

    fn stopped(&mut self) -> Vec<Record> {
        assert_eq!(self.server.stop(), Some(0), "{}", self.server.log());
        self.server.records()
    }
}

fn ends<'a>(records: &'a [Record], object: &str) -> Vec<&'a Record> {
    let of = |record: &&Record| record.step == "outcome" && record.object == object;
    records.iter().filter(of).collect()
}

fn count(records: &[Record], step: &str) -> usize {
    records.iter().filter(|record| record.step == step).count()
}

#[test]
fn real_clients_reach_what_is_declared_and_nothing_else() {
    let mut scene = Scene::new();
    let (base, proxy) = (scene.base(), scene.proxy());
    let (body, codes) = scene.ask(&proxy, &[&format!("{base}/curl")]);
    assert_eq!(codes, "200 200", "{body}");
    assert!(body.contains("\"path\": \"/curl\""), "{body}");

    let mut clients = python();
    clients
        .arg(script("proxy_clients.py"))
        .args([&base, &scene.server.api().replace("http://", "https://")])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .envs([("HTTPS_PROXY", &proxy), ("HTTP_PROXY", &proxy)])
        .env("SSL_CERT_FILE", &scene.secure.certificate)
        .env("REQUESTS_CA_BUNDLE", &scene.secure.certificate);
    let ran = clients.output().expect("Python starts");
    let complained = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{complained}\n{}", scene.server.log());
    let told: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(
        (&told["requests"], &told["httpx"], &told["openai"]),
        (&json!("/requests"), &json!("/httpx"), &json!(["small"]))
    );
    assert_eq!(told["kept_alive"], json!(["/0", "/1", "/2"]));
    for refused in ["requests_refused", "httpx_refused"] {
        let why = told[refused].as_str().unwrap_or_else(|| panic!("it went through: {told}"));
        assert!(why.contains("403"), "{why}");
    }
    let seen = scene.secure.seen();
    assert_eq!(seen, ["/curl", "/requests", "/httpx", "/v1/models", "/0", "/1", "/2"]);

    let records = scene.stopped();
    assert_eq!((count(&records, "intent"), count(&records, "outcome")), (5, 5), "one a connection");
    for end in ends(&records, "web/connect") {
        assert_eq!(
            (&end.detail["outcome"], &end.detail["forwarded"]),
            (&json!("ok"), &json!(true))
        );
        assert!(end.detail["bytes_up"].as_u64() > Some(200), "{:?}", end.detail);
        assert!(end.detail["bytes_down"].as_u64() > Some(200), "{:?}", end.detail);
    }
    let refused = records.iter().filter(|record| record.action == "action.refused");
    let objects: Vec<&str> = refused.map(|record| record.object.as_str()).collect();
    assert_eq!(objects, ["(unknown)/connect"; 2]);
}

#[test]
fn who_would_go_around_is_refused() {
    let mut scene = Scene::new();
    let (port, proxy) = (scene.secure.port, scene.proxy());
    let nobody = scene.server.egress();
    let stranger = nobody.replace("http://", "http://agent:guessed@");
    let at = |host: &str| format!("https://{host}:{port}/");
    let api = scene.server.api().replace("http://", "https://");
    let orders = scene.orders.clone();
    let plain = |path: &str| format!("{orders}{path}");
    let connect_to = format!("other.test:443:localhost:{port}");
    let other_name = ["--connect-to", connect_to.as_str(), "https://other.test/"];
    for (proxy, more, codes, words) in [
        (&nobody, vec![at("localhost")], "407 000", ""),
        (&stranger, vec![at("localhost")], "407 000", ""),
        (&proxy, vec![at("127.0.0.1")], "403 000", ""),
        (&proxy, vec![at("[::1]")], "403 000", ""),
        // What a name leads to counts, not the name.
        (&proxy, vec![format!("https://localhost:{}/", scene.blind)], "403 000", ""),
        (&proxy, vec!["https://closed.test/".to_owned()], "403 000", ""),
        (&proxy, vec![format!("{api}/livez")], "403 000", ""),
        (&proxy, vec!["--proxytunnel".to_owned(), plain("/api/orders/7")], "403 000", ""),
        // The tunnel is there, and carries no other name.
        (&proxy, other_name.map(str::to_owned).to_vec(), "200 000", ""),
        (
            &proxy,
            vec!["--proxytunnel".to_owned(), format!("http://localhost:{port}/")],
            "200 000",
            "",
        ),
        (&proxy, vec![plain("/api/orders/7")], "000 200", "GET /api/orders/7"),
        (&proxy, vec![plain("/api/other")], "000 404", "no-operation"),
        (&proxy, vec![plain("/orders/7")], "000 403", "audit_record"),
        (&proxy, vec!["http://elsewhere.test/".to_owned()], "000 403", "audit_record"),
        (&nobody, vec![plain("/api/orders/7")], "000 407", "password"),
    ] {
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let (body, got) = scene.ask(proxy, &more);
        assert_eq!(got, codes, "{more:?}: {body}");
        assert!(body.contains(words), "{more:?}: {body}");
    }
    assert!(scene.secure.seen().is_empty());
    assert_eq!(*scene.arrived.lock().expect("nobody panics"), ["GET /api/orders/7"]);
    let records = scene.stopped();
    let cut = ends(&records, "web/connect");
    let whys: Vec<&Value> = cut.iter().map(|end| &end.detail["why"]).collect();
    assert_eq!(
        whys,
        [&json!("its TLS handshake is for another host"), &json!("it does not begin with TLS")]
    );
    assert!(cut.iter().all(|end| end.detail["forwarded"] == false));
    let [blind] = &ends(&records, "blind/connect")[..] else { panic!("one") };
    assert_eq!(blind.detail["outcome"], "upstream_error");
    let refused = records.iter().filter(|record| record.action == "action.refused");
    let mut refused: Vec<&str> = refused.map(|record| record.object.as_str()).collect();
    refused.sort_unstable();
    let around = ["(unknown)/connect"; 3].into_iter().chain(["(unknown)/request"; 2]);
    let expected: Vec<&str> = around.chain(["closed/connect", "orders/(unknown)"]).collect();
    assert_eq!(refused, expected);
    assert_eq!((count(&records, "intent"), count(&records, "outcome")), (4, 4));
}

#[test]
fn an_order_cuts_an_open_tunnel_and_a_kill_leaves_no_intent_open() {
    let mut scene = Scene::new();
    let mut first = scene.slow();
    let args = ["quarantine", "begin", "--tool", "web", "--reason", "a drill"];
    let order = scene.server.json(&args);
    let ended = first.wait().expect("a child ends");
    assert!(!ended.success(), "it was cut");
    let (_, codes) = scene.ask(&scene.proxy(), &[&format!("{}/again", scene.base())]);
    assert_eq!(codes, "403 000");
    let id = order["id"].as_str().expect("a text");
    let lifted = scene.server.run(&["quarantine", "lift", id, "--reason", "it was a drill"]);
    assert_eq!(lifted.code, 0, "{}", lifted.shown());
    fs::write(&scene.secure.seen, "").expect("it is written");
    let mut second = scene.slow();
    scene.server.kill();
    assert!(!second.wait().expect("a child ends").success());
    scene.server.again();
    scene.server.until_served(&scene.world);
    let records = scene.stopped();
    let outcomes: Vec<&Value> =
        ends(&records, "web/connect").iter().map(|end| &end.detail["outcome"]).collect();
    assert_eq!(outcomes[0], "cut");
    assert_eq!(count(&records, "intent"), 2);
    assert_eq!(count(&records, "outcome"), 2);
    let unknown = records.iter().filter(|one| one.detail["outcome"] == "unknown").count();
    assert_eq!(unknown, 1);
    assert!(scene.dir.path().exists());
}
