//! Whatever happens in whatever order, some things stay true.

use std::sync::{Arc, OnceLock};

use lockgate_model::hook::Confirm;
use lockgate_model::ids::{FuseId, SecurityEventId};
use lockgate_model::plan::{OnInsufficient, Plan, WHOLE_BP};
use lockgate_rollout::event::{Command, Effect, Event, OutsideGate};
use lockgate_rollout::machine;
use lockgate_rollout::signals::Signals;
use lockgate_rollout::state::{Phase, Rollout};
use lockgate_telemetry::arm::Arm;
use proptest::prelude::*;
use uuid::Uuid;

use lockgate_testkit::release::{World, arm, plan, signals};

#[derive(Debug, Clone)]
enum Move {
    Wait(u64),
    Tick { errors: u64, latency_ms: u64, requests: u64, observed: bool },
    Empty,
    Apply,
    ApplyOld,
    Security,
    Fuse(u8),
    Command(Command),
    Superseded,
    Restart,
    SourceFails,
    Drifts,
    Gate(OutsideGate, bool),
    PlanChanges(bool),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let command = prop_oneof![
        Just(Command::Pause),
        Just(Command::Resume),
        Just(Command::Promote),
        Just(Command::Abort)
    ];
    let one = prop_oneof![
        6 => (0_u64..40_000).prop_map(Move::Wait),
        6 => (0_u64..8, 50_u64..300, 0_u64..400, any::<bool>()).prop_map(
            |(errors, latency_ms, requests, observed)| Move::Tick { errors, latency_ms, requests, observed }
        ),
        4 => Just(Move::Tick { errors: 0, latency_ms: 100, requests: 300, observed: true }),
        1 => Just(Move::Empty),
        5 => Just(Move::Apply),
        1 => Just(Move::ApplyOld),
        1 => Just(Move::Security),
        1 => (0_u8..3).prop_map(Move::Fuse),
        1 => command.prop_map(Move::Command),
        1 => Just(Move::Superseded),
        1 => Just(Move::Restart),
        2 => Just(Move::SourceFails),
        1 => Just(Move::Drifts),
        2 => any::<bool>().prop_map(|open| Move::Gate(OutsideGate::Confirm, open)),
        1 => any::<bool>().prop_map(|open| Move::Gate(OutsideGate::Rollback, open)),
        1 => any::<bool>().prop_map(Move::PlanChanges),
    ];
    prop::collection::vec(one, 1..120)
}

/// The test plan with everything on that holds a release up.
fn held_up() -> Plan {
    let mut plan = Plan { initial_delay_ms: 15_000, source_errors_max: 2, ..plan() };
    plan.stages[1].confirm = Some(Confirm::Person);
    plan.on_insufficient = OnInsufficient::Pause;
    plan
}

fn stable() -> Arm {
    static STABLE: OnceLock<Arm> = OnceLock::new();
    STABLE.get_or_init(|| arm(500, 0, 100)).clone()
}

fn event(world: &mut World, next: &Move) -> Option<Event> {
    let tick = |signals, observed| Event::Tick { signals: Box::new(signals), observed };
    Some(match *next {
        Move::Wait(ms) => {
            world.pass_ms(ms);
            return None;
        }
        Move::Tick { errors, latency_ms, requests, observed } => {
            tick(signals(arm(requests, errors, latency_ms), stable()), observed)
        }
        Move::Empty => tick(Signals::default(), true),
        Move::Apply => Event::Applied { epoch: world.rollout.epoch },
        Move::ApplyOld => {
            Event::Applied { epoch: lockgate_model::ids::Epoch(world.rollout.epoch.0 - 1) }
        }
        Move::Security => Event::Security {
            id: SecurityEventId(Uuid::from_u128(1)),
            detail: "seen".into(),
            by: "ada".into(),
            stable_shows_it: None,
        },
        Move::Fuse(id) => Event::Fuse {
            id: FuseId(Uuid::from_u128(id.into())),
            cause: "errors in a row".into(),
            security: id == 0,
        },
        Move::Command(command) => {
            Event::Command { command, by: "ada".into(), reason: "because".into() }
        }
        Move::Superseded => Event::Superseded { by: "v3".parse().unwrap() },
        Move::Restart => Event::Restart,
        Move::SourceFails => Event::SourceFailed { error: "refused".into() },
        Move::Drifts => Event::Drifted { found: "80 %".into() },
        Move::Gate(gate, open) => {
            Event::Gate { gate, about: None, open, by: "bob".into(), reason: "looked".into() }
        }
        Move::PlanChanges(held) => {
            let plan = Arc::new(if held { held_up() } else { plan() });
            Event::PlanChanged { plan, by: "eve".into() }
        }
    })
}

fn check(before: &Rollout, event: &Event, step: &machine::Step) {
    let after = &step.rollout;
    assert!(after.weight_bp <= WHOLE_BP);
    assert!(after.epoch >= before.epoch);
    let splits: Vec<_> = step
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::SetSplit { split } => Some(split),
            _ => None,
        })
        .collect();
    assert_eq!(splits.is_empty(), after.epoch == before.epoch, "an epoch is a split");
    for split in &splits {
        assert_eq!(split.epoch, after.epoch);
        let weights: u32 =
            [&split.candidate, &split.retiring].into_iter().flatten().map(|m| m.weight_bp).sum();
        assert!(weights <= WHOLE_BP);
        let back = matches!(after.phase, Phase::RollingBack { .. });
        assert!(!back || (split.candidate.is_none() && weights == 0), "stop means zero");
    }
    if before.phase.is_end() {
        assert_eq!(before, after, "nothing follows an end");
        assert!(step.transition.is_none() && step.effects.is_empty());
    }
    let forced = matches!(event, Event::Command { .. });
    if after.stage > before.stage && !forced {
        assert!(before.applied, "no stage is left without a confirmed weight");
        assert!(step.transition.as_ref().unwrap().dwell_ms >= before.stage().duration_ms);
        assert!(matches!(event, Event::Tick { .. }));
    }
    if after.phase == Phase::Promoted && before.phase != Phase::Promoted && !forced {
        assert_eq!(before.stage + 1, before.plan.stages.len());
    }
    let named = |rollout: &Rollout| rollout.stage().name.clone();
    let confirmed = before.confirmed_stage == Some(before.stage);
    if named(after) != named(before) && before.stage().confirm.is_some() && !forced {
        assert!(confirmed, "no stage is left that waits to be confirmed");
    }
    if after.weight_bp > before.weight_bp && before.candidate_healthy == Some(false) && !forced {
        let Event::Tick { signals, .. } = event else { panic!("raised by {event:?}") };
        assert_ne!(signals.candidate_healthy, Some(false), "raised on a sick candidate");
    }
    if after.plan != before.plan {
        assert_ne!(named(after), named(before), "a stage under way keeps its plan");
    }
    let moved = before.phase != after.phase || before.stage != after.stage;
    assert_eq!(moved, step.transition.is_some() && moved);
    if let Some(transition) = &step.transition {
        assert!(!transition.causes.is_empty(), "every transition is explained");
        assert!(transition.causes.iter().all(|cause| !cause.text.is_empty()));
        assert_eq!(transition.to, after.phase.as_str());
    } else {
        assert!(!moved, "no move without a transition");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    #[test]
    fn hold_over_every_sequence_of_events(moves in moves(), held in any::<bool>()) {
        let mut world = World::new(if held { held_up() } else { plan() });
        for next in &moves {
            let Some(event) = event(&mut world, next) else { continue };
            let Ok(step) = machine::step(&world.rollout, &event, world.now) else { continue };
            check(&world.rollout, &event, &step);
            let stored = serde_json::to_string(&step.rollout).unwrap();
            let read: Rollout = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(&read, &step.rollout, "what is stored is what is read");
            world.rollout = read;
        }
    }
}
