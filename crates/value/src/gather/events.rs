//! Events, each to where it counts.

use std::sync::OnceLock;

use lockgate_model::ids::InteractionId;

use super::charges::Calendar;
use super::{Deployment, End, Gathered, Incident, Release, Times};
use crate::event::{Event, Finish, Stage, What};

/// Whether an event is of the agent at work, and a part of what is a week's or a year's. A survey or a comparison from long
/// before says nothing of the days since.
fn shows_work(what: &What) -> bool {
    matches!(what, What::TimeSaved { .. } | What::ErrorIntroduced { .. } | What::Deployment { .. })
}

impl Gathered {
    /// Takes in an event that counts (see [`crate::ledger`]), each once. Facts are needed up to the window's end, of all
    /// else what lies in the window; what lies outside is let be.
    pub fn event(&mut self, event: &Event) {
        if event.what.fact().is_some() {
            self.fact(event);
            return;
        }
        if !self.is_about(event.agent.as_ref()) {
            return;
        }
        if let What::Deployment { finished_wall_ms, .. } = &event.what {
            self.seen(*finished_wall_ms);
        } else if shows_work(&event.what) {
            self.seen(event.at_wall_ms);
        }
        match &event.what {
            What::Incident { detected_wall_ms, recovered_wall_ms, caused_by, release } => {
                if self.window.holds(*detected_wall_ms) {
                    let incident = Incident {
                        detected_wall_ms: *detected_wall_ms,
                        key: event.key.clone(),
                        agent: event.agent.clone(),
                        recovered_wall_ms: *recovered_wall_ms,
                        version: caused_by.clone().or_else(|| event.version.clone()),
                        release: release.map(|id| id.to_string()),
                    };
                    self.incidents.insert(event.key.clone(), incident);
                }
            }
            What::Deployment { .. } => self.told(event),
            What::ExternalCost { .. } => self.charge(event),
            What::ReplacementCheck { interaction, verified } => {
                self.check(event, *interaction, *verified);
            }
            _ => self.count(event),
        }
    }

    /// A deployment elsewhere, or more about a release of Lockgate's own.
    fn told(&mut self, event: &Event) {
        let What::Deployment {
            release,
            outcome,
            finished_wall_ms,
            committed_wall_ms,
            detected_wall_ms,
            recovered_wall_ms,
        } = &event.what
        else {
            return;
        };
        let Some(agent) = event.agent.clone() else { return };
        if let (None, Some(version), Finish::Succeeded) = (release, &event.version, outcome) {
            self.release(&agent, Release::elsewhere(version.clone(), *finished_wall_ms));
        }
        if let Some(release) = release {
            // How it ended and when is known; only times are added, and of two reports those of the later one.
            let times = Times {
                committed_wall_ms: *committed_wall_ms,
                detected_wall_ms: *detected_wall_ms,
                recovered_wall_ms: *recovered_wall_ms,
            };
            let of_release = self.times.entry(release.to_string()).or_default();
            of_release.insert((event.at_wall_ms, event.key.clone()), times);
            return;
        }
        if !self.window.holds(*finished_wall_ms) {
            return;
        }
        let deployment = Deployment {
            finished_wall_ms: *finished_wall_ms,
            id: event.key.to_string(),
            agent,
            version: event.version.clone(),
            end: if *outcome == Finish::Succeeded { End::Promoted } else { End::RolledBack },
            in_production: true,
            started_wall_ms: None,
            committed_wall_ms: *committed_wall_ms,
            detected_wall_ms: *detected_wall_ms,
            recovered_wall_ms: *recovered_wall_ms,
        };
        self.told.insert(event.key.clone(), deployment);
    }

    fn count(&mut self, event: &Event) {
        self.saving(event);
        if !self.window.holds(event.at_wall_ms) {
            return;
        }
        if let Some(day) = self.day(event.agent.clone(), event.at_wall_ms) {
            day.tally.count(&event.what);
        }
    }

    /// Takes note of when an agent saved time, up to the window's end. Says whether the event is about that.
    pub fn saving(&mut self, event: &Event) -> bool {
        let (What::TimeSaved { minutes, .. }, Some(agent)) = (&event.what, &event.agent) else {
            return false;
        };
        let saves = minutes.nano() > 0 && event.at_wall_ms < self.window.to_wall_ms();
        if saves {
            self.valued(agent, event.at_wall_ms);
        }
        saves
    }

    fn check(&mut self, event: &Event, interaction: InteractionId, verified: bool) {
        let Some(agent) = event.agent.clone().filter(|_| self.window.holds(event.at_wall_ms))
        else {
            return;
        };
        let found = (event.at_wall_ms, event.key.clone(), verified);
        let known = self.checks.entry((agent, interaction)).or_insert_with(|| found.clone());
        if *known < found {
            *known = found;
        }
    }

    /// A charge counts for the days of its period in the window, by their length.
    fn charge(&mut self, event: &Event) {
        let What::ExternalCost {
            billed_cost,
            billing_currency,
            charge_period_start_wall_ms: start,
            charge_period_end_wall_ms: end,
            model_usage,
            ..
        } = &event.what
        else {
            return;
        };
        let calendar = self.calendar.get_or_init(|| Calendar::of(&self.window));
        let kind = (billing_currency.to_string(), *model_usage);
        let charges = self.charges.entry(event.agent.clone()).or_default();
        charges.add(calendar, kind, *billed_cost, (*start, *end));
        self.charged = OnceLock::new();
    }

    /// A figure that no agent is named in holds for all of them; a use case or a system is one agent's or nobody's.
    fn fact(&mut self, event: &Event) {
        let is_about = match &event.what {
            What::Baseline { .. } | What::Headcount { .. } => {
                event.agent.is_none() || self.is_about(event.agent.as_ref())
            }
            What::System { name, .. } => {
                self.is_about(event.agent.as_ref())
                    || self.only.as_ref().is_some_and(|agent| agent.as_str() == name.as_str())
            }
            _ => self.is_about(event.agent.as_ref()),
        };
        let end_wall_ms = self.window.to_wall_ms();
        let holds = match &event.what {
            // Found out as of a day, and recorded later perhaps.
            What::Baseline { as_of, .. } => {
                self.window.day_of(end_wall_ms - 1).is_some_and(|last| *as_of <= last)
            }
            _ => event.at_wall_ms < end_wall_ms,
        };
        if !holds || !is_about {
            return;
        }
        if let (
            What::UseCase { stage: Stage::Test, .. } | What::System { stage: Stage::Test, .. },
            Some(agent),
        ) = (&event.what, &event.agent)
        {
            self.tested(agent, event.at_wall_ms);
        }
        self.facts.learn(event);
    }
}
