//! Users who stay with their version are counted once, however long a release takes.

use lockgate_model::ids::Epoch;
use lockgate_model::plan::{Action, AlertLevel, Bound, Judge, Metric, Trigger};
use lockgate_rollout::explain::Verdict;
use lockgate_rollout::judge;
use lockgate_rollout::signals::Signals;
use lockgate_rollout::start::start;
use lockgate_rollout::state::Rollout;
use lockgate_telemetry::arm::{Arm, Arms, Keys};
use lockgate_testkit::release::{World, arm, new_rollout, plan, trigger};

fn worse_than_stable() -> Trigger {
    let bound = Bound::AboveBaselineBy(0.0);
    Trigger {
        judge: Judge::Statistical,
        min_samples: 1,
        ..trigger(Metric::ErrorRate, bound, Action::Stop, AlertLevel::High)
    }
}

/// A release with sticky users that this trigger alone watches.
fn rollout() -> Rollout {
    let mut plan = plan();
    plan.triggers = vec![worse_than_stable()];
    let mut new = new_rollout(plan, Some("v1"));
    new.by_key = true;
    start(new, World::new(self::plan()).now).rollout
}

/// Users at risk with so many first errors, beside others who had erred before and do so again.
fn users(at_risk: u64, first_errors: u64, again: u64) -> Arm {
    let keys = Keys {
        assigned: at_risk + again,
        erroring: first_errors + again,
        at_risk,
        first_errors,
        // The same users in every epoch.
        first_assigned: 0,
        keys_dropped: 0,
    };
    Arm { keys, ..arm(at_risk + again, first_errors + again, 100) }
}

fn epochs(candidate: impl Fn(u64) -> Arm, stable: impl Fn() -> Arm) -> Signals {
    let arms = |epoch| Arms { candidate: candidate(epoch), stable: stable() };
    Signals {
        evidence: (1..=4).map(|epoch| (Epoch(epoch), arms(epoch))).collect(),
        ..Signals::default()
    }
}

#[test]
fn one_user_who_always_fails_is_one_error_in_four_epochs() {
    let always = |epoch| if epoch == 1 { users(40, 1, 0) } else { users(39, 0, 1) };
    let signals = epochs(always, || users(4_000, 0, 0));
    let judged = judge::trigger(&worse_than_stable(), &rollout(), &signals);
    assert_ne!(judged.verdict(), Verdict::Fail, "{judged:?}");
    let seen = (judged.cause.n, judged.cause.value);
    assert_eq!(seen, (Some(40), Some(1.0 / 40.0)), "a user of four epochs is one");
}

#[test]
fn four_users_who_fail_once_are_four_errors() {
    let signals = epochs(|_| users(40, 1, 0), || users(4_000, 0, 0));
    let judged = judge::trigger(&worse_than_stable(), &rollout(), &signals);
    assert_eq!(judged.verdict(), Verdict::Fail, "{judged:?}");
}
