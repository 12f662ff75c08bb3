//! Rollout plans: stages, gates and triggers.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::SignalSource;
use crate::config::Scenario;
use crate::drift::DriftGate;
use crate::freeze::Freeze;
use crate::hook::{Confirm, Hook};
use crate::ids::PlanName;
use crate::measure::{InvalidMeasureName, MeasureName};

/// Basis points in the whole: 10,000 bp = 100 %.
pub const WHOLE_BP: u32 = 10_000;

/// Fewer stages than this need an [`Override`].
pub const STAGES_MIN: usize = 4;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Metric {
    /// Share of assigned units (keys when sticky, else requests) that ended in an error charged to
    /// the version, 0 to 1.
    ErrorRate,
    /// 95th percentile of latency, milliseconds.
    P95Ms,
    /// Mean cost of a request whose cost is known, US dollars.
    CostUsd,
    /// Net promoter score from feedback, −100 to 100.
    Nps,
    /// Share of feedback that is positive, 0 to 1.
    SatisfiedShare,
    /// Share of feedback that is negative, 0 to 1.
    NegativeShare,
    /// Security events of the candidate during the release.
    SecurityEvents,
    /// Whether active health checks of the candidate pass: 1 healthy, 0 not.
    Health,
    /// Share of probes that were answered as expected, 0 to 1.
    Probes,
    /// Share of answered requests that were resolved without a person, 0 to 1. Where nobody said the outcome, that passes
    /// nothing and takes nothing back.
    ReplacementRate,
    /// Mean cost of a request, divided by the share of requests that were resolved, US dollars.
    CostPerResolvedUsd,
    /// Mean of what the version reports under this name.
    Measure(MeasureName),
}

impl Metric {
    /// All built-in metrics, in a fixed order.
    pub const BUILT_IN: [Self; 11] = [
        Self::ErrorRate,
        Self::P95Ms,
        Self::CostUsd,
        Self::Nps,
        Self::SatisfiedShare,
        Self::NegativeShare,
        Self::SecurityEvents,
        Self::Health,
        Self::Probes,
        Self::ReplacementRate,
        Self::CostPerResolvedUsd,
    ];

    /// The built-in metric of this name.
    pub fn built_in(name: &str) -> Option<Self> {
        Self::BUILT_IN.into_iter().find(|metric| metric.as_str() == name)
    }

    /// The name used in files, metrics and explanations.
    pub fn as_str(&self) -> &str {
        match self {
            Self::ErrorRate => "error_rate",
            Self::P95Ms => "p95_ms",
            Self::CostUsd => "cost_usd",
            Self::Nps => "nps",
            Self::SatisfiedShare => "satisfied_share",
            Self::NegativeShare => "negative_share",
            Self::SecurityEvents => "security_events",
            Self::Health => "health",
            Self::Probes => "probes",
            Self::ReplacementRate => "replacement_rate",
            Self::CostPerResolvedUsd => "cost_per_resolved_usd",
            Self::Measure(name) => name.as_str(),
        }
    }

    /// The sources that it needs beyond requests themselves.
    pub fn sources(self) -> impl Iterator<Item = SignalSource> {
        let [one, other] = match self {
            Self::Nps | Self::SatisfiedShare | Self::NegativeShare => {
                [Some(SignalSource::Feedback), None]
            }
            Self::CostUsd => [Some(SignalSource::Cost), None],
            Self::ReplacementRate => [Some(SignalSource::Outcome), None],
            Self::CostPerResolvedUsd => [Some(SignalSource::Cost), Some(SignalSource::Outcome)],
            Self::Probes => [Some(SignalSource::Probes), None],
            Self::Measure(name) => [Some(SignalSource::Measure(name)), None],
            Self::ErrorRate | Self::P95Ms | Self::SecurityEvents | Self::Health => [None, None],
        };
        one.into_iter().chain(other)
    }

    /// The first source that it needs and an agent with `sources` does not have.
    pub fn lacks(self, sources: &[SignalSource]) -> Option<SignalSource> {
        self.sources().find(|source| !sources.contains(source))
    }
}

impl TryFrom<String> for Metric {
    type Error = InvalidMeasureName;

    fn try_from(name: String) -> Result<Self, InvalidMeasureName> {
        Self::built_in(&name).map_or_else(|| name.parse().map(Self::Measure), Ok)
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.as_str().to_owned()
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a metric is compared with. A bound names the good side for gates and the bad side for
/// triggers; equality is never on the named side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Strictly less.
    Below(f64),
    /// Strictly more.
    Above(f64),
    /// Exactly this many (counts and states).
    Equal(f64),
    /// Strictly more than the baseline by this share of it: `0.2` is 20 % above.
    AboveBaselineBy(f64),
    /// Strictly less than the baseline by this share of it. For measures of one's own.
    BelowBaselineBy(f64),
}

impl Bound {
    /// Whether it asks for a comparison with the stable version.
    pub fn is_relative(self) -> bool {
        matches!(self, Self::AboveBaselineBy(_) | Self::BelowBaselineBy(_))
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below(value) => write!(f, "< {value}"),
            Self::Above(value) => write!(f, "> {value}"),
            Self::Equal(value) => write!(f, "= {value}"),
            Self::AboveBaselineBy(0.0) => f.write_str("> baseline"),
            Self::AboveBaselineBy(share) => write!(f, "> baseline + {} %", share * 100.0),
            Self::BelowBaselineBy(share) => write!(f, "< baseline - {} %", share * 100.0),
        }
    }
}

/// How sure a gate must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// Enough samples and the estimate within the bound.
    #[default]
    Observed,
    /// Anytime-valid proof.
    Proved,
}

/// What a gate does when its signal has no source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// The plan is refused when it is read.
    #[default]
    Refuse,
    /// The gate is left out; audited.
    Waive,
}

/// Who says whether a bound holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// Anytime-valid tests on everything since the start of the release: they may be read at any
    /// moment, and how often they are wrong is bounded for the whole release.
    #[default]
    Statistical,
    /// An estimate over a look-back window beside its bound. It bounds no error over repeated
    /// looks.
    Threshold,
}

/// A condition that must hold for a stage to be passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// What is measured.
    pub metric: Metric,
    /// Where the good side is.
    pub bound: Bound,
    /// Fewest samples for a verdict.
    pub min_samples: u64,
    /// Who says whether it holds.
    #[serde(default)]
    pub judge: Judge,
    /// How sure it must be.
    pub assurance: Assurance,
    /// What happens without a source.
    pub absent: Absent,
    /// Judged and shown, without effect.
    pub dry_run: bool,
}

/// What happens to the candidate's traffic on rollback.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// New conversations go to stable; running ones finish within the drain time.
    Switch,
    /// Every further request goes to stable, also of running conversations.
    Stop,
    /// As `stop`, and in-flight requests are cut and the identity is revoked.
    StopImmediately,
}

impl Action {
    /// The name used in files and explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Stop => "stop",
            Self::StopImmediately => "stop_immediately",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How loud an alert is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AlertLevel {
    /// For the record.
    Info,
    /// Someone should look.
    Medium,
    /// Someone should look now.
    High,
    /// Everyone should look now.
    Highest,
}

/// A condition that rolls the release back at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// What is measured.
    pub metric: Metric,
    /// Where the bad side is.
    pub bound: Bound,
    /// Who says whether it fires.
    #[serde(default)]
    pub judge: Judge,
    /// How far back the threshold judge looks.
    pub window_ms: u64,
    /// Fewest samples for a verdict, of each arm that it reads.
    pub min_samples: u64,
    /// What is done.
    pub action: Action,
    /// How loud.
    pub alert: AlertLevel,
    /// Judged and shown, without effect.
    pub dry_run: bool,
}

/// Where a stage's candidate traffic comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// No user traffic; the test endpoint is looked at.
    Test,
    /// Users.
    #[default]
    Production,
}

/// One step of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name, unique in the plan.
    pub name: String,
    /// The candidate's share of new keys, basis points.
    pub weight_bp: u32,
    /// Shortest time under a confirmed weight.
    pub duration_ms: u64,
    /// Longest extension while a gate is insufficient.
    pub extension_max_ms: u64,
    /// Where its traffic comes from.
    pub environment: Environment,
    /// In the test environment: share of users' requests that are copied to a candidate without
    /// side effects, basis points.
    #[serde(default)]
    pub mirror_bp: u32,
    /// What must hold at its end.
    pub gates: Vec<Gate>,
    /// Who must agree at its end, once its gates hold.
    #[serde(default)]
    pub confirm: Option<Confirm>,
}

/// What follows when a gate is still insufficient after the extension.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnInsufficient {
    /// Roll back by *switch*.
    #[default]
    Rollback,
    /// Wait for a person.
    Pause,
}

/// A deliberate exception, with who and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Who decided it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A ceiling that needs no statistics; a gateway that sees it crossed latches its fuse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HardLimit {
    /// Errors of the candidate in a row, as one gateway sees them.
    ConsecutiveErrors(u32),
}

/// How a release moves from the first request to all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    pub name: PlanName,
    /// In order; the last one has the whole weight.
    pub stages: Vec<Stage>,
    /// Always armed while the release runs.
    pub triggers: Vec<Trigger>,
    /// Ceilings that the gateway enforces itself.
    pub hard_limits: Vec<HardLimit>,
    /// What follows a gate that stays insufficient.
    pub on_insufficient: OnInsufficient,
    /// The chance that statistical judges take back a release whose metrics are all within their
    /// bounds, over the whole release.
    #[serde(default = "alpha_default")]
    pub alpha: f64,
    /// How often judges look.
    pub tick_ms: u64,
    /// How long running conversations may finish after a *switch*.
    pub drain_ms: u64,
    /// Longest time from start to end; `None` for no limit.
    pub progress_deadline_ms: Option<u64>,
    /// Why it may have fewer than [`STAGES_MIN`] stages.
    pub few_stages: Option<Override>,
    /// When nothing advances.
    #[serde(default)]
    pub freeze: Vec<Freeze>,
    /// How long after a weight is confirmed nothing is measured under it.
    #[serde(default)]
    pub initial_delay_ms: u64,
    /// Looks in a row that may find no numbers because their source fails; one more is
    /// inconclusive.
    #[serde(default = "source_errors_max_default")]
    pub source_errors_max: u32,
    /// How long after it was replaced a version may come back without its stages; `None` for never.
    #[serde(default)]
    pub rollback_window_ms: Option<u64>,
    /// An address that takes a release back when it says yes.
    #[serde(default)]
    pub rollback_gate: Option<Hook>,
    /// What must be known of drift before a release begins, and before its share grows.
    #[serde(default)]
    pub drift: Option<DriftGate>,
    /// The path to production that must be open before a release starts; `None` asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Scenario>,
}

/// What [`Plan::source_errors_max`] is when a plan does not say: five minutes of looks.
pub const SOURCE_ERRORS_MAX_DEFAULT: u32 = 30;

fn source_errors_max_default() -> u32 {
    SOURCE_ERRORS_MAX_DEFAULT
}

/// What [`Plan::alpha`] is when a plan does not say.
pub const ALPHA_DEFAULT: f64 = 0.01;

fn alpha_default() -> f64 {
    ALPHA_DEFAULT
}

/// The longest block, see [`Plan::block_ms`].
const BLOCK_MS_MAX: u64 = 15 * 60 * 1_000;

impl Plan {
    /// When the freeze ends that this moment lies in, both in milliseconds since the Unix epoch;
    /// `None` outside.
    pub fn frozen_until(&self, wall_ms: i64) -> Option<i64> {
        self.freeze.iter().filter_map(|freeze| freeze.until(wall_ms)).max()
    }

    /// The distinct look-back windows of its threshold triggers, ascending.
    pub fn windows_ms(&self) -> Vec<u64> {
        let looks_back = |trigger: &&Trigger| trigger.judge == Judge::Threshold;
        let mut windows: Vec<u64> =
            self.triggers.iter().filter(looks_back).map(|t| t.window_ms).collect();
        windows.sort_unstable();
        windows.dedup();
        windows
    }

    /// Length of a block of evidence. Tests begin anew with every block besides going on, so that
    /// a fault that comes late is not hidden by what was good before it.
    pub fn block_ms(&self) -> u64 {
        let users = self.stages.iter().filter(|stage| stage.weight_bp > 0);
        let planned_ms: u64 = users.map(|stage| stage.duration_ms).sum();
        (planned_ms / BLOCKS_PLANNED).min(BLOCK_MS_MAX).max(10 * self.tick_ms)
    }

    /// The most blocks that a release with all its extensions has.
    pub fn blocks_max(&self) -> u64 {
        let stages = self.stages.iter();
        let longest = |stage: &Stage| stage.duration_ms.saturating_add(stage.extension_max_ms);
        let longest_ms = stages.clone().map(longest).fold(0, u64::saturating_add);
        longest_ms / self.block_ms() + stages.len() as u64
    }
}

/// Blocks in a release that needs no extension, at least.
const BLOCKS_PLANNED: u64 = 48;
