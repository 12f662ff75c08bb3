//! When what was invested comes back, as far as whole months say.
//!
//! The net of a month is its gross saving less its cost of agents, in US dollars. It is taken from whole months of the
//! calendar that lie in the window. Where their sum reaches the investment, that month was the payback. Otherwise the mean
//! of the months goes on: `months to go = what is owed / mean`, and with the ends of the mean's 95 % interval (Student's
//! t) the earliest and the latest month. A mean or a lower end of nothing or less pays nothing back.

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

/// One whole month of the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonthNet {
    /// Its first day.
    pub month: Date,
    /// Gross saving less the cost of agents in it, US dollars.
    pub net_usd: f64,
    /// All months so far less the investment; none while that is not known.
    pub cumulative_usd: Option<f64>,
}

/// When the investment is paid back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// What was spent once, US dollars.
    pub investment_usd: Option<f64>,
    /// Whole months of the window.
    pub months: Vec<MonthNet>,
    /// Mean net saving of a month, US dollars.
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

/// The forecast from whole months of the window.
pub(crate) fn forecast(view: &View) -> Forecast {
    let mut forecast = Forecast::default();
    match figure_usd(view, Baseline::Investment) {
        Ok(investment) => forecast.investment_usd = tidy(investment),
        Err(missing) => forecast.missing = Some(missing),
    }
    if let Err(missing) = fill(&mut forecast, view.gathered) {
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

/// Months without a net stop it: no month is guessed.
fn fill(forecast: &mut Forecast, gathered: &Gathered) -> Result<(), Missing> {
    let mut is_bounded = true;
    for month in months(gathered) {
        let days = f64::from(month.days_in_month());
        let view = View::of(gathered, days, |date| date.first_of_month() == month);
        let sum = net(&view).map_err(|missing| Missing {
            why: format!("net saving of {}: {}", month.strftime("%Y-%m"), missing.why),
            ..missing
        })?;
        is_bounded &= sum.total.is_exact();
        let Some(net_usd) = tidy(sum.total.value) else {
            let why =
                format!("the net saving of {} is too large a number", month.strftime("%Y-%m"));
            return Err(Missing::new(why, []));
        };
        forecast.months.push(MonthNet { month, net_usd, cumulative_usd: None });
    }
    let nets: Vec<f64> = forecast.months.iter().map(|month| month.net_usd).collect();
    let Some((low, mean, high)) = stats::student(&nets).filter(|_| nets.len() >= MONTHS_MIN) else {
        let why = format!(
            "{} whole months of the window have a net saving, and a forecast takes {MONTHS_MIN}",
            nets.len()
        );
        return Err(Missing::new(why, ["lockgate value report --from DATE --to DATE".to_owned()]));
    };
    forecast.monthly_net_usd = tidy(mean);
    (forecast.monthly_low_usd, forecast.monthly_high_usd) = (tidy(low), tidy(high));
    forecast.assumptions = vec![
        format!(
            "every further month is like the {} that were seen: no growth, no season",
            nets.len()
        ),
        "what was invested was spent before the first of them, and nothing more is".to_owned(),
        "months vary by chance and independently; money is not discounted".to_owned(),
    ];
    if !is_bounded {
        forecast
            .assumptions
            .push("what was not seen (costs or outcomes) is as if it were not there".to_owned());
    }
    Ok(())
}

/// Whole months from the first in which something happened to the window's end.
fn months(gathered: &Gathered) -> Vec<Date> {
    let window = gathered.window();
    let mut months = Vec::new();
    let Some(mut month) = gathered.dates().first().map(|date| date.first_of_month()) else {
        return months;
    };
    // The first one may have begun before the window.
    if !window.holds_month(month) {
        month = next(month, 1.0).unwrap_or(month);
    }
    while window.holds_month(month) {
        months.push(month);
        match next(month, 1.0) {
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
    let Some(last) = forecast.months.last().map(|month| month.month) else { return };
    let at = |net: Option<f64>| {
        let months = (-cumulative / net.filter(|net| *net > 0.0)?).ceil();
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
    let step = (1..=600i32).find(|step| f64::from(*step) >= months)?;
    month.checked_add(step.months()).ok()
}
