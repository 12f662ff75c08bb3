//! When an investment comes back.

use jiff::civil::date;
use lockgate_model::interaction::{Interaction, Outcome};
use lockgate_value::forecast::Forecast;
use lockgate_value::gather::Gathered;
use lockgate_value::window::Window;
use serde_json::{Value, json};

use crate::given::{DAY, MARCH, event, interaction, reported, take};

/// One resolved interaction and the minutes saved, each month from March on. An hour is 60 USD: a minute is one.
fn forecast(minutes: &[i64], investment: Option<i64>) -> Forecast {
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
    reported(&gathered).forecast
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
    assert_eq!(forecast.monthly_net_usd, Some(100.0));
    // 900 by November, 350 owed: four months more at 100; at 113.3 and 86.7 four and five.
    assert_eq!(forecast.months[8].cumulative_usd, Some(-350.0));
    assert_eq!(forecast.payback, Some(date(2027, 3, 1)));
    assert_eq!(forecast.earliest, Some(date(2027, 3, 1)));
    assert_eq!(forecast.latest, Some(date(2027, 4, 1)));
    assert!(!forecast.reached && forecast.assumptions.len() == 3);
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
