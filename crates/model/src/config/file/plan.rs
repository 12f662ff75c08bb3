//! The file form of plans.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::Scenario;
use crate::config::field::Field;
use crate::config::file::WebhookFile;
use crate::config::text::{
    BoundOr, BoundText, DeadlineText, DurationText, FreezeText, NameText, SecretText, SomeText,
    UrlText, WeightText,
};
use crate::plan::{Absent, Action, AlertLevel, Assurance, Environment, Judge, OnInsufficient};

/// How a release moves from the first request to all of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Plan", extend("required" = ["name"]))]
pub(in crate::config) struct PlanFile {
    /// Its name, unique in the file.
    pub(in crate::config) name: Field<NameText>,
    /// In order; the last one has 100 %. Default: test 24h, 10 %, 25 % and 50 % of 4h each, 100 %.
    #[schemars(extend("minItems" = 1))]
    pub(in crate::config) stages: Field<Vec<Field<StageFile>>>,
    /// Gates of all its production stages that write none of their own. Default: `error_rate`
    /// "< 0.5%", `p95_ms` "< 200", `nps` "> 50" (left out for agents without feedback),
    /// `security_events` "= 0".
    pub(in crate::config) gates: Field<GatesFile>,
    /// What rolls a release back at once. Those not written here stay armed as they are built in.
    pub(in crate::config) triggers: Field<TriggersFile>,
    /// Ceilings that each gateway enforces by itself.
    pub(in crate::config) hard_limits: Field<HardLimitsFile>,
    /// What follows when a gate has too few samples even after the extension. Default: rollback.
    pub(in crate::config) on_insufficient: Field<OnInsufficient>,
    /// The chance that statistical judges take back a release that keeps all bounds. Default: 0.01.
    #[schemars(range(min = 0.0001, max = 0.2))]
    pub(in crate::config) alpha: Field<f64>,
    /// How often judges look. Default: 10s.
    pub(in crate::config) tick: Field<DurationText>,
    /// How long running conversations may finish after a switch. Default: 10m.
    pub(in crate::config) drain: Field<DurationText>,
    /// Longest time from start to end, or `none`. Default: 7d, or twice the stages if longer.
    pub(in crate::config) progress_deadline: Field<DeadlineText>,
    /// Who allows fewer than four stages, and why. Recorded with every release.
    #[serde(rename = "override")]
    pub(in crate::config) few_stages: Field<OverrideFile>,
    /// Times in which nothing advances, such as "fri 16:00 - mon 08:00 Europe/Berlin". Default:
    /// none.
    pub(in crate::config) freeze: Field<Vec<Field<FreezeText>>>,
    /// How long after a weight is confirmed nothing is measured under it. Default: 0s.
    pub(in crate::config) initial_delay: Field<DurationText>,
    /// Looks in a row that may find no numbers because their source fails. Default: 30.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::config) source_errors_max: Field<u32>,
    /// How long after it was replaced a version may come back without its stages, or `none`.
    /// Default: 24h.
    pub(in crate::config) rollback_window: Field<DeadlineText>,
    /// An address that takes a release back when it answers 200.
    pub(in crate::config) rollback_gate: Field<WebhookFile>,
    /// Lets no release begin, and none get more users, unless `lockgate drift` said lately that there is no drift.
    /// Default: not asked.
    pub(in crate::config) drift: Field<DriftFile>,
    /// The path to production that must be open before a release starts. Default: none is asked for.
    pub(in crate::config) path: Field<Scenario>,
}

/// What must be known of drift.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "DriftGate", extend("required" = ["max_age"]))]
pub(in crate::config) struct DriftFile {
    /// Older results count for nothing, such as `24h`.
    pub(in crate::config) max_age: Field<DurationText>,
    /// Whose results are asked for, each of them: the name after `/` in `lockgate drift --report-to AGENT/NAME`.
    /// Default: `[default]`.
    #[schemars(extend("minItems" = 1, "maxItems" = 20, "uniqueItems" = true))]
    pub(in crate::config) of: Field<Vec<Field<NameText>>>,
}

/// A deliberate exception.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Override", extend("required" = ["by", "reason"]))]
pub(in crate::config) struct OverrideFile {
    /// Who decided it.
    pub(in crate::config) by: Field<SomeText>,
    /// Why.
    pub(in crate::config) reason: Field<SomeText>,
}

/// Ceilings that need no statistics.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "HardLimits")]
pub(in crate::config) struct HardLimitsFile {
    /// Errors of the candidate in a row, each sticky user once, as one gateway sees them. Default:
    /// no limit.
    #[schemars(range(min = 2, max = 1_000_000))]
    pub(in crate::config) consecutive_errors: Field<u32>,
}

/// One step of a release.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Stage", extend("required" = ["weight"]))]
pub(in crate::config) struct StageFile {
    /// Its name. Default: `test`, or the weight.
    pub(in crate::config) name: Field<SomeText>,
    /// Percent of new users (or requests) that the candidate gets.
    pub(in crate::config) weight: Field<WeightText>,
    /// Shortest time. Only the last stage may leave it out: the release then ends on reaching it.
    pub(in crate::config) duration: Field<DurationText>,
    /// How much longer it may take when a gate has too few samples. Default: its duration.
    pub(in crate::config) extension_max: Field<DurationText>,
    /// Default: test at 0 %, otherwise production.
    pub(in crate::config) environment: Field<Environment>,
    /// In the test environment: percent of users' requests that are copied to a candidate that
    /// declares `side_effects: none`. Its answers are compared and thrown away. Default: 10.
    pub(in crate::config) mirror: Field<WeightText>,
    /// Exactly the gates that must pass. Default: the plan's; in the test environment health, and
    /// probes if the agent has any.
    pub(in crate::config) gates: Field<GatesFile>,
    /// Who must agree at its end, once its gates hold. Default: nobody.
    pub(in crate::config) confirm: Field<ConfirmFile>,
}

/// Who must agree before a stage counts as passed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Confirm", extend("required" = ["by"]))]
pub(in crate::config) struct ConfirmFile {
    /// A person by command, or whoever answers at an address.
    pub(in crate::config) by: Field<ConfirmBy>,
    /// The address that is asked by HTTP POST; 200 is a yes. With `by: webhook` only.
    pub(in crate::config) url: Field<UrlText>,
    /// Key that questions are signed with, as `env:NAME` or `file:PATH`.
    pub(in crate::config) secret: Field<SecretText>,
}

/// Who agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum ConfirmBy {
    /// A person, by command.
    Person,
    /// Whoever answers at an address.
    Webhook,
}

/// Gates by metric. A bound names the good side.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Gates")]
pub(in crate::config) struct GatesFile {
    /// Share of requests (or users, when sticky) with an error, such as "< 0.5%".
    pub(in crate::config) error_rate: Field<BoundOr<GateFile>>,
    /// 95th percentile of latency, such as "< 200" (milliseconds) or "< 2s".
    pub(in crate::config) p95_ms: Field<BoundOr<GateFile>>,
    /// Mean cost of a request in US dollars, such as "< 0.02".
    pub(in crate::config) cost_usd: Field<BoundOr<GateFile>>,
    /// Net promoter score, such as "> 50".
    pub(in crate::config) nps: Field<BoundOr<GateFile>>,
    /// Share of feedback that is positive, such as "> 80%".
    pub(in crate::config) satisfied_share: Field<BoundOr<GateFile>>,
    /// Share of feedback that is negative, such as "< 5%".
    pub(in crate::config) negative_share: Field<BoundOr<GateFile>>,
    /// Security events during the release: "= 0".
    pub(in crate::config) security_events: Field<BoundOr<GateFile>>,
    /// Active health checks: "= 1" when they pass.
    pub(in crate::config) health: Field<BoundOr<GateFile>>,
    /// Runs of probes that were answered as expected, such as "= 100%" or "> 95%". Every probe
    /// runs at least once. In the test environment only.
    pub(in crate::config) probes: Field<BoundOr<GateFile>>,
    /// Share of answers that were resolved without a person, such as "> 70%". Those of unknown outcome are not.
    pub(in crate::config) replacement_rate: Field<BoundOr<GateFile>>,
    /// Cost of a resolved interaction in US dollars, such as "< 0.10".
    pub(in crate::config) cost_per_resolved_usd: Field<BoundOr<GateFile>>,
    /// Means of measures that the agent declares, by their names, such as "> 0.8".
    pub(in crate::config) measures: Field<BTreeMap<String, Field<BoundOr<GateFile>>>>,
}

/// A condition that must hold for a stage to be passed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Gate", extend("required" = ["bound"]))]
pub(in crate::config) struct GateFile {
    /// Where the good side is.
    pub(in crate::config) bound: Field<BoundText>,
    /// Fewest samples for a verdict. Default: what the bound can be decided with.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(in crate::config) min_samples: Field<u64>,
    /// `statistical`: fails when the bound is refuted. `threshold`: fails when the value is beyond
    /// it. Default: statistical.
    pub(in crate::config) judge: Field<Judge>,
    /// `observed`: enough samples and the estimate within the bound. `proved`: anytime-valid.
    /// Default: observed.
    pub(in crate::config) assurance: Field<Assurance>,
    /// What happens when the agent gives no such signal. Default: refuse.
    pub(in crate::config) absent: Field<Absent>,
    /// Judged and shown, without effect. Default: false.
    pub(in crate::config) dry_run: Field<bool>,
}

/// Triggers by metric. A bound names the bad side.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Triggers")]
pub(in crate::config) struct TriggersFile {
    /// Default: "> 5%", stop, high.
    pub(in crate::config) error_rate: Field<BoundOr<TriggerFile>>,
    /// Errors beside those of the stable version. Default: "> baseline", stop, high.
    pub(in crate::config) errors_vs_baseline: Field<BoundOr<TriggerFile>>,
    /// Default: "> baseline + 20%", switch, medium.
    pub(in crate::config) p95_ms: Field<BoundOr<TriggerFile>>,
    /// Default: "> baseline + 30%", stop, medium.
    pub(in crate::config) cost_usd: Field<BoundOr<TriggerFile>>,
    /// Default: none.
    pub(in crate::config) nps: Field<BoundOr<TriggerFile>>,
    /// Default: "< 80%", switch, high.
    pub(in crate::config) satisfied_share: Field<BoundOr<TriggerFile>>,
    /// Default: "> 5%", switch, high.
    pub(in crate::config) negative_share: Field<BoundOr<TriggerFile>>,
    /// Default: "> 0", `stop_immediately`, highest. "> baseline" spares events that stable shows
    /// too.
    pub(in crate::config) security_events: Field<BoundOr<TriggerFile>>,
    /// Default: none.
    pub(in crate::config) health: Field<BoundOr<TriggerFile>>,
    /// Share of answers that were resolved without a person, such as "< 50%". Those of unknown outcome count as resolved.
    /// Default: none.
    pub(in crate::config) replacement_rate: Field<BoundOr<TriggerFile>>,
    /// Cost of a resolved interaction, such as "> 0.50" or "> baseline + 30%". Default: none.
    pub(in crate::config) cost_per_resolved_usd: Field<BoundOr<TriggerFile>>,
    /// Means of measures that the agent declares, by their names, such as "< baseline - 10%" or "< 0.7". Default: none;
    /// those written switch, medium.
    pub(in crate::config) measures: Field<BTreeMap<String, Field<BoundOr<TriggerFile>>>>,
}

/// A condition that rolls a release back at once.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Trigger")]
pub(in crate::config) struct TriggerFile {
    /// Where the bad side is. Default: as built in.
    pub(in crate::config) bound: Field<BoundText>,
    /// `statistical`: anytime-valid tests on all that was seen. `threshold`: the value over
    /// `window`. Default: statistical.
    pub(in crate::config) judge: Field<Judge>,
    /// How far back the threshold judge looks. Default: as built in.
    pub(in crate::config) window: Field<DurationText>,
    /// Fewest samples for a verdict, of each version compared. Default: as built in.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(in crate::config) min_samples: Field<u64>,
    /// What is done. Default: as built in.
    pub(in crate::config) action: Field<Action>,
    /// How loud. Default: as built in.
    pub(in crate::config) alert: Field<AlertLevel>,
    /// Judged and shown, without effect. Default: false.
    pub(in crate::config) dry_run: Field<bool>,
    /// Switches the trigger off, and says why. Stands alone.
    pub(in crate::config) off_because: Field<SomeText>,
}
