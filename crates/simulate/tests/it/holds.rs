//! A plan that makes releases wait is simulated as if nothing kept it waiting but numbers.

use std::sync::Arc;

use lockgate_model::hook::Confirm;
use lockgate_model::plan::Plan;
use lockgate_rollout::state::Phase;
use lockgate_simulate::plans::standard;
use lockgate_simulate::release::{Setting, run};

#[test]
fn calendars_confirmations_and_delays_keep_nothing_from_being_simulated() {
    let mut plan = Plan {
        freeze: vec!["1970-01-01 00:00 - 1999-01-01 00:00 UTC".parse().unwrap()],
        initial_delay_ms: 600_000,
        ..standard()
    };
    plan.stages[1].confirm = Some(Confirm::Person);
    let ended = run(&Setting::identical(Arc::new(plan)), 3);
    let steps: Vec<&str> = ended.transitions.iter().map(|step| step.to.as_str()).collect();
    assert_eq!(ended.phase, Phase::Promoted, "{steps:?}");
    assert!(steps.contains(&"waiting_gate"), "{steps:?}");
    let delays = ended.transitions.iter().flat_map(|step| &step.causes);
    assert_eq!(delays.filter(|cause| cause.rule == "initial delay").count(), 4);
}
