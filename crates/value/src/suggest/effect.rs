//! What another bound would have done to past releases, from replays with the present one and with the other.

use lockgate_model::ids::{RolloutId, VersionName};
use serde::{Deserialize, Serialize};

use super::{Ended, Release, Worth};

/// When a rule, or any of a plan, would have taken a release back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// Milliseconds since the Unix epoch.
    pub at_wall_ms: i64,
    /// Requests of users that the candidate had been given until then.
    pub exposed: u64,
}

/// What one of the two plans would have done to a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// When the rule itself would have taken it back.
    pub rule: Option<When>,
    /// Whether the rule would have held it, for a person or more samples.
    pub held: bool,
    /// When it would have been taken back first, by whatever rule.
    pub any: Option<When>,
}

/// The rule's own answer with the proposed bound, against the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// At the same look.
    Same,
    /// Sooner.
    Earlier,
    /// Later.
    Later,
    /// With the proposed bound only.
    Newly,
    /// With the present bound only.
    NoMore,
    /// With neither.
    Never,
}

/// One release with both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The release.
    pub rollout: RolloutId,
    /// Its version.
    pub version: VersionName,
    /// How it ended.
    pub ended: Ended,
    /// Whether it caused an incident.
    pub incident: bool,
    /// With the present bound.
    pub present: Replay,
    /// With the proposed one.
    pub proposed: Replay,
    /// The rule's answers compared.
    pub rule: Against,
    /// Requests of users that the candidate is given until it is taken back, or in all: present, proposed.
    pub exposed: [u64; 2],
}

/// The releases of a window together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Bad releases that the present plan finds and the proposed one does not.
    pub missed: u64,
    /// Bad ones that only the proposed one finds.
    pub found: u64,
    /// Bad ones that are taken back sooner.
    pub earlier: u64,
    /// Bad ones that are taken back later.
    pub later: u64,
    /// Good releases that only the proposed plan takes back or holds.
    pub stopped: u64,
    /// Good ones that only the present one does.
    pub spared: u64,
    /// Releases that this rule took back and that cannot be replayed: nobody knows what the other bound would do.
    pub unseen: u64,
    /// Requests of users that bad releases are given: present, proposed.
    pub exposed: [u64; 2],
    /// One by one.
    pub releases: Vec<Case>,
}

impl Effect {
    /// Adds a release with what both plans would have done to it, and the requests that it was given in all.
    pub fn add(&mut self, release: &Release, present: Replay, proposed: Replay, all: u64) {
        let until = |replay: &Replay| replay.any.as_ref().map_or(all, |when| when.exposed);
        let exposed = [until(&present), until(&proposed)];
        match release.worth() {
            Worth::Bad => self.bad(&present, &proposed, exposed),
            Worth::Good => {
                let stops = |replay: &Replay| replay.any.is_some() || replay.held;
                self.stopped += u64::from(stops(&proposed) && !stops(&present));
                self.spared += u64::from(stops(&present) && !stops(&proposed));
            }
            Worth::Unknown => {}
        }
        let rule = against(present.rule.as_ref(), proposed.rule.as_ref());
        let Release { rollout, version, ended, incident, .. } = release;
        let (rollout, version) = (*rollout, version.clone());
        let (ended, incident) = (*ended, *incident);
        let case = Case { rollout, version, ended, incident, present, proposed, rule, exposed };
        self.releases.push(case);
    }

    fn bad(&mut self, present: &Replay, proposed: &Replay, exposed: [u64; 2]) {
        match against(present.any.as_ref(), proposed.any.as_ref()) {
            Against::NoMore => self.missed += 1,
            Against::Newly => self.found += 1,
            Against::Earlier => self.earlier += 1,
            Against::Later => self.later += 1,
            Against::Same | Against::Never => {}
        }
        for (sum, more) in self.exposed.iter_mut().zip(exposed) {
            *sum = sum.saturating_add(more);
        }
    }

    /// Why the proposed bound is no improvement; none when nothing speaks against it.
    pub fn against(&self, tighter: bool) -> Option<String> {
        let told = [
            (self.missed, "bad releases would have been let through"),
            (self.later, "bad releases would have been taken back later"),
            (self.stopped, "good releases would have been taken back or held"),
            // A closer bound finds what the present one found.
            (
                if tighter { 0 } else { self.unseen },
                "releases that it took back cannot be replayed",
            ),
        ];
        let told: Vec<String> = told
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

fn against(present: Option<&When>, proposed: Option<&When>) -> Against {
    match (present, proposed) {
        (None, None) => Against::Never,
        (None, Some(_)) => Against::Newly,
        (Some(_), None) => Against::NoMore,
        (Some(present), Some(proposed)) => match proposed.at_wall_ms.cmp(&present.at_wall_ms) {
            std::cmp::Ordering::Less => Against::Earlier,
            std::cmp::Ordering::Equal => Against::Same,
            std::cmp::Ordering::Greater => Against::Later,
        },
    }
}

#[cfg(test)]
#[path = "effect/tests.rs"]
mod tests;
