//! Candidate beside baseline, one row per measure. Differences are shown and not judged: whether
//! one matters is for the judges to say.

use std::borrow::Cow;

use lockgate_rollout::view::ArmView;

use crate::console::number::{self, UNKNOWN};

/// One measure of both versions.
pub(crate) struct Row {
    pub(crate) name: Cow<'static, str>,
    pub(crate) stable: String,
    pub(crate) candidate: String,
    pub(crate) difference: String,
}

/// All measures, in the order people look for them.
pub(crate) fn rows(stable: &ArmView, candidate: &ArmView) -> Vec<Row> {
    let plain = |name: &'static str, stable: u64, candidate: u64| Row {
        name: name.into(),
        stable: number::count(stable),
        candidate: number::count(candidate),
        difference: String::new(),
    };
    let points = |of: fn(&ArmView) -> Option<f64>| (of(stable), of(candidate));
    let mut rows = vec![plain("Requests", stable.requests, candidate.requests)];
    if stable.keys + candidate.keys > 0 {
        rows.push(plain("Users", stable.keys, candidate.keys));
    }
    rows.push(plain("Errors", stable.errors, candidate.errors));
    rows.push(share_row("Error rate", points(|arm| arm.error_rate)));
    rows.push(ratio_row("Latency p50", points(|arm| arm.p50_ms), number::millis));
    rows.push(ratio_row("Latency p95", points(|arm| arm.p95_ms), number::millis));
    rows.push(ratio_row("Cost per request", points(|arm| arm.cost_usd), number::usd));
    if stable.cost_unknown + candidate.cost_unknown > 0 {
        let known = |arm: &ArmView| {
            let (known, all) = (arm.cost_known, arm.cost_known + arm.cost_unknown);
            format!("{} of {}", number::count(known), number::count(all))
        };
        rows.push(Row {
            name: "Cost known".into(),
            stable: known(stable),
            candidate: known(candidate),
            difference: String::new(),
        });
    }
    rows.push(plain("Feedback", stable.feedback, candidate.feedback));
    rows.push(share_row("Satisfied", points(|arm| arm.satisfied_share)));
    rows.push(share_row("Negative", points(|arm| arm.negative_share)));
    rows.push(score_row(points(|arm| arm.nps)));
    if stable.outcomes + candidate.outcomes > 0 {
        rows.push(plain("Outcomes", stable.outcomes, candidate.outcomes));
        rows.push(share_row("Replacement rate", points(|arm| arm.replacement_rate)));
        let per_resolved = points(|arm| arm.cost_per_resolved_usd);
        rows.push(ratio_row("Cost per resolved", per_resolved, number::usd));
    }
    for (of_stable, of_candidate) in stable.measures.iter().zip(&candidate.measures) {
        let means = (of_stable.mean, of_candidate.mean);
        rows.push(ratio_row(of_candidate.name.to_string(), means, number::plain));
    }
    rows
}

fn score_row((stable, candidate): (Option<f64>, Option<f64>)) -> Row {
    let change = change(stable, candidate, |stable, candidate| candidate - stable);
    Row {
        name: "NPS".into(),
        stable: number::score(stable),
        candidate: number::score(candidate),
        difference: change.map_or(UNKNOWN.into(), |change| number::signed(change, 0)),
    }
}

fn share_row(name: &'static str, (stable, candidate): (Option<f64>, Option<f64>)) -> Row {
    let change = change(stable, candidate, |stable, candidate| (candidate - stable) * 100.0);
    Row {
        name: name.into(),
        stable: number::share(stable),
        candidate: number::share(candidate),
        difference: change
            .map_or(UNKNOWN.into(), |change| format!("{} points", number::signed(change, 2))),
    }
}

fn ratio_row(
    name: impl Into<Cow<'static, str>>,
    (stable, candidate): (Option<f64>, Option<f64>),
    show: fn(Option<f64>) -> String,
) -> Row {
    let change = change(stable, candidate, |stable, candidate| (candidate / stable - 1.0) * 100.0);
    Row {
        name: name.into(),
        stable: show(stable),
        candidate: show(candidate),
        difference: change
            .map_or(UNKNOWN.into(), |change| format!("{} %", number::signed(change, 1))),
    }
}

fn change(stable: Option<f64>, candidate: Option<f64>, of: fn(f64, f64) -> f64) -> Option<f64> {
    number::finite(Some(of(stable?, candidate?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_version_lacks_is_not_compared() {
        let known = ArmView { p95_ms: Some(100.0), error_rate: Some(0.0), ..ArmView::default() };
        let slower = ArmView { p95_ms: Some(125.0), ..ArmView::default() };
        let rows = rows(&known, &slower);
        let of = |name| rows.iter().find(|row| row.name == name).expect("is a row");
        assert_eq!(of("Latency p95").difference, "+25.0 %");
        assert_eq!(of("Error rate").difference, UNKNOWN);
    }

    #[test]
    fn a_baseline_of_zero_gives_no_ratio() {
        let zero = ArmView { cost_usd: Some(0.0), ..ArmView::default() };
        let some = ArmView { cost_usd: Some(0.1), ..ArmView::default() };
        let rows = rows(&zero, &some);
        let cost = rows.iter().find(|row| row.name == "Cost per request");
        assert_eq!(cost.map(|row| row.difference.as_str()), Some(UNKNOWN));
    }
}
