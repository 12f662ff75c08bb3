//! When what was invested comes back, as far as the days say that were seen.
//!
//! The net of a month is its gross saving less its cost of agents, in US dollars, over its days that count
//! ([`CountedDays`]). Where the sum of the months reaches the investment, that month was the payback. Otherwise the mean of
//! the whole months goes on: `months to go = what is owed / mean`, and with the ends of the mean's 95 % interval (Student's
//! t) the earliest and the latest month. A mean or a lower end of nothing or less pays nothing back. A month of which some
//! days do not count is in the sum, with what was seen of it, and not in the mean.
//!
//! [`CountedDays`]: crate::gather::CountedDays

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::event::Baseline;
use crate::gather::Gathered;
use crate::measure::View;
use crate::measure::saving::{figure_usd, net};
use crate::measured::{Missing, tidy};
use crate::stats;

/// Whole months that a forecast takes, at least.
const MONTHS_MIN: usize = 3;

/// As far as anyone looks: fifty years.
const MONTHS_MAX: f64 = 600.0;

/// One month of the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonthNet {
    /// Its first day.
    pub month: Date,
    /// Its days that count. A month of which some do not is in no mean.
    #[serde(default)]
    pub counted_days: f64,
    /// Whether all of its days count.
    #[serde(default)]
    pub is_whole: bool,
    /// Gross saving less the cost of agents on its days that count, US dollars.
    pub net_usd: f64,
    /// All months so far less the investment; none while that is not known.
    pub cumulative_usd: Option<f64>,
}

/// When the investment is paid back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// What was spent once, US dollars.
    pub investment_usd: Option<f64>,
    /// Months of the window, those with days that do not count among them.
    pub months: Vec<MonthNet>,
    /// Mean net saving of a whole month, US dollars.
    pub monthly_net_usd: Option<f64>,
    /// 95 % interval of that mean.
    pub monthly_low_usd: Option<f64>,
    /// Its upper end.
    pub monthly_high_usd: Option<f64>,
    /// The month, by its first day, by whose end nothing is owed.
    pub payback: Option<Date>,
    /// The earliest of the interval.
    pub earliest: Option<Date>,
    /// The latest; none when it may never come.
    pub latest: Option<Date>,
    /// Whether it was seen and not foretold.
    pub reached: bool,
    /// What this takes for granted.
    pub assumptions: Vec<String>,
    /// Why there is no month.
    pub missing: Option<Missing>,
}

impl MonthNet {
    /// The part of it that is still to come, where the days seen go up to some day of it.
    fn rest(&self) -> f64 {
        (1.0 - self.counted_days / f64::from(self.month.days_in_month())).clamp(0.0, 1.0)
    }
}

/// The forecast from the months of the window.
pub(crate) fn forecast(gathered: &Gathered) -> Forecast {
    let mut forecast = Forecast::default();
    // What was invested is one number of the whole window.
    match figure_usd(&View::whole(gathered), Baseline::Investment) {
        Ok(investment) => forecast.investment_usd = tidy(investment),
        Err(missing) => forecast.missing = Some(missing),
    }
    if let Err(missing) = fill(&mut forecast, gathered) {
        forecast.missing = Some(match forecast.missing {
            None => missing,
            Some(mut both) => {
                both.why = format!("{}; {}", both.why, missing.why);
                both.how.extend(missing.how);
                both
            }
        });
    }
    if forecast.missing.is_none() {
        pay_back(&mut forecast);
    }
    forecast
}

/// Whole months without a net stop it: no month is guessed. One that was seen in part and has none is named.
fn fill(forecast: &mut Forecast, gathered: &Gathered) -> Result<(), Missing> {
    let (mut is_bounded, mut left_out) = (true, Vec::new());
    for (month, counted_days) in months(gathered) {
        let counted = gathered.counted_days();
        let holds = |date: Date| date.first_of_month() == month && counted.holds(date);
        let view = View::of(gathered, counted_days, holds);
        let is_whole = counted_days >= f64::from(month.days_in_month());
        let name = month.strftime("%Y-%m").to_string();
        let sum = match net(&view) {
            Ok(sum) => sum,
            Err(missing) if is_whole => {
                let why = format!("net saving of {name}: {}", missing.why);
                return Err(Missing { why, ..missing });
            }
            Err(missing) => {
                left_out.push(format!(
                    "{name}, of which not all days count, is left out: {}",
                    missing.why
                ));
                continue;
            }
        };
        is_bounded &= sum.total.is_exact();
        let Some(net_usd) = tidy(sum.total.value) else {
            return Err(Missing::new(
                format!("the net saving of {name} is too large a number"),
                [],
            ));
        };
        forecast.months.push(MonthNet {
            month,
            counted_days,
            is_whole,
            net_usd,
            cumulative_usd: None,
        });
    }
    let whole = forecast.months.iter().filter(|month| month.is_whole);
    let nets: Vec<f64> = whole.map(|month| month.net_usd).collect();
    let Some((low, mean, high)) = stats::student(&nets).filter(|_| nets.len() >= MONTHS_MIN) else {
        let why = format!(
            "{} whole months of the window were seen and have a net saving, and a forecast takes {MONTHS_MIN}",
            nets.len()
        );
        return Err(Missing::new(why, ["lockgate value report --from DATE --to DATE".to_owned()]));
    };
    forecast.monthly_net_usd = tidy(mean);
    (forecast.monthly_low_usd, forecast.monthly_high_usd) = (tidy(low), tidy(high));
    forecast.assumptions = assumptions(gathered, nets.len(), is_bounded);
    forecast.assumptions.extend(left_out);
    Ok(())
}

fn assumptions(gathered: &Gathered, months: usize, is_bounded: bool) -> Vec<String> {
    let mut all = vec![
        format!("every further month is like the {months} that were seen: no growth, no season"),
        "what was invested was spent before the first of them, and nothing more is".to_owned(),
        "months vary by chance and independently; money is not discounted".to_owned(),
        "days on which the server did not run are not known, and count as days without value"
            .to_owned(),
    ];
    let days = gathered.counted_days();
    all.extend(days.told().map(|told| format!("{told}; months with such days are in no mean")));
    if !is_bounded {
        all.push("what was not seen (costs or outcomes) is as if it were not there".to_owned());
    }
    all
}

/// Months with days that count, and how many of them do.
fn months(gathered: &Gathered) -> Vec<(Date, f64)> {
    let window = gathered.window();
    let days = gathered.counted_days();
    let mut months = Vec::new();
    let (Some(first), Some(last)) = (days.first, days.last) else { return months };
    let mut month = first.first_of_month();
    while month <= last {
        let following = next(month, 1.0);
        let ends =
            following.and_then(|after| Some((window.start_of(month)?, window.start_of(after)?)));
        let counted = ends.map_or(0.0, |(from, to)| days.within(window, from, to));
        if counted > 0.0 {
            months.push((month, counted));
        }
        match following {
            Some(following) => month = following,
            None => break,
        }
    }
    months
}

fn pay_back(forecast: &mut Forecast) {
    let Some(investment) = forecast.investment_usd else { return };
    let mut cumulative = -investment;
    for month in &mut forecast.months {
        cumulative += month.net_usd;
        month.cumulative_usd = tidy(cumulative);
        if cumulative >= 0.0 && forecast.payback.is_none() {
            forecast.payback = Some(month.month);
        }
    }
    if forecast.payback.is_some() {
        forecast.reached = true;
        (forecast.earliest, forecast.latest) = (forecast.payback, forecast.payback);
        return;
    }
    let Some((last, rest)) = forecast.months.last().map(|last| (last.month, last.rest())) else {
        return;
    };
    let at = |net: Option<f64>| {
        // What is left of the last month comes first.
        let months = (-cumulative / net.filter(|net| *net > 0.0)? - rest).ceil().max(0.0);
        if months <= MONTHS_MAX { next(last, months) } else { None }
    };
    forecast.payback = at(forecast.monthly_net_usd);
    forecast.earliest = at(forecast.monthly_high_usd);
    forecast.latest = at(forecast.monthly_low_usd);
    if forecast.payback.is_none() {
        let why = "at the mean of the months seen, what was invested does not come back within fifty years";
        forecast.missing = Some(Missing::new(why, []));
    }
}

/// The month that many later.
fn next(month: Date, months: f64) -> Option<Date> {
    let step = (0..=600i32).find(|step| f64::from(*step) >= months)?;
    month.checked_add(step.months()).ok()
}
