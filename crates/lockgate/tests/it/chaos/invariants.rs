//! What must hold in the store, whenever the process was killed.

use std::collections::BTreeSet;
use std::path::Path;

use lockgate_rollout::event::Effect;
use lockgate_rollout::explain::Transition;
use lockgate_rollout::state::Rollout;
use lockgate_store::{EffectRecord, EffectState, InboxId, InboxState, Store, TransitionRecord};

use crate::chaos::Promised;

/// Steps that a release may take.
const LEGAL: [(&str, &[&str]); 6] = [
    ("pending", &["confirming", "promoted", "rolling_back"]),
    ("confirming", &["running", "paused", "rolling_back", "promoted"]),
    ("running", &["extended", "confirming", "paused", "rolling_back", "promoted"]),
    ("extended", &["confirming", "paused", "rolling_back", "promoted"]),
    ("paused", &["running", "confirming", "rolling_back", "promoted"]),
    ("rolling_back", &["rolling_back", "rolled_back", "aborted", "superseded"]),
];

#[expect(clippy::print_stdout, reason = "a run should say how much it has seen")]
pub(super) async fn hold(database: &Path, promised: &Promised) {
    let store = Store::open(database).await.expect("it survived");
    let rollouts = store.rollouts(None, 10_000).await.expect("readable");
    assert!(rollouts.len() > 1, "at least one release besides the first version");
    let (mut outbox, mut passed) = (BTreeSet::new(), 0);
    for rollout in &rollouts {
        let records = store.transitions(rollout.id).await.expect("readable");
        passed += path(rollout, &records);
        for effect in records.iter().flat_map(|record| &record.effects) {
            assert!(outbox.insert(effect.id), "effect {} belongs to one transition", effect.id);
            applied_once(rollout, effect);
        }
    }
    for id in &promised.commands {
        let item = store.inbox_item(InboxId(*id)).await.expect("readable");
        let item = item.unwrap_or_else(|| panic!("command {id} was acknowledged and is lost"));
        assert_ne!(item.state, InboxState::Pending, "command {id} was handled");
    }
    let agent = "support".parse().expect("a name");
    let events = store.security_events(&agent, 10_000).await.expect("readable");
    for id in &promised.security_events {
        let kept = events.iter().any(|event| event.id.to_string() == *id);
        assert!(kept, "security event {id} was acknowledged and is lost");
    }
    println!(
        "{} releases, {passed} stages passed, {} effects, {} commands and {} security events acknowledged",
        rollouts.len(),
        outbox.len(),
        promised.commands.len(),
        promised.security_events.len()
    );
    assert!(passed >= 3, "the last release passed its stages");
}

/// From `pending` to an end, one legal step after the other, no stage passed early. Returns how
/// many stages were passed by themselves.
fn path(rollout: &Rollout, records: &[TransitionRecord]) -> usize {
    let id = rollout.id;
    assert!(rollout.phase.is_end(), "{id} has ended: {}", rollout.phase);
    let (mut phase, mut stage, mut passed) = ("pending", 0, 0);
    for (seq, record) in (1_i64..).zip(records) {
        let step = &record.transition;
        assert_eq!(record.seq, seq, "{id}: no transition is missing");
        assert_eq!(step.from, phase, "{id}: one step begins where the last one ended");
        let allowed = LEGAL.iter().find(|(from, _)| *from == step.from).map(|(_, to)| *to);
        let legal = allowed.is_some_and(|allowed| allowed.contains(&step.to.as_str()));
        assert!(legal, "{id}: {} → {}", step.from, step.to);
        // The first version of an agent has no stages to go through.
        if rollout.stable.is_some() {
            passed += usize::from(advance(rollout, step, stage));
            stage = step.stage;
        }
        phase = &step.to;
    }
    assert_eq!(phase, rollout.phase.as_str(), "{id}: the state is where the last step led");
    passed
}

/// Whether a stage was passed in its own time.
fn advance(rollout: &Rollout, step: &Transition, stage: usize) -> bool {
    let id = rollout.id;
    let by_hand = step.causes.first().is_some_and(|cause| cause.rule.starts_with("command"));
    let last = rollout.plan.stages.len() - 1;
    let passed = step.stage > stage || (step.to == "promoted" && !by_hand);
    if !passed {
        return false;
    }
    assert!(step.stage == stage + 1 || step.stage == last, "{id}: no stage is skipped");
    if by_hand {
        return false;
    }
    let due_ms = rollout.plan.stages[stage].duration_ms;
    assert!(step.dwell_ms >= due_ms, "{id}: stage {stage} after {} of {due_ms} ms", step.dwell_ms);
    if step.to == "confirming" {
        assert_eq!(step.stage, stage + 1, "{id}: stages follow one another");
        assert_eq!(step.weight_bp, rollout.plan.stages[step.stage].weight_bp, "{id}: its weight");
    }
    true
}

fn applied_once(rollout: &Rollout, effect: &EffectRecord) {
    let (id, what) = (effect.id, &effect.effect);
    assert!(effect.applied_count <= 1, "effect {id} was applied {} times", effect.applied_count);
    let moves_traffic = matches!(what, Effect::SetSplit { .. } | Effect::AcknowledgeFuses { .. });
    if moves_traffic {
        assert_eq!(effect.state, EffectState::Done, "effect {id} of {}: {what:?}", rollout.id);
        assert_eq!(effect.applied_count, 1, "effect {id} of {}", rollout.id);
    }
}
