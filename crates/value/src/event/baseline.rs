//! Figures of the time before an agent, or from outside it.

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::bounds::{COUNT_MAX, MINUTES_MAX, is_currency, within};
use crate::amount::Amount;

/// What was so before the agent, or is so outside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// Minutes that a person takes for what one resolved interaction does.
    MinutesPerTask,
    /// Minutes of a person that one resolved interaction still takes, such as reading the answer.
    MinutesWithAgent,
    /// What one hour of that person costs, everything included.
    LabourCostPerHour,
    /// Errors by hand, percent of tasks.
    ErrorRateByHand,
    /// What one error costs.
    CostPerError,
    /// What the work cost in a year before the agent.
    YearlyCost,
    /// Net promoter score before the agent, points.
    Nps,
    /// What was spent once to build and introduce the agent.
    Investment,
}

impl Baseline {
    /// The name in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MinutesPerTask => "minutes_per_task",
            Self::MinutesWithAgent => "minutes_with_agent",
            Self::LabourCostPerHour => "labour_cost_per_hour",
            Self::ErrorRateByHand => "error_rate_by_hand",
            Self::CostPerError => "cost_per_error",
            Self::YearlyCost => "yearly_cost",
            Self::Nps => "nps",
            Self::Investment => "investment",
        }
    }

    /// Whether its unit is a currency.
    pub fn is_money(self) -> bool {
        matches!(
            self,
            Self::LabourCostPerHour | Self::CostPerError | Self::YearlyCost | Self::Investment
        )
    }

    /// The unit that it must have, where that is no currency.
    fn unit(self) -> &'static str {
        match self {
            Self::MinutesPerTask | Self::MinutesWithAgent => "minutes",
            Self::ErrorRateByHand => "percent",
            Self::Nps => "points",
            _ => "a currency such as USD",
        }
    }

    pub(super) fn check(self, value: Amount, unit: &str) -> Result<(), Invalid> {
        let is_unit = if self.is_money() { is_currency(unit) } else { unit == self.unit() };
        if !is_unit {
            return Err(Invalid::new(
                "unit",
                format!("`{}` is given in {}", self.as_str(), self.unit()),
            ));
        }
        let (least, most) = match self {
            Self::Nps => (-Amount::whole(100), Amount::whole(100)),
            Self::ErrorRateByHand => (Amount::ZERO, Amount::whole(100)),
            Self::MinutesPerTask | Self::MinutesWithAgent => {
                (Amount::ZERO, Amount::whole(MINUTES_MAX))
            }
            _ => (Amount::ZERO, Amount::whole(COUNT_MAX)),
        };
        within("value", value, least, most)
    }
}
