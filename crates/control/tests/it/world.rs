//! A store, a controller and a gateway that applies whatever it hears.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use lockgate_control::{Channels, Control, Options, Target};
use lockgate_model::config;
use lockgate_model::ids::{BootId, Revision, RolloutId};
use lockgate_model::plan::AlertLevel;
use lockgate_model::ports::{Report, Snapshots as _};
use lockgate_model::version::Digest;
use lockgate_rollout::event::Command;
use lockgate_store::{
    ConfigSource, EffectState, InboxBody, InboxId, InboxState, NewConfig, NewInboxItem, Store,
};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use uuid::Uuid;

/// Stages of milliseconds and nothing to judge.
pub(crate) const PLAN: &str = "
    tick: 20ms
    triggers: { error_rate: { off_because: test }, p95_ms: { off_because: test }, cost_usd: { off_because: test }, satisfied_share: { off_because: test }, negative_share: { off_because: test } }
    stages:
      - { weight: 0, duration: 50ms, gates: {} }
      - { weight: 10, duration: 50ms, gates: {} }
      - { weight: 50, duration: 50ms, gates: {} }
      - { weight: 100 }
";

fn text(versions: &[&str]) -> String {
    let lines: Vec<String> = versions
        .iter()
        .map(|name| format!("      - {{ name: {name}, endpoint: \"http://127.0.0.1:9/{name}\" }}"))
        .collect();
    let versions = lines.join("\n");
    let slow = PLAN.replace("50ms", "1h").replace("20ms", "100ms");
    format!(
        "agents:\n  - name: support\n    plan: quick\n    health: off\n    versions:\n{versions}\n\
         plans:\n  - name: quick{PLAN}  - name: slow{slow}"
    )
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) channels: Arc<ArcSwap<Channels>>,
    pub(crate) control: Option<Control>,
    /// While set, the gateway applies nothing new.
    pub(crate) frozen: Arc<AtomicBool>,
    gateway: tokio::task::JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.gateway.abort();
    }
}

impl World {
    /// With this one version.
    pub(crate) async fn new(version: &str) -> Self {
        Self::start_with(&[version]).await
    }

    /// With `v1` stable, and `v2` and `slow` to release.
    pub(crate) async fn with_stable() -> Self {
        let world = Self::start_with(&["v1", "v2", "slow"]).await;
        world.until("a stable version", async || world.stable().await.is_some()).await;
        world
    }

    async fn start_with(versions: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db")).await.unwrap();
        let text = text(versions);
        let config = config::read("test.yaml", &text).unwrap();
        store
            .activate_config(NewConfig {
                text: &text,
                digest: Digest::of(text.as_bytes()).as_str(),
                by: "test",
                reason: "test",
                at_wall_ms: 1,
                agents: &config.agents,
                candidate_stale_max_ms: 600_000,
                source: ConfigSource::File,
            })
            .await
            .unwrap();
        let frozen = Arc::new(AtomicBool::new(false));
        let gateway = tokio::spawn(gateway(store.clone(), frozen.clone()));
        let channels = Arc::new(ArcSwap::from_pointee(Channels::default()));
        let options = Options { lease_ttl_ms: 300, ..Options::new("one") };
        let control = Some(Control::spawn(store.clone(), channels.clone(), options));
        Self { store, channels, control, frozen, gateway, _dir: dir }
    }

    /// Waits for something that must come; the limit only keeps a broken test from hanging.
    pub(crate) async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        for _ in 0..3_000 {
            if holds().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what} never came");
    }

    /// Gives the loops the time of several passes.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    pub(crate) async fn stable(&self) -> Option<String> {
        let split = self.store.split(&"support".parse().unwrap()).await.unwrap();
        split.map(|split| split.stable.to_string())
    }

    pub(crate) async fn phase(&self, id: RolloutId) -> &'static str {
        self.store.rollout(id).await.unwrap().unwrap().value.phase.as_str()
    }

    pub(crate) async fn pending(&self, id: RolloutId) -> usize {
        let effects = self.store.effects(id).await.unwrap();
        effects.iter().filter(|effect| effect.state != EffectState::Done).count()
    }

    /// Asks for a release and waits for the answer.
    pub(crate) async fn start(&self, version: &str) -> InboxState {
        let plan = (version == "slow").then(|| "slow".parse().unwrap());
        let body = InboxBody::Start {
            agent: "support".parse().unwrap(),
            candidate: version.parse().unwrap(),
            plan,
            reason: "because".into(),
            retry_of: None,
        };
        self.submit(None, body).await
    }

    /// The id of a release that was not refused.
    pub(crate) async fn started(&self, version: &str) -> RolloutId {
        match self.start(version).await {
            InboxState::Done { result } => result.parse().unwrap(),
            other => panic!("not started: {other:?}"),
        }
    }

    pub(crate) async fn command(&self, id: RolloutId, command: Command) -> InboxState {
        self.submit(Some(id), InboxBody::Command { command, reason: "because".into() }).await
    }

    async fn submit(&self, rollout: Option<RolloutId>, body: InboxBody) -> InboxState {
        let item = NewInboxItem {
            key: None,
            agent: "support".parse().unwrap(),
            rollout,
            body,
            by: "ada".into(),
            at_wall_ms: 1,
        };
        let id = self.store.submit(item).await.unwrap();
        self.until("an answer", async || self.state(id).await != InboxState::Pending).await;
        self.state(id).await
    }

    async fn state(&self, id: InboxId) -> InboxState {
        self.store.inbox_item(id).await.unwrap().unwrap().state
    }

    /// From now on, alerts go to this address.
    pub(crate) fn tell(&self, url: String, lowest: AlertLevel) {
        let target = Target::Webhook { url, secret: Some(b"secret".to_vec()) };
        self.channels.store(Arc::new(Channels {
            targets: [("ops".parse().unwrap(), (lowest, target))].into(),
            agents: [("support".parse().unwrap(), vec!["ops".parse().unwrap()])].into(),
        }));
    }
}

async fn gateway(store: Store, frozen: Arc<AtomicBool>) {
    let mut report = Report {
        gateway: "one".parse().unwrap(),
        boot: BootId(Uuid::now_v7()),
        applied: Revision(0),
        health: vec![],
        fuses: vec![],
    };
    loop {
        let heard = store.exchange(report.clone(), 50).await.unwrap();
        if let Some(snapshot) = heard.snapshot
            && !frozen.load(Ordering::SeqCst)
        {
            report.applied = snapshot.revision;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A request that the receiver got.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) id: String,
    at: String,
    signature: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn signed_with(&self, secret: &[u8]) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(format!("{}.{}.{}", self.id, self.at, self.body).as_bytes());
        self.signature == format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Receiver {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// An HTTP server that fails so many times before it takes anything.
pub(crate) async fn receiver(failures: usize) -> Receiver {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let list = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = read(&mut stream).await;
            let fail = {
                let mut list = list.lock().unwrap();
                list.push(request);
                list.len() <= failures
            };
            let status = if fail { "503 Busy" } else { "202 Accepted" };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    Receiver { url, seen }
}

async fn read(stream: &mut tokio::net::TcpStream) -> Seen {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_lowercase().starts_with(name));
            line.map(|line| line[name.len() + 1..].trim().to_owned()).unwrap_or_default()
        };
        if body.len() >= header("content-length").parse::<usize>().unwrap() {
            return Seen {
                id: header("webhook-id"),
                at: header("webhook-timestamp"),
                signature: header("webhook-signature"),
                body: body.to_owned(),
            };
        }
    }
}
