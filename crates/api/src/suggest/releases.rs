//! Releases of a window, each judged again with the plan as it is.

use lockgate_model::plan::Plan;
use lockgate_rollout::replay::{NotReplayed, Past, Place, Replayed, replay, replay_some};
use lockgate_rollout::state::{Phase, Rollout};
use lockgate_store::Incident;
use lockgate_value::suggest::{Ended, Release};

use super::Left;
use super::rules::Named;

/// A release with what is kept of it.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) past: Past,
    pub(super) release: Release,
    /// With the plan as it is.
    pub(super) present: Result<Replayed, NotReplayed>,
}

impl Judged {
    /// With another bound of one rule, in a plan that is the same but for that.
    pub(super) fn again(&self, plan: &Plan, named: &Named) -> Result<Replayed, NotReplayed> {
        let is_it = |place: Place| named.is_at(place);
        let other = replay_some(&self.past, plan, &is_it)?;
        self.present.as_ref().map(|present| present.with(other, is_it)).map_err(|why| *why)
    }

    /// Whether this rule took it back when it was under way.
    pub(super) fn was_taken_back_by(&self, rule: &str) -> bool {
        let of_stage = format!("{rule} of stage ");
        let because = self.release.because.as_deref().unwrap_or_default();
        self.release.ended == Ended::RolledBack
            && (because == rule || because.starts_with(&of_stage))
    }
}

/// All of them, in their order.
pub(super) fn judged(
    past: Vec<Past>,
    plan: &Plan,
    incidents: &[Incident],
    left: &Left,
) -> Vec<Judged> {
    let mut judged = Vec::with_capacity(past.len());
    for past in past.into_iter().take_while(|_| !left.get()) {
        let Some(ended) = ended(&past.rollout.phase) else { continue };
        let Rollout { id, candidate, started_wall_ms, ended_wall_ms, .. } = &past.rollout;
        let present = replay(&past, plan);
        let caused = |incident: &Incident| {
            incident.release == Some(*id)
                || incident.release.is_none()
                    && incident.caused_by.as_ref() == Some(candidate)
                    // What was noticed before it began is of another release of the version.
                    && incident.detected_wall_ms >= *started_wall_ms
        };
        let release = Release {
            rollout: *id,
            version: candidate.clone(),
            ended,
            ended_wall_ms: ended_wall_ms.unwrap_or_default(),
            incident: incidents.iter().any(caused),
            because: because(&past),
            not_replayed: present.as_ref().err().map(ToString::to_string),
            looked_every_ms: present.as_ref().ok().map(|replayed| replayed.every_ms),
            exposed: present.as_ref().ok().map(|replayed| replayed.exposed),
        };
        judged.push(Judged { past, release, present });
    }
    judged
}

fn ended(phase: &Phase) -> Option<Ended> {
    match phase {
        Phase::Promoted => Some(Ended::Promoted),
        Phase::RolledBack => Some(Ended::RolledBack),
        Phase::Aborted => Some(Ended::Aborted),
        Phase::Superseded => Some(Ended::Superseded),
        _ => None,
    }
}

/// The rule that took it back, or held it last.
fn because(past: &Past) -> Option<String> {
    let ill = past.steps.iter().rev().find(|step| step.to == "rolling_back" || step.to == "paused");
    // A person's words are in the history, and not needed here.
    ill?.causes.first().map(|cause| match &cause.by {
        Some(_) => "a person".to_owned(),
        None => cause.rule.clone(),
    })
}
