//! A gateway with tunnels, on a network that is a stub: names lead where a test says, and whatever is connected to is
//! one server here, which sends back what it gets.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockgate_gateway::{EgressOptions, Network};
use lockgate_model::ledger::{LedgerEntry, Step};
use lockgate_model::tool::{Addresses, Tool, ToolLimits, ToolMode, ToolProtocol};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::egress_world::{World, token};
use crate::mcp_server;
use crate::world::{Fake, start_gateway, until};

/// An address of the internet.
pub(crate) const PUBLIC: &str = "93.184.216.34";

#[derive(Debug)]
pub(crate) struct Stub {
    /// What look-ups find, one after the other; the last one again and again.
    pub(crate) leads: Mutex<VecDeque<Vec<IpAddr>>>,
    pub(crate) looked_up: Mutex<Vec<String>>,
    pub(crate) connected: Mutex<Vec<SocketAddr>>,
    server: SocketAddr,
    /// Whether nobody answers.
    pub(crate) is_down: AtomicBool,
}

impl Stub {
    pub(crate) fn lead(&self, to: &[&[&str]]) {
        let parse = |all: &&[&str]| all.iter().map(|ip| ip.parse().unwrap()).collect();
        *self.leads.lock().unwrap() = to.iter().map(parse).collect();
    }

    pub(crate) fn connected(&self) -> Vec<String> {
        self.connected.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

#[async_trait]
impl Network for Stub {
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.looked_up.lock().unwrap().push(name.to_owned());
        let mut leads = self.leads.lock().unwrap();
        let next = if leads.len() > 1 { leads.pop_front() } else { leads.front().cloned() };
        next.ok_or_else(|| io::Error::other("no such name"))
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        self.connected.lock().unwrap().push(to);
        if self.is_down.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        TcpStream::connect(self.server).await
    }
}

/// What the server has seen.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    pub(crate) connections: AtomicUsize,
    pub(crate) got: Mutex<Vec<u8>>,
}

async fn echo(listener: TcpListener, state: Arc<Echo>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        state.connections.fetch_add(1, Ordering::SeqCst);
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                state.got.lock().unwrap().extend(&buffer[..read]);
                if stream.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
            // Who has heard the end may still say something.
            let _ = stream.write_all(b"bye").await;
        });
    }
}

pub(crate) struct Proxied {
    pub(crate) world: World,
    pub(crate) stub: Arc<Stub>,
    pub(crate) echo: Arc<Echo>,
}

pub(crate) fn tunnel(name: &str, url: &str, addresses: Addresses) -> Tool {
    Tool {
        name: name.parse().unwrap(),
        url: url.into(),
        protocol: ToolProtocol::Tunnel(addresses),
        credential: None,
        timeout_ms: 60_000,
        limits: ToolLimits::default(),
        mode: ToolMode::Enforce,
        agent: None,
    }
}

impl Proxied {
    /// With a tunnel `pypi`, and one `own` to private addresses.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        let state = Arc::new(Echo::default());
        tokio::spawn(echo(listener, Arc::clone(&state)));
        let stub = Arc::new(Stub {
            leads: Mutex::default(),
            looked_up: Mutex::default(),
            connected: Mutex::default(),
            server,
            is_down: AtomicBool::new(false),
        });
        stub.lead(&[&[PUBLIC]]);
        let (mcp, mcp_server) = mcp_server::start().await;
        let fake = Fake::new();
        let dir = tempfile::tempdir().unwrap();
        let network = Arc::clone(&stub);
        let gateway = start_gateway(&fake, &dir, |options| {
            let mut egress = EgressOptions::new("127.0.0.1:0".parse().unwrap());
            egress.network = network;
            options.egress = Some(egress);
        })
        .await;
        let files = Tool {
            name: "files".parse().unwrap(),
            url: format!("http://{mcp}/mcp"),
            protocol: ToolProtocol::Mcp,
            credential: None,
            timeout_ms: 1_000,
            limits: ToolLimits::default(),
            mode: ToolMode::Enforce,
            agent: None,
        };
        let tools = vec![
            files,
            tunnel("pypi", "https://pypi.test", Addresses::Public),
            tunnel("own", "https://git.internal:8443", Addresses::Private),
            tunnel("literal", "https://10.0.0.5", Addresses::Private),
        ];
        let world = World { fake, gateway, server: mcp_server, tools, dir };
        world.publish(Vec::new()).await;
        Self { world, stub, echo: state }
    }

    /// Asks for a tunnel; the head of the answer, and the connection.
    pub(crate) async fn connect_with(&self, to: &str, shown: &str) -> (String, TcpStream) {
        let head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{shown}\r\n");
        self.send(&head).await
    }

    pub(crate) async fn send(&self, head: &str) -> (String, TcpStream) {
        let at = self.world.gateway.egress_addr().unwrap();
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.expect("an answer"));
        }
        (String::from_utf8(answer).unwrap(), stream)
    }

    /// The same of version v1.
    pub(crate) async fn connect(&self, to: &str) -> (u16, TcpStream) {
        let (head, stream) = self.connect_with(to, &basic(&token("v1"))).await;
        (status(&head), stream)
    }

    /// The same, which is refused, with the problem.
    pub(crate) async fn refused(&self, to: &str) -> (u16, Value) {
        self.refused_with(to, &basic(&token("v1"))).await
    }

    pub(crate) async fn refused_with(&self, to: &str, shown: &str) -> (u16, Value) {
        let (head, stream) = self.connect_with(to, shown).await;
        (status(&head), problem(&head, stream).await)
    }

    /// Outcomes, once there are so many.
    pub(crate) async fn outcomes(&self, count: usize) -> Vec<Value> {
        let all = || {
            let of = |entry: LedgerEntry| {
                matches!(entry.step, Step::Outcome { .. }).then_some(entry.detail)
            };
            self.world.entries().into_iter().filter_map(of).collect::<Vec<_>>()
        };
        until("outcomes are recorded", || all().len() >= count).await;
        assert_eq!(all().len(), count);
        all()
    }

    /// Reasons of refusals that are recorded, and what about.
    pub(crate) fn refusals(&self) -> Vec<(String, String)> {
        let entries = self.world.entries().into_iter();
        let refused = entries.filter(|entry| entry.action == "action.refused");
        refused
            .map(|entry| (entry.object, entry.detail["why"].as_str().unwrap().to_owned()))
            .collect()
    }

    pub(crate) fn got(&self) -> usize {
        self.echo.got.lock().unwrap().len()
    }

    pub(crate) fn connections(&self) -> usize {
        self.echo.connections.load(Ordering::SeqCst)
    }
}

pub(crate) fn basic(token: &str) -> String {
    let pair = STANDARD.encode(format!("agent:{token}"));
    format!("Proxy-Authorization: Basic {pair}\r\n")
}

pub(crate) fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

pub(crate) async fn problem(head: &str, mut stream: TcpStream) -> Value {
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

/// What a client of TLS says first, made by one.
pub(crate) fn hello(name: &str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// Everything that comes until the other side ends.
pub(crate) async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    all
}
