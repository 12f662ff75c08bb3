//! Measures over time, by the calendar of the window's time zone.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::gather::{Day, Gathered};
use crate::measure::{View, business, error_rate, replacement_rate, saving};
use crate::measured::tidy;
use crate::report::{FunnelStep, Point, Step, Trend};

/// Days of a window up to which points are days.
const BY_DAY_MAX: f64 = 62.0;

/// And up to which they are weeks.
const BY_WEEK_MAX: f64 = 371.0;

/// Points of days, weeks or months, by the length of the window.
pub(crate) fn trend(gathered: &Gathered) -> Trend {
    let step = match gathered.window().days() {
        days if days <= BY_DAY_MAX => Step::Day,
        days if days <= BY_WEEK_MAX => Step::Week,
        _ => Step::Month,
    };
    let mut points: BTreeMap<Date, Day> = BTreeMap::new();
    for (date, day) in gathered.by_date() {
        points.entry(start(step, date)).or_default().merge(day);
    }
    for (_, date, charges) in gathered.charged() {
        points.entry(start(step, *date)).or_default().tally.merge(charges);
    }
    Trend { step, points: points.into_iter().map(|(from, day)| point(from, &day)).collect() }
}

/// The first day of the point in which a day lies.
fn start(step: Step, date: Date) -> Date {
    match step {
        Step::Day => date,
        Step::Week => {
            let since_monday = i64::from(date.weekday().to_monday_zero_offset());
            date.checked_sub(since_monday.days()).unwrap_or(date)
        }
        Step::Month => date.first_of_month(),
    }
}

fn point(from: Date, day: &Day) -> Point {
    let mut votes = day.bucket.votes;
    votes.merge(&day.tally.votes);
    let charges = day.tally.charges.get(saving::CURRENCY).copied();
    let cost = day.bucket.cost;
    let is_known = cost.known > 0 || charges.is_some();
    Point {
        from,
        interactions: day.bucket.interactions(),
        replacement_rate: replacement_rate(&day.bucket).value,
        error_rate: error_rate(&day.bucket, day.tally.errors_introduced).value,
        nps: business::net_promoter(&votes).and_then(|nps| nps.value),
        cost_usd: tidy((cost.sum_usd + charges.unwrap_or_default()).as_f64()).filter(|_| is_known),
    }
}

/// From requests to what was resolved; each step is a part of the one before.
pub(crate) fn funnel(view: &View) -> Vec<FunnelStep> {
    let bucket = &view.sum.bucket;
    let all = bucket.interactions();
    let step = |label: &str, count| FunnelStep { label: label.into(), count };
    vec![
        step("requests", all + bucket.refused),
        step("answered by a version", all),
        step("outcome known", bucket.outcomes.known()),
        step("resolved without a person", bucket.outcomes.resolved),
    ]
}
