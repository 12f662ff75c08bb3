//! What events say.

use jiff::Timestamp;
use jiff::civil::Date;
use lockgate_model::ids::{InteractionId, RolloutId, VersionName};
use serde::{Deserialize, Serialize};

use super::bounds::{MINUTES_MAX, after, counted, headcount, is_currency, within};
use super::{Baseline, Invalid, Text, in_range};
use crate::amount::Amount;

const DAY_MS: i64 = 24 * 3_600_000;

/// Which group of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// Served by the agent.
    Agent,
    /// Served as before, at the same time.
    Control,
}

/// How far a use case or a system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Tried out.
    Test,
    /// Used in earnest.
    Production,
    /// No longer there.
    Retired,
}

/// How a deployment ended, as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// In production and left there.
    Succeeded,
    /// Taken back, or not got there.
    Failed,
}

/// Something that stays so until it is said otherwise; it is read as of the end of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// A baseline.
    Baseline,
    /// How many people there are.
    Headcount,
    /// How far a use case is.
    UseCase,
    /// How far a system is.
    System,
}

/// What was said. `kind` in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// One answer to "how likely are you to recommend us".
    Survey {
        /// 0 to 10.
        score: u8,
    },
    /// What was so before.
    Baseline {
        /// Of what.
        measure: Baseline,
        /// How much.
        value: Amount,
        /// `minutes`, `percent`, `points`, or a currency by its three letters.
        unit: Text,
        /// The day as of which it was found out.
        as_of: Date,
    },
    /// People, as of the event's time.
    Headcount {
        /// All employees.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        employees: Option<u64>,
        /// Those who work with knowledge.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        knowledge_workers: Option<u64>,
        /// Those who are given the agent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seats: Option<u64>,
    },
    /// Time that people measured or estimated to have saved.
    TimeSaved {
        /// For each task; less than zero when the agent cost time.
        minutes: Amount,
        /// Tasks.
        #[serde(default = "one")]
        tasks: u64,
        /// A salted hash of who saved it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<Text>,
    },
    /// Visitors of one group, and how many of them bought or signed up.
    Conversion {
        /// Which group.
        arm: Arm,
        /// All of them.
        visitors: u64,
        /// Those who did.
        converted: u64,
    },
    /// Something that was broken.
    Incident {
        /// When it was noticed.
        detected_wall_ms: i64,
        /// When it was over; none while it lasts. It is told later by a correction.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recovered_wall_ms: Option<i64>,
        /// The version that caused it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caused_by: Option<VersionName>,
        /// The release that caused it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        release: Option<RolloutId>,
    },
    /// A charge for the agent that Lockgate does not see. The fields are the columns of FOCUS, the `FinOps` cost format.
    ExternalCost {
        /// `BilledCost`; less than zero is a credit.
        billed_cost: Amount,
        /// `BillingCurrency`, three letters.
        billing_currency: Text,
        /// `ChargePeriodStart`.
        charge_period_start_wall_ms: i64,
        /// `ChargePeriodEnd`, exclusive.
        charge_period_end_wall_ms: i64,
        /// `ServiceName`.
        service_name: Text,
        /// `ServiceProviderName`, or `ProviderName` before FOCUS 1.3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_name: Option<Text>,
        /// `ChargeCategory`: Usage, Purchase, Tax, Credit or Adjustment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        charge_category: Option<Text>,
        /// That it bills the models' tokens, which interactions already have as their cost: it is shown, not added.
        #[serde(default)]
        model_usage: bool,
    },
    /// A use of agents.
    UseCase {
        /// What tells it from others.
        name: Text,
        /// How far it is.
        stage: Stage,
    },
    /// A system of agents that Lockgate does not release.
    System {
        /// What tells it from others; an agent's name is that agent.
        name: Text,
        /// How far it is.
        stage: Stage,
    },
    /// A deployment to production that Lockgate did not do, or times that it cannot know of one that it did.
    Deployment {
        /// The release of Lockgate's that it is about: then its own outcome stands, and times are added.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        release: Option<RolloutId>,
        /// How it ended.
        outcome: Finish,
        /// When it ended.
        finished_wall_ms: i64,
        /// When its oldest change was committed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        committed_wall_ms: Option<i64>,
        /// When a failure was noticed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detected_wall_ms: Option<i64>,
        /// When users were served well again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recovered_wall_ms: Option<i64>,
    },
    /// That a person looked whether a resolved interaction was.
    ReplacementCheck {
        /// Which interaction.
        interaction: InteractionId,
        /// Whether it was, with no person's help.
        verified: bool,
    },
    /// Errors of the agent that were found later and that no outcome or failure showed at the time.
    ErrorIntroduced {
        /// Interactions in which they were.
        #[serde(default = "one")]
        count: u64,
        /// What they were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<Text>,
    },
    /// The corrected event was wrong altogether, and nothing takes its place.
    Withdrawn {
        /// Why.
        reason: Text,
    },
}

fn one() -> u64 {
    1
}

impl What {
    /// All kinds, as they are called in JSON.
    pub const KINDS: [&'static str; 13] = [
        "survey",
        "baseline",
        "headcount",
        "time_saved",
        "conversion",
        "incident",
        "external_cost",
        "use_case",
        "system",
        "deployment",
        "replacement_check",
        "error_introduced",
        "withdrawn",
    ];

    /// The kind that takes others back.
    pub const WITHDRAWN: &'static str = Self::KINDS[12];

    /// Times at which something happened, by the names that they are told by. Charges may be of times to come.
    pub fn happened_wall_ms(&self) -> Vec<(&'static str, i64)> {
        let times = match self {
            Self::Incident { detected_wall_ms, recovered_wall_ms, .. } => {
                vec![("detected", Some(*detected_wall_ms)), ("recovered", *recovered_wall_ms)]
            }
            Self::Deployment {
                finished_wall_ms,
                committed_wall_ms,
                detected_wall_ms,
                recovered_wall_ms,
                ..
            } => vec![
                ("finished", Some(*finished_wall_ms)),
                ("committed", *committed_wall_ms),
                ("detected", *detected_wall_ms),
                ("recovered", *recovered_wall_ms),
            ],
            _ => Vec::new(),
        };
        times.into_iter().filter_map(|(name, at)| Some((name, at?))).collect()
    }

    /// Refuses what is said to have happened later than a day from now: clocks, and days of other time zones, differ by that.
    /// `at` is the event's own time, if it says one.
    pub fn check_past(&self, at_wall_ms: Option<i64>, now_wall_ms: i64) -> Result<(), Invalid> {
        let at = match self {
            // A charge is of its period.
            Self::ExternalCost { .. } => None,
            _ => at_wall_ms.map(|at| ("at", at)),
        };
        let is_to_come = |(_, at): &(&str, i64)| *at > now_wall_ms.saturating_add(DAY_MS);
        match at.into_iter().chain(self.happened_wall_ms()).find(is_to_come) {
            Some((field, at)) => {
                let at = Timestamp::from_millisecond(at)
                    .map_or_else(|_| at.to_string(), |at| at.to_string());
                Err(Invalid::new(
                    field,
                    format!("{at} is yet to come; only what has happened is recorded"),
                ))
            }
            None => Ok(()),
        }
    }

    /// As it is called in JSON.
    pub fn kind(&self) -> &'static str {
        let at = match self {
            Self::Survey { .. } => 0,
            Self::Baseline { .. } => 1,
            Self::Headcount { .. } => 2,
            Self::TimeSaved { .. } => 3,
            Self::Conversion { .. } => 4,
            Self::Incident { .. } => 5,
            Self::ExternalCost { .. } => 6,
            Self::UseCase { .. } => 7,
            Self::System { .. } => 8,
            Self::Deployment { .. } => 9,
            Self::ReplacementCheck { .. } => 10,
            Self::ErrorIntroduced { .. } => 11,
            Self::Withdrawn { .. } => 12,
        };
        Self::KINDS[at]
    }

    /// Which fact it states, where it states one. A report needs all facts up to its window's end, and of all else what
    /// lies in its window.
    pub fn fact(&self) -> Option<Fact> {
        match self {
            Self::Baseline { .. } => Some(Fact::Baseline),
            Self::Headcount { .. } => Some(Fact::Headcount),
            Self::UseCase { .. } => Some(Fact::UseCase),
            Self::System { .. } => Some(Fact::System),
            _ => None,
        }
    }

    pub(super) fn needs_agent(&self) -> bool {
        matches!(
            self,
            Self::Conversion { .. }
                | Self::ReplacementCheck { .. }
                | Self::ErrorIntroduced { .. }
                | Self::Deployment { .. }
        )
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Survey { score } if *score > 10 => {
                Err(Invalid::new("score", format!("{score} is no answer from 0 to 10")))
            }
            Self::Baseline { measure, value, unit, .. } => measure.check(*value, unit.as_str()),
            Self::Headcount { employees, knowledge_workers, seats } => headcount(&[
                ("employees", *employees),
                ("knowledge_workers", *knowledge_workers),
                ("seats", *seats),
            ]),
            Self::TimeSaved { minutes, tasks, .. } => {
                let most = Amount::whole(MINUTES_MAX);
                within("minutes", *minutes, -most, most)?;
                counted("tasks", *tasks)
            }
            Self::Conversion { visitors, converted, .. } => {
                counted("visitors", *visitors)?;
                if converted > visitors {
                    return Err(Invalid::new(
                        "converted",
                        format!("{converted} of {visitors} visitors is more than all"),
                    ));
                }
                Ok(())
            }
            Self::Incident { detected_wall_ms, recovered_wall_ms, .. } => {
                in_range("detected_wall_ms", *detected_wall_ms)?;
                after("recovered_wall_ms", *recovered_wall_ms, *detected_wall_ms, "detected")
            }
            Self::ExternalCost {
                billing_currency,
                charge_period_start_wall_ms: start,
                charge_period_end_wall_ms: end,
                ..
            } => {
                if !is_currency(billing_currency.as_str()) {
                    return Err(Invalid::new(
                        "billing_currency",
                        "use three capital letters such as USD (ISO 4217)",
                    ));
                }
                in_range("charge_period_start_wall_ms", *start)?;
                after(
                    "charge_period_end_wall_ms",
                    Some(*end),
                    start.saturating_add(1),
                    "the charge period starts",
                )
            }
            Self::Deployment {
                finished_wall_ms,
                committed_wall_ms,
                detected_wall_ms,
                recovered_wall_ms,
                ..
            } => {
                in_range("finished_wall_ms", *finished_wall_ms)?;
                if let Some(committed) = committed_wall_ms {
                    in_range("committed_wall_ms", *committed)?;
                    after("finished_wall_ms", Some(*finished_wall_ms), *committed, "committed")?;
                }
                match (detected_wall_ms, recovered_wall_ms) {
                    (None, Some(_)) => Err(Invalid::new(
                        "detected_wall_ms",
                        "say when the failure was noticed, too",
                    )),
                    (Some(detected), recovered) => {
                        in_range("detected_wall_ms", *detected)?;
                        after("recovered_wall_ms", *recovered, *detected, "detected")
                    }
                    (None, None) => Ok(()),
                }
            }
            Self::ErrorIntroduced { count, .. } => counted("count", *count),
            _ => Ok(()),
        }
    }
}
