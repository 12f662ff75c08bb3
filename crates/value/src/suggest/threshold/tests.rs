//! Worked by hand.

use super::*;

fn subject(metric: Metric, bound: Bound) -> Subject {
    Subject { metric, bound, measure: None }
}

/// One value an hour, `per_day` a day.
fn seen(values: &[f64], releases: u64) -> Seen {
    let value = |(at, value): (usize, &f64)| Value {
        at_wall_ms: i64::try_from(at).unwrap() * DAY_MS / 4,
        n: 200,
        value: *value,
    };
    Seen {
        values: values.iter().enumerate().map(value).collect(),
        few: 3,
        window_ms: Some(3_600_000),
        releases,
    }
}

/// 100 windows: 0.1 % to 10 % of errors, in an order of no meaning.
fn hundred() -> Vec<f64> {
    (0..100).map(|at| f64::from((at * 37) % 100 + 1) / 1_000.0).collect()
}

#[test]
fn the_quantile_is_the_ninety_ninth_of_a_hundred_and_the_margin_is_half_of_it_more() {
    let errors = subject(Metric::ErrorRate, Bound::Above(0.5));
    let evidence = errors.evidence(&seen(&hundred(), 3));
    assert_eq!((evidence.windows, evidence.days, evidence.samples), (100, 25, 20_000));
    assert_eq!(
        (evidence.median, evidence.quantile, evidence.worst),
        (Some(0.05), Some(0.099), Some(0.1))
    );
    // 1.5 × 0.099 = 0.1485, and the next number of two digits is 0.15. 0.5 is more than twice that.
    let Weighed::Other { tighter, bound, .. } = errors.weigh(&evidence) else { panic!() };
    assert_eq!((tighter, bound), (true, Bound::Above(0.15)));
    assert_eq!(errors.text(bound), "> 15%");
    // Up to twice as far out it is fine, and so it is at the quantile itself.
    for present in [0.3, 0.15, 0.099] {
        let errors = subject(Metric::ErrorRate, Bound::Above(present));
        let weighed = errors.weigh(&errors.evidence(&seen(&hundred(), 3)));
        assert!(matches!(weighed, Weighed::Fine(_)), "{present}: {weighed:?}");
    }
    let errors = subject(Metric::ErrorRate, Bound::Above(0.09));
    let evidence = errors.evidence(&seen(&hundred(), 3));
    assert_eq!(evidence.beyond, 10, "91 to 100 thousandths");
    let weighed = errors.weigh(&evidence);
    assert!(matches!(weighed, Weighed::Other { tighter: false, .. }), "{weighed:?}");
}

#[test]
fn ties_are_one_value() {
    let mut values = vec![0.02; 98];
    values.extend([0.5, 0.5]);
    let errors = subject(Metric::ErrorRate, Bound::Above(0.9));
    assert_eq!(errors.evidence(&seen(&values, 3)).quantile, Some(0.5));
    let values = [vec![0.02; 99], vec![0.5]].concat();
    let evidence = errors.evidence(&seen(&values, 3));
    assert_eq!((evidence.quantile, evidence.worst), (Some(0.02), Some(0.5)));
    // With fewer than a hundred it is the worst one.
    let values = [vec![0.02; 59], vec![0.5]].concat();
    assert_eq!(errors.evidence(&seen(&values, 3)).quantile, Some(0.5));
}

#[test]
fn bounds_with_the_good_side_up_go_down_from_the_best_value() {
    // Satisfied: 70.0 % to 79.9 %. The 99th from the top is 70.1 %, 29.9 % away: 1.5 × 0.299 = 0.4485 → 0.45.
    let values: Vec<f64> = (0..100).map(|at| 0.7 + f64::from(at) / 1_000.0).collect();
    let satisfied = subject(Metric::SatisfiedShare, Bound::Below(0.05));
    let evidence = satisfied.evidence(&seen(&values, 3));
    assert_eq!((evidence.quantile, evidence.worst), (Some(0.701), Some(0.7)));
    let Weighed::Other { tighter, bound, .. } = satisfied.weigh(&evidence) else { panic!() };
    assert_eq!((tighter, bound, satisfied.text(bound)), (true, Bound::Below(0.55), "< 55%".into()));
    // NPS 60 for all: 40 away, 1.5 × 40 = 60, so 40.
    let nps = subject(Metric::Nps, Bound::Above(-90.0));
    let weighed = nps.weigh(&nps.evidence(&seen(&[60.0; 60], 3)));
    let Weighed::Other { bound, .. } = weighed else { panic!() };
    assert_eq!((bound, nps.text(bound)), (Bound::Above(40.0), "> 40".into()));
}

#[test]
fn a_measures_range_says_where_the_best_value_is() {
    let name = "steps".parse().unwrap();
    let steps = Measure { name, better: Better::Lower, from: 0.0, to: 50.0 };
    let few =
        Subject { metric: Metric::Measure(name), bound: Bound::Above(40.0), measure: Some(steps) };
    let weighed = few.weigh(&few.evidence(&seen(&[10.0; 60], 3)));
    assert!(matches!(weighed, Weighed::Other { bound: Bound::Above(15.0), .. }), "{weighed:?}");
    // 1.5 × 40 is beyond the range: no such bound.
    let weighed = few.weigh(&few.evidence(&seen(&[40.5; 60], 3)));
    assert!(matches!(weighed, Weighed::Fine(_)), "{weighed:?}");
}

#[test]
fn comparisons_are_bounds_on_how_much_more_it_is() {
    // 8 % more at most, 1.5 × 0.08 = 0.12.
    let latency = subject(Metric::P95Ms, Bound::AboveBaselineBy(0.5));
    let values = [vec![-0.02; 50], vec![0.08; 50]].concat();
    let evidence = latency.evidence(&seen(&values, 3));
    assert_eq!((evidence.of, evidence.quantile), (Of::Beside, Some(0.08)));
    let Weighed::Other { tighter, bound, .. } = latency.weigh(&evidence) else { panic!() };
    assert_eq!((tighter, bound), (true, Bound::AboveBaselineBy(0.12)));
    assert_eq!(latency.text(bound), "> baseline + 12%");
    assert_eq!(latency.text(Bound::AboveBaselineBy(0.0)), "> baseline");
    // Never more: there is nothing to take a margin of.
    let weighed = latency.weigh(&latency.evidence(&seen(&[-0.1; 60], 3)));
    assert!(matches!(&weighed, Weighed::Fine(why) if why.contains("margin")), "{weighed:?}");
}

#[test]
fn too_little_of_anything_is_named_and_nothing_is_suggested() {
    let errors = subject(Metric::ErrorRate, Bound::Above(0.5));
    let weigh = |values: &[f64], releases| errors.weigh(&errors.evidence(&seen(values, releases)));
    let Weighed::Insufficient(missing) = weigh(&[0.01; 10], 0) else { panic!() };
    assert_eq!(
        missing,
        [
            "10 of 50 healthy windows (3 more have too few samples)",
            "3 of 14 different days",
            "0 of 3 releases that can be replayed"
        ]
    );
    let Weighed::Insufficient(missing) = weigh(&[0.01; 60], 2) else { panic!() };
    assert_eq!(missing, ["2 of 3 releases that can be replayed"]);
    let Weighed::Insufficient(missing) = weigh(&[], 5) else { panic!() };
    assert_eq!(missing.len(), 2);
    assert_eq!(errors.evidence(&seen(&[], 5)).quantile, None);
}

#[test]
fn numbers_are_rounded_away_from_the_best_value_and_read_as_files_are() {
    for (value, rounded) in [
        (0.1485, 0.15),
        (0.15, 0.15),
        (0.151, 0.16),
        (0.000_101, 0.000_11),
        (99.1, 100.0),
        (1.0, 1.0),
    ] {
        assert_eq!(two_digits_up(value), rounded);
    }
    let errors = subject(Metric::ErrorRate, Bound::Above(0.5));
    assert_eq!(errors.at(0.013), Some(Bound::Above(0.013)));
    assert_eq!(errors.text(Bound::Above(0.013)), "> 1.3%");
    assert_eq!(errors.at(1.0), None, "no share is beyond the whole");
}
