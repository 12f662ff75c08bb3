//! Every step of every path, in all ways that it can come out.

mod files;
mod gates;
mod known;

use lockgate_model::agent::SignalSource;
use lockgate_model::config::{self, Scenario};
use lockgate_model::ids::RolloutId;
use lockgate_model::path::{
    AuditWatch, Criterion, Ended, PolicyWatch, ReleaseShown, ServerFacts, StageShown, Verified,
};
use lockgate_model::plan::{Environment, Metric, Plan};

use super::*;
use crate::tree::Tree;
use crate::{Facts, assess};

/// 2026-11-27T00:00:00Z.
const NOW_MS: i64 = 1_795_737_600_000;

/// The built-in plan.
fn standard() -> Plan {
    planned("")
}

/// The same as a file has it; what is given stands in `plans`.
fn planned(plan: &str) -> Plan {
    let plans = if plan.is_empty() {
        String::new()
    } else {
        format!("plans:\n  - {{name: standard, {plan}}}\n")
    };
    let text = format!(
        "{plans}agents:\n  - {{name: a, versions: [{{name: v1, endpoint: 'http://x', test_endpoint: 'http://y'}}]}}\n"
    );
    let config = config::read("t.yaml", &text).unwrap_or_else(|found| panic!("{found}"));
    config.plans.into_iter().next().unwrap()
}

/// A release that left every stage of the standard plan by its own merit.
fn released() -> ReleaseShown {
    let plan = standard();
    let stage = |stage: &lockgate_model::plan::Stage| StageShown {
        weight_bp: stage.weight_bp,
        environment: stage.environment,
        mirror_bp: stage.mirror_bp,
        dwell_ms: stage.duration_ms,
        passed: if stage.environment == Environment::Test {
            vec![Metric::Health]
        } else {
            vec![Metric::ErrorRate, Metric::P95Ms, Metric::SecurityEvents]
        },
    };
    let left = plan.stages.iter().filter(|stage| stage.weight_bp < 10_000);
    ReleaseShown {
        rollout: RolloutId("019ac1de-0000-7000-8000-000000000001".parse().unwrap()),
        version: "v2".parse().unwrap(),
        promoted_wall_ms: NOW_MS - 1_000,
        overridden: false,
        planned: plan.stages.len(),
        stages: left.map(stage).collect(),
    }
}

/// A server on which everything is as it should be, before the first release.
fn facts() -> ServerFacts {
    ServerFacts {
        agent: "a".parse().unwrap(),
        plan: standard(),
        sources: vec![SignalSource::Cost],
        answers: Some(true),
        shares_address_with: Vec::new(),
        policy: Some(PolicyWatch {
            digest: "sha256:0".into(),
            rules: 3,
            since_wall_ms: NOW_MS,
            decisions: 1_000,
            slow: 1,
        }),
        audit: Some(AuditWatch {
            records: 10,
            open_intents: 0,
            refuses: None,
            verified: Some(Verified { at_wall_ms: NOW_MS, records: 10, damage: None }),
        }),
        releases: Vec::new(),
        first_promoted_wall_ms: None,
        ended: Ended::default(),
        worth: Vec::new(),
        at_wall_ms: NOW_MS,
    }
}

/// The same with a release behind it.
fn proven() -> ServerFacts {
    ServerFacts { releases: vec![released()], ..facts() }
}

fn seen(path: Scenario, files: &[(&str, &str)]) -> Seen {
    let tree: Tree = files.iter().copied().collect();
    let facts = Facts { today: gate::date(NOW_MS), ..Facts::default() };
    repository(path, &tree, &facts, &assess(&tree, &facts))
}

#[test]
fn ids_are_unique_and_begin_with_their_path() {
    for (i, step) in STEPS.iter().enumerate() {
        assert!(step.id.starts_with(&format!("{}.", step.path)), "{}", step.id);
        assert!(STEPS[..i].iter().all(|other| other.id != step.id), "{}", step.id);
        assert!(crate::catalog::entry_of(step.id).is_none(), "{} is a check too", step.id);
    }
    let count = |path: Scenario| steps(path).count();
    assert_eq!(Scenario::ALL.map(count), [8, 9, 8], "as the paths have them");
}
