//! What must hold of one committed step.

use lockgate_model::ids::FuseId;
use lockgate_model::plan::{Action, Bound, Judge, Metric, OnInsufficient, Trigger, WHOLE_BP};
use lockgate_model::snapshot::{Mode, Split};
use lockgate_rollout::event::{Command, Effect, Event};
use lockgate_rollout::explain::{Cause, Transition, Verdict};
use lockgate_rollout::signals::Signals;
use lockgate_rollout::state::{Phase, RollbackEnd, Rollout};

use super::oracle;
use super::watch::{
    COMMANDS, CONFIRMED, ENDED, EXPLAINED, FUSES, Holds, LASTS, NO_DATA, TAKEN_BACK, WAY, WEIGHTS,
    need,
};

/// One committed step.
pub(super) struct Seen<'a> {
    pub(super) before: &'a Rollout,
    pub(super) event: &'a Event,
    pub(super) after: &'a Rollout,
    pub(super) transition: Option<&'a Transition>,
    pub(super) effects: &'a [Effect],
}

pub(super) fn last_action(rollout: &Rollout) -> Option<Action> {
    match rollout.phase {
        Phase::RollingBack { action, .. } => Some(action),
        _ => None,
    }
}

/// No part is negative by type; together they are at most the whole, and who leaves has none.
pub(super) fn whole(split: &Split) -> Holds {
    let share = split.candidate.as_ref().map_or(0, |candidate| candidate.weight_bp);
    let leaving = split.retiring.as_ref().map_or(0, |retiring| retiring.weight_bp);
    need(share <= WHOLE_BP && leaving == 0, WEIGHTS, || {
        format!("the candidate has {share} bp, who leaves has {leaving}")
    })
}

impl Seen<'_> {
    pub(super) fn ended(&self) -> Holds {
        let Self { before, after, effects, .. } = self;
        let stays = before == after && effects.is_empty();
        need(!before.phase.is_end() || stays, ENDED, || {
            format!("{} became {}", before.phase, after.phase)
        })
    }

    pub(super) fn explained(&self) -> Holds {
        let Self { before, after, transition, effects, .. } = self;
        let place = |rollout: &Rollout| (rollout.phase.clone(), rollout.stage, rollout.weight_bp);
        let moved = place(before) != place(after);
        let Some(transition) = transition else {
            return need(!moved, EXPLAINED, || format!("{} without a word", after.phase));
        };
        let Transition { from, to, stage, weight_bp, causes, would_change, .. } = transition;
        let named = causes.iter().all(|cause| !cause.rule.is_empty() && !cause.text.is_empty());
        need(!causes.is_empty() && named && !would_change.is_empty(), EXPLAINED, || {
            format!("{from} to {to}: {causes:?}")
        })?;
        let right = from == before.phase.as_str()
            && to == after.phase.as_str()
            && (*stage, *weight_bp) == (after.stage, after.weight_bp);
        need(right, EXPLAINED, || format!("{transition:?} is not what happened"))?;
        let told = effects.iter().any(|effect| matches!(effect, Effect::Notify { .. }));
        let asks = matches!(to.as_str(), "rolling_back" | "promoted" | "paused" | "extended");
        need(told || !asks, EXPLAINED, || format!("nobody was told of {to}"))
    }

    /// Every new share is a new epoch that waits for the gateways, and is what the phase says.
    pub(super) fn split(&self) -> Holds {
        let Self { before, event, after, effects, .. } = self;
        let of = |effect: &Effect| match effect {
            Effect::SetSplit { split } => Some(split.clone()),
            _ => None,
        };
        let splits: Vec<Split> = effects.iter().filter_map(of).collect();
        let [split] = splits.as_slice() else {
            let confirms = matches!(event, Event::Applied { epoch } if *epoch == before.epoch);
            let same = after.epoch == before.epoch
                && after.weight_bp == before.weight_bp
                && (after.applied == before.applied || after.applied && confirms);
            return need(splits.is_empty() && same, CONFIRMED, || {
                format!("epoch {} to {} with {splits:?}", before.epoch.0, after.epoch.0)
            });
        };
        whole(split)?;
        let fresh = split.epoch == after.epoch && after.epoch == before.epoch.next();
        need(fresh && !after.applied, CONFIRMED, || {
            format!("epoch {} follows {}, applied {}", split.epoch.0, before.epoch.0, after.applied)
        })?;
        let right = match &after.phase {
            Phase::Promoted => split.stable == before.candidate && split.candidate.is_none(),
            Phase::RollingBack { action, .. } => {
                let mode = split.retiring.as_ref().map(|retiring| retiring.mode);
                let mode_right = match action {
                    Action::Switch => matches!(mode, Some(Mode::Drain { .. })),
                    Action::Stop => mode == Some(Mode::Stopped),
                    Action::StopImmediately => mode == Some(Mode::Cut),
                };
                split.candidate.is_none()
                    && after.weight_bp == 0
                    && mode_right
                    && Some(&split.stable) == before.stable.as_ref()
            }
            _ => {
                let stage = after.stage();
                split.candidate.as_ref().is_some_and(|candidate| {
                    candidate.weight_bp == after.weight_bp
                        && after.weight_bp == stage.weight_bp
                        && candidate.mode == Mode::Open
                        && candidate.version == before.candidate
                }) && split.retiring.is_none()
                    && Some(&split.stable) == before.stable.as_ref()
            }
        };
        need(right, WEIGHTS, || format!("{} with {split:?}", after.phase))
    }

    /// Which phase may follow which event.
    pub(super) fn way(&self) -> Holds {
        let Self { before, event, after, .. } = self;
        let wrong = || format!("{} became {} by {}", before.phase, after.phase, name(event));
        let back = matches!(after.phase, Phase::RollingBack { .. });
        if let (Some(old), Phase::RollingBack { action, .. }) = (last_action(before), &after.phase)
        {
            need(*action >= old, WAY, || format!("{old} became the milder {action}"))?;
        }
        match event {
            Event::Tick { .. } => need(self.tick_leads_on(), WAY, wrong),
            Event::Applied { epoch } => {
                let follows = match &before.phase {
                    Phase::Confirming => after.phase == Phase::Running,
                    Phase::RollingBack { end, .. } => after.phase == ended_as(*end),
                    phase => after.phase == *phase,
                };
                let due = *epoch == before.epoch && !before.applied && after.applied;
                need(follows && due, WAY, wrong)
            }
            Event::Security { stable_shows_it, .. } => self.security(*stable_shows_it),
            Event::Fuse { id, security, .. } => self.fuse(*id, *security),
            Event::Superseded { .. } => {
                let was_back = matches!(before.phase, Phase::RollingBack { .. });
                let end =
                    Phase::RollingBack { action: Action::Switch, end: RollbackEnd::Superseded };
                need(was_back || after.phase == end, WAY, wrong)
            }
            Event::Command { command, .. } => need(self.obeys(*command), COMMANDS, wrong),
            Event::DriverFailed { .. } => {
                let told =
                    Rollout { driver_error: after.driver_error.clone(), ..(*before).clone() };
                need(told == **after && after.driver_error.is_some(), WAY, wrong)
            }
            Event::Restart => need(!back, WAY, wrong),
            _ => need(false, WAY, || "nobody in this world says so".into()),
        }
    }

    fn tick_leads_on(&self) -> bool {
        let Self { before, after, .. } = self;
        match (&before.phase, &after.phase) {
            (Phase::RollingBack { .. }, _) => before.phase == after.phase,
            (_, Phase::RollingBack { end, .. }) => *end == RollbackEnd::RolledBack,
            (Phase::Confirming, Phase::Confirming | Phase::Paused { .. })
            | (
                Phase::Running | Phase::Extended,
                Phase::Extended | Phase::Confirming | Phase::Promoted | Phase::Paused { .. },
            )
            | (Phase::Running, Phase::Running) => true,
            (Phase::Paused { .. }, _) => before.phase == after.phase,
            _ => false,
        }
    }

    fn obeys(&self, command: Command) -> bool {
        let Self { before, after, .. } = self;
        match command {
            Command::Pause => matches!(after.phase, Phase::Paused { overrides_gate: false, .. }),
            Command::Promote => after.phase == Phase::Promoted,
            Command::Abort => {
                let end = RollbackEnd::Aborted;
                after.phase == Phase::RollingBack { action: Action::Switch, end }
            }
            Command::Resume => match &before.phase {
                Phase::Paused { overrides_gate: true, .. } => {
                    after.stage == before.stage + 1 || after.phase == Phase::Promoted
                }
                _ if before.applied => after.phase == Phase::Running,
                _ => after.phase == Phase::Confirming,
            },
        }
    }

    fn security(&self, stable_shows_it: Option<bool>) -> Holds {
        let Self { before, after, effects, .. } = self;
        need(after.security_events == before.security_events + 1, TAKEN_BACK, || {
            "a security event was not counted".into()
        })?;
        let triggers = &before.plan.triggers;
        let trigger = triggers.iter().find(|t| t.metric == Metric::SecurityEvents && !t.dry_run);
        let acts = trigger.filter(|trigger| {
            !(matches!(trigger.bound, Bound::AboveBaselineBy(_)) && stable_shows_it == Some(true))
        });
        let Some(trigger) = acts else {
            return need(before.phase == after.phase, TAKEN_BACK, || {
                "taken back by a security event that is no trigger".into()
            });
        };
        let severe = last_action(after).is_some_and(|action| action >= trigger.action);
        let revoked = trigger.action != Action::StopImmediately || after.revoked;
        let asked = before.revoked == after.revoked
            || effects.iter().any(|effect| matches!(effect, Effect::Revoke { .. }));
        need(severe && revoked && asked, TAKEN_BACK, || {
            format!("{} after a security event, revoked: {}", after.phase, after.revoked)
        })
    }

    fn fuse(&self, id: FuseId, security: bool) -> Holds {
        let Self { before, after, effects, .. } = self;
        if before.fuses.contains(&id) {
            return need(effects.is_empty(), FUSES, || "a fuse was taken over twice".into());
        }
        let least = if security { Action::StopImmediately } else { Action::Stop };
        need(last_action(after).is_some_and(|action| action >= least), TAKEN_BACK, || {
            format!("{} after a fuse", after.phase)
        })?;
        let acknowledges = |effect: &Effect| matches!(effect, Effect::AcknowledgeFuses { ids } if ids.contains(&id));
        let splits = |effect: &Effect| matches!(effect, Effect::SetSplit { .. });
        let at = effects.iter().position(acknowledges);
        let split = effects.iter().position(splits);
        let ordered = at.is_some_and(|at| split.is_none_or(|split| split < at));
        need(ordered && after.fuses.contains(&id), FUSES, || {
            format!("the fuse is acknowledged at {at:?}, the split is at {split:?}")
        })
    }

    /// What a look at the numbers must lead to, or must not.
    pub(super) fn judged(&self, signals: &Signals) -> Holds {
        let Self { before, after, .. } = self;
        if matches!(before.phase, Phase::RollingBack { .. }) {
            return Ok(());
        }
        let back = matches!(after.phase, Phase::RollingBack { .. });
        let armed: Vec<_> = before
            .plan
            .triggers
            .iter()
            .filter(|trigger| !trigger.dry_run && trigger.metric != Metric::SecurityEvents)
            .collect();
        for trigger in &armed {
            if trigger.judge == Judge::Statistical
                && let (Metric::ErrorRate, Bound::Above(limit)) = (trigger.metric, trigger.bound)
            {
                let plain = oracle::plainly_failing(limit, before, signals);
                need(back || !plain, TAKEN_BACK, || format!("{} in spite of errors", after.phase))?;
            }
            if trigger.judge == Judge::Threshold && trigger.metric != Metric::Health {
                let fires = oracle::fires(trigger, signals);
                need(back || fires != Some((true, false)), TAKEN_BACK, || {
                    format!("{} while {} is {}", after.phase, trigger.metric, trigger.bound)
                })?;
            }
        }
        self.not_late()?;
        if back { self.deserved(signals) } else { Ok(()) }
    }

    /// Nothing stays in a stage whose time is over.
    fn not_late(&self) -> Holds {
        let Self { before, after, transition, .. } = self;
        if transition.is_some() || matches!(after.phase, Phase::RollingBack { .. }) {
            return Ok(());
        }
        let stage = after.stage();
        let until_ms = match after.phase {
            Phase::Running => stage.duration_ms,
            Phase::Extended => stage.duration_ms + stage.extension_max_ms,
            _ => u64::MAX,
        };
        need(after.dwell_ms < until_ms || !after.applied, LASTS, || {
            format!("{} after {} of {until_ms} ms", after.phase, after.dwell_ms)
        })?;
        let deadline_ms = before.plan.progress_deadline_ms.unwrap_or(u64::MAX);
        need(after.elapsed_ms <= deadline_ms, LASTS, || {
            format!("{} beyond the plan's deadline", after.phase)
        })
    }

    /// It was taken back at a tick: by a trigger that fires, a gate that does not hold, or time.
    fn deserved(&self, signals: &Signals) -> Holds {
        let Self { before, transition, .. } = self;
        let Some(cause) = transition.and_then(|transition| transition.causes.first()) else {
            return Ok(());
        };
        let seen = || format!("{cause:?}");
        if let Some(named) = cause.rule.strip_prefix("trigger ") {
            let relative = named == "errors_vs_baseline";
            let metric = cause.metric;
            let of = |t: &&Trigger| {
                let vs = matches!(t.bound, Bound::AboveBaselineBy(_));
                Some(t.metric) == metric
                    && !t.dry_run
                    && (t.metric != Metric::ErrorRate || vs == relative)
            };
            let trigger = before.plan.triggers.iter().find(of);
            let Some(trigger) = trigger else { return need(false, TAKEN_BACK, seen) };
            let samples = cause.n.is_some_and(|n| n >= trigger.min_samples.max(1));
            need(
                cause.verdict == Some(Verdict::Fail) && samples && cause.value.is_some(),
                NO_DATA,
                seen,
            )?;
            if trigger.judge == Judge::Threshold && trigger.metric != Metric::Health {
                let fires = oracle::fires(trigger, signals);
                return need(fires.is_none_or(|(fires, both)| fires && !both), TAKEN_BACK, seen);
            }
            return need(!both_sick(trigger.metric, trigger.bound, signals), TAKEN_BACK, || {
                format!("the stable version is as sick: {cause:?}")
            });
        }
        if cause.rule.starts_with("gate ") && cause.verdict == Some(Verdict::Insufficient) {
            let stage = before.stage();
            let over = self.after.dwell_ms >= stage.duration_ms + stage.extension_max_ms;
            let may = before.plan.on_insufficient == OnInsufficient::Rollback;
            return need(over && may, TAKEN_BACK, seen);
        }
        if cause.rule == "progress deadline" {
            let deadline = before.plan.progress_deadline_ms;
            return need(deadline.is_some_and(|ms| self.after.elapsed_ms > ms), TAKEN_BACK, seen);
        }
        Ok(())
    }

    /// A stage was passed at a tick: every gate of it passed, with samples and a value.
    pub(super) fn gates(&self, signals: &Signals) -> Holds {
        let Self { before, transition, .. } = self;
        let causes = transition.map_or(&[][..], |transition| &transition.causes);
        need(signals.candidate_healthy != Some(false), NO_DATA, || {
            "the weight was raised on an unhealthy candidate".into()
        })?;
        let has =
            |metric: Metric| metric.source().is_none_or(|source| before.sources.contains(&source));
        let gates = before.stage().gates.iter().filter(|gate| !gate.dry_run && has(gate.metric));
        for gate in gates {
            let metric = gate.metric;
            let passed = |cause: &&Cause| {
                cause.metric == Some(metric)
                    && cause.verdict == Some(Verdict::Pass)
                    && cause.value.is_some()
            };
            need(causes.iter().any(|cause| passed(&cause)), NO_DATA, || {
                format!("{metric} is not among {causes:?}")
            })?;
            let wrong = oracle::no_pass(gate, before, signals);
            need(wrong.is_none(), NO_DATA, || wrong.unwrap_or_default())?;
        }
        Ok(())
    }
}

fn ended_as(end: RollbackEnd) -> Phase {
    match end {
        RollbackEnd::RolledBack => Phase::RolledBack,
        RollbackEnd::Aborted => Phase::Aborted,
        RollbackEnd::Superseded => Phase::Superseded,
    }
}

fn name(event: &Event) -> String {
    match event {
        Event::Tick { .. } => "a tick".into(),
        other => format!("{other:?}"),
    }
}

/// Whether the stable version fails the bound too, and no less at any weight.
fn both_sick(metric: Metric, bound: Bound, signals: &Signals) -> bool {
    let (Metric::ErrorRate, Bound::Above(limit)) = (metric, bound) else { return false };
    let of = |arm| oracle::estimate(metric, std::iter::once(arm));
    let whole = oracle::estimate(metric, signals.evidence.values().map(|arms| &arms.stable));
    whole.is_some_and(|stable| stable.n >= 50 && stable.value > limit)
        && signals.evidence.values().all(|arms| match (of(&arms.candidate), of(&arms.stable)) {
            (Some(candidate), Some(stable)) => stable.value >= candidate.value,
            (candidate, _) => candidate.is_none(),
        })
}
