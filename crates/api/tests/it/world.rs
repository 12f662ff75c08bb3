//! A store with agents, releases and traffic in it, and just enough control to move them.

use std::sync::Arc;

use lockgate_model::clock::Now;
use lockgate_model::config::{self, Config};
use lockgate_model::identity::{Identity, IdentityKey, Issuer, KeyId, SigningKeys};
use lockgate_model::ids::{
    AgentName, BootId, Epoch, GatewayName, Revision, RolloutId, VersionName,
};
use lockgate_model::interaction::{ErrorClass, Score};
use lockgate_model::plan::Plan;
use lockgate_model::ports::{PortError, Report, Snapshots as _, Users, VersionHealth};
use lockgate_model::snapshot::Snapshot;
use lockgate_rollout::event::{Effect, Event};
use lockgate_rollout::machine;
use lockgate_rollout::replay::Past;
use lockgate_rollout::start::{self, NewRollout};
use lockgate_rollout::state::{Phase, Rollout};
use lockgate_store::{
    CONTROL_LEASE, ConfigOrigin, InboxBody, InboxId, InboxItem, InboxOutcome, NewConfig,
    StepCommit, Store,
};
use lockgate_telemetry::arm::{Arm, Completion};
use lockgate_telemetry::ports::Windows as _;
use lockgate_telemetry::window::{KeySeen, Window};
use lockgate_testkit::ledger::MemoryLedger;
use uuid::Uuid;

pub(crate) const CONFIG: &str = "\
agents:
  - name: support
    match: [{host: support.example.com}]
    sticky: {header: x-user}
    signals: [feedback, cost]
    versions:
      - {name: v1, endpoint: 'http://127.0.0.1:9101', test_endpoint: 'http://127.0.0.1:9201'}
      - {name: v2, endpoint: 'http://127.0.0.1:9102', test_endpoint: 'http://127.0.0.1:9202'}
      - {name: v3, endpoint: 'http://127.0.0.1:9103', test_endpoint: 'http://127.0.0.1:9203'}
  - name: billing
    match: [{host: billing.example.com}]
    sticky: {header: x-user}
    signals: [feedback, cost]
    versions:
      - {name: b1, endpoint: 'http://127.0.0.1:9301', test_endpoint: 'http://127.0.0.1:9401'}
      - {name: b2, endpoint: 'http://127.0.0.1:9302', test_endpoint: 'http://127.0.0.1:9402'}
";

/// How one version does in [`World::traffic`].
pub(crate) struct Traffic {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) ms: u64,
    pub(crate) cost_nanousd: u64,
    pub(crate) good: u64,
    pub(crate) bad: u64,
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) config: Config,
    fence: u64,
    boot: BootId,
    _dir: tempfile::TempDir,
}

pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn wall_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

/// Signs nothing: it says what it would sign.
pub(crate) struct NoTokens;

impl Issuer for NoTokens {
    fn issue(&self, identity: &Identity) -> Result<String, PortError> {
        Ok(serde_json::to_string(identity).unwrap())
    }
}

impl SigningKeys for NoTokens {
    fn prepare(&self, current: &KeyId) -> Result<IdentityKey, PortError> {
        let last = u64::from_str_radix(current.as_str(), 16).unwrap();
        Ok(key(last + 1))
    }

    fn settle(&self, _: &KeyId) -> Result<(), PortError> {
        Ok(())
    }
}

fn key(n: u64) -> IdentityKey {
    IdentityKey { kid: KeyId::of(n.to_be_bytes()), public: format!("key {n}"), ends_wall_ms: None }
}

/// Knows every user by the length of the key.
pub(crate) struct NoUsers;

impl Users for NoUsers {
    fn user(&self, _: &AgentName, key: &str) -> u64 {
        key.len() as u64
    }
}

impl World {
    /// Both agents with their first version stable.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db")).await.unwrap();
        store.adopt_identity_key(&key(1), "local", wall_ms()).await.unwrap();
        let config =
            config::read("lockgate.yaml", CONFIG).unwrap_or_else(|found| panic!("{found}"));
        let new = NewConfig {
            source: &CONFIG.into(),
            digest: config.digest.as_str(),
            by: "file",
            reason: "start",
            at_wall_ms: wall_ms(),
            agents: &config.agents,
            candidate_stale_max_ms: config.candidate_stale_max_ms,
            egress: &config.egress(),
            origin: ConfigOrigin::File,
        };
        store.activate_config(new).await.unwrap();
        let fence = store.acquire_lease(CONTROL_LEASE, "world", 3_600_000).await.unwrap().unwrap();
        let ledger = Arc::new(MemoryLedger::default());
        let world = Self { store, ledger, config, fence, boot: BootId(Uuid::now_v7()), _dir: dir };
        world.start("support", "v1", None, "first version").await;
        world.start("billing", "b1", None, "first version").await;
        world
    }

    /// The newest snapshot, as a gateway hears of it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the pages to look at need none"))]
    pub(crate) async fn snapshot(&self) -> Snapshot {
        let report = Report {
            gateway: name("looker"),
            boot: self.boot,
            applied: Revision(0),
            health: Vec::new(),
            fuses: Vec::new(),
        };
        self.store.exchange(report, 0).await.unwrap().snapshot.unwrap()
    }

    pub(crate) fn now(&self) -> Now {
        let wall_ms = wall_ms();
        Now { wall_ms, monotonic_ms: wall_ms.try_into().unwrap(), boot: self.boot }
    }

    fn plan(&self, agent: &AgentName) -> Plan {
        let agent = self.config.agent(agent).unwrap();
        self.config.plan(&agent.plan).unwrap().clone()
    }

    /// Starts a release as control would.
    pub(crate) async fn start(
        &self,
        agent: &str,
        candidate: &str,
        stable: Option<&str>,
        reason: &str,
    ) -> Rollout {
        self.start_answering(agent, candidate, stable, reason, &[]).await
    }

    async fn start_answering(
        &self,
        agent: &str,
        candidate: &str,
        stable: Option<&str>,
        reason: &str,
        handled: &[InboxId],
    ) -> Rollout {
        let agent: AgentName = name(agent);
        let defined = self.config.agent(&agent).unwrap();
        let new = NewRollout {
            id: RolloutId(Uuid::now_v7()),
            candidate: name(candidate),
            stable: stable.map(name),
            plan: self.plan(&agent),
            by_key: defined.sticky.is_some(),
            latency: defined.latency,
            sources: defined.sources(),
            probes: Vec::new(),
            probes_digest: None,
            measures: Vec::new(),
            by: "ada".into(),
            reason: reason.into(),
            fuses: Vec::new(),
            waits_for: vec![],
            passed_before: None,
            agent,
        };
        let step = start::start(new, self.now());
        let done = InboxOutcome::Done { result: step.rollout.id.to_string() };
        let handled: Vec<_> = handled.iter().map(|id| (*id, done.clone())).collect();
        self.store
            .create_rollout(
                self.fence,
                &step.rollout,
                step.transition.as_ref(),
                &step.effects,
                &handled,
            )
            .await
            .unwrap();
        self.perform().await;
        step.rollout
    }

    /// Takes one step with one event.
    pub(crate) async fn step(&self, id: RolloutId, event: Event) -> Result<Rollout, String> {
        self.step_answering(id, event, &[]).await
    }

    async fn step_answering(
        &self,
        id: RolloutId,
        event: Event,
        handled: &[(InboxId, InboxOutcome)],
    ) -> Result<Rollout, String> {
        let before = self.store.rollout(id).await.unwrap().unwrap();
        let step = machine::step(&before.value, &event, self.now()).map_err(|e| e.to_string())?;
        let commit = StepCommit {
            fence: self.fence,
            rollout: &step.rollout,
            row_version: before.row_version,
            transition: step.transition.as_ref(),
            effects: &step.effects,
            handled,
        };
        self.store.commit_step(commit).await.unwrap();
        self.perform().await;
        Ok(step.rollout)
    }

    /// Says that every gateway has applied the split that was ordered last.
    pub(crate) async fn applied(&self, id: RolloutId) -> Rollout {
        let epoch = self.store.rollout(id).await.unwrap().unwrap().value.epoch;
        self.step(id, Event::Applied { epoch }).await.unwrap()
    }

    /// Writes a release of the past with its steps.
    #[cfg_attr(not(test), expect(dead_code, reason = "the pages to look at need none"))]
    pub(crate) async fn remember(&self, past: &Past) {
        let begun = Rollout { phase: Phase::Running, ended_wall_ms: None, ..past.rollout.clone() };
        let (first, rest) = past.steps.split_first().unwrap();
        self.store.create_rollout(self.fence, &begun, Some(first), &[], &[]).await.unwrap();
        for (at, step) in rest.iter().enumerate() {
            let commit = StepCommit {
                fence: self.fence,
                rollout: if at + 1 == rest.len() { &past.rollout } else { &begun },
                row_version: i64::try_from(at).unwrap() + 1,
                transition: Some(step),
                effects: &[],
                handled: &[],
            };
            self.store.commit_step(commit).await.unwrap();
        }
    }

    /// Writes a changed rollout, for states that would take hours to reach.
    pub(crate) async fn force(&self, id: RolloutId, change: impl FnOnce(&mut Rollout)) -> Rollout {
        let before = self.store.rollout(id).await.unwrap().unwrap();
        let mut rollout = before.value.clone();
        change(&mut rollout);
        let commit = StepCommit {
            fence: self.fence,
            rollout: &rollout,
            row_version: before.row_version,
            transition: None,
            effects: &[],
            handled: &[],
        };
        self.store.commit_step(commit).await.unwrap();
        rollout
    }

    async fn perform(&self) {
        for due in self.store.outbox_due(i64::MAX, 100).await.unwrap() {
            match &due.effect {
                Effect::SetSplit { split } => {
                    let at = wall_ms();
                    self.store
                        .publish_split(self.fence, due.id, split, &due.agent, at)
                        .await
                        .unwrap();
                }
                _ => self.store.outbox_done(self.fence, due.id, "noted").await.unwrap(),
            }
        }
    }

    /// Handles everything in the inbox once; gives how many there were.
    pub(crate) async fn handle_inbox(&self) -> usize {
        let pending = self.store.inbox_pending(100).await.unwrap();
        let count = pending.len();
        for item in pending {
            self.handle(item).await;
        }
        count
    }

    /// Handles the inbox as things come in, until dropped.
    pub(crate) async fn control(&self) {
        let mut changed = self.store.changed();
        loop {
            changed.borrow_and_update();
            self.handle_inbox().await;
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    async fn handle(&self, item: InboxItem) {
        let done = |result: &str| vec![(item.id, InboxOutcome::Done { result: result.into() })];
        let refuse = async |reason: String| {
            let refused = InboxOutcome::Refused { reason };
            self.store.finish_inbox(self.fence, item.id, refused).await.unwrap();
        };
        match &item.body {
            InboxBody::Start { agent, candidate, reason, replace, .. } => {
                let open = self.store.rollouts_open().await.unwrap();
                if let Some(open) = open.iter().find(|open| open.value.agent == *agent) {
                    if !replace {
                        return refuse("a release is under way".into()).await;
                    }
                    let by = candidate.clone();
                    self.step(open.value.id, Event::Superseded { by }).await.unwrap();
                    self.applied(open.value.id).await;
                }
                let stable =
                    self.store.split(agent).await.unwrap().map(|split| split.stable.to_string());
                self.start_answering(
                    agent.as_str(),
                    candidate.as_str(),
                    stable.as_deref(),
                    reason,
                    &[item.id],
                )
                .await;
            }
            InboxBody::Command { command, reason } => {
                let event = Event::Command {
                    command: *command,
                    by: item.by.clone(),
                    reason: reason.clone(),
                };
                let id = item.rollout.unwrap();
                if let Err(why) = self.step_answering(id, event, &done("done")).await {
                    refuse(why).await;
                }
            }
            InboxBody::Gate { gate, about, open, reason } => {
                let (by, reason) = (item.by.clone(), reason.clone());
                let (gate, about, open) = (*gate, *about, *open);
                let event = Event::Gate { gate, about, open, by, reason };
                let id = item.rollout.unwrap();
                if let Err(why) = self.step_answering(id, event, &done("done")).await {
                    refuse(why).await;
                }
            }
            InboxBody::Security(_) | InboxBody::Fuse(_) => {
                let seen = InboxOutcome::Done { result: "seen".into() };
                self.store.finish_inbox(self.fence, item.id, seen).await.unwrap();
            }
        }
    }

    /// The release's stage has passed and waits for a person. Not in the example, which shares
    /// this file.
    #[cfg(test)]
    pub(crate) async fn waits(&self, id: RolloutId) {
        let mut open = self.store.rollout(id).await.unwrap().unwrap();
        open.value.phase = lockgate_rollout::state::Phase::WaitingGate {
            gate: "a person to confirm stage test".into(),
        };
        let (fence, row_version, rollout) = (self.fence, open.row_version, &open.value);
        let step = StepCommit {
            fence,
            rollout,
            row_version,
            transition: None,
            effects: &[],
            handled: &[],
        };
        self.store.commit_step(step).await.unwrap();
    }

    /// One gateway that has applied everything and knows the health of some versions.
    pub(crate) async fn gateway(&self, health: &[(&str, &str, Option<bool>)]) {
        let health = health.iter().map(|(agent, version, healthy)| VersionHealth {
            agent: name(agent),
            version: name(version),
            production: *healthy,
            test: *healthy,
            production_passed_in: None,
            test_passed_in: None,
        });
        let report = Report {
            gateway: name("gateway-1"),
            boot: self.boot,
            applied: Revision(1_000_000),
            health: health.collect(),
            fuses: Vec::new(),
        };
        self.store.exchange(report, 0).await.unwrap();
    }

    /// A second of traffic to one version of a release.
    pub(crate) async fn traffic(
        &self,
        rollout: &Rollout,
        epoch: Epoch,
        version: &VersionName,
        seq: u64,
        traffic: &Traffic,
    ) {
        let mut arm = Arm::default();
        for n in 0..traffic.requests {
            arm.assigned += 1;
            arm.complete(&Completion {
                error: (n < traffic.errors).then_some(ErrorClass::Upstream5xx),
                first_byte_us: Some(traffic.ms * 300),
                total_us: Some(traffic.ms * 1_000 * (70 + n % 40) / 100),
                cost_nanousd: Some(traffic.cost_nanousd + n * 10_000),
                ..Completion::default()
            });
        }
        (0..traffic.good).for_each(|_| arm.feedback.record(Score::Positive));
        (0..traffic.bad).for_each(|_| arm.feedback.record(Score::Negative));
        let keys = (0..traffic.requests)
            .map(|n| KeySeen { key: seq * 1_000_000 + n, error: n < traffic.errors })
            .collect();
        self.window(rollout, epoch, version, seq, arm, keys).await;
    }

    /// What a gateway saw of a version in one second.
    pub(crate) async fn window(
        &self,
        rollout: &Rollout,
        epoch: Epoch,
        version: &VersionName,
        seq: u64,
        arm: Arm,
        keys: Vec<KeySeen>,
    ) {
        let window = Window {
            gateway: name::<GatewayName>("gateway-1"),
            boot: self.boot,
            seq,
            second_wall_ms: wall_ms() - 2_000,
            agent: rollout.agent.clone(),
            version: version.clone(),
            rollout: Some(rollout.id),
            epoch,
            arm,
            keys,
            keys_dropped: 0,
        };
        self.store.publish(vec![window]).await.unwrap();
    }
}
