//! When an investment comes back.

use jiff::civil::date;
use lockgate_model::interaction::{Interaction, Outcome};
use lockgate_value::forecast::Forecast;
use lockgate_value::gather::Gathered;
use lockgate_value::report::ValueReport;
use lockgate_value::window::Window;
use serde_json::{Value, json};

use crate::given::{DAY, MARCH, event, interaction, reported, take};

/// One resolved interaction and the minutes saved, each month from March on. An hour is 60 USD: a minute is one.
fn forecast(minutes: &[i64], investment: Option<i64>) -> Forecast {
    reported(&gathered(minutes, investment)).forecast
}

fn gathered(minutes: &[i64], investment: Option<i64>) -> Gathered {
    let window = Window::of_days(date(2026, 2, 10), date(2026, 12, 15), "Europe/Berlin").unwrap();
    let mut gathered = Gathered::new(window, None);
    let mut at = MARCH + 5 * DAY;
    for (month, minutes) in minutes.iter().enumerate() {
        take(
            &mut gathered,
            &Interaction {
                outcome: Some(Outcome::Resolved),
                cost_nanousd: Some(0),
                ..interaction(at)
            },
        );
        gathered.event(&event(
            &format!("m{month}"),
            &json!({"kind": "time_saved", "at_wall_ms": at, "minutes": minutes}),
        ));
        at += 30 * DAY;
    }
    let figure = |measure: &str, amount: i64, unit: &str| -> Value {
        json!({"kind": "baseline", "agent": null, "measure": measure, "value": amount, "unit": unit, "as_of": "2026-01-01"})
    };
    let mut figures = vec![
        figure("labour_cost_per_hour", 60, "USD"),
        figure("error_rate_by_hand", 0, "percent"),
        figure("cost_per_error", 0, "USD"),
    ];
    figures.extend(investment.map(|investment| figure("investment", investment, "USD")));
    for (at, figure) in figures.iter().enumerate() {
        gathered.event(&event(&format!("f{at}"), figure));
    }
    gathered
}

const SEEN: [i64; 9] = [100, 120, 80, 100, 120, 80, 100, 120, 80];

#[test]
fn what_is_owed_goes_on_at_the_mean_of_whole_months() {
    let forecast = forecast(&SEEN, Some(1_250));
    assert_eq!(forecast.missing, None);
    assert_eq!(forecast.months.len(), 9);
    assert_eq!(
        (forecast.months[0].month, forecast.months[8].month),
        (date(2026, 3, 1), date(2026, 11, 1))
    );
    // March was seen from the sixth day on: it is in the sum, and in no mean.
    assert_eq!((forecast.months[0].counted_days, forecast.months[0].is_whole), (26.0, false));
    assert!(forecast.months[1..].iter().all(|month| month.is_whole));
    assert_eq!(forecast.monthly_net_usd, Some(100.0));
    // 900 by November, 350 owed: four months more at 100; at 115.5 and 84.5 four and five.
    assert_eq!(forecast.months[8].cumulative_usd, Some(-350.0));
    assert_eq!(forecast.payback, Some(date(2027, 3, 1)));
    assert_eq!(forecast.earliest, Some(date(2027, 3, 1)));
    assert_eq!(forecast.latest, Some(date(2027, 4, 1)));
    assert!(!forecast.reached);
    for told in
        ["285 of 309 days count: 24 before", "2026-12, of which not all days count, is left out"]
    {
        assert!(forecast.assumptions.iter().any(|one| one.contains(told)), "{told}: {forecast:?}");
    }
}

#[test]
fn days_that_nobody_saw_are_no_days_without_value() {
    // The same data, looked at in the middle of November and at the end of the window.
    let (mut now, mut later) = (gathered(&SEEN, Some(1_250)), gathered(&SEEN, Some(1_250)));
    // 2026-11-16T09:00 and 2026-12-16 in Berlin.
    now.taken_in(1_794_816_000_000);
    later.taken_in(1_797_375_600_000);
    let [now, later] = [now, later].map(|gathered| reported(&gathered));
    let days = now.days;
    assert_eq!((days.first, days.last), (Some(date(2026, 3, 6)), Some(date(2026, 11, 15))));
    assert_eq!((days.unseen, days.counted, days.not_over), (24.0, 255.0, 30.0));
    assert_eq!((later.days.counted, later.days.not_over), (285.0, 0.0));
    let labour = |report: &lockgate_value::report::ValueReport| {
        crate::given::value(report, "labour_saving").unwrap()
    };
    assert!((labour(&now) - 900.0 * 365.0 / 255.0).abs() < 1e-6, "{}", labour(&now));
    assert!((labour(&later) - 900.0 * 365.0 / 285.0).abs() < 1e-6, "{}", labour(&later));
    // Half of November is in the sum, and neither a whole month nor one without value.
    let forecast = now.forecast;
    let november = forecast.months.last().unwrap();
    assert_eq!((november.counted_days, november.is_whole, november.net_usd), (15.0, false, 80.0));
    let whole: Vec<f64> =
        forecast.months.iter().filter(|month| month.is_whole).map(|month| month.net_usd).collect();
    assert_eq!(whole, [120.0, 80.0, 100.0, 120.0, 80.0, 100.0, 120.0]);
    // 350 are owed; at 720 / 7 a month that is 3.4 months, half of which is left of November.
    assert_eq!(november.cumulative_usd, Some(-350.0));
    assert_eq!(forecast.payback, Some(date(2027, 2, 1)));
    let told = "255 of 309 days count: 24 before anything was seen and 30 that were not over";
    assert!(
        forecast.assumptions.iter().any(|one| one.contains(told)),
        "{forecast:?}",
        forecast = forecast.assumptions
    );
}

#[test]
fn a_day_that_is_not_over_is_nothing_to_go_by_but_for_the_first() {
    let window = Window::of_days(date(2026, 3, 1), date(2026, 3, 31), "UTC").unwrap();
    let mut gathered = Gathered::new(window, None);
    gathered.event(&event(
        "t",
        &json!({"kind": "time_saved", "at_wall_ms": MARCH + 9 * DAY, "minutes": 60}),
    ));
    gathered.event(&event(
        "s",
        &json!({"kind": "headcount", "agent": null, "at_wall_ms": MARCH, "seats": 2}),
    ));
    gathered.taken_in(MARCH + 9 * DAY + 1);
    let hours = |report: &ValueReport| crate::given::value(report, "hours_saved");
    // Nothing else is there: one hour of one day and two seats, as if nothing more came that day.
    let first = reported(&gathered);
    assert_eq!(hours(&first), Some(3.5));
    assert_eq!((first.days.unseen, first.days.counted, first.days.not_over), (9.0, 1.0, 21.0));
    assert!(first.days.is_first_day);
    let measure = first.measures.iter().find(|one| one.id.spec().id == "hours_saved").unwrap();
    let told = "1 of 31 days count: 9 before anything was seen and 21 that were not over are left out; the first one, not over, as a whole day";
    assert!(measure.notes.iter().any(|note| note.contains(told)), "{:?}", measure.notes);
    // On the next day it is over, and that next day is not.
    gathered.event(&event(
        "u",
        &json!({"kind": "time_saved", "at_wall_ms": MARCH + 10 * DAY + 1, "minutes": 600}),
    ));
    gathered.taken_in(MARCH + 10 * DAY + 2);
    let second = reported(&gathered);
    assert_eq!(hours(&second), Some(3.5));
    assert_eq!((second.days.counted, second.days.is_first_day), (1.0, false));
}

#[test]
fn a_month_that_was_seen_is_not_foretold() {
    let forecast = forecast(&SEEN, Some(300));
    assert_eq!((forecast.payback, forecast.reached), (Some(date(2026, 5, 1)), true));
}

#[test]
fn what_loses_money_never_pays_back() {
    let losing = forecast(&[-5, -6, -7, -5, -6, -7, -5, -6, -7], Some(300));
    assert_eq!((losing.payback, losing.latest), (None, None));
    assert!(losing.missing.unwrap().why.contains("does not come back"));
    let unsure = forecast(&[400, -300, 100, 400, -300, 100, 400, -300, 100], Some(5_000));
    assert!(
        unsure.payback.is_some() && unsure.latest.is_none() && unsure.earliest < unsure.payback
    );
}

#[test]
fn a_month_without_a_number_and_an_investment_nobody_told_make_no_forecast() {
    let short = forecast(&[100, 120], Some(300));
    assert!(short.missing.unwrap().why.contains("2026-05"));
    let untold = forecast(&SEEN, None);
    let missing = untold.missing.unwrap();
    assert!(missing.why.contains("investment") && missing.how[0].contains("measure=investment"));
    assert_eq!(untold.monthly_net_usd, Some(100.0));
}
