//! All measures: what they are called, and how they are made, in words.

use serde::{Deserialize, Serialize};

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Of a hundred.
    Percent,
    /// Difference of two percentages.
    PercentagePoints,
    /// −100 to 100.
    Points,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days of the calendar.
    Days,
    /// Hours a week and seat.
    HoursPerWeekAndSeat,
    /// US dollars.
    Usd,
    /// US dollars a year.
    UsdPerYear,
    /// A week.
    PerWeek,
    /// A number of things.
    Count,
    /// How many to one.
    Ratio,
}

impl Unit {
    /// Behind a number.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Percent => " %",
            Self::PercentagePoints => " pp",
            Self::Points => " points",
            Self::Minutes => " min",
            Self::Hours => " h",
            Self::Days => " d",
            Self::HoursPerWeekAndSeat => " h/week/seat",
            Self::Usd => " USD",
            Self::UsdPerYear => " USD/year",
            Self::PerWeek => " /week",
            Self::Count => "",
            Self::Ratio => " : 1",
        }
    }
}

/// What a measure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Getting agents into use.
    Deployment,
    /// How they run.
    Operations,
    /// What they return.
    Business,
}

impl Area {
    /// All, in the order of a report.
    pub const ALL: [Self; 3] = [Self::Deployment, Self::Operations, Self::Business];

    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::Operations => "Operations",
            Self::Business => "Business",
        }
    }
}

/// How a measure is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Stable, as in JSON.
    pub id: &'static str,
    /// For people.
    pub label: &'static str,
    /// What it is about.
    pub area: Area,
    /// Its unit.
    pub unit: Unit,
    /// In words and signs.
    pub formula: &'static str,
    /// What it is divided by.
    pub denominator: &'static str,
    /// Which time it looks at.
    pub window: &'static str,
    /// Whether more is better; none where that depends.
    pub more_is_better: Option<bool>,
}

const ENDED: &str = "releases that ended in the window";
const IN_WINDOW: &str = "interactions that began in the window";
const COUNTED: &str = "interactions that began on days that count, and reports of those days";
const ENDED_COUNTED: &str = "releases that ended on days that count";
const AS_OF_END: &str = "as of the window's end";
const RECORDED: &str = "events in the window";
const YEARLY: &str = "the days that count, × 365 / their number";

macro_rules! measures {
    ($($(#[$doc:meta])* $variant:ident: $id:literal, $label:literal, $area:ident, $unit:ident, $formula:expr, $denominator:expr, $window:expr, $better:expr;)*) => {
        /// A measure.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum MeasureId {
            $($(#[$doc])* #[serde(rename = $id)] $variant,)*
        }

        impl MeasureId {
            /// All, in the order of a report.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// How it is made.
            pub fn spec(self) -> Spec {
                match self {
                    $(Self::$variant => Spec {
                        id: $id,
                        label: $label,
                        area: Area::$area,
                        unit: Unit::$unit,
                        formula: $formula,
                        denominator: $denominator,
                        window: $window,
                        more_is_better: $better,
                    },)*
                }
            }
        }
    };
}

measures! {
    /// 100 × successful / finished releases to production. An agent's first version takes nothing's place and counts
    /// nowhere. A release that was superseded came to no end of its own and counts nowhere; one that a person took back counts as not successful. No finished one: missing.
    DeploymentSuccess: "deployment_success", "Deployment success", Deployment, Percent, "100 × promoted / (promoted + rolled back + aborted), of releases that reached production", "finished releases to production", ENDED, Some(true);
    /// 100 × systems in production / all systems that are not retired. A system is an agent that Lockgate knows, or one
    /// that was recorded by name. No system: missing.
    ProductionShare: "production_share", "Systems in production", Deployment, Percent, "100 × systems in production / systems in test or production", "systems that are not retired", AS_OF_END, Some(true);
    /// Median over agents of the days from the first test to the first measured value. Agents without either are named;
    /// one whose value came before any test is left out and named.
    TimeToValue: "time_to_value", "Time to value", Deployment, Days, "median over agents of (first measured value − first test)", "agents that have both", "all time up to the window's end", Some(false);
    /// 100 × different users / employees. Over several agents the users of each are hashed apart, so that the truth lies
    /// between the largest agent's and the sum. More users than employees: missing, as they are not the same people.
    Adoption: "adoption", "Adoption", Deployment, Percent, "100 × different users / employees", "employees, as recorded", "users of the window; employees as of its end", Some(true);
    /// Use cases whose newest record says `production`.
    UseCasesProduction: "use_cases_production", "Use cases in production", Deployment, Count, "use cases at stage production", "none", AS_OF_END, Some(true);
    /// Use cases whose newest record says `test`.
    UseCasesTest: "use_cases_test", "Use cases in test", Deployment, Count, "use cases at stage test", "none", AS_OF_END, None;
    /// Use cases in production for each in test. None in test: missing.
    UseCaseRatio: "use_case_ratio", "Use cases, production to test", Deployment, Ratio, "use cases in production / use cases in test", "use cases in test", AS_OF_END, Some(true);
    /// DORA. Successful releases to production a week. No release is 0 a week, once an agent was seen.
    DeploymentFrequency: "deployment_frequency", "Deployment frequency", Deployment, PerWeek, "promoted releases to production / weeks", "weeks of the days that count", ENDED_COUNTED, Some(true);
    /// DORA. Median time from the oldest change's commit to its release. Only releases whose commit time is known.
    LeadTime: "lead_time", "Lead time for changes", Deployment, Hours, "median of (promoted − committed)", "promoted releases with a commit time", ENDED, Some(false);
    /// DORA. 100 × releases that were taken back or caused an incident / finished ones.
    ChangeFailureRate: "change_failure_rate", "Change failure rate", Deployment, Percent, "100 × (taken back, or named by an incident as its cause) / finished releases to production", "finished releases to production", ENDED, Some(false);
    /// DORA. Median time from noticing a failed release to users being served well again.
    FailedDeploymentRecovery: "failed_deployment_recovery", "Failed deployment recovery", Deployment, Minutes, "median of (recovered − detected)", "failed releases with both times", ENDED, Some(false);
    /// Interactions that a version answered.
    Interactions: "interactions", "Interactions", Operations, Count, "interactions that a version answered", "none", IN_WINDOW, None;
    /// Different users, exactly up to 512 and by a sketch with 1.625 % standard error above.
    Users: "users", "Users", Operations, Count, "different users by salted hash", "none", IN_WINDOW, Some(true);
    /// 100 × resolved / all interactions. One without a known outcome is not counted as resolved, so the value is the least
    /// that it can be and the range says the most. No outcome known at all: missing.
    ReplacementRate: "replacement_rate", "Replacement rate", Operations, Percent, "100 × resolved without a person / all interactions", "all interactions", IN_WINDOW, Some(true);
    /// 100 × found resolved indeed / resolved interactions that a person looked at.
    VerifiedShare: "verified_share", "Replacements verified", Operations, Percent, "100 × verified / looked at by a person", "interactions that a person looked at", RECORDED, Some(true);
    /// Replacement rate × share that people found resolved indeed: what is left of the rate when the sample speaks for all.
    VerifiedReplacement: "verified_replacement", "Verified replacement rate", Operations, Percent, "replacement rate × verified / looked at", "all interactions", IN_WINDOW, Some(true);
    /// Mean time from detection to recovery, over incidents and failed releases. Those that last are counted and named, not
    /// averaged.
    MttrMean: "mttr_mean", "Recovery time, mean", Operations, Minutes, "mean of (recovered − detected)", "incidents and failed releases that are over", "detected in the window", Some(false);
    /// The median of the same.
    MttrMedian: "mttr_median", "Recovery time, median", Operations, Minutes, "median of (recovered − detected)", "incidents and failed releases that are over", "detected in the window", Some(false);
    /// 100 × (errors that are charged to the version + errors found later) / all interactions; 100 at most.
    ErrorRate: "error_rate", "Error rate", Operations, Percent, "100 × (errors charged to versions + errors introduced, found later) / all interactions", "all interactions", IN_WINDOW, Some(false);
    /// Security events.
    SecurityEvents: "security_events", "Security events", Operations, Count, "security events of all versions", "none", "raised in the window", Some(false);
    /// Hours that people saved, a week and seat: as reported, and for resolved interactions that no report covers (minutes by
    /// hand − minutes that a person still needs). Less than zero when the agent costs time.
    HoursSaved: "hours_saved", "Hours saved", Business, HoursPerWeekAndSeat, "minutes saved / 60 / weeks / seats; minutes = Σ reported + max(resolved − tasks reported, 0) × (minutes_per_task − minutes_with_agent)", "weeks of the days that count × seats (knowledge workers where seats are not recorded)", COUNTED, Some(true);
    /// 100 × (agent's rate − control's rate) / control's rate. Nobody converted in the control group: missing.
    UpliftRelative: "conversion_uplift_relative", "Conversion uplift, relative", Business, Percent, "100 × (agent's conversion / control's conversion − 1)", "control's conversion", RECORDED, Some(true);
    /// Agent's rate − control's rate.
    UpliftPoints: "conversion_uplift_points", "Conversion uplift", Business, PercentagePoints, "100 × (agent's conversion − control's conversion)", "visitors of each group", RECORDED, Some(true);
    /// 100 × (promoters − detractors) / all votes. Promoters answer 9 or 10, detractors 0 to 6; plain votes of 1 and −1 count as such.
    Nps: "nps", "NPS", Business, Points, "100 × (promoters − detractors) / votes", "votes", "votes on interactions that began in the window, and surveys in it", Some(true);
    /// NPS − NPS before the agent, as recorded. Its interval is that of NPS; the number before has no votes here and is taken
    /// as exact.
    NpsChange: "nps_change", "NPS, change", Business, Points, "NPS − baseline nps", "votes", "the window against the baseline", Some(true);
    /// Labour that was saved, a year.
    LabourSaving: "labour_saving", "Labour saved", Business, UsdPerYear, "hours saved × labour_cost_per_hour × 365 / days", "days that count", YEARLY, Some(true);
    /// Errors that were avoided, a year. Less than zero when the agent makes more than people did.
    ErrorsAvoided: "errors_avoided", "Errors avoided", Business, UsdPerYear, "(error_rate_by_hand / 100 × interactions − errors) × cost_per_error × 365 / days", "days that count", YEARLY, Some(true);
    /// Labour and errors avoided.
    SavingGross: "saving_gross", "Saving, gross", Business, UsdPerYear, "labour saved + errors avoided", "days that count", YEARLY, Some(true);
    /// Known cost of interactions and recorded charges in USD. With some not known it is the least that it can be.
    AgentCost: "agent_cost", "Cost of agents", Business, Usd, "Σ known cost of interactions + Σ external charges", "none", "interactions that began in the window; charges by their period's share in it", Some(false);
    /// The same, a year.
    AgentCostYearly: "agent_cost_yearly", "Cost of agents, a year", Business, UsdPerYear, "cost of agents × 365 / days", "days that count", YEARLY, Some(false);
    /// Gross saving less the cost of agents.
    SavingNet: "saving_net", "Saving, net", Business, UsdPerYear, "gross saving − cost of agents, a year", "days that count", YEARLY, Some(true);
    /// Gross saving against what the work cost before.
    CostSavingGross: "cost_saving_gross", "Cost saving, gross", Business, Percent, "100 × gross saving / yearly_cost before", "yearly_cost, as recorded", YEARLY, Some(true);
    /// Net saving against what the work cost before. Criteria and score go by this one.
    CostSaving: "cost_saving", "Cost saving, net", Business, Percent, "100 × net saving / yearly_cost before", "yearly_cost, as recorded", YEARLY, Some(true);
    /// Cost of agents / resolved interactions. None resolved: missing.
    CostPerResolved: "cost_per_resolved", "Cost per resolved interaction", Business, Usd, "cost of agents / resolved interactions", "resolved interactions", IN_WINDOW, Some(false);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_json_are_those_of_the_catalog() {
        for id in MeasureId::ALL {
            assert_eq!(serde_json::to_value(id).unwrap(), id.spec().id);
        }
    }

    #[test]
    fn the_documentation_has_every_measure_with_its_formula() {
        let page = include_str!("../../../docs/value.md");
        for id in MeasureId::ALL {
            let spec = id.spec();
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` {} |", spec.id, spec.label)));
            let row = row.unwrap_or_else(|| panic!("{} has no row", spec.id));
            for text in [spec.formula, spec.denominator, spec.window] {
                assert!(row.contains(&format!("| {text} |")), "{}: {text}", spec.id);
            }
        }
    }
}
