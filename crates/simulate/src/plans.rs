//! The plan that Lockgate stands for, and the same under the judge that most others have.

use lockgate_model::config;
use lockgate_model::plan::{Bound, Judge, Metric, Plan};

const FILE: &str =
    "agents: [{ name: a, versions: [{ name: v1, endpoint: 'http://127.0.0.1:9' }] }]";

/// The built-in plan: a day in the test environment, then 10, 25 and 50 % of four hours each.
pub fn standard() -> Plan {
    let config = config::read("built in", FILE).expect("the smallest file is valid");
    let standard = config.plans.into_iter().find(|plan| plan.name.as_str() == "standard");
    standard.expect("every configuration has the built-in plan")
}

/// A plan whose gates and triggers compare estimates with thresholds, on as many samples as the
/// threshold judge asks for when a plan does not say. It knows no test beside the stable version
/// that has no margin, so that one is left out.
pub fn naive(mut plan: Plan) -> Plan {
    for trigger in &mut plan.triggers {
        trigger.judge = Judge::Threshold;
        trigger.min_samples = match trigger.metric {
            Metric::SecurityEvents => 0,
            Metric::Health | Metric::Probes => 1,
            Metric::ErrorRate | Metric::ReplacementRate => 100,
            Metric::P95Ms | Metric::CostUsd | Metric::CostPerResolvedUsd | Metric::Measure(_) => {
                300
            }
            Metric::Nps | Metric::SatisfiedShare | Metric::NegativeShare => 50,
        };
    }
    plan.triggers.retain(|trigger| trigger.bound != Bound::AboveBaselineBy(0.0));
    for gate in plan.stages.iter_mut().flat_map(|stage| &mut stage.gates) {
        gate.judge = Judge::Threshold;
    }
    plan
}
