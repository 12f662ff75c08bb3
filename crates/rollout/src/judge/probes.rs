//! Probes: every one of the set has run, and enough of the runs went as expected.

use std::collections::BTreeMap;

use lockgate_model::plan::{Bound, Gate};
use lockgate_telemetry::arm::Probed;

use super::reading::inside;
use super::{Blame, Judgement};
use crate::explain::{Cause, Verdict};
use crate::signals::Signals;
use crate::state::Rollout;

/// Probes named in a sentence.
const NAMED_MAX: usize = 3;

pub(super) fn judge(gate: &Gate, rollout: &Rollout, signals: &Signals) -> Judgement {
    let seen = &signals.tested.probes;
    let (passed, failed) = seen
        .values()
        .fold((0, 0), |(passed, failed), probed| (passed + probed.passed, failed + probed.failed));
    let runs: u64 = passed + failed;
    let value = (runs > 0).then(|| passed as f64 / runs as f64);
    let ran = |name: &&String| seen.contains_key(name.as_str());
    let missing: Vec<&String> = rollout.probes.iter().filter(|name| !ran(name)).collect();
    let enough = runs >= gate.min_samples.max(1) && missing.is_empty();
    let verdict = match value.filter(|_| enough) {
        _ if failed > 0 && is_all(gate) => Verdict::Fail,
        None => Verdict::Insufficient,
        Some(value) if inside(gate.bound, value, None) == Some(true) => Verdict::Pass,
        Some(_) => Verdict::Fail,
    };
    let cause = Cause {
        metric: Some(gate.metric),
        verdict: Some(verdict),
        n: Some(runs),
        value,
        threshold: Some(gate.bound.to_string()),
        ..Cause::plain(
            format!("gate {} of stage {}", gate.metric, rollout.stage().name),
            text(seen, [passed, runs], &missing, gate),
        )
    };
    Judgement { cause, blame: Blame::Candidate }
}

/// Whether every run must go as expected: one that did not can never be made good.
pub(super) fn is_all(gate: &Gate) -> bool {
    matches!(gate.bound, Bound::Equal(_))
}

fn text(
    seen: &BTreeMap<String, Probed>,
    [passed, runs]: [u64; 2],
    missing: &[&String],
    gate: &Gate,
) -> String {
    let mut parts =
        vec![format!("probes: {passed} of {runs} runs as expected; required {}", gate.bound)];
    let failing = seen.iter().filter(|(_, probed)| probed.failed > 0);
    parts.extend(failing.take(NAMED_MAX).map(|(name, Probed { passed, failed, why })| {
        let why = why.as_deref().unwrap_or("no answer");
        format!("`{name}` failed {failed} of {} times: {why}", passed + failed)
    }));
    if !missing.is_empty() {
        let named: Vec<&str> = missing.iter().take(NAMED_MAX).map(|name| name.as_str()).collect();
        let more = if missing.len() > NAMED_MAX { ", …" } else { "" };
        parts.push(format!("not run yet: {}{more}", named.join(", ")));
    } else if runs < gate.min_samples {
        parts.push(format!("{} runs needed", gate.min_samples));
    }
    parts.join("; ")
}
