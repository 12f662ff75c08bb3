//! How much traffic a plan needs before it can be decided, and how likely its stages are to have
//! it in time. The real judges are asked about expected counts; chance is in how many requests
//! come, as a Poisson variable, and in releases that are simulated.

mod fault;

use lockgate_model::clock::Now;
use lockgate_model::ids::{BootId, Epoch};
use lockgate_model::plan::{Absent, Assurance, Gate, Judge, Metric, Stage, WHOLE_BP};
use lockgate_rollout::explain::Verdict;
use lockgate_rollout::judge;
use lockgate_rollout::signals::Signals;
use lockgate_rollout::start::start;
use lockgate_rollout::state::{Phase, Rollout};
use lockgate_telemetry::arm::Arms;
use serde::Serialize;

use self::fault::fault;
use crate::draw::Dice;
use crate::expected;
use crate::release::{Ended, Setting, new_rollout, probes_kept};
use crate::truth::Truth;

/// More requests than this are never waited for.
const REQUESTS_MAX: u64 = 1_000_000_000;

/// A stage that has what it needs this often is decidable; one that has it less often than
/// [`LIKELY_MIN`] is not.
const LIKELY: f64 = 0.95;
const LIKELY_MIN: f64 = 0.01;

/// Of the simulated releases that reached a stage, those that must pass it.
const PASSED_MIN: f64 = 0.9;

/// Whether a stage can end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decidable {
    /// Almost always, within its extension.
    Decidable,
    /// Sometimes.
    Unlikely,
    /// Not at this rate, or not with such versions.
    Impossible,
}

impl Decidable {
    /// The name used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decidable => "decidable",
            Self::Unlikely => "unlikely",
            Self::Impossible => "impossible",
        }
    }

    fn of(likely: f64) -> Self {
        match likely {
            p if p >= LIKELY => Self::Decidable,
            p if p >= LIKELY_MIN => Self::Unlikely,
            _ => Self::Impossible,
        }
    }
}

/// What a gate needs, in requests of the candidate since the start of the release.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateForecast {
    /// What is measured.
    pub metric: Metric,
    /// Where the good side is.
    pub bound: String,
    /// How sure it must be.
    pub assurance: Assurance,
    /// Requests with which it passes, when counts are as expected; `None` for never: such a
    /// version is beyond the bound, or its signal never comes.
    pub needed: Option<u64>,
    /// Requests expected by the end of the stage, and of its extension.
    pub expected: [u64; 2],
    /// The chance that there are enough by then.
    pub likely: [f64; 2],
    /// Left out, as the agent has no such signal.
    pub waived: bool,
    /// Judged without effect.
    pub dry_run: bool,
}

/// What became of simulated releases in a stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// Releases that reached it.
    pub reached: u64,
    /// Of those, the ones that passed it.
    pub passed: u64,
    /// Of those, the ones that needed no extension.
    pub in_time: u64,
}

/// What a stage needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageForecast {
    /// Its name.
    pub stage: String,
    /// The candidate's share, basis points.
    pub weight_bp: u32,
    /// Its duration.
    pub duration_ms: u64,
    /// Its longest extension.
    pub extension_max_ms: u64,
    /// What each gate needs.
    pub gates: Vec<GateForecast>,
    /// What became of releases in it; `None` when none were simulated.
    pub simulated: Option<Passed>,
    /// Whether it can end well.
    pub verdict: Decidable,
}

/// How soon a trigger finds a fault that deserves it, in the first stage with users.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TriggerForecast {
    /// What is measured.
    pub metric: Metric,
    /// Where the bad side is.
    pub bound: String,
    /// The fault, in words.
    pub fault: String,
    /// Requests of the candidate until it fires, when counts are as expected; `None` for never.
    pub candidate_requests: Option<u64>,
    /// Those of all users meanwhile.
    pub requests: Option<u64>,
    /// How long that takes at this rate.
    pub time_ms: Option<u64>,
    /// Whether the candidate has that many before the release is over, without extensions.
    pub in_time: bool,
}

/// What a plan needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// By stage.
    pub stages: Vec<StageForecast>,
    /// By trigger that statistics or thresholds decide.
    pub triggers: Vec<TriggerForecast>,
    /// The worst of the stages.
    pub verdict: Decidable,
}

/// What the plan needs with these versions at this rate; `simulated` releases of the same setting
/// say how stages end.
pub fn forecast(setting: &Setting, simulated: &[Ended]) -> Forecast {
    let mut dice = Dice::new(0);
    let now = Now { wall_ms: 0, monotonic_ms: 0, boot: BootId(uuid::Uuid::nil()) };
    let asked = Asked { setting, rollout: start(new_rollout(setting, &mut dice), now).rollout };
    let stages: Vec<StageForecast> =
        (0..setting.plan.stages.len()).map(|index| asked.stage(index, simulated)).collect();
    let verdict = stages.iter().map(|stage| stage.verdict).max().unwrap_or(Decidable::Impossible);
    Forecast { stages, triggers: asked.triggers(), verdict }
}

struct Asked<'a> {
    setting: &'a Setting,
    rollout: Rollout,
}

impl Asked<'_> {
    fn in_stage(&self, index: usize) -> Rollout {
        let mut rollout = self.rollout.clone();
        rollout.stage = index;
        rollout.weight_bp = rollout.plan.stages[index].weight_bp;
        (rollout.phase, rollout.epoch) = (Phase::Running, Epoch(1));
        rollout
    }

    /// Requests to the candidate by the end of a stage that lasts so long, and to both versions.
    fn by_the_end(&self, index: usize, lasts_ms: u64) -> [f64; 2] {
        let stages = &self.setting.plan.stages;
        let before = stages[..index].iter().map(|stage| (stage.weight_bp, stage.duration_ms));
        let here = std::iter::once((stages[index].weight_bp, lasts_ms));
        let mut requests = [0.0, 0.0];
        for (weight_bp, ms) in before.chain(here).filter(|(weight_bp, _)| *weight_bp > 0) {
            let all = self.setting.traffic.requests_per_s * ms as f64 / 1e3;
            requests[0] += all * f64::from(weight_bp) / f64::from(WHOLE_BP);
            requests[1] += all;
        }
        requests
    }

    /// Counts as they are expected when the candidate has had so many requests.
    fn signals(&self, candidate: &Truth, n: u64, share: f64, lasts: Option<u64>) -> Signals {
        let conversation = self.setting.traffic.conversation.as_ref();
        let measures = &self.setting.measures;
        let arms = |n: u64| {
            let beside = expected::whole((n as f64 * (1.0 - share) / share).round());
            Arms {
                candidate: expected::arm(n, candidate, measures, conversation),
                stable: expected::arm(beside, &self.setting.stable, measures, conversation),
            }
        };
        let per_ms = self.setting.traffic.requests_per_s * share / 1e3;
        let within = |ms: u64| lasts.map_or(n, |_| n.min(expected::whole(per_ms * ms as f64)));
        let windows = self.setting.plan.windows_ms();
        Signals {
            evidence: [(Epoch(1), arms(n))].into(),
            recent: windows.into_iter().map(|ms| (ms, arms(within(ms)))).collect(),
            candidate_healthy: Some(true),
            candidate_test_healthy: Some(true),
            tested: probes_kept(),
            ..Signals::default()
        }
    }

    fn stage(&self, index: usize, simulated: &[Ended]) -> StageForecast {
        let Stage { name, weight_bp, duration_ms, extension_max_ms, gates, .. } =
            &self.setting.plan.stages[index];
        let gates: Vec<GateForecast> = gates.iter().map(|gate| self.gate(index, gate)).collect();
        let counts = |gate: &&GateForecast| !gate.waived && !gate.dry_run;
        let mut verdict = gates
            .iter()
            .filter(counts)
            .map(|gate| Decidable::of(gate.likely[1]))
            .max()
            .unwrap_or(Decidable::Decidable);
        let simulated = (!simulated.is_empty()).then(|| passed(simulated, index));
        let often = |Passed { reached, passed, .. }: Passed| {
            reached == 0 || passed as f64 >= PASSED_MIN * reached as f64
        };
        if !simulated.is_none_or(often) {
            verdict = verdict.max(Decidable::Unlikely);
        }
        StageForecast {
            stage: name.clone(),
            weight_bp: *weight_bp,
            duration_ms: *duration_ms,
            extension_max_ms: *extension_max_ms,
            gates,
            simulated,
            verdict,
        }
    }

    fn gate(&self, index: usize, gate: &Gate) -> GateForecast {
        let stage = &self.setting.plan.stages[index];
        let longest_ms = stage.duration_ms.saturating_add(stage.extension_max_ms);
        let ends = [stage.duration_ms, longest_ms].map(|ms| self.by_the_end(index, ms));
        let rollout = self.in_stage(index);
        let share = if ends[1][1] > 0.0 { ends[1][0] / ends[1][1] } else { 1.0 };
        let needed = least(|n| {
            let signals = self.signals(&self.setting.candidate, n, share, None);
            judge::gate(gate, &rollout, &signals).verdict() == Verdict::Pass
        });
        let each = self.samples_each(gate.metric);
        let likely = ends.map(|[candidate, _]| {
            needed.map_or(0.0, |needed| {
                at_least(expected::whole((needed as f64 * each).round()), candidate * each)
            })
        });
        GateForecast {
            metric: gate.metric,
            bound: gate.bound.to_string(),
            assurance: gate.assurance,
            needed,
            expected: ends.map(|[candidate, _]| expected::whole(candidate)),
            likely,
            waived: gate.absent == Absent::Waive
                && gate.metric.lacks(&self.setting.sources).is_some(),
            dry_run: gate.dry_run,
        }
    }

    /// Samples of a metric that one request gives on average.
    fn samples_each(&self, metric: Metric) -> f64 {
        match (metric, &self.setting.traffic.conversation) {
            (Metric::Nps | Metric::SatisfiedShare | Metric::NegativeShare, _) => {
                self.setting.candidate.vote_share
            }
            (Metric::ErrorRate, Some(conversation)) => 1.0 / conversation.requests(),
            _ => 1.0,
        }
    }

    fn triggers(&self) -> Vec<TriggerForecast> {
        let stages = &self.setting.plan.stages;
        let Some(index) = stages.iter().position(|stage| stage.weight_bp > 0) else {
            return Vec::new();
        };
        let rollout = self.in_stage(index);
        let share = f64::from(stages[index].weight_bp) / f64::from(WHOLE_BP);
        let last = stages.len() - 1;
        let [of_release, _] = self.by_the_end(last, stages[last].duration_ms);
        let mut forecasts = Vec::new();
        for trigger in &self.setting.plan.triggers {
            let fault = fault(trigger.metric, trigger.bound, self.setting);
            let Some((fault, truth)) = fault else {
                continue;
            };
            let missing = trigger.metric.lacks(&rollout.sources).is_some();
            let lasts = (trigger.judge == Judge::Threshold).then_some(trigger.window_ms);
            let fires = |n: u64| {
                let signals = self.signals(&truth, n, share, lasts);
                judge::trigger(trigger, &rollout, &signals).verdict() == Verdict::Fail
            };
            let candidate_requests = if missing { None } else { least(fires) };
            let requests = candidate_requests.map(|n| expected::whole(n as f64 / share));
            let rate = self.setting.traffic.requests_per_s;
            forecasts.push(TriggerForecast {
                metric: trigger.metric,
                bound: trigger.bound.to_string(),
                fault,
                candidate_requests,
                requests,
                time_ms: requests.map(|n| expected::whole(n as f64 / rate * 1e3)),
                in_time: candidate_requests.is_some_and(|n| n as f64 <= of_release),
            });
        }
        forecasts
    }
}

/// The least number of requests with which something holds, looked for in steps of a tenth and
/// then closer. Counts are rounded, so that it may come and go among the first few.
fn least(holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut below, mut n) = (0, 0);
    while !holds(n) {
        if n >= REQUESTS_MAX {
            return None;
        }
        below = n;
        n = (n + n / 10 + 1).min(REQUESTS_MAX);
    }
    while n - below > 1 {
        let middle = u64::midpoint(below, n);
        if holds(middle) { n = middle } else { below = middle }
    }
    Some(n)
}

/// What became of releases in the stage of this index. The last one has none that follows.
fn passed(simulated: &[Ended], index: usize) -> Passed {
    let mut seen = Passed::default();
    for ended in simulated {
        let went_on = |step: &lockgate_rollout::explain::Transition| step.stage > index;
        let promoted = ended.phase == Phase::Promoted;
        if ended.stage >= index {
            seen.reached += 1;
            if promoted || ended.transitions.iter().any(went_on) {
                seen.passed += 1;
                let extended = |step: &lockgate_rollout::explain::Transition| {
                    step.stage == index && step.to == Phase::Extended.as_str()
                };
                seen.in_time += u64::from(!ended.transitions.iter().any(extended));
            }
        }
    }
    seen
}

/// The chance that a Poisson variable of this mean is at least `k`.
fn at_least(k: u64, mean: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if mean <= 0.0 {
        return 0.0;
    }
    if mean > 10_000.0 {
        // Normal, with the correction for whole numbers.
        let z = (k as f64 - 0.5 - mean) / mean.sqrt();
        return 1.0 - crate::truth::normal_below(z);
    }
    if k as f64 > mean + 20.0 * mean.sqrt() + 20.0 {
        return 0.0;
    }
    let (mut ln_term, mut below) = (-mean, 0.0);
    for i in 0..k {
        if i > 0 {
            ln_term += (mean / i as f64).ln();
        }
        below += ln_term.exp();
    }
    (1.0 - below).clamp(0.0, 1.0)
}

#[cfg(test)]
#[path = "forecast/tests.rs"]
mod tests;
