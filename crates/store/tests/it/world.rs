//! A small world to store: one agent, three versions, and whatever a case asks for.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use lockgate_model::agent::{Agent, LatencyMeasure, Limits, OnNewVersion, Protocol};
use lockgate_model::ids::{
    AgentName, BootId, Epoch, FuseId, GatewayName, InteractionId, Revision, RolloutId,
    SecurityEventId,
};
use lockgate_model::interaction::{ErrorClass, Interaction, Usage};
use lockgate_model::plan::{
    ALPHA_DEFAULT, Action, AlertLevel, Bound, Environment, HardLimit, Judge, Metric,
    OnInsufficient, Plan, Stage, Trigger,
};
use lockgate_model::ports::{Report, VersionHealth};
use lockgate_model::security::{Fuse, FuseCause, SecurityCause, SecurityEvent};
use lockgate_model::snapshot::{Member, Mode, Split, WeightEpoch};
use lockgate_model::ticket::Ticket;
use lockgate_model::version::{Manifest, SideEffects};
use lockgate_rollout::event::Effect;
use lockgate_rollout::explain::{Cause, Transition};
use lockgate_rollout::state::{Phase, Rollout};
use lockgate_store::{CONTROL_LEASE, ConfigOrigin, ConfigRecord, NewConfig, Store, StoreError};
use lockgate_telemetry::arm::{Arm, Completion};
use lockgate_telemetry::window::{KeySeen, Window};
use uuid::Uuid;

/// A moment in November 2026.
pub(crate) const T0: i64 = 1_795_000_000_000;
pub(crate) const SHORT_MS: u64 = 10_000;
pub(crate) const LONG_MS: u64 = 60_000;

type Reopening = Pin<Box<dyn Future<Output = Store> + Send>>;

/// An empty database, and a way to close and open it again.
pub(crate) struct Database {
    pub(crate) store: Store,
    pub(crate) path: PathBuf,
    pub(crate) reopen: fn(PathBuf) -> Reopening,
    pub(crate) _dir: tempfile::TempDir,
}

impl std::ops::Deref for Database {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Database {
    /// Closes the store and opens it again, as a restart does.
    pub(crate) async fn restart(&self) -> Store {
        self.store.close().await;
        (self.reopen)(self.path.clone()).await
    }

    /// Takes the control lease.
    pub(crate) async fn fence(&self) -> u64 {
        self.acquire_lease(CONTROL_LEASE, "control-1", 60_000).await.unwrap().unwrap()
    }

    pub(crate) async fn activate(&self, agents: &[Agent]) -> Result<ConfigRecord, StoreError> {
        let text = serde_json::to_string(agents).unwrap();
        self.activate_config(config(&text, agents, ConfigOrigin::File)).await
    }

    /// Writes a new rollout of `v2` that asks for `effects`.
    pub(crate) async fn begin(&self, fence: u64, effects: &[Effect]) -> Rollout {
        let rollout = rollout("agent-a");
        self.create_rollout(fence, &rollout, Some(&transition("running")), effects, &[])
            .await
            .unwrap();
        rollout
    }
}

pub(crate) fn config<'a>(
    text: &'a str,
    agents: &'a [Agent],
    origin: ConfigOrigin,
) -> NewConfig<'a> {
    NewConfig {
        // For as long as the test: a literal would live as long.
        source: Box::leak(Box::new(text.into())),
        digest: text,
        by: "ada",
        reason: "test",
        at_wall_ms: T0,
        agents,
        candidate_stale_max_ms: 600_000,
        egress: Box::leak(Box::default()),
        origin,
    }
}

pub(crate) fn manifest(agent: &str, version: &str) -> Manifest {
    Manifest {
        agent: agent.parse().unwrap(),
        name: version.parse().unwrap(),
        endpoint: format!("http://{version}.{agent}.example"),
        test_endpoint: None,
        image: None,
        model: None,
        prompt_digest: None,
        policy_digest: None,
        tools: vec![],
        side_effects: SideEffects::None,
        commit: None,
    }
}

pub(crate) fn agent(name: &str, versions: &[&str]) -> Agent {
    Agent {
        name: name.parse().unwrap(),
        matches: vec![],
        sticky: None,
        protocol: Protocol::Auto,
        signals: vec![],
        latency: LatencyMeasure::Auto,
        health: None,
        limits: Limits::default(),
        plan: "plan".parse().unwrap(),
        channels: vec![],
        on_new_version: OnNewVersion::Hold,
        after: vec![],
        probes: None,
        measures: vec![],
        versions: versions.iter().map(|version| manifest(name, version)).collect(),
    }
}

pub(crate) fn plan() -> Plan {
    let trigger = |window_ms| Trigger {
        judge: Judge::Threshold,
        metric: Metric::ErrorRate,
        bound: Bound::Above(0.05),
        window_ms,
        min_samples: 50,
        action: Action::Stop,
        alert: AlertLevel::High,
        dry_run: false,
    };
    Plan {
        alpha: ALPHA_DEFAULT,
        name: "plan".parse().unwrap(),
        stages: vec![Stage {
            name: "all".into(),
            weight_bp: 10_000,
            duration_ms: 1_000,
            extension_max_ms: 0,
            environment: Environment::Production,
            mirror_bp: 0,
            gates: vec![],
            confirm: None,
        }],
        triggers: vec![trigger(LONG_MS), trigger(SHORT_MS)],
        hard_limits: vec![HardLimit::ConsecutiveErrors(7)],
        on_insufficient: OnInsufficient::Rollback,
        tick_ms: 1_000,
        drain_ms: 1_000,
        progress_deadline_ms: None,
        few_stages: None,
        freeze: vec![],
        initial_delay_ms: 0,
        source_errors_max: lockgate_model::plan::SOURCE_ERRORS_MAX_DEFAULT,
        rollback_window_ms: None,
        rollback_gate: None,
        drift: None,
        path: None,
    }
}

/// `v2` taking the place of `v1`.
pub(crate) fn rollout(agent: &str) -> Rollout {
    Rollout {
        block: None,
        id: RolloutId(Uuid::now_v7()),
        agent: agent.parse().unwrap(),
        candidate: "v2".parse().unwrap(),
        stable: Some("v1".parse().unwrap()),
        plan: plan().into(),
        by_key: true,
        latency: LatencyMeasure::Auto,
        sources: vec![],
        probes: vec![],
        probes_digest: None,
        probes_since: Epoch::default(),
        measures: vec![],
        started_by: "ada".into(),
        reason: "test".into(),
        started_wall_ms: T0,
        ended_wall_ms: None,
        phase: Phase::Running,
        stage: 0,
        epoch: Epoch(1),
        weight_bp: 1_000,
        applied: false,
        dwell_ms: 0,
        elapsed_ms: 0,
        last_tick: None,
        security_events: 0,
        fuses: vec![],
        next_plan: None,
        waits_for: vec![],
        passed_before: None,
        overridden_by: None,
        confirmed_stage: None,
        candidate_healthy: None,
        source_errors: 0,
        driver_error: None,
        frozen_until_wall_ms: None,
        drift_waits: None,
        warming_ms: None,
        warm_epochs: vec![],
        test_epochs: vec![],
        taken_back_because: None,
        revoked: false,
    }
}

pub(crate) fn ended(rollout: &Rollout, at_wall_ms: i64) -> Rollout {
    Rollout { phase: Phase::Promoted, ended_wall_ms: Some(at_wall_ms), ..rollout.clone() }
}

pub(crate) fn transition(to: &str) -> Transition {
    Transition {
        at_wall_ms: T0,
        from: "pending".into(),
        to: to.into(),
        stage: 0,
        weight_bp: 1_000,
        dwell_ms: 0,
        causes: vec![Cause::plain("test", "because")],
        would_change: "nothing".into(),
    }
}

pub(crate) fn split(rollout: RolloutId, epoch: u64, weight_bp: u32) -> Split {
    Split {
        rollout: Some(rollout),
        epoch: Epoch(epoch),
        stable: "v1".parse().unwrap(),
        candidate: Some(Member {
            version: "v2".parse().unwrap(),
            weight_bp,
            mode: Mode::Open,
            test: None,
        }),
        retiring: None,
    }
}

pub(crate) fn set_split(epoch: u64) -> Effect {
    Effect::SetSplit { split: split(RolloutId(Uuid::nil()), epoch, 1_000) }
}

pub(crate) fn gateway(name: &str) -> GatewayName {
    name.parse().unwrap()
}

pub(crate) fn agent_a() -> AgentName {
    "agent-a".parse().unwrap()
}

pub(crate) fn report(name: &str, applied: u64) -> Report {
    Report {
        gateway: gateway(name),
        boot: BootId(Uuid::nil()),
        applied: Revision(applied),
        health: vec![],
        fuses: vec![],
    }
}

/// Of checks under the weight in force.
pub(crate) fn health(
    rollout: &Rollout,
    production: Option<bool>,
    test: Option<bool>,
) -> VersionHealth {
    let in_force = Some(WeightEpoch { rollout: rollout.id, epoch: rollout.epoch });
    VersionHealth {
        agent: agent_a(),
        version: "v2".parse().unwrap(),
        production,
        test,
        production_passed_in: in_force,
        test_passed_in: in_force,
    }
}

pub(crate) fn fuse() -> Fuse {
    Fuse {
        id: FuseId(Uuid::now_v7()),
        gateway: gateway("gw-1"),
        agent: agent_a(),
        version: "v2".parse().unwrap(),
        rollout: None,
        cause: FuseCause::HardLimit { limit: "7 errors in a row".into() },
        at_wall_ms: T0,
    }
}

pub(crate) fn security_event() -> SecurityEvent {
    SecurityEvent {
        id: SecurityEventId(Uuid::now_v7()),
        agent: agent_a(),
        version: "v2".parse().unwrap(),
        cause: SecurityCause::Operator,
        rule: None,
        principal: "ada".into(),
        detail: "leaked a secret".into(),
        stable_shows_it: Some(false),
        at_wall_ms: T0,
    }
}

/// One request that took 100 ms and cost a dollar.
pub(crate) fn arm(error: Option<ErrorClass>) -> Arm {
    let mut arm = Arm { assigned: 1, ..Arm::default() };
    arm.complete(&Completion {
        error,
        total_us: Some(100_000),
        cost_nanousd: Some(1_000_000_000),
        ..Completion::default()
    });
    arm
}

/// A window of one request.
pub(crate) fn window(gateway_name: &str, seq: u64, version: &str, rollout: &Rollout) -> Window {
    Window {
        gateway: gateway(gateway_name),
        boot: BootId(Uuid::nil()),
        seq,
        second_wall_ms: T0,
        agent: rollout.agent.clone(),
        version: version.parse().unwrap(),
        rollout: Some(rollout.id),
        epoch: Epoch(1),
        arm: arm(None),
        keys: vec![],
        keys_dropped: 0,
    }
}

pub(crate) fn keys(keys: &[(u64, bool)]) -> Vec<KeySeen> {
    keys.iter().map(|&(key, error)| KeySeen { key, error }).collect()
}

pub(crate) fn interaction(id: InteractionId, error: Option<ErrorClass>) -> Interaction {
    Interaction {
        id,
        agent: agent_a(),
        version: Some("v2".parse().unwrap()),
        rollout: None,
        epoch: Epoch(1),
        user: Some(u64::MAX),
        conversation: None,
        started_wall_ms: T0,
        status: Some(200),
        error,
        outcome: None,
        first_byte_us: Some(1),
        total_us: Some(2),
        usage: Usage { output_tokens: Some(3), ..Usage::default() },
        model: Some("small".into()),
        cost_nanousd: None,
        price_table: None,
        unpriced: None,
    }
}

pub(crate) fn ticket(rollout: &Rollout, user: Option<u64>) -> Ticket {
    Ticket {
        interaction: InteractionId(Uuid::now_v7()),
        agent: rollout.agent.clone(),
        version: rollout.candidate.clone(),
        rollout: Some(rollout.id),
        epoch: Epoch(1),
        user,
        expires_wall_ms: T0 + 1,
    }
}
