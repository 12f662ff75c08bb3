//! A gateway with ports in memory, and clients for it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use lockgate_gateway::{Gateway, Options, Ports, StartError};
use lockgate_model::agent::{Agent, Limits, Match, Protocol, StickyKey};
use lockgate_model::approval::NoApprovals;
use lockgate_model::config::SecretRef;
use lockgate_model::decision::{ActionRequest, Decided, Decisions, Effect};
use lockgate_model::ids::{AgentName, Epoch, FuseId, Revision, RolloutId, ToolName, VersionName};
use lockgate_model::interaction::Interaction;
use lockgate_model::ledger::{Ledger, LedgerEntry};
use lockgate_model::limit::NoReservations;
use lockgate_model::pin::{Pins, SeenTool};
use lockgate_model::ports::{Events, Heard, Interactions, PortError, Report, Secrets, Snapshots};
use lockgate_model::security::{Fuse, SecurityCause, SecurityEvent};
use lockgate_model::snapshot::{Egress, Member, Mode, Route, Snapshot, Split};
use lockgate_model::ticket::{Answer, Counted, Ticket};
use lockgate_model::version::{Digest, Manifest, SideEffects};
use lockgate_telemetry::ports::Windows;
use lockgate_telemetry::window::Window;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) const ROLLOUT: RolloutId =
    RolloutId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));

pub(crate) fn version(name: &str) -> VersionName {
    name.parse().expect("a valid name")
}

pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_millis()).expect("a clock before the year 292,000,000")
}

/// An agent `support` with the versions given, matched by everything, sticky by `x-user`.
pub(crate) fn agent(versions: &[(&str, SocketAddr)]) -> Agent {
    let manifest = |(name, at): &(&str, SocketAddr)| Manifest {
        agent: "support".parse().expect("a valid name"),
        name: version(name),
        endpoint: format!("http://{at}"),
        test_endpoint: None,
        image: None,
        model: None,
        prompt_digest: None,
        policy_digest: None,
        tools: Vec::new(),
        side_effects: SideEffects::Some,
        commit: None,
    };
    Agent {
        name: "support".parse().expect("a valid name"),
        matches: vec![Match { host: None, path: None, strip_path: false }],
        sticky: Some(StickyKey::Header("x-user".into())),
        protocol: Protocol::Auto,
        signals: Vec::new(),
        latency: lockgate_model::agent::LatencyMeasure::Auto,
        health: None,
        limits: Limits::default(),
        plan: "standard".parse().expect("a valid name"),
        channels: Vec::new(),
        on_new_version: lockgate_model::agent::OnNewVersion::Hold,
        after: vec![],
        probes: None,
        measures: Vec::new(),
        versions: versions.iter().map(manifest).collect(),
    }
}

pub(crate) fn member(name: &str, weight_bp: u32, mode: Mode) -> Member {
    Member { version: version(name), weight_bp, mode, test: None }
}

/// Stable `v1` and candidate `v2` at a weight.
pub(crate) fn canary(epoch: u64, weight_bp: u32) -> Split {
    Split {
        rollout: Some(ROLLOUT),
        epoch: Epoch(epoch),
        stable: version("v1"),
        candidate: Some(member("v2", weight_bp, Mode::Open)),
        retiring: None,
    }
}

pub(crate) fn route(agent: Agent, split: Split) -> Route {
    Route { agent, split: Some(split), hard_limits: Vec::new() }
}

/// What the ports saw and what they say.
pub(crate) struct Fake {
    snapshot: watch::Sender<Option<Snapshot>>,
    /// Whether ports answer at all.
    pub(crate) down: AtomicBool,
    /// Whether control gives signs of life.
    pub(crate) alive: AtomicBool,
    pub(crate) reports: Mutex<Vec<Report>>,
    pub(crate) windows: Mutex<Vec<Window>>,
    pub(crate) interactions: Mutex<Vec<Interaction>>,
    pub(crate) answers: Mutex<Vec<(Ticket, Answer)>>,
    pub(crate) fuses: Mutex<Vec<Fuse>>,
    pub(crate) publish_failures: AtomicU64,
    /// What is recorded.
    pub(crate) entries: Mutex<Vec<LedgerEntry>>,
    /// Whether nothing is.
    pub(crate) unrecorded: AtomicBool,
    pub(crate) events: Mutex<Vec<SecurityEvent>>,
    /// What the credential of a tool is; `None` when it cannot be found.
    pub(crate) secret: Mutex<Option<String>>,
    /// The snapshot that says what was seen of tools.
    pub(crate) pins_in: AtomicU64,
    revision: AtomicU64,
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            snapshot: watch::Sender::new(None),
            down: AtomicBool::new(false),
            alive: AtomicBool::new(true),
            reports: Mutex::default(),
            windows: Mutex::default(),
            interactions: Mutex::default(),
            answers: Mutex::default(),
            fuses: Mutex::default(),
            publish_failures: AtomicU64::new(0),
            entries: Mutex::default(),
            unrecorded: AtomicBool::new(false),
            events: Mutex::default(),
            secret: Mutex::new(Some("Bearer upstream".into())),
            pins_in: AtomicU64::new(0),
            revision: AtomicU64::new(0),
        })
    }

    fn check(&self) -> Result<(), PortError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(PortError::new("the store is away"));
        }
        Ok(())
    }

    pub(crate) fn snapshot(&self, routes: Vec<Route>, acknowledged: Vec<FuseId>) -> Snapshot {
        let revision = Revision(self.revision.fetch_add(1, Ordering::SeqCst) + 1);
        Snapshot {
            revision,
            at_wall_ms: wall_ms(),
            routes,
            acknowledged_fuses: acknowledged,
            candidate_stale_max_ms: 600_000,
            egress: Egress::default(),
            revoked: Vec::new(),
            identity_keys: Vec::new(),
            pins: Vec::new(),
            quarantined: Vec::new(),
        }
    }

    pub(crate) fn send(&self, snapshot: Snapshot) {
        self.snapshot.send_replace(Some(snapshot));
    }

    /// The newest report.
    pub(crate) fn report(&self) -> Option<Report> {
        self.reports.lock().unwrap().last().cloned()
    }
}

#[async_trait]
impl Snapshots for Fake {
    async fn exchange(&self, report: Report, wait_ms: u64) -> Result<Heard, PortError> {
        self.check()?;
        let applied = report.applied;
        {
            let mut reports = self.reports.lock().unwrap();
            reports.push(report);
            let len = reports.len();
            reports.drain(..len.saturating_sub(100));
        }
        let mut changes = self.snapshot.subscribe();
        let newer = changes.wait_for(|snapshot| {
            snapshot.as_ref().is_some_and(|snapshot| snapshot.revision > applied)
        });
        let found = tokio::time::timeout(Duration::from_millis(wait_ms), newer).await;
        let alive = self.alive.load(Ordering::SeqCst);
        Ok(Heard {
            snapshot: found.ok().and_then(|found| found.ok().and_then(|found| found.clone())),
            control_alive_wall_ms: alive.then(wall_ms),
        })
    }
}

#[async_trait]
impl Windows for Fake {
    async fn publish(&self, batch: Vec<Window>) -> Result<(), PortError> {
        self.check()?;
        let failures = &self.publish_failures;
        let once = |left: u64| left.checked_sub(1);
        let fails = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, once).is_ok();
        let mut windows = self.windows.lock().unwrap();
        let known: HashSet<_> = windows.iter().map(|w| (w.boot, w.seq)).collect();
        windows.extend(batch.into_iter().filter(|w| !known.contains(&(w.boot, w.seq))));
        // The worst kind of failure: written, and the answer lost.
        if fails { Err(PortError::new("the answer was lost")) } else { Ok(()) }
    }
}

#[async_trait]
impl Interactions for Fake {
    async fn append(&self, batch: Vec<Interaction>) -> Result<(), PortError> {
        self.check()?;
        self.interactions.lock().unwrap().extend(batch);
        Ok(())
    }
}

#[async_trait]
impl Events for Fake {
    async fn security(&self, event: SecurityEvent) -> Result<(), PortError> {
        self.check()?;
        self.events.lock().unwrap().push(event);
        Ok(())
    }

    async fn fuse(&self, fuse: Fuse) -> Result<(), PortError> {
        self.check()?;
        self.fuses.lock().unwrap().push(fuse);
        Ok(())
    }

    async fn answer(&self, ticket: Ticket, answer: Answer, _at: i64) -> Result<Counted, PortError> {
        self.check()?;
        let mut answers = self.answers.lock().unwrap();
        let before = answers.iter().any(|(known, _)| known.interaction == ticket.interaction);
        answers.push((ticket, answer));
        Ok(if before { Counted::Before } else { Counted::Yes })
    }
}

#[async_trait]
impl Ledger for Fake {
    async fn record(&self, entry: LedgerEntry) -> Result<u64, PortError> {
        if let Some(why) = self.refuses() {
            return Err(PortError::new(why));
        }
        let mut entries = self.entries.lock().unwrap();
        entries.push(entry);
        Ok(entries.len() as u64 - 1)
    }

    fn refuses(&self) -> Option<String> {
        self.unrecorded.load(Ordering::SeqCst).then(|| "the disk is full".into())
    }
}

/// A policy in a few lines: what has a name that begins like this is dealt with like that.
impl Decisions for Fake {
    fn decide(&self, request: &ActionRequest<'_>) -> Decided {
        let (effect, reason) = match request.action {
            "write" => (Effect::Deny, "agents do not write"),
            "pay" => (Effect::Ask, "payments are approved"),
            "leak" => (Effect::Deny, "this leaks"),
            "onward" if request.session.delegation_depth.is_none_or(|depth| depth == 0) => {
                (Effect::Deny, "it is done for others only")
            }
            "purge" if request.agent.as_str() == "support" => {
                (Effect::Deny, "support purges nothing")
            }
            "erase" if request.agent.as_str() != "desk" => (Effect::Deny, "only the desk erases"),
            _ if request.arguments["push_url"].is_string() => {
                (Effect::Deny, "nobody is told anything elsewhere")
            }
            _ if request.arguments["model"] == "dear" => (Effect::Deny, "this model is too dear"),
            _ => (Effect::Allow, "it is harmless"),
        };
        Decided {
            effect,
            rules: vec![format!("rule-{}", request.action)],
            reason: reason.into(),
            message: (effect == Effect::Deny).then(|| "Reading is allowed.".into()),
            risk: None,
            asks: Vec::new(),
            labels: Vec::new(),
            limits: Vec::new(),
            security_event: request.action == "leak" || reason == "support purges nothing",
            giver: None,
            facts: serde_json::json!({ "link": request.session.link.as_str() }),
            policy: Digest::of(b"policy"),
        }
    }

    fn permits(&self, _: &AgentName, version: &VersionName, _: &ToolName, action: &str) -> bool {
        let hidden = ["secret", "prompts/get", "ListTasks"];
        version.as_str() != "v9" && !hidden.contains(&action)
    }
}

/// Everything is as it was told; a change is told to nobody.
#[async_trait]
impl Pins for Fake {
    async fn see(&self, _: &SeenTool) -> Result<Revision, PortError> {
        Ok(Revision(self.pins_in.load(Ordering::SeqCst)))
    }
}

impl Secrets for Fake {
    fn look_up(&self, reference: &SecretRef) -> Result<String, PortError> {
        let secret = self.secret.lock().unwrap().clone();
        secret.ok_or_else(|| PortError::new(format!("{reference} is not set")))
    }
}

/// A running gateway and its ports.
pub(crate) struct World {
    pub(crate) fake: Arc<Fake>,
    pub(crate) gateway: Gateway,
    pub(crate) dir: TempDir,
}

pub(crate) async fn start_gateway(
    fake: &Arc<Fake>,
    dir: &TempDir,
    change: impl FnOnce(&mut Options),
) -> Gateway {
    try_gateway(fake, dir, change).await.expect("the gateway starts")
}

/// The same, which may fail.
pub(crate) async fn try_gateway(
    fake: &Arc<Fake>,
    dir: &TempDir,
    change: impl FnOnce(&mut Options),
) -> Result<Gateway, StartError> {
    let ports = Ports {
        snapshots: fake.clone(),
        windows: fake.clone(),
        interactions: fake.clone(),
        events: fake.clone(),
        ledger: fake.clone(),
        decisions: fake.clone(),
        approvals: Arc::new(NoApprovals),
        reservations: Arc::new(NoReservations),
        pins: fake.clone(),
        secrets: fake.clone(),
    };
    let listen = "127.0.0.1:0".parse().unwrap();
    let name = "gateway-1".parse().unwrap();
    let mut options = Options::new(listen, dir.path().to_owned(), name, [7; 32]);
    change(&mut options);
    Gateway::start(options, ports).await
}

impl World {
    /// With one agent split as given.
    pub(crate) async fn start(agent: Agent, split: Split) -> Self {
        Self::start_with(vec![route(agent, split)], |_| {}).await
    }

    pub(crate) async fn start_with(routes: Vec<Route>, change: impl FnOnce(&mut Options)) -> Self {
        let fake = Fake::new();
        fake.send(fake.snapshot(routes, Vec::new()));
        let dir = tempfile::tempdir().unwrap();
        let gateway = start_gateway(&fake, &dir, change).await;
        let world = Self { fake, gateway, dir };
        world.applied(Revision(1)).await;
        world
    }

    /// Publishes and waits until it is in force.
    pub(crate) async fn publish(&self, routes: Vec<Route>, acknowledged: Vec<FuseId>) {
        let snapshot = self.fake.snapshot(routes, acknowledged);
        let revision = snapshot.revision;
        self.fake.send(snapshot);
        self.applied(revision).await;
    }

    async fn applied(&self, revision: Revision) {
        until("the snapshot is applied", || self.gateway.stats().applied >= revision).await;
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.gateway.local_addr()).await
    }

    /// The interactions, once there are `count` of them.
    pub(crate) async fn interactions(&self, count: usize) -> Vec<Interaction> {
        until("the interactions arrive", || self.fake.interactions.lock().unwrap().len() >= count)
            .await;
        self.fake.interactions.lock().unwrap().clone()
    }

    /// A security event on a version.
    pub(crate) fn event(name: &str, id: u128) -> SecurityEvent {
        SecurityEvent {
            id: lockgate_model::ids::SecurityEventId(Uuid::from_u128(id)),
            agent: "support".parse().unwrap(),
            version: version(name),
            cause: SecurityCause::Operator,
            rule: None,
            principal: "tester".into(),
            detail: "seen in a test".into(),
            stable_shows_it: None,
            at_wall_ms: wall_ms(),
        }
    }
}

/// Polls until something holds; a test that waits in vain fails after 20 s.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..4_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited in vain until {what}");
}

/// A connection that is kept alive.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn version(&self) -> &str {
        self.header("lockgate-version")
    }
}

pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", "agent.test").body(Full::default()).unwrap()
}

pub(crate) fn get_as(user: &str) -> Request<Full<Bytes>> {
    let request = Request::get("/").header("host", "agent.test").header("x-user", user);
    request.body(Full::default()).unwrap()
}

pub(crate) fn get_in(conversation: &str) -> Request<Full<Bytes>> {
    let request = Request::get("/").header("host", "agent.test");
    request.header("lockgate-conversation", conversation).body(Full::default()).unwrap()
}

pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(path).header("host", "agent.test").body(Full::new(body.into())).unwrap()
}

impl Client {
    pub(crate) async fn connect(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).await.expect("the gateway listens");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender }
    }

    pub(crate) async fn open(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }

    pub(crate) async fn try_send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Got> {
        let (parts, body) = self.open(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Got { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Got {
        self.try_send(request).await.expect("an answer")
    }
}
