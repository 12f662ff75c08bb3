//! Tunnels that are opened: what is asked inside is a call of the tool at that place, and is nothing else.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use lockgate_gateway::{Authority, EgressOptions};
use lockgate_model::identity::{Identity, Issuer as _, Revoked};
use lockgate_model::ledger::Step;
use lockgate_model::tool::ToolProtocol;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::egress_world::{World, call, identity, signer, token};
use crate::mcp_server;
use crate::proxy_world::{basic, status};
use crate::world::{Fake, start_gateway, until};

struct Inspected {
    world: World,
    port: u16,
    trusted: Arc<ClientConfig>,
}

impl Inspected {
    /// With an MCP server at `/deep/mcp` of `localhost`.
    async fn start() -> Self {
        let (mcp, server) = mcp_server::start().await;
        let (fake, dir) = (Fake::new(), tempfile::tempdir().unwrap());
        let authority = Arc::new(Authority::open(&dir.path().join("keys")).unwrap());
        let own = CertificateDer::from_pem_file(authority.certificate()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own).unwrap();
        let trusted = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let gateway = start_gateway(&fake, &dir, |options| {
            let mut egress = EgressOptions::new("127.0.0.1:0".parse().unwrap());
            egress.authority = Some(authority);
            options.egress = Some(egress);
        })
        .await;
        let mut world = World { fake, gateway, server, tools: World::start().await.tools, dir };
        world.tools[0].url = format!("http://localhost:{}/deep/mcp", mcp.port());
        world.tools[0].timeout_ms = 3_600_000;
        world.publish(Vec::new()).await;
        Self { world, port: mcp.port(), trusted: Arc::new(trusted) }
    }

    /// Asks for the tunnel; the status, and the connection.
    async fn connect(&self, token: &str) -> (u16, TcpStream) {
        let at = self.world.gateway.egress_addr().unwrap();
        let mut stream = TcpStream::connect(at).await.unwrap();
        let to = format!("localhost:{}", self.port);
        let head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{}\r\n", basic(token));
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.expect("an answer"));
        }
        (status(&String::from_utf8(answer).unwrap()), stream)
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        name: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::clone(&self.trusted)).connect(name, stream).await
    }

    async fn inside(&self, token: &str) -> TlsStream<TcpStream> {
        let (status, stream) = self.connect(token).await;
        assert_eq!(status, 200);
        self.handshake(stream, "localhost").await.unwrap()
    }

    /// A request to a path, as a client inside writes it.
    fn asked(&self, path: &str, more: &str, body: &Value) -> String {
        let (host, body) = (format!("localhost:{}", self.port), body.to_string());
        format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n{more}\r\n{body}",
            body.len()
        )
    }
}

/// Sends it; status and body.
async fn ask(stream: &mut TlsStream<TcpStream>, request: &str) -> (u16, String) {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    (status(&head.to_uppercase()), String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn what_is_asked_inside_is_asked_of_the_tool() {
    let inspected = Inspected::start().await;
    let world = &inspected.world;
    let mut stream = inspected.inside(&token("v1")).await;
    assert!(world.entries().is_empty(), "so far nothing is asked");
    // What the agent shows to the tool stays here.
    let own = "Authorization: Bearer of-the-tool\r\nX-Api-Key: of-the-tool\r\n";
    let (status, body) = ask(&mut stream, &inspected.asked("/deep/mcp", own, &call("echo"))).await;
    assert!(status == 200 && body.contains("/tmp/a"), "{status} {body}");
    let seen = world.server.last();
    assert_eq!(
        (seen.path.as_str(), &seen.headers["authorization"]),
        ("/deep/mcp", &"Bearer upstream".parse().unwrap())
    );
    assert!(!seen.headers.contains_key("x-api-key"));
    assert_eq!(world.outcome().await["outcome"], "ok");
    let [intent] = &world.intents()[..] else { panic!("one intent") };
    assert_eq!(
        (intent.object.as_str(), intent.principal.name()),
        ("files/echo", "agent support/v1")
    );
    // The next request of the same connection is decided anew.
    let (status, body) = ask(&mut stream, &inspected.asked("/deep/mcp", "", &call("write"))).await;
    assert!(status == 200 && body.contains("agents do not write"), "{status} {body}");
    assert_eq!(world.server.calls().len(), 1);
}

#[tokio::test]
async fn what_leads_elsewhere_is_refused_and_recorded() {
    let inspected = Inspected::start().await;
    let mut stream = inspected.inside(&token("v1")).await;
    let sent = call("echo");
    let good = inspected.asked("/deep/mcp", "", &sent);
    let host = format!("localhost:{}", inspected.port);
    let all = [
        inspected.asked("/deep", "", &sent),
        inspected.asked("/deep/mcp/other", "", &sent),
        inspected.asked("/deep/mcpx", "", &sent),
        inspected.asked("/mcp/files", "", &sent),
        inspected.asked("/decide", "", &sent),
        good.replace(&host, "evil.test"),
        good.replace(&host, "localhost"),
        good.replace(&format!("Host: {host}\r\n"), ""),
        good.replace("POST /deep/mcp", &format!("POST http://{host}/deep/mcp")),
        inspected.asked("/deep/mcp", &format!("Host: {host}\r\n"), &sent),
    ];
    let mut recorded = 0;
    for request in &all {
        let (status, body) = ask(&mut stream, request).await;
        recorded += usize::from(status == 403);
        // What is no HTTP at all ends the connection.
        assert!(matches!(status, 400 | 403), "{request}: {status} {body}");
        if status == 400 {
            stream = inspected.inside(&token("v1")).await;
        }
    }
    let refused =
        inspected.world.entries().into_iter().filter(|entry| entry.action == "action.refused");
    let refused: Vec<_> = refused.collect();
    assert!(refused.len() == recorded && recorded >= all.len() - 2, "{} {recorded}", refused.len());
    assert!(
        refused
            .iter()
            .all(|entry| entry.step == Step::Event && entry.object == "(unknown)/request")
    );
    assert!(inspected.world.server.calls().is_empty());
}

#[tokio::test]
async fn a_client_names_the_host_that_it_asked_for() {
    let inspected = Inspected::start().await;
    for name in ["other.test", "127.0.0.1"] {
        let (_, stream) = inspected.connect(&token("v1")).await;
        assert!(inspected.handshake(stream, name).await.is_err(), "{name}");
    }
    let (_, mut stream) = inspected.connect(&token("v1")).await;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"HTTP"), "no word but of TLS");
    assert!(inspected.world.server.seen.lock().unwrap().is_empty());
    assert_eq!(inspected.connect("x").await.0, 407);
}

#[tokio::test]
async fn whoever_is_revoked_is_nobody_inside_either() {
    let inspected = Inspected::start().await;
    let own: Identity = identity("v1");
    let shown = signer().issue(&own).unwrap();
    let mut idle = inspected.inside(&shown).await;
    let mut under_way = inspected.inside(&shown).await;
    let hangs = inspected.asked("/deep/mcp", "", &call("hang"));
    under_way.write_all(hangs.as_bytes()).await.unwrap();
    let world = &inspected.world;
    until("it is under way", || !world.server.calls().is_empty()).await;
    world.publish(vec![Revoked::Token { id: own.id }]).await;
    let request = inspected.asked("/deep/mcp", "", &call("echo"));
    let written = idle.write_all(request.as_bytes()).await;
    let mut told = Vec::new();
    let _ = idle.read_to_end(&mut told).await;
    // The tunnel may have ended before.
    assert!(
        written.is_err() || told.is_empty() || told.starts_with(b"HTTP/1.1 401"),
        "{}",
        String::from_utf8_lossy(&told)
    );
    let mut told = Vec::new();
    let _ = under_way.read_to_end(&mut told).await;
    assert!(!told.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&told));
    assert_eq!(world.server.calls().len(), 1);
    assert_eq!(world.outcome().await["outcome"], "cut");
}

#[tokio::test]
async fn a_tunnel_that_nobody_uses_does_not_keep_the_gateway_from_ending() {
    let inspected = Inspected::start().await;
    let mut idle = inspected.inside(&token("v1")).await;
    let ending = inspected.world.gateway.shutdown(Duration::from_hours(1));
    let mut rest = Vec::new();
    let both = async { tokio::join!(ending, idle.read_to_end(&mut rest)) };
    assert!(tokio::time::timeout(Duration::from_mins(1), both).await.is_ok(), "it waits for it");
}

#[tokio::test]
async fn a_card_in_a_tunnel_leads_where_it_came_from() {
    let mut inspected = Inspected::start().await;
    let (desk, _, _) = crate::a2a_server::start().await;
    let mut tool = inspected.world.tools[0].clone();
    tool.name = "desk".parse().unwrap();
    tool.url = format!("http://localhost:{}/agents/desk/", desk.port());
    tool.protocol = ToolProtocol::A2a;
    inspected.world.tools.push(tool);
    inspected.world.publish(Vec::new()).await;
    inspected.port = desk.port();
    let mut stream = inspected.inside(&token("v1")).await;
    let host = format!("localhost:{}", desk.port());
    let path = "/agents/desk/.well-known/agent-card.json";
    let (status, body) =
        ask(&mut stream, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    assert_eq!(status, 200, "{body}");
    let card: Value = serde_json::from_str(&body).unwrap();
    let interfaces = card["supportedInterfaces"].as_array().unwrap();
    let here = format!("https://{host}/agents/desk");
    assert!(!interfaces.is_empty(), "{card}");
    assert!(interfaces.iter().all(|one| one["url"].as_str().unwrap().starts_with(&here)), "{card}");
}

#[tokio::test]
async fn every_way_of_asking_has_its_place_inside() {
    let mut inspected = Inspected::start().await;
    let (model, state) = crate::model_server::start().await;
    let mut models = inspected.world.tools[0].clone();
    models.name = "models".parse().unwrap();
    models.url = format!("http://localhost:{}/v1", model.port());
    models.protocol = ToolProtocol::Openai(lockgate_model::tool::Models(None));
    inspected.world.tools.push(models);
    inspected.world.publish(Vec::new()).await;
    inspected.port = model.port();
    let mut stream = inspected.inside(&token("v1")).await;
    let asked = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] });
    let (status, body) =
        ask(&mut stream, &inspected.asked("/v1/chat/completions", "", &asked)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(state.last().path, "/v1/chat/completions");
    assert_eq!(inspected.world.intents()[0].object, "models/chat.completions");
    let certificate = inspected.world.dir.path().join("keys/inspection.pem");
    assert!(fs::read_to_string(certificate).unwrap().starts_with("-----BEGIN CERTIFICATE"));
}
