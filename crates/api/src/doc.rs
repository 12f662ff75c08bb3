//! What shapes of the pure rooms look like in the OpenAPI document.
//!
//! The pure rooms know nothing of OpenAPI. These mirrors exist for the document only; the
//! integration tests hold real answers against it, so a mirror that lags behind fails there.
#![expect(dead_code, reason = "read by derived schemas only, never constructed")]

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// What a token may do.
#[derive(Serialize, ToSchema)]
#[schema(as = Role)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleDoc {
    Viewer,
    Operator,
    Approver,
    Admin,
}

/// How a comparison of what runs with what is written came out.
#[derive(Serialize, ToSchema)]
#[schema(as = Drift)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DriftDoc {
    None,
    Drifted,
    Unknown,
}

/// What was compared with what runs.
#[derive(Serialize, ToSchema)]
#[schema(as = DriftRootKind)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DriftRootKindDoc {
    Terraform,
    Kubernetes,
    Lockgate,
    Policies,
}

/// One thing that differs, or seems to.
#[derive(Serialize, ToSchema)]
#[schema(as = DriftDifference)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriftDifferenceDoc {
    /// Which.
    what: String,
    /// What would be done, or why it counts for nothing.
    how: String,
    /// Names of its attributes that differ.
    #[schema(required = false)]
    attributes: Vec<String>,
}

/// One thing that was compared.
#[derive(Serialize, ToSchema)]
#[schema(as = DriftRoot)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriftRootDoc {
    /// What it is.
    kind: DriftRootKindDoc,
    /// Where it is in the checkout.
    path: String,
    /// How it came out.
    outcome: DriftDoc,
    /// Why.
    reason: String,
    /// The program that compared.
    program: Option<String>,
    /// How many things differ.
    #[schema(required = false)]
    changes_total: u64,
    /// The first of them.
    #[schema(required = false)]
    changes: Vec<DriftDifferenceDoc>,
    /// How many things seem to differ and count for nothing.
    #[schema(required = false)]
    noise_total: u64,
    /// The first of them.
    #[schema(required = false)]
    noise: Vec<DriftDifferenceDoc>,
}

/// Who made a report.
#[derive(Serialize, ToSchema)]
#[schema(as = DriftTool)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriftToolDoc {
    /// Its name.
    name: String,
    /// Its version.
    version: String,
}

/// What one run of `lockgate drift` found.
#[derive(Serialize, ToSchema)]
#[schema(as = DriftReport)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriftReportDoc {
    /// 1.
    schema: u32,
    /// `lockgate.drift`.
    kind: String,
    /// Who made it.
    tool: DriftToolDoc,
    /// When the comparison began.
    #[schema(format = DateTime)]
    at: String,
    /// `drifted` when a root is; otherwise `unknown` when one is; otherwise `none`.
    outcome: DriftDoc,
    /// What was compared, 1 to 100.
    roots: Vec<DriftRootDoc>,
}

/// What a version that is not stable may still get.
#[derive(Serialize, ToSchema)]
#[schema(as = Mode)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModeDoc {
    Open,
    Drain,
    Stopped,
    Cut,
}

/// A version beside the stable one.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberDoc {
    /// Which.
    version: String,
    /// Its share of new keys, basis points.
    weight_bp: u32,
    /// What it may still get.
    mode: ModeDoc,
    /// The end of `drain`, milliseconds since the Unix epoch.
    until_wall_ms: Option<i64>,
    /// Present while it is in the test environment.
    #[schema(required = true)]
    test: Option<InTestDoc>,
}

/// What a candidate gets in the test environment.
#[derive(Serialize, ToSchema)]
#[schema(as = InTest)]
#[serde(deny_unknown_fields)]
pub(crate) struct InTestDoc {
    /// Share of users' requests that it gets copies of, basis points, if it has no side effects.
    mirror_bp: u32,
    /// The set of probes that it is sent, by the digest of its text.
    probes: Option<String>,
}

/// How one agent's traffic is split.
#[derive(Serialize, ToSchema)]
#[schema(as = Split)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitDoc {
    /// The rollout under way or last ended.
    #[schema(required = true, format = Uuid)]
    rollout: Option<String>,
    /// Grows with every change of the split within the rollout.
    epoch: u64,
    /// Gets everything that no one else gets.
    stable: String,
    /// The version being released.
    #[schema(required = true)]
    candidate: Option<MemberDoc>,
    /// The version on its way out.
    #[schema(required = true)]
    retiring: Option<MemberDoc>,
}

/// What a judge says. `insufficient` is never a pass.
#[derive(Serialize, ToSchema)]
#[schema(as = Verdict)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VerdictDoc {
    Pass,
    Fail,
    Insufficient,
}

/// What is measured.
#[derive(Serialize, ToSchema)]
#[schema(as = Metric)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MetricDoc {
    ErrorRate,
    P95Ms,
    CostUsd,
    Nps,
    SatisfiedShare,
    NegativeShare,
    SecurityEvents,
    Health,
    Probes,
    ReplacementRate,
    CostPerResolvedUsd,
}

/// A verdict with the numbers behind it.
#[derive(Serialize, ToSchema)]
#[schema(as = Cause)]
#[serde(deny_unknown_fields)]
pub(crate) struct CauseDoc {
    /// What was measured; null for commands and faults.
    #[schema(required = true)]
    metric: Option<MetricDoc>,
    /// What the judge said.
    #[schema(required = true)]
    verdict: Option<VerdictDoc>,
    /// Samples behind it.
    #[schema(required = true)]
    n: Option<u64>,
    /// The estimate, in the metric's unit.
    #[schema(required = true)]
    value: Option<f64>,
    /// The same for the stable version, when it was compared.
    #[schema(required = true)]
    baseline: Option<f64>,
    /// Where the true value lies, when the judge gives an interval.
    #[schema(required = true, min_items = 2, max_items = 2)]
    interval: Option<Vec<f64>>,
    /// What it was compared with.
    #[schema(required = true)]
    threshold: Option<String>,
    /// Which rule.
    rule: String,
    /// In one sentence.
    text: String,
    /// Who said so, if someone did.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// One step on a release's way, and why.
#[derive(Serialize, ToSchema)]
#[schema(as = Transition)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransitionDoc {
    /// Milliseconds since the Unix epoch.
    at_wall_ms: i64,
    /// The phase before.
    from: String,
    /// The phase after.
    to: String,
    /// Index of the stage after.
    stage: u64,
    /// The candidate's share after, basis points.
    weight_bp: u32,
    /// Time in the stage that was left, under a confirmed weight.
    dwell_ms: u64,
    /// Why. The first one decided.
    causes: Vec<CauseDoc>,
    /// What would have led elsewhere, or will lead on from here.
    would_change: String,
}

/// Where an effect is.
#[derive(Serialize, ToSchema)]
#[schema(as = EffectState)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EffectStateDoc {
    Pending,
    Done,
}

/// An effect and what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = EffectRecord)]
#[serde(deny_unknown_fields)]
pub(crate) struct EffectRecordDoc {
    /// Its id in the outbox.
    id: i64,
    /// What: `effect` is `set_split`, `acknowledge_fuses`, `revoke` or `notify`; the rest differs.
    effect: BTreeMap<String, serde_json::Value>,
    /// Where it is.
    state: EffectStateDoc,
    /// How often it failed.
    attempts: u32,
    /// What was noted when it was done, or why it failed last.
    #[schema(required = true)]
    note: Option<String>,
    /// When it was recorded as performed.
    #[schema(required = true)]
    applied_wall_ms: Option<i64>,
    /// How often it was recorded as performed: 0 or 1.
    applied_count: i64,
    /// The snapshot that carried it, for what gateways are told.
    #[schema(required = true)]
    revision: Option<u64>,
}

/// One step on a release's way, with what became of its effects.
#[derive(Serialize, ToSchema)]
#[schema(as = TransitionRecord)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransitionRecordDoc {
    /// From 1.
    seq: i64,
    /// The step.
    transition: TransitionDoc,
    /// Its effects, in order.
    effects: Vec<EffectRecordDoc>,
    /// Where it stands in the audit log; null until it does.
    ledger_seq: Option<u64>,
}

/// One version's numbers. What is not known is null, never zero.
#[derive(Serialize, ToSchema)]
#[schema(as = ArmView)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArmViewDoc {
    /// Requests routed.
    requests: u64,
    /// Distinct sticky keys over the whole release.
    keys: u64,
    /// Errors charged to the version.
    errors: u64,
    /// Of the judged units, 0 to 1.
    #[schema(required = true)]
    error_rate: Option<f64>,
    /// Milliseconds.
    #[schema(required = true)]
    p50_ms: Option<f64>,
    /// Milliseconds.
    #[schema(required = true)]
    p95_ms: Option<f64>,
    /// Mean of the known costs, US dollars.
    #[schema(required = true)]
    cost_usd: Option<f64>,
    /// Requests whose cost is known.
    cost_known: u64,
    /// Requests whose cost cannot be known.
    cost_unknown: u64,
    /// Votes.
    feedback: u64,
    /// 0 to 1.
    #[schema(required = true)]
    satisfied_share: Option<f64>,
    /// 0 to 1.
    #[schema(required = true)]
    negative_share: Option<f64>,
    /// −100 to 100.
    #[schema(required = true)]
    nps: Option<f64>,
    /// Outcomes that were said.
    outcomes: u64,
    /// Answers that were resolved without a person, of all answers, 0 to 1: the least that it can be.
    #[schema(required = true)]
    replacement_rate: Option<f64>,
    /// Mean of the known costs, for each resolved answer, US dollars.
    #[schema(required = true)]
    cost_per_resolved_usd: Option<f64>,
    /// The agent's own measures.
    measures: Vec<MeasuredViewDoc>,
}

/// One measure of one version.
#[derive(Serialize, ToSchema)]
#[schema(as = MeasuredView)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeasuredViewDoc {
    /// Its name.
    name: String,
    /// Answers that reported it.
    reports: u64,
    /// Reports that were no number.
    unreadable: u64,
    /// Mean of the reports, in the measure's unit.
    #[schema(required = true)]
    mean: Option<f64>,
}

/// One stage of the bar.
#[derive(Serialize, ToSchema)]
#[schema(as = StageView)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageViewDoc {
    /// Its name.
    name: String,
    /// The candidate's share, basis points.
    weight_bp: u32,
    /// Its length.
    duration_ms: u64,
    /// `done`, `current`, `next` or `skipped`.
    state: String,
}

/// A release now.
#[derive(Serialize, ToSchema)]
#[schema(as = RolloutView)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolloutViewDoc {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// The agent.
    agent: String,
    /// The version being released.
    candidate: String,
    /// The version it replaces; null for the first version of an agent.
    #[schema(required = true)]
    stable: Option<String>,
    /// Its plan's name.
    plan: String,
    /// `pending`, `confirming`, `running`, `extended`, `paused`, `waiting_gate`, `rolling_back`,
    /// or an end: `promoted`, `rolled_back`, `aborted`, `superseded`.
    phase: String,
    /// Who holds it and why, or how it is taken back.
    #[schema(required = true)]
    detail: Option<String>,
    /// Index of the stage.
    stage: u64,
    /// All stages.
    stages: Vec<StageViewDoc>,
    /// The candidate's share, basis points.
    weight_bp: u32,
    /// Whether every gateway has applied it; of a promoted release: whether its version is the
    /// stable one by now.
    applied: bool,
    /// Time in the stage under a confirmed weight.
    dwell_ms: u64,
    /// What is left of the stage; 0 when it waits for gates.
    left_ms: u64,
    /// Who started it.
    started_by: String,
    /// Why.
    reason: String,
    /// Milliseconds since the Unix epoch.
    started_wall_ms: i64,
    /// When it ended.
    #[schema(required = true)]
    ended_wall_ms: Option<i64>,
    /// Security events of the candidate.
    security_events: u64,
    /// Whether the candidate's tokens were ordered to be revoked.
    revoked: bool,
    /// The candidate's numbers since the start.
    candidate_arm: ArmViewDoc,
    /// The stable version's, at the same time.
    stable_arm: ArmViewDoc,
    /// What was seen of the candidate in the test environment; null before anything was.
    #[schema(required = true)]
    test: Option<TestViewDoc>,
    /// Gates of the stage, judged now.
    gates: Vec<CauseDoc>,
    /// Triggers, judged now.
    triggers: Vec<CauseDoc>,
    /// Why it is not further, or why it ended, in one sentence.
    why: String,
    /// What would lead on from here.
    would_change: String,
    /// What is not as it was declared, such as a signal that never comes.
    warnings: Vec<String>,
}

/// A candidate in the test environment.
#[derive(Serialize, ToSchema)]
#[schema(as = TestView)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestViewDoc {
    /// Runs of probes.
    probes: Vec<ProbeViewDoc>,
    /// Copies of users' requests that it got.
    mirrored: u64,
    /// Requests that were chosen and not copied, for want of room.
    mirror_skipped: u64,
    /// Answers that were compared with those that users got.
    compared: u64,
    /// Of those, with the same status.
    same_status: u64,
    /// Of those, with the same body, byte for byte.
    same_body: u64,
    /// Cost of the copies whose cost is known, US dollars.
    mirror_cost_usd: f64,
}

/// Runs of one probe.
#[derive(Serialize, ToSchema)]
#[schema(as = ProbeView)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProbeViewDoc {
    /// Its name.
    name: String,
    /// Answered as expected.
    passed: u64,
    /// Not answered, or otherwise.
    failed: u64,
    /// What was wrong with one of the failed ones.
    #[schema(required = true)]
    why: Option<String>,
}

/// A configuration and the files that it names.
#[derive(Serialize, ToSchema)]
#[schema(as = Source)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceDoc {
    /// The file `lockgate.yaml`.
    text: String,
    /// The files that it names, by name.
    #[schema(required = false)]
    files: BTreeMap<String, String>,
}

/// A difference between two configurations.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
pub(crate) struct ChangeDoc {
    /// Where.
    path: String,
    /// What was there; null when it is new.
    from: serde_json::Value,
    /// What is there now; null when it is gone.
    to: serde_json::Value,
}

/// What someone changed.
#[derive(Serialize, ToSchema)]
#[schema(as = JournalEntry)]
#[serde(deny_unknown_fields)]
pub(crate) struct JournalEntryDoc {
    /// Milliseconds since the Unix epoch.
    at_wall_ms: i64,
    /// The name of the token that did it.
    principal: String,
    /// What, such as `rollout.pause`.
    action: String,
    /// To what.
    subject: String,
    /// With what, and why.
    detail: BTreeMap<String, serde_json::Value>,
}
