//! The measures, each from what was gathered. What they mean stands in [`crate::catalog`] and docs/value.md.

pub(crate) mod business;
mod deployment;
mod operations;
pub(crate) mod saving;
pub(crate) mod time_saved;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use lockgate_model::ids::AgentName;

use crate::catalog::MeasureId;
use crate::gather::{CountedDays, Day, Gathered, Party};
use crate::measured::{Measured, Missing, Range};
use crate::window::DAYS_A_YEAR;

/// Names that are told one by one.
const NAMED_MAX: usize = 5;

/// What was gathered, added up over a time.
pub(crate) struct View<'a> {
    pub(crate) gathered: &'a Gathered,
    pub(crate) parties: BTreeMap<Party, Day>,
    pub(crate) sum: Day,
    /// Days of the calendar.
    pub(crate) days: f64,
    /// Which ones, where it is not the whole window.
    only_days: Option<CountedDays>,
}

impl<'a> View<'a> {
    /// The whole window.
    pub(crate) fn whole(gathered: &'a Gathered) -> Self {
        Self::of(gathered, gathered.window().days(), |_| true)
    }

    /// The days that count in means and rates.
    pub(crate) fn counted(gathered: &'a Gathered) -> Self {
        let days = gathered.counted_days();
        let view = Self::of(gathered, days.counted, |date| days.holds(date));
        Self { only_days: Some(days), ..view }
    }

    /// The days that are asked for, `days` of them.
    pub(crate) fn of(gathered: &'a Gathered, days: f64, wanted: impl Fn(Date) -> bool) -> Self {
        let parties = gathered.totals(wanted);
        let mut sum = Day::default();
        for day in parties.values() {
            sum.merge(day);
        }
        Self { gathered, parties, sum, days, only_days: None }
    }

    pub(crate) fn only(&self) -> &Party {
        &self.gathered.only
    }

    fn interactions(&self) -> u64 {
        self.sum.bucket.interactions()
    }

    fn weeks(&self) -> f64 {
        self.days / 7.0
    }

    /// From the time looked at to a year.
    fn yearly(&self) -> f64 {
        DAYS_A_YEAR / self.days
    }

    /// Whether an instant of the window lies in the days that are looked at.
    fn holds(&self, at_wall_ms: i64) -> bool {
        let date = self.gathered.window().day_of(at_wall_ms);
        self.only_days.is_none_or(|days| date.is_some_and(|date| days.holds(date)))
    }

    /// Whether any agent did anything at all.
    fn was_anything_seen(&self) -> bool {
        self.interactions() > 0
            || self.gathered.has_own_deployments()
            || !self.gathered.security.is_empty()
    }

    /// A command line that records an event about what the report is about.
    pub(crate) fn record(&self, kind: &str, options: &str) -> String {
        record(self.only().as_ref(), kind, options)
    }

    /// The same for something that is always about an agent.
    fn record_of_agent(&self, kind: &str, options: &str) -> String {
        let agent = self.only().as_ref().map_or("AGENT", AgentName::as_str);
        format!("lockgate record {kind} --agent {agent} {options} --source TEXT")
    }
}

/// A command line that records an event.
pub(crate) fn record(agent: Option<&AgentName>, kind: &str, options: &str) -> String {
    let agent = agent.map_or_else(String::new, |agent| format!(" --agent {agent}"));
    format!("lockgate record {kind}{agent} {options} --source TEXT")
}

/// Names in a sentence, some of them.
fn named(names: &BTreeSet<&AgentName>) -> String {
    let told: Vec<&str> = names.iter().take(NAMED_MAX).map(|name| name.as_str()).collect();
    match names.len().saturating_sub(NAMED_MAX) {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

/// No interaction of the window.
fn no_interactions() -> Missing {
    Missing::new(
        "no interaction of this window was seen",
        ["send users' requests through the gateway: see `agents` in docs/configuration.md"
            .to_owned()],
    )
}

/// Every measure, in the catalog's order: of the whole window, and what is a week or a year of the days that count.
pub(crate) fn all(view: &View, counted: &View) -> Vec<Measured> {
    let of = |id: &MeasureId| if is_rate(*id) { rate(view, counted, *id) } else { one(view, *id) };
    MeasureId::ALL.iter().map(of).collect()
}

/// Whether a measure is divided by days.
fn is_rate(id: MeasureId) -> bool {
    matches!(
        id,
        MeasureId::DeploymentFrequency
            | MeasureId::HoursSaved
            | MeasureId::LabourSaving
            | MeasureId::ErrorsAvoided
            | MeasureId::SavingGross
            | MeasureId::AgentCostYearly
            | MeasureId::SavingNet
            | MeasureId::CostSavingGross
            | MeasureId::CostSaving
    )
}

/// Of the days that count. Where these have nothing and the whole window has, that is why.
fn rate(view: &View, counted: &View, id: MeasureId) -> Measured {
    let days = view.gathered.counted_days();
    let whole = one(view, id);
    if days.left_out() == 0.0 && !days.is_first_day || whole.missing.is_some() {
        return whole;
    }
    let told = days.told().unwrap_or_default();
    let measured = if days.counted > 0.0 { one(counted, id) } else { whole };
    if days.counted > 0.0 && measured.missing.is_none() {
        let mut measured = measured.note(told);
        if days.is_first_day {
            // The day goes on: it is a number to look at, and none to judge by.
            measured.range = Some(Range { low: None, high: None });
        }
        return measured;
    }
    let why =
        measured.missing.map_or_else(String::new, |missing| format!("; of these: {}", missing.why));
    let how = "look again when the day is over, or at a window that is".to_owned();
    Measured::absent(id, Missing::new(format!("{told}{why}"), [how]))
}

fn one(view: &View, id: MeasureId) -> Measured {
    match id {
        MeasureId::DeploymentSuccess => deployment::success(view),
        MeasureId::ProductionShare => deployment::production_share(view),
        MeasureId::TimeToValue => deployment::time_to_value(view),
        MeasureId::Adoption => deployment::adoption(view),
        MeasureId::UseCasesProduction | MeasureId::UseCasesTest | MeasureId::UseCaseRatio => {
            deployment::use_cases(view, id)
        }
        MeasureId::DeploymentFrequency => deployment::frequency(view),
        MeasureId::LeadTime => deployment::lead_time(view),
        MeasureId::ChangeFailureRate => deployment::change_failure_rate(view),
        MeasureId::FailedDeploymentRecovery => deployment::recovery(view),
        MeasureId::Interactions => operations::interactions(view),
        MeasureId::Users => operations::users(view),
        MeasureId::ReplacementRate => operations::replacement_rate(&view.sum.bucket),
        MeasureId::VerifiedShare => operations::verified_share(view),
        MeasureId::VerifiedReplacement => operations::verified_replacement(view),
        MeasureId::MttrMean | MeasureId::MttrMedian => operations::mttr(view, id),
        MeasureId::ErrorRate => {
            operations::error_rate(&view.sum.bucket, view.sum.tally.errors_introduced)
        }
        MeasureId::SecurityEvents => operations::security_events(view),
        MeasureId::HoursSaved => business::hours_saved(view),
        MeasureId::UpliftRelative => business::uplift_relative(view),
        MeasureId::UpliftPoints => business::uplift_points(view),
        MeasureId::Nps => business::nps(view),
        MeasureId::NpsChange => business::nps_change(view),
        MeasureId::LabourSaving => saving::yearly(view, id, saving::labour(view)),
        MeasureId::ErrorsAvoided => saving::yearly(view, id, saving::errors_avoided(view)),
        MeasureId::SavingGross => saving::yearly(view, id, saving::gross(view)),
        MeasureId::AgentCost => saving::agent_cost(view),
        MeasureId::AgentCostYearly => saving::yearly(view, id, saving::cost(view)),
        MeasureId::SavingNet => saving::yearly(view, id, saving::net(view)),
        MeasureId::CostSavingGross => saving::of_yearly_cost(view, id, saving::gross(view)),
        MeasureId::CostSaving => saving::of_yearly_cost(view, id, saving::net(view)),
        MeasureId::CostPerResolved => saving::cost_per_resolved(view),
    }
}

pub(crate) use operations::{error_rate, replacement_rate};
