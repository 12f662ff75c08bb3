//! What must hold of one committed step.

use lockgate_model::ids::FuseId;
use lockgate_model::plan::{Action, Metric, WHOLE_BP};
use lockgate_model::snapshot::{Mode, Split};
use lockgate_rollout::event::{Command, Effect, Event};
use lockgate_rollout::explain::Transition;
use lockgate_rollout::state::{Phase, RollbackEnd, Rollout};

use super::watch::{
    COMMANDS, CONFIRMED, ENDED, EXPLAINED, FUSES, Holds, TAKEN_BACK, WAY, WEIGHTS, need,
};

/// One committed step.
pub(super) struct Seen<'a> {
    pub(super) before: &'a Rollout,
    pub(super) event: &'a Event,
    pub(super) after: &'a Rollout,
    pub(super) transition: Option<&'a Transition>,
    pub(super) effects: &'a [Effect],
    /// Whether a freeze window was open, by the clock of the controller.
    pub(super) frozen: bool,
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
        let asks = matches!(
            to.as_str(),
            "rolling_back" | "promoted" | "paused" | "extended" | "waiting_gate"
        );
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
            Event::Gate { .. } => {
                let waited = matches!(before.phase, Phase::WaitingGate { .. });
                need(waited && after.phase == Phase::Running, WAY, wrong)
            }
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
                Phase::Extended
                | Phase::Confirming
                | Phase::Promoted
                | Phase::WaitingGate { .. }
                | Phase::Paused { .. },
            )
            | (Phase::WaitingGate { .. }, Phase::WaitingGate { .. } | Phase::Paused { .. })
            | (Phase::Running, Phase::Running) => true,
            (Phase::Paused { .. }, _) => before.phase == after.phase,
            _ => false,
        }
    }

    fn obeys(&self, command: Command) -> bool {
        let Self { before, after, .. } = self;
        let sick = before.candidate_healthy == Some(false);
        match command {
            Command::Pause => matches!(after.phase, Phase::Paused { overrides_gate: false, .. }),
            Command::Promote => after.phase == Phase::Promoted && !sick,
            Command::Abort => {
                let end = RollbackEnd::Aborted;
                after.phase == Phase::RollingBack { action: Action::Switch, end }
            }
            Command::Resume => match &before.phase {
                Phase::Paused { overrides_gate: true, .. } => {
                    !sick && (after.stage == before.stage + 1 || after.phase == Phase::Promoted)
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
        let acts = trigger
            .filter(|trigger| !(trigger.bound.is_relative() && stable_shows_it == Some(true)));
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
