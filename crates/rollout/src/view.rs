//! A release as people see it: what the API serves, the CLI and the console show.

use lockgate_model::agent::SignalSource;
use lockgate_model::ids::{AgentName, RolloutId, VersionName};
use lockgate_model::measure::{Measure, MeasureName};
use lockgate_model::plan::Trigger;
use lockgate_telemetry::arm::{Arm, Arms, Measured, Mirrored, Probed};
use serde::{Deserialize, Serialize};

use crate::explain::Cause;
use crate::judge;
use crate::signals::Signals;
use crate::state::{Phase, Rollout};
use crate::why;

/// One version's numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmView {
    /// Requests routed.
    pub requests: u64,
    /// Distinct sticky keys. From signals alone those of several epochs are added; who knows better
    /// replaces it.
    pub keys: u64,
    /// Errors charged to the version.
    pub errors: u64,
    /// Of the judged units, 0 to 1.
    pub error_rate: Option<f64>,
    /// Milliseconds.
    pub p50_ms: Option<f64>,
    /// Milliseconds.
    pub p95_ms: Option<f64>,
    /// Mean of the known costs, US dollars.
    pub cost_usd: Option<f64>,
    /// Requests whose cost is known.
    #[serde(default)]
    pub cost_known: u64,
    /// Requests whose cost cannot be known.
    pub cost_unknown: u64,
    /// Votes.
    pub feedback: u64,
    /// 0 to 1.
    pub satisfied_share: Option<f64>,
    /// 0 to 1.
    pub negative_share: Option<f64>,
    /// −100 to 100.
    pub nps: Option<f64>,
    /// Outcomes that were said.
    #[serde(default)]
    pub outcomes: u64,
    /// Answers that were resolved without a person, of all answers, 0 to 1: the least that it can be.
    #[serde(default)]
    pub replacement_rate: Option<f64>,
    /// Mean of the known costs, for each resolved answer, US dollars.
    #[serde(default)]
    pub cost_per_resolved_usd: Option<f64>,
    /// The agent's own measures, each of them.
    #[serde(default)]
    pub measures: Vec<MeasuredView>,
}

/// One measure of one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredView {
    /// Its name.
    pub name: MeasureName,
    /// Answers that reported it.
    pub reports: u64,
    /// Reports that were no number.
    pub unreadable: u64,
    /// Mean of the reports, in the measure's unit.
    pub mean: Option<f64>,
}

impl ArmView {
    fn of(arm: &Arm, measures: &[Measure]) -> Self {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let mut latency = arm.plain.total.clone();
        latency.merge(&arm.sse.first_byte);
        let votes = arm.feedback.count();
        let outcomes = arm.outcomes.count();
        let all = if outcomes > 0 { arm.heard() } else { 0 };
        let replacement_rate = share(arm.outcomes.resolved, all);
        let per_resolved = |cost: f64| Some(cost / replacement_rate?);
        Self {
            requests: arm.assigned,
            keys: arm.keys.assigned,
            errors: arm.errors_charged(),
            error_rate: share(arm.errors_charged(), arm.judged()),
            p50_ms: latency.quantile_us(0.5).map(|us| us / 1e3),
            p95_ms: latency.quantile_us(0.95).map(|us| us / 1e3),
            cost_usd: arm.cost.mean_usd(),
            cost_known: arm.cost.known,
            cost_unknown: arm.cost.unknown,
            feedback: votes,
            satisfied_share: share(arm.feedback.positive, votes),
            negative_share: share(arm.feedback.negative, votes),
            nps: arm.feedback.nps(),
            outcomes,
            replacement_rate,
            cost_per_resolved_usd: arm
                .cost
                .mean_usd()
                .and_then(per_resolved)
                .filter(|usd| usd.is_finite()),
            measures: measures.iter().map(|measure| MeasuredView::of(arm, measure)).collect(),
        }
    }
}

impl MeasuredView {
    fn of(arm: &Arm, measure: &Measure) -> Self {
        let seen = arm.measures.get(&measure.name);
        Self {
            name: measure.name,
            reports: seen.map_or(0, Measured::count),
            unreadable: seen.map_or(0, |seen| seen.unreadable),
            mean: seen.and_then(Measured::mean).map(|share| measure.value(share)),
        }
    }
}

/// One stage of the bar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageView {
    /// Its name.
    pub name: String,
    /// The candidate's share, basis points.
    pub weight_bp: u32,
    /// Its length.
    pub duration_ms: u64,
    /// `done`, `current`, `next` or `skipped`.
    pub state: String,
}

/// A release now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutView {
    /// Its id.
    pub id: RolloutId,
    /// The agent.
    pub agent: AgentName,
    /// The version being released.
    pub candidate: VersionName,
    /// The version it replaces.
    pub stable: Option<VersionName>,
    /// Its plan's name.
    pub plan: String,
    /// Its phase, see `state::Phase::as_str`.
    pub phase: String,
    /// Who holds it and why, or how it is taken back.
    pub detail: Option<String>,
    /// Index of the stage.
    pub stage: usize,
    /// All stages.
    pub stages: Vec<StageView>,
    /// The candidate's share, basis points.
    pub weight_bp: u32,
    /// Whether every gateway has applied it; of a promoted release: whether its version is the
    /// stable one by now.
    pub applied: bool,
    /// Time in the stage under a confirmed weight.
    pub dwell_ms: u64,
    /// What is left of the stage; 0 when it waits for gates.
    pub left_ms: u64,
    /// Who started it.
    pub started_by: String,
    /// Why.
    pub reason: String,
    /// When, milliseconds since the Unix epoch.
    pub started_wall_ms: i64,
    /// When it ended.
    pub ended_wall_ms: Option<i64>,
    /// Security events of the candidate.
    pub security_events: u64,
    /// Whether the candidate's tokens were ordered to be revoked.
    pub revoked: bool,
    /// The candidate's numbers since the start.
    pub candidate_arm: ArmView,
    /// The stable version's, at the same time.
    pub stable_arm: ArmView,
    /// Gates of the stage, judged now.
    pub gates: Vec<Cause>,
    /// Triggers, judged now.
    pub triggers: Vec<Cause>,
    /// What was seen of the candidate in the test environment; none before anything was.
    #[serde(default)]
    pub test: Option<TestView>,
    /// Why it is not further, or why it ended, in one sentence.
    pub why: String,
    /// What would lead on from here.
    #[serde(default)]
    pub would_change: String,
    /// What is not as it was declared, such as a signal that never comes.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A candidate in the test environment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestView {
    /// Runs of probes.
    pub probes: Vec<ProbeView>,
    /// Copies of users' requests that it got.
    pub mirrored: u64,
    /// Requests that were chosen and not copied, for want of room.
    pub mirror_skipped: u64,
    /// Answers that were compared with those that users got.
    pub compared: u64,
    /// Of those, with the same status.
    pub same_status: u64,
    /// Of those, with the same body, byte for byte.
    pub same_body: u64,
    /// Cost of the copies whose cost is known, US dollars.
    pub mirror_cost_usd: f64,
}

/// Runs of one probe.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeView {
    /// Its name.
    pub name: String,
    /// Answered as expected.
    pub passed: u64,
    /// Not answered, or otherwise.
    pub failed: u64,
    /// What was wrong with one of the failed ones.
    pub why: Option<String>,
}

/// Failing probes that are told of one by one.
const PROBES_TOLD_MAX: usize = 10;

impl TestView {
    /// What was seen, a sentence each.
    pub fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        if !self.probes.is_empty() {
            let well = self.probes.iter().filter(|probe| probe.failed == 0).count();
            told.push(format!("{well} of {} probes as expected at every run", self.probes.len()));
        }
        let failing = self.probes.iter().filter(|probe| probe.failed > 0);
        told.extend(failing.take(PROBES_TOLD_MAX).map(|probe| {
            let ProbeView { name, passed, failed, why } = probe;
            let why = why.as_deref().unwrap_or("no answer");
            format!("probe `{name}` failed {failed} of {} times: {why}", passed + failed)
        }));
        if self.mirrored + self.mirror_skipped > 0 {
            let skipped = match self.mirror_skipped {
                0 => String::new(),
                skipped => format!(", {skipped} more skipped for want of room"),
            };
            told.push(format!(
                "copies of {} requests of users{skipped}; of {} answers compared, {} had the same status and {} the same body; known cost ${:.4}",
                self.mirrored, self.compared, self.same_status, self.same_body, self.mirror_cost_usd
            ));
        }
        told
    }

    fn of(arm: &Arm) -> Option<Self> {
        let Mirrored { sent, skipped, compared, same_status, same_body } = arm.mirrored;
        let probes: Vec<ProbeView> = arm
            .probes
            .iter()
            .map(|(name, Probed { passed, failed, why })| {
                let (name, why) = (name.clone(), why.clone());
                ProbeView { name, passed: *passed, failed: *failed, why }
            })
            .collect();
        (sent + skipped > 0 || !probes.is_empty()).then(|| Self {
            probes,
            mirrored: sent,
            mirror_skipped: skipped,
            compared,
            same_status,
            same_body,
            mirror_cost_usd: arm.cost.sum_nanousd as f64 / 1e9,
        })
    }
}

/// Requests after which a signal that never came is said to be missing.
const SILENT_AFTER: u64 = 20;

/// A release as it stands. Pure: the same state and signals give the same view.
pub fn view(rollout: &Rollout, signals: &Signals) -> RolloutView {
    let ended = rollout.phase.is_end();
    // On its way back nothing is judged any more.
    let judged = !ended && !matches!(rollout.phase, Phase::RollingBack { .. });
    let arms = signals.evidence_merged();
    let Judged { mut gates, triggers, watched } =
        if judged { judge_all(rollout, signals) } else { Judged::default() };
    if let Some(gate) = rollout.drift_gate().filter(|_| judged) {
        gates.push(judge::drift::cause(gate, &signals.drift, rollout.drift_waits.as_deref()));
    }
    let stage = rollout.stage();
    let left_ms = if ended { 0 } else { stage.duration_ms.saturating_sub(rollout.dwell_ms) };
    RolloutView {
        id: rollout.id,
        agent: rollout.agent.clone(),
        candidate: rollout.candidate.clone(),
        stable: rollout.stable.clone(),
        plan: rollout.plan.name.to_string(),
        phase: rollout.phase.as_str().into(),
        detail: detail(&rollout.phase),
        stage: rollout.stage,
        stages: stages(rollout),
        weight_bp: rollout.weight_bp,
        applied: rollout.applied,
        dwell_ms: rollout.dwell_ms,
        left_ms,
        started_by: rollout.started_by.clone(),
        reason: rollout.reason.clone(),
        started_wall_ms: rollout.started_wall_ms,
        ended_wall_ms: rollout.ended_wall_ms,
        security_events: rollout.security_events,
        revoked: rollout.revoked,
        candidate_arm: ArmView::of(&arms.candidate, &rollout.measures),
        stable_arm: ArmView::of(&arms.stable, &rollout.measures),
        why: why::why(rollout, &gates, left_ms),
        would_change: why::would_change(rollout),
        warnings: silent(rollout, &arms),
        test: TestView::of(&signals.tested),
        gates: {
            gates.extend(watched);
            gates
        },
        triggers,
    }
}

#[derive(Default)]
struct Judged {
    gates: Vec<Cause>,
    triggers: Vec<Cause>,
    /// Gates without effect.
    watched: Vec<Cause>,
}

/// Dry runs are judged and shown like the others, and say that they are.
fn judge_all(rollout: &Rollout, signals: &Signals) -> Judged {
    let signals = &*rollout.counted(signals);
    let dry = |mut cause: Cause| {
        cause.rule.push_str(" (dry run)");
        cause
    };
    let triggers = rollout.plan.triggers.iter().map(|trigger| {
        if !judge::is_declared(trigger.metric, rollout) {
            return not_judged(trigger);
        }
        let cause = judge::trigger(trigger, rollout, signals).cause;
        if trigger.dry_run { dry(cause) } else { cause }
    });
    let watched = rollout.stage().gates.iter().filter(|gate| gate.dry_run);
    Judged {
        gates: judge::gates(rollout, signals).into_iter().map(|judged| judged.cause).collect(),
        triggers: triggers.collect(),
        watched: watched.map(|gate| dry(judge::gate(gate, rollout, signals).cause)).collect(),
    }
}

/// A trigger without a source, which nothing can make fire.
fn not_judged(trigger: &Trigger) -> Cause {
    let metric = trigger.metric;
    Cause {
        metric: Some(metric),
        threshold: Some(trigger.bound.to_string()),
        ..Cause::plain(
            format!("trigger {metric}"),
            format!("{metric}: not judged, as the agent declares no such signal"),
        )
    }
}

/// Declared signals that no request brought: what reads them waits for nothing.
fn silent(rollout: &Rollout, arms: &Arms) -> Vec<String> {
    let declares_cost = rollout.sources.contains(&SignalSource::Cost);
    let stable = rollout.stable.as_ref().map(|version| (version, &arms.stable));
    let mut warnings = Vec::new();
    for (version, arm) in stable.into_iter().chain([(&rollout.candidate, &arms.candidate)]) {
        let unknown = arm.cost.unknown;
        if declares_cost && arm.cost.known == 0 && unknown >= SILENT_AFTER {
            warnings.push(format!(
                "cost: 0 of {unknown} requests of {version} known, though `signals` declares it; see `protocol` (`auto` goes by path) and `prices`"
            ));
        }
        let answers = arm.completed;
        let declares_outcomes = rollout.sources.contains(&SignalSource::Outcome);
        if declares_outcomes && arm.outcomes.count() == 0 && answers >= SILENT_AFTER {
            warnings.push(format!(
                "outcome: not known of any of {answers} answers of {version}, though `signals` declares it; the header is `lockgate-outcome`"
            ));
        }
        let never = rollout.measures.iter().filter(|measure| {
            arm.completed >= SILENT_AFTER
                && arm.measures.get(&measure.name).is_none_or(|seen| seen.count() == 0)
        });
        warnings.extend(never.map(|Measure { name, .. }| {
            format!("{name}: none of {answers} answers of {version} reports it; the header is `lockgate-measure: {name}=NUMBER`")
        }));
    }
    warnings
}

/// Time that is left, in whole seconds and rounded up: nothing is over before its time.
pub fn left(ms: u64) -> String {
    span(ms.div_ceil(1_000).saturating_mul(1_000))
}

/// A length of time in its two largest units.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0 if ms > 0 => format!("{ms} ms"),
        0..60 => format!("{seconds} s"),
        60..3_600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

fn pair(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        return format!("{large} {large_unit}");
    }
    format!("{large} {large_unit} {small} {small_unit}")
}

fn detail(phase: &Phase) -> Option<String> {
    match phase {
        Phase::Paused { by, reason, .. } => Some(format!("by {by}: {reason}")),
        Phase::WaitingGate { gate } => Some(gate.clone()),
        Phase::RollingBack { action, .. } => Some(action.to_string()),
        _ => None,
    }
}

fn stages(rollout: &Rollout) -> Vec<StageView> {
    // A first version has nobody to take users from, and passes through no stage.
    let is_first = rollout.stable.is_none();
    let state = |index: usize| match index.cmp(&rollout.stage) {
        _ if is_first && rollout.phase == Phase::Promoted => "skipped",
        std::cmp::Ordering::Less => "done",
        std::cmp::Ordering::Equal if rollout.phase == Phase::Promoted => "done",
        std::cmp::Ordering::Equal => "current",
        std::cmp::Ordering::Greater if rollout.phase.is_end() => "skipped",
        std::cmp::Ordering::Greater => "next",
    };
    let all = rollout.plan.stages.iter().enumerate();
    all.map(|(index, stage)| StageView {
        name: stage.name.clone(),
        weight_bp: stage.weight_bp,
        duration_ms: stage.duration_ms,
        state: state(index).into(),
    })
    .collect()
}
