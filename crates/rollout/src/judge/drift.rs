//! Whether what was said of drift is what a plan wants to know. Only a fresh `none` of each source is.

use lockgate_model::drift::{Drift, DriftGate, DriftSeen};
use lockgate_model::freeze;
use lockgate_model::ids::DriftSource;

use crate::explain::{Cause, Verdict};
use crate::view::span;

/// Why a release waits before its first look, and when nothing could be read.
pub(crate) const NOT_READ: &str = "what was said of it is not read yet";

/// Clocks of those who report may be ahead by so much.
const AHEAD_MS: i64 = 5 * 60 * 1_000;

/// What keeps a release; `None` when nothing does. Its words do not change from look to look.
pub(crate) fn waits(gate: &DriftGate, seen: &[DriftSeen], now_wall_ms: i64) -> Option<String> {
    let open: Vec<String> =
        gate.of.iter().filter_map(|source| open(gate, source, seen, now_wall_ms)).collect();
    (!open.is_empty()).then(|| open.join("; "))
}

fn open(gate: &DriftGate, source: &DriftSource, seen: &[DriftSeen], now_ms: i64) -> Option<String> {
    let Some(last) = seen.iter().find(|seen| seen.source == *source) else {
        return Some(format!("no result of `{source}`"));
    };
    let at = freeze::show(last.at_wall_ms);
    match last.outcome {
        Drift::Drifted => return Some(format!("`{source}` saw drift at {at}")),
        Drift::Unknown => return Some(format!("`{source}` could not tell at {at}")),
        Drift::None => {}
    }
    let age_ms = now_ms.checked_sub(last.at_wall_ms).filter(|age_ms| *age_ms >= -AHEAD_MS);
    let Some(age_ms) = age_ms else {
        return Some(format!("the result of `{source}` is of {at}, which is not yet"));
    };
    let fresh = u64::try_from(age_ms.max(0)).is_ok_and(|age_ms| age_ms <= gate.max_age_ms);
    let most = span(gate.max_age_ms);
    (!fresh).then(|| format!("the last result of `{source}` is of {at}, older than {most}"))
}

/// That nothing keeps a release, and who said so.
pub(crate) fn passes(gate: &DriftGate, seen: &[DriftSeen]) -> Cause {
    let said = |source: &DriftSource| {
        let last = seen.iter().find(|seen| seen.source == *source)?;
        Some(format!("`{source}` at {}", freeze::show(last.at_wall_ms)))
    };
    let said: Vec<String> = gate.of.iter().filter_map(said).collect();
    Cause {
        verdict: Some(Verdict::Pass),
        threshold: Some(format!("none within {}", span(gate.max_age_ms))),
        ..Cause::plain("gate drift", format!("drift: none, as said by {}", said.join(", ")))
    }
}

/// The gate as it stood at the last look.
pub(crate) fn cause(gate: &DriftGate, seen: &[DriftSeen], waits: Option<&str>) -> Cause {
    let passes = passes(gate, seen);
    match waits {
        None => passes,
        Some(waits) => Cause {
            verdict: Some(Verdict::Insufficient),
            text: format!("drift: {waits}"),
            ..passes
        },
    }
}
