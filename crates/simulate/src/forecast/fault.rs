//! Faults that a plan should find.

use lockgate_model::measure::{Better, MeasureName};
use lockgate_model::plan::{Bound, Metric};

use crate::release::Setting;
use crate::truth::{Truth, share_of};

/// A fault that a trigger is there for: clearly beyond its bound, and no more.
pub(super) fn fault(metric: Metric, bound: Bound, setting: &Setting) -> Option<(String, Truth)> {
    let stable = &setting.stable;
    let users = setting.traffic.conversation;
    let percent = |share: f64| format!("{} %", (share * 1e4).round() / 1e2);
    let beyond = |bound: Bound, least: f64| match bound {
        Bound::AboveBaselineBy(allowed) => Some(least.max(1.0 + 1.5 * allowed)),
        _ => None,
    };
    Some(match (metric, bound) {
        // Of users, where they are what is counted.
        (Metric::ErrorRate, Bound::Above(limit)) => {
            let share = (4.0 * limit).min(f64::midpoint(limit, 1.0));
            let error_rate = users.map_or(share, |one| one.failing_requests(share));
            (format!("{} errors", percent(share)), Truth { error_rate, ..*stable })
        }
        (Metric::ErrorRate, bound) => {
            let error_rate = (stable.error_rate * beyond(bound, 2.0)?).min(1.0);
            let share = |rate| percent(users.map_or(rate, |one| one.users_with_errors(rate)));
            let words = format!("{} → {} errors", share(stable.error_rate), share(error_rate));
            (words, Truth { error_rate, ..*stable })
        }
        (Metric::P95Ms, Bound::AboveBaselineBy(_)) => {
            let times = beyond(bound, 2.0)?;
            (format!("{times} × p95"), Truth { median_ms: times * stable.median_ms, ..*stable })
        }
        (Metric::P95Ms, Bound::Above(limit_ms)) => {
            let median_ms = 2.0 * limit_ms * (-1.645 * stable.latency_sigma).exp();
            (format!("p95 {} ms", 2.0 * limit_ms), Truth { median_ms, ..*stable })
        }
        (Metric::CostUsd, Bound::AboveBaselineBy(_)) => {
            let times = beyond(bound, 1.5)?;
            (format!("{times} × cost"), Truth { cost_usd: times * stable.cost_usd, ..*stable })
        }
        (Metric::CostUsd, Bound::Above(limit)) => {
            (format!("${} a request", 1.5 * limit), Truth { cost_usd: 1.5 * limit, ..*stable })
        }
        (Metric::NegativeShare, Bound::Above(limit)) => {
            let negative = (1.6 * limit).min(1.0);
            let satisfied = stable.satisfied.min(1.0 - negative);
            (format!("{} negative", percent(negative)), Truth { satisfied, negative, ..*stable })
        }
        (Metric::SatisfiedShare, Bound::Below(limit)) => {
            let satisfied = (limit - 0.6 * (1.0 - limit)).max(0.0);
            (format!("{} satisfied", percent(satisfied)), Truth { satisfied, ..*stable })
        }
        (Metric::ReplacementRate, Bound::Below(limit)) => {
            let resolved = (limit - 0.6 * (1.0 - limit)).max(0.0);
            (
                format!("{} resolved", percent(resolved)),
                Truth { resolved: Some(resolved), ..*stable },
            )
        }
        (Metric::CostPerResolvedUsd, Bound::AboveBaselineBy(_)) => {
            let times = beyond(bound, 1.5)?;
            let words = format!("{times} × cost for each resolved one");
            (words, Truth { cost_usd: times * stable.cost_usd, ..*stable })
        }
        (Metric::CostPerResolvedUsd, Bound::Above(limit)) => {
            let cost_usd = 1.5 * limit * stable.resolved?;
            (format!("${} a resolved one", 1.5 * limit), Truth { cost_usd, ..*stable })
        }
        (Metric::Measure(name), bound) => worse_reports(name, bound, setting)?,
        _ => return None,
    })
}

/// Reports that are half as far again beyond the bound as the bound is from the stable version, and a
/// tenth of the range at least.
fn worse_reports(name: MeasureName, bound: Bound, setting: &Setting) -> Option<(String, Truth)> {
    let measure = setting.measures.iter().find(|measure| measure.name == name)?;
    let stable = measure.value(share_of(measure, setting.stable.report));
    let limit = match bound {
        Bound::Below(limit) | Bound::Above(limit) | Bound::Equal(limit) => limit,
        Bound::AboveBaselineBy(allowed) => stable * (1.0 + allowed),
        Bound::BelowBaselineBy(allowed) => stable * (1.0 - allowed),
    };
    let beyond = 0.5 * (stable - limit).abs() + 0.1 * (measure.to - measure.from);
    let worse = if measure.better == Better::Higher { limit - beyond } else { limit + beyond };
    let value = worse.clamp(measure.from, measure.to);
    let share = measure.share(value);
    let report = if measure.better == Better::Higher { share } else { 1.0 - share };
    let words = format!("{name} {}", (value * 1e4).round() / 1e4);
    Some((words, Truth { report, ..setting.stable }))
}
