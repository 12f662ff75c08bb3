//! A store, a controller and a gateway that applies whatever it hears.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use lockgate_control::{Channels, Control, Options, Secrets, Target};
use lockgate_model::config;
use lockgate_model::ids::RolloutId;
use lockgate_model::path::{NoOversight, Oversight};
use lockgate_model::plan::AlertLevel;
use lockgate_model::version::Digest;
use lockgate_rollout::event::Command;
use lockgate_store::{
    ConfigOrigin, EffectState, InboxBody, InboxId, InboxState, NewConfig, NewInboxItem, Store,
};
use lockgate_testkit::gateway;
use lockgate_testkit::ledger::MemoryLedger;
use sqlx::Connection as _;

/// Stages of milliseconds and nothing to judge.
pub(crate) const PLAN: &str = "
    tick: 20ms
    triggers: { error_rate: { off_because: test }, p95_ms: { off_because: test }, cost_usd: { off_because: test }, satisfied_share: { off_because: test }, negative_share: { off_because: test }, security_events: { bound: \"> 0\", alert: high } }
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
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) channels: Arc<ArcSwap<Channels>>,
    pub(crate) control: Option<Control>,
    /// While set, the gateway applies nothing new.
    pub(crate) frozen: Arc<AtomicBool>,
    gateway: tokio::task::JoinHandle<()>,
    dir: tempfile::TempDir,
}

/// Makes a configuration the active one.
pub(crate) async fn activate(store: &Store, text: &str) {
    let config = config::read("test.yaml", text).unwrap_or_else(|errors| panic!("{errors}"));
    store
        .activate_config(NewConfig {
            source: &text.into(),
            digest: Digest::of(text.as_bytes()).as_str(),
            by: "test",
            reason: "test",
            at_wall_ms: 1,
            agents: &config.agents,
            candidate_stale_max_ms: 600_000,
            egress: &config.egress(),
            origin: ConfigOrigin::File,
        })
        .await
        .unwrap();
}

/// Nobody governs here.
pub(crate) fn watch() -> Arc<dyn Oversight> {
    Arc::new(NoOversight)
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
        Self::of(&text(versions)).await
    }

    /// With this configuration.
    pub(crate) async fn of(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db")).await.unwrap();
        activate(&store, text).await;
        let frozen = Arc::new(AtomicBool::new(false));
        let gateway = tokio::spawn(gateway::reporting(Arc::new(store.clone()), frozen.clone()));
        let channels = Arc::new(ArcSwap::from_pointee(Channels::default()));
        let ledger = Arc::new(MemoryLedger::default());
        let options = Options { lease_ttl_ms: 300, ..Options::new("one") };
        let control =
            Some(Control::spawn(store.clone(), ledger.clone(), watch(), channels.clone(), options));
        Self { store, ledger, channels, control, frozen, gateway, dir }
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
        self.ask(version, false).await
    }

    /// The same, in place of an open release.
    pub(crate) async fn replace(&self, version: &str) -> InboxState {
        self.ask(version, true).await
    }

    async fn ask(&self, version: &str, replace: bool) -> InboxState {
        let plan = (version == "slow").then(|| "slow".parse().unwrap());
        let body = InboxBody::Start {
            agent: "support".parse().unwrap(),
            candidate: version.parse().unwrap(),
            plan,
            reason: "because".into(),
            retry_of: None,
            replace,
            in_spite_because: None,
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

    /// A database connection of somebody else's.
    pub(crate) async fn outside(&self) -> sqlx::SqliteConnection {
        let path = self.dir.path().join("state.db");
        sqlx::SqliteConnection::connect(&path.display().to_string()).await.unwrap()
    }

    pub(crate) async fn submit(&self, rollout: Option<RolloutId>, body: InboxBody) -> InboxState {
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
            secrets: Secrets::default(),
        }));
    }
}
