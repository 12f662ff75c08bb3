//! What the numbers do not cover. A version that refuses, redirects or loses half of its requests may do
//! the rest well, and one that reports only its cheap answers is cheap: no gate passes on what is left
//! when the candidate leaves out clearly more than the stable version does.

use lockgate_model::plan::Metric;
use lockgate_telemetry::arm::{Arm, Arms, Measured};

use super::words::number;
use super::{Judgement, Question};
use crate::explain::Verdict;
use crate::signals::Signals;
use crate::stats::share::{self, Stratum};

/// How much more the candidate may leave out: a part of what the stable version does, and of all.
const MORE_BY: f64 = 0.25;
const MORE_MIN: f64 = 0.05;

/// How sure that must be.
const ALPHA: f64 = 0.001;

/// Takes back a pass on numbers that leave too much out.
pub(super) fn checked(
    judgement: Judgement,
    question: &Question<'_>,
    signals: &Signals,
) -> Judgement {
    if judgement.verdict() != Verdict::Pass {
        return judgement;
    }
    let Some([candidate, stable]) = gap(question, signals) else { return judgement };
    let mut cause = judgement.cause;
    let percent = |share: f64| number(share * 100.0);
    cause.verdict = Some(Verdict::Insufficient);
    cause.text = format!(
        "{}; but {} % of the candidate's requests {}, and {} % of stable's",
        cause.text,
        percent(candidate),
        what(question.metric),
        percent(stable)
    );
    Judgement { cause, ..judgement }
}

fn what(metric: Metric) -> &'static str {
    match metric {
        Metric::CostUsd | Metric::CostPerResolvedUsd => "have no known cost",
        Metric::Measure(_) => "report nothing of it",
        _ => "were refused, sent elsewhere or given up by the client",
    }
}

/// The shares that both versions leave out, if the candidate's is clearly larger.
fn gap(question: &Question<'_>, signals: &Signals) -> Option<[f64; 2]> {
    let counted = |arm: &Arm| -> Option<[u64; 2]> {
        match question.metric {
            Metric::ErrorRate | Metric::P95Ms => Some([arm.unjudged(), arm.completed]),
            Metric::CostUsd | Metric::CostPerResolvedUsd => {
                Some([arm.cost.unknown, arm.cost.known + arm.cost.unknown])
            }
            Metric::Measure(name) => {
                let reports = arm.measures.get(&name).map_or(0, Measured::count);
                Some([arm.completed.saturating_sub(reports), arm.completed])
            }
            _ => None,
        }
    };
    let strata: Vec<Stratum> = signals
        .evidence
        .values()
        .map(|Arms { candidate, stable }| {
            let [candidate, stable] = [counted(candidate)?, counted(stable)?];
            let (errors, assigned) = ([candidate[0], stable[0]], [candidate[1], stable[1]]);
            Some(Stratum { assigned, errors })
        })
        .collect::<Option<_>>()?;
    let share = |version: usize| {
        let left_out: u64 = strata.iter().map(|one| one.errors[version]).sum();
        let all: u64 = strata.iter().map(|one| one.assigned[version]).sum();
        (all > 0).then(|| left_out as f64 / all as f64)
    };
    let [candidate, stable] = [share(0)?, share(1)?];
    let is_sure = || share::above(&strata, 1.0 + MORE_BY).is_some_and(|ln_e| ln_e >= -ALPHA.ln());
    (candidate - stable > MORE_MIN && is_sure()).then_some([candidate, stable])
}
