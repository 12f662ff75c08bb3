//! Time that people saved: as reported, and as estimated for the interactions that no report covers.
//!
//! A report covers as many resolved interactions of its agent as it has tasks, and the estimate covers the others:
//! `minutes = Σ reported + max(resolved − tasks reported, 0) × (minutes_per_task − minutes_with_agent)`. Where the others
//! cannot be estimated, they are counted and named, and the sum is open on both sides.

use serde::{Deserialize, Serialize};

use super::View;
use super::saving::{Lacking, Sum};
use crate::event::Baseline;
use crate::gather::{Day, Party};
use crate::measured::{Estimate, Missing, tidy};

/// Which hours come from where, over the days that count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimeSaved {
    /// Hours as reported.
    pub reported_hours: f64,
    /// By so many reports.
    pub reports: u64,
    /// Of so many tasks, each of which covers a resolved interaction.
    pub tasks: u64,
    /// Hours as estimated out of baselines.
    pub estimated_hours: f64,
    /// For so many resolved interactions that no report covers.
    pub estimated_interactions: u64,
    /// Resolved interactions that are in neither.
    pub uncovered_interactions: u64,
}

/// Time of some agents, or what it is worth.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    reported_minutes: f64,
    reports: u64,
    tasks: u64,
    estimated_minutes: f64,
    estimated: u64,
    uncovered: u64,
    /// Resolved interactions that reports without an agent may cover, and with those whose outcome nobody said.
    unsure: (u64, u64),
    is_open: bool,
    total: Estimate,
}

impl Default for Saved {
    fn default() -> Self {
        Self {
            reported_minutes: 0.0,
            reports: 0,
            tasks: 0,
            estimated_minutes: 0.0,
            estimated: 0,
            uncovered: 0,
            unsure: (0, 0),
            is_open: false,
            total: Estimate::exact(0.0),
        }
    }
}

impl Saved {
    fn add(&mut self, other: &Self, worth_of_a_minute: f64) {
        self.reported_minutes += other.reported_minutes;
        self.reports += other.reports;
        self.tasks = self.tasks.saturating_add(other.tasks);
        self.estimated_minutes += other.estimated_minutes;
        self.estimated += other.estimated;
        self.uncovered += other.uncovered;
        self.unsure.0 += other.unsure.0;
        self.unsure.1 += other.unsure.1;
        self.is_open |= other.is_open;
        self.total = self.total.plus(other.total.times(worth_of_a_minute));
    }

    /// Reports without an agent cover so many interactions of whichever.
    fn settle(&mut self, tasks_for_all: u64) {
        let (resolved, most) = self.unsure;
        self.uncovered += resolved.saturating_sub(tasks_for_all);
        self.is_open |= most > tasks_for_all;
        if self.is_open {
            (self.total.low, self.total.high) = (None, None);
        }
    }

    /// As a part of a report.
    pub(crate) fn told(&self) -> TimeSaved {
        let hours = |minutes: f64| tidy(minutes / 60.0).unwrap_or_default();
        TimeSaved {
            reported_hours: hours(self.reported_minutes),
            reports: self.reports,
            tasks: self.tasks,
            estimated_hours: hours(self.estimated_minutes),
            estimated_interactions: self.estimated,
            uncovered_interactions: self.uncovered,
        }
    }

    /// With what its reader has to know.
    pub(crate) fn sum(self) -> Sum {
        let told = self.told();
        let mut sum =
            Sum { total: self.total, n: self.reports + self.estimated, notes: Vec::new() };
        if told.reports > 0 {
            let TimeSaved { reported_hours, reports, tasks, .. } = told;
            sum.note(format!(
                "{reported_hours} h as reported, of {tasks} tasks in {reports} reports"
            ));
        }
        if told.estimated_interactions > 0 || told.reports == 0 {
            let TimeSaved { estimated_hours, estimated_interactions, .. } = told;
            let others = if told.reports > 0 { " that no report covers" } else { "" };
            sum.note(format!(
                "{estimated_hours} h estimated from {estimated_interactions} resolved interactions{others} and recorded baselines"
            ));
        }
        if told.uncovered_interactions > 0 {
            let why = if self.unsure.0 > 0 {
                "as reports that name no agent may be of any of them"
            } else {
                "as minutes_per_task or minutes_with_agent was not recorded"
            };
            let count = told.uncovered_interactions;
            sum.note(format!(
                "{count} resolved interactions that no report covers are not in it, {why}"
            ));
        }
        if self.is_open && told.uncovered_interactions == 0 {
            sum.note(
                "interactions that no report covers and whose outcome nobody said are not in it"
                    .to_owned(),
            );
        }
        sum
    }
}

/// Minutes saved over the time looked at.
pub(crate) fn minutes(view: &View) -> Result<Saved, Missing> {
    saved(view, |_, _| Some(1.0))
}

/// What that labour costs.
pub(crate) fn labour(view: &View) -> Result<Saved, Missing> {
    saved(view, |party, lacking| {
        lacking.need(view, party, Baseline::LabourCostPerHour).map(|rate| rate / 60.0)
    })
}

fn saved<'a>(
    view: &'a View<'a>,
    worth_of_a_minute: impl Fn(&'a Party, &mut Lacking<'a>) -> Option<f64>,
) -> Result<Saved, Missing> {
    let mut lacking = Lacking::default();
    let (mut all, mut is_any) = (Saved::default(), false);
    for (party, day) in &view.parties {
        if !says_something(day) {
            continue;
        }
        is_any = true;
        let minutes = of(view, party, day, &mut lacking);
        let needs_worth =
            minutes.as_ref().is_none_or(|minutes| minutes.reports > 0 || minutes.unsure == (0, 0));
        // Of one that has no minutes for want of a baseline, the worth is asked for all the same.
        let worth = if needs_worth { worth_of_a_minute(party, &mut lacking) } else { Some(1.0) };
        if let (Some(minutes), Some(worth)) = (minutes, worth) {
            all.add(&minutes, worth);
        }
    }
    if !is_any {
        let how = view.record("time_saved", "minutes=N tasks=N");
        let why = "no time saved was reported, and no outcome of an interaction is known";
        return Err(Missing::new(why, [how]));
    }
    all.settle(for_all(view).1);
    lacking.or(view, all)
}

fn says_something(day: &Day) -> bool {
    day.tally.saved_reports > 0 || day.bucket.outcomes.known() > 0
}

/// Reports that name no agent, and their tasks.
fn for_all(view: &View) -> (u64, u64) {
    view.parties.get(&None).map_or((0, 0), |day| (day.tally.saved_reports, day.tally.saved_tasks))
}

/// Minutes that one agent's people saved, or those of nobody's in particular; none for want of a baseline.
fn of<'a>(
    view: &View<'a>,
    party: &'a Party,
    day: &Day,
    lacking: &mut Lacking<'a>,
) -> Option<Saved> {
    let (tally, outcomes) = (&day.tally, day.bucket.outcomes);
    let reported = tally.saved_minutes.as_f64();
    let mut saved = Saved {
        reported_minutes: reported,
        reports: tally.saved_reports,
        tasks: tally.saved_tasks,
        total: Estimate::exact(reported),
        ..Saved::default()
    };
    let others = |resolved: u64| resolved.saturating_sub(tally.saved_tasks);
    let (least, most) = (others(outcomes.resolved), others(outcomes.resolved + outcomes.unknown));
    if most == 0 && tally.saved_reports > 0 {
        return Some(saved);
    }
    if for_all(view).0 > 0 {
        saved.unsure = (least, most);
        return Some(saved);
    }
    let figures = [Baseline::MinutesPerTask, Baseline::MinutesWithAgent];
    let figures = if tally.saved_reports > 0 {
        figures.map(|measure| {
            view.gathered.facts.baseline(party, measure).map(|one| one.value.as_f64())
        })
    } else {
        figures.map(|measure| lacking.need(view, party, measure))
    };
    match figures {
        [Some(by_hand), Some(with_agent)] => {
            let each = by_hand - with_agent;
            let estimated = Estimate::between(least as f64 * each, most as f64 * each);
            saved.estimated_minutes = estimated.value;
            saved.estimated = least;
            saved.total = saved.total.plus(estimated);
            Some(saved)
        }
        // What was reported stands; of the others nothing is known.
        _ if tally.saved_reports > 0 => {
            saved.uncovered = least;
            saved.is_open = true;
            Some(saved)
        }
        _ => None,
    }
}
