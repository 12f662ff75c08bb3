//! What a report says. The same input gives the same bytes: no clock, no order of arrival, numbers to twelve digits.

use lockgate_model::ids::{AgentName, VersionName};
use serde::{Deserialize, Serialize};

use crate::catalog::MeasureId;
use crate::forecast::{Forecast, forecast};
use crate::gather::{CountedDays, End, Gathered};
use crate::judge::{self, Bound, FAILURE, Goal, Judged, SUCCESS};
use crate::measure::time_saved;
use crate::measure::{self, View};
use crate::measured::{Interval, Measured, Missing};
use crate::prices::{self, PriceSources};
use crate::score::{Score, of_measures};
use crate::trend::{funnel, trend};
use crate::versions::{change, versions};
use crate::window::Window;

pub use crate::measure::time_saved::TimeSaved;

/// Of the report's JSON; another number when a reader would have to change.
pub const SCHEMA: u32 = 1;

/// A report about a window, and all agents or one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The window.
    pub window: Window,
    /// The agent; none for all of them.
    pub agent: Option<AgentName>,
    /// When agents were first tried or of worth, milliseconds since the Unix epoch.
    pub since_wall_ms: Option<i64>,
    /// Every measure, in the catalog's order.
    pub measures: Vec<Measured>,
    /// The composite.
    pub score: Score,
    /// What makes it a success, within twelve months.
    pub success: Vec<Judged>,
    /// What says that it fails.
    pub failure: Vec<Judged>,
    /// What others are said to reach.
    pub goals: Vec<Goal>,
    /// What each version did.
    pub versions: Vec<VersionValue>,
    /// Over time.
    pub trend: Trend,
    /// From requests to what they were worth, each step a part of the one before.
    pub funnel: Vec<FunnelStep>,
    /// When what was invested comes back.
    pub forecast: Forecast,
    /// Where costs came from, and which are not known.
    #[serde(default)]
    pub prices: PriceSources,
    /// Which days count in what is a week's or a year's, and how many were left out.
    #[serde(default)]
    pub days: CountedDays,
    /// Which hours saved were reported and which are estimated; none when nothing is known of either.
    #[serde(default)]
    pub time_saved: Option<TimeSaved>,
    /// Against another window, where one was asked for.
    pub compared: Option<Comparison>,
}

/// The report about what was gathered.
pub fn report(gathered: &Gathered) -> ValueReport {
    let view = View::whole(gathered);
    let counted = View::counted(gathered);
    let measures = measure::all(&view, &counted);
    let judged = |bounds: &[Bound]| {
        let of = |bound: &Bound| Some(judge::judge(bound, find(&measures, bound.id)?));
        bounds.iter().filter_map(of).collect()
    };
    ValueReport {
        schema: SCHEMA,
        window: gathered.window().clone(),
        agent: gathered.only.clone(),
        since_wall_ms: since(gathered),
        score: composite(&measures),
        success: judged(&SUCCESS),
        failure: judged(&FAILURE),
        goals: judge::goals(),
        versions: versions(gathered),
        trend: trend(gathered),
        funnel: funnel(&view),
        forecast: forecast(gathered),
        prices: prices::sources(&view.sum.bucket),
        days: gathered.counted_days(),
        time_saved: time_saved::minutes(&counted).ok().map(|saved| saved.told()),
        compared: None,
        measures,
    }
}

fn find(measures: &[Measured], id: MeasureId) -> Option<&Measured> {
    measures.iter().find(|measured| measured.id == id)
}

fn since(gathered: &Gathered) -> Option<i64> {
    let firsts = gathered.milestones.values();
    firsts
        .flat_map(|firsts| [firsts.first_test_wall_ms, firsts.first_value_wall_ms])
        .flatten()
        .min()
}

/// The composite of a report's measures.
fn composite(measures: &[Measured]) -> Score {
    let value = |id| {
        let absent = || Missing::new("not measured", []);
        let Some(one) = find(measures, id) else { return Err(absent()) };
        one.value.ok_or_else(|| one.missing.clone().unwrap_or_else(absent))
    };
    let ids = [
        MeasureId::DeploymentSuccess,
        MeasureId::ReplacementRate,
        MeasureId::HoursSaved,
        MeasureId::CostSaving,
        MeasureId::Nps,
    ];
    let range = |id| find(measures, id).and_then(|one| one.range);
    of_measures(ids.map(value), ids.map(range))
}

impl ValueReport {
    /// Puts another report's numbers beside, such as those of the window before.
    #[must_use]
    pub fn compared_with(mut self, before: &Self) -> Self {
        let rows = self.measures.iter().filter_map(|now| {
            let then = before.measure(now.id);
            let is_there = now.value.or_else(|| then?.value).is_some();
            is_there.then(|| change(now.id, then, Some(now)))
        });
        self.compared = Some(Comparison { before: before.window.clone(), rows: rows.collect() });
        self
    }

    /// One of its measures.
    pub fn measure(&self, id: MeasureId) -> Option<&Measured> {
        find(&self.measures, id)
    }

    /// Measures that have no number.
    pub fn missing(&self) -> impl Iterator<Item = &Measured> {
        self.measures.iter().filter(|measured| measured.missing.is_some())
    }
}

/// What one version was worth in the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionValue {
    /// The agent.
    pub agent: AgentName,
    /// The version.
    pub version: VersionName,
    /// The hour of its first interaction in the window.
    pub first_wall_ms: i64,
    /// How its release ended, if one did in the window: the last one.
    pub end: Option<End>,
    /// Interactions, replacement and error rate, NPS, cost per resolved interaction; its own token cost, without charges
    /// from outside, which belong to no version.
    pub measures: Vec<Measured>,
    /// What it changed against the version that was stable when its release began; none when there was none, or none is known.
    pub change: Option<VersionChange>,
}

/// One version against the one that was stable when its release began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionChange {
    /// That one. Where it did not answer in the window, there is nothing to compare with.
    pub against: VersionName,
    /// Per measure.
    pub rows: Vec<Change>,
}

/// A measure then and now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which.
    pub id: MeasureId,
    /// Then.
    pub before: Option<f64>,
    /// Now.
    pub after: Option<f64>,
    /// Now less then, in the measure's unit; none when either is missing.
    pub change: Option<f64>,
    /// What chance alone would do, where that is known.
    pub interval: Option<Interval>,
    /// Whether that is for the better; none when it is neither, chance would do as much, or nobody can say.
    pub better: Option<bool>,
}

/// How long a point of a trend is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A day.
    Day,
    /// From Monday on.
    Week,
    /// A month.
    Month,
}

/// Measures over time, by the calendar of the window's time zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// How long a point is.
    pub step: Step,
    /// Those in which something happened, in order.
    pub points: Vec<Point>,
}

/// A point of a trend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Its first day.
    pub from: jiff::civil::Date,
    /// Interactions.
    pub interactions: u64,
    /// Replacement rate, percent.
    pub replacement_rate: Option<f64>,
    /// Error rate, percent.
    pub error_rate: Option<f64>,
    /// NPS, points.
    pub nps: Option<f64>,
    /// Cost of agents, US dollars.
    pub cost_usd: Option<f64>,
}

/// A step of the funnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunnelStep {
    /// What is counted.
    pub label: String,
    /// How many.
    pub count: u64,
}

/// A window against another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The other window.
    pub before: Window,
    /// Per measure that has a number in either.
    pub rows: Vec<Change>,
}
