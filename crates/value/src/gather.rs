//! Everything a report is made of, taken in piece by piece and in any order: what is kept grows with days, agents and
//! versions, not with interactions or events.

mod charges;
mod counted;
mod events;
mod facts;
mod given;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use jiff::civil::Date;
use lockgate_model::ids::{AgentName, InteractionId, VersionName};
use lockgate_model::security::SecurityEvent;
use serde::{Deserialize, Serialize};

use crate::event::Key;
use crate::rollup::{Bucket, Slot};
use crate::window::Window;

use charges::{Calendar, Charges};

pub use counted::CountedDays;
pub use facts::{Facts, Figure, People};
pub use given::{Deployment, End, Incident, Milestones, Release};
pub use tally::{Group, Groups, Tally};

/// Times of a release that Lockgate does not see.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "the unit is part of each name")]
struct Times {
    committed_wall_ms: Option<i64>,
    detected_wall_ms: Option<i64>,
    recovered_wall_ms: Option<i64>,
}

/// A quarter of an hour.
pub const QUARTER_MS: i64 = 15 * 60 * 1_000;

/// Whose: one agent's, or nobody's in particular.
pub type Party = Option<AgentName>;

/// What happened on one day, or over some.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Interactions.
    pub bucket: Bucket,
    /// Events.
    pub tally: Tally,
}

impl Day {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.bucket.merge(&other.bucket);
        self.tally.merge(&other.tally);
    }
}

/// What was seen of one version.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The start of its first rollup.
    pub(crate) first_wall_ms: Option<i64>,
    pub(crate) bucket: Bucket,
}

/// What a person found when looking at an interaction; the latest look counts, of two at once the one with the later key.
type Check = (i64, Key, bool);

/// What there is about a window, for all agents or one.
#[derive(Debug, Clone)]
pub struct Gathered {
    pub(crate) window: Window,
    pub(crate) only: Party,
    days: BTreeMap<(Party, Date), Day>,
    pub(crate) versions: BTreeMap<(AgentName, VersionName), Seen>,
    pub(crate) facts: Facts,
    pub(crate) incidents: BTreeMap<Key, Incident>,
    deployments: BTreeMap<String, Deployment>,
    /// What events add to releases, by the release and the event.
    /// Deployments elsewhere, as they were told.
    told: BTreeMap<Key, Deployment>,
    /// What was told of releases of Lockgate's own, by release and the oldest first.
    times: BTreeMap<String, BTreeMap<(i64, Key), Times>>,
    pub(crate) security: BTreeMap<String, (AgentName, VersionName)>,
    pub(crate) milestones: BTreeMap<AgentName, Milestones>,
    checks: BTreeMap<(AgentName, InteractionId), Check>,
    charges: BTreeMap<Party, Charges>,
    calendar: OnceLock<Calendar>,
    /// Charges by the day, once somebody asked.
    charged: OnceLock<Vec<(Party, Date, Tally)>>,
    /// Releases of each agent, whenever they ended.
    releases: BTreeMap<AgentName, BTreeSet<Release>>,
    first_seen_wall_ms: Option<i64>,
    taken_in_wall_ms: Option<i64>,
}

impl Gathered {
    /// Nothing yet, about a window and all agents or one.
    pub fn new(window: Window, only: Party) -> Self {
        Self {
            window,
            only,
            days: BTreeMap::new(),
            versions: BTreeMap::new(),
            facts: Facts::default(),
            incidents: BTreeMap::new(),
            deployments: BTreeMap::new(),
            told: BTreeMap::new(),
            times: BTreeMap::new(),
            security: BTreeMap::new(),
            milestones: BTreeMap::new(),
            checks: BTreeMap::new(),
            charges: BTreeMap::new(),
            calendar: OnceLock::new(),
            charged: OnceLock::new(),
            releases: BTreeMap::new(),
            first_seen_wall_ms: None,
            taken_in_wall_ms: None,
        }
    }

    /// The window.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// When the server last took something in: days that were not over then do not count. Without it the window is over.
    pub fn taken_in(&mut self, at_wall_ms: i64) {
        self.taken_in_wall_ms =
            Some(self.taken_in_wall_ms.map_or(at_wall_ms, |at| at.max(at_wall_ms)));
    }

    /// Something of what the report is about was seen then, in the window or before it. The earliest counts.
    pub fn seen(&mut self, at_wall_ms: i64) {
        if at_wall_ms < self.window.to_wall_ms() {
            let first = self.first_seen_wall_ms.map_or(at_wall_ms, |first| first.min(at_wall_ms));
            self.first_seen_wall_ms = Some(first);
        }
    }

    /// The end of the days of the window that were over when the server last took something in.
    pub fn over_wall_ms(&self) -> i64 {
        counted::over(&self.window, self.taken_in_wall_ms)
    }

    /// Which days of the window count in means and rates.
    pub fn counted_days(&self) -> CountedDays {
        counted::counted(&self.window, self.first_seen_wall_ms, self.taken_in_wall_ms)
    }

    /// Takes in a rollup, each once. One counts when its start lies in the window, and for the day in which it starts.
    pub fn rollup(&mut self, slot: &Slot, bucket: &Bucket) {
        if !self.is_about(Some(&slot.agent)) || !self.window.holds(slot.start_wall_ms) {
            return;
        }
        self.seen(slot.start_wall_ms);
        if let Some(day) = self.day(Some(slot.agent.clone()), slot.start_wall_ms) {
            day.bucket.merge(bucket);
        }
        if let Some(version) = &slot.version {
            let seen = self.versions.entry((slot.agent.clone(), version.clone())).or_default();
            let first = seen.first_wall_ms.unwrap_or(slot.start_wall_ms);
            seen.first_wall_ms = Some(first.min(slot.start_wall_ms));
            seen.bucket.merge(bucket);
        }
        if bucket.outcomes.resolved > 0 {
            self.valued(&slot.agent, slot.start_wall_ms);
        }
    }

    /// Takes in a release that is over, by its id. One counts when it ended in the window.
    pub fn deployment(&mut self, deployment: Deployment) {
        if !self.is_about(Some(&deployment.agent)) {
            return;
        }
        self.seen(deployment.finished_wall_ms);
        if let Some(started) = deployment.started_wall_ms {
            self.seen(started);
            self.tested(&deployment.agent, started);
        }
        if self.window.holds(deployment.finished_wall_ms) {
            self.deployments.insert(deployment.id.clone(), deployment);
        }
    }

    /// Takes in a release that began, whether it is over or not, each once or more often: it says which version was stable
    /// then. One counts when it began before the window's end.
    pub fn release(&mut self, agent: &AgentName, release: Release) {
        let began = release.started_wall_ms.or(release.promoted_wall_ms);
        if self.is_about(Some(agent)) && began.is_some_and(|at| at < self.window.to_wall_ms()) {
            self.releases.entry(agent.clone()).or_default().insert(release);
        }
    }

    pub(crate) fn releases_of(&self, agent: &AgentName) -> impl Iterator<Item = &Release> + Clone {
        self.releases.get(agent).into_iter().flatten()
    }

    /// Takes in a security event, by its id. One counts when it lies in the window.
    pub fn security(&mut self, event: &SecurityEvent) {
        if self.is_about(Some(&event.agent)) && self.window.holds(event.at_wall_ms) {
            self.seen(event.at_wall_ms);
            self.security
                .insert(event.id.to_string(), (event.agent.clone(), event.version.clone()));
        }
    }

    /// Takes in what is known of an agent over all time. Earlier firsts win.
    pub fn milestones(&mut self, agent: &AgentName, firsts: Milestones) {
        if !self.is_about(Some(agent)) {
            return;
        }
        if let Some(at) = firsts.first_test_wall_ms {
            self.seen(at);
            self.tested(agent, at);
        }
        if let Some(at) = firsts.first_value_wall_ms {
            self.seen(at);
            self.valued(agent, at);
        }
        self.milestones.entry(agent.clone()).or_default().in_production |= firsts.in_production;
    }

    /// Releases that ended in the window, each once: how Lockgate saw it end, with what was said of it besides.
    /// Whether a release of Lockgate's own ended in the window.
    pub(crate) fn has_own_deployments(&self) -> bool {
        !self.deployments.is_empty()
    }

    pub(crate) fn deployments(&self) -> Vec<Deployment> {
        let mut all = self.deployments.clone();
        for (id, told) in &self.times {
            let Some(own) = all.get_mut(id) else { continue };
            for times in told.values() {
                own.committed_wall_ms = times.committed_wall_ms.or(own.committed_wall_ms);
                own.detected_wall_ms = times.detected_wall_ms.or(own.detected_wall_ms);
                own.recovered_wall_ms = times.recovered_wall_ms.or(own.recovered_wall_ms);
            }
        }
        all.extend(self.told.iter().map(|(key, told)| (key.to_string(), told.clone())));
        all.into_values().collect()
    }

    /// Charges, by whose they are and by the day.
    pub(crate) fn charged(&self) -> &[(Party, Date, Tally)] {
        self.charged.get_or_init(|| {
            let calendar = self.calendar.get_or_init(|| Calendar::of(&self.window));
            let of = |(party, charges): (&Party, &Charges)| {
                let days = charges.by_day(calendar).into_iter();
                days.map(|(date, tally)| (party.clone(), date, tally)).collect::<Vec<_>>()
            };
            self.charges.iter().flat_map(of).collect()
        })
    }

    /// Takes in what events of a quarter of an hour of UTC came to, in place of each of them. Every time zone's day
    /// begins with such a quarter. It counts when all of it lies in the window.
    pub fn tally(&mut self, agent: Party, quarter_wall_ms: i64, tally: &Tally) {
        let whole = self.window.holds(quarter_wall_ms)
            && self.window.holds(quarter_wall_ms + QUARTER_MS - 1);
        if !whole || !self.is_about(agent.as_ref()) {
            return;
        }
        if tally.shows_work() {
            self.seen(quarter_wall_ms);
        }
        if let Some(day) = self.day(agent, quarter_wall_ms) {
            day.tally.merge(tally);
        }
    }

    fn is_about(&self, agent: Option<&AgentName>) -> bool {
        self.only.is_none() || self.only.as_ref() == agent
    }

    fn day(&mut self, party: Party, at_wall_ms: i64) -> Option<&mut Day> {
        let day = self.window.day_of(at_wall_ms)?;
        Some(self.days.entry((party, day)).or_default())
    }

    fn tested(&mut self, agent: &AgentName, at_wall_ms: i64) {
        let first = &mut self.milestones.entry(agent.clone()).or_default().first_test_wall_ms;
        *first = Some(first.map_or(at_wall_ms, |known| known.min(at_wall_ms)));
    }

    fn valued(&mut self, agent: &AgentName, at_wall_ms: i64) {
        let first = &mut self.milestones.entry(agent.clone()).or_default().first_value_wall_ms;
        *first = Some(first.map_or(at_wall_ms, |known| known.min(at_wall_ms)));
    }

    /// What happened on the days that are asked for, by whose it is.
    pub(crate) fn totals(&self, wanted: impl Fn(Date) -> bool) -> BTreeMap<Party, Day> {
        let mut totals: BTreeMap<Party, Day> = BTreeMap::new();
        for ((party, date), day) in &self.days {
            if wanted(*date) {
                totals.entry(party.clone()).or_default().merge(day);
            }
        }
        for (party, date, charges) in self.charged() {
            if wanted(*date) {
                totals.entry(party.clone()).or_default().tally.merge(charges);
            }
        }
        totals
    }

    /// What happened, day by day, for each agent by itself; without charges.
    pub(crate) fn by_date(&self) -> impl Iterator<Item = (Date, &Day)> {
        self.days.iter().map(|((_, date), day)| (*date, day))
    }

    /// Looks at interactions: how many, and how many of them were found resolved indeed.
    pub(crate) fn looked(&self) -> (u64, u64) {
        let verified = self.checks.values().filter(|(_, _, verified)| *verified).count();
        (self.checks.len() as u64, verified as u64)
    }
}
