use jiff::civil::date;
use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn windows() -> Vec<Window> {
    let days = |from, to, zone| Window::of_days(from, to, zone).unwrap();
    vec![
        days(date(2026, 1, 1), date(2026, 12, 31), "Europe/Berlin"),
        days(date(2026, 3, 28), date(2026, 3, 30), "America/New_York"),
        // Clocks are put by half an hour here, and the window begins and ends within days.
        Window::new(1_774_000_000_123, 1_776_000_000_456, "Australia/Lord_Howe").unwrap(),
        Window::new(1_774_000_000_123, 1_774_000_000_124, "UTC").unwrap(),
    ]
}

/// Day by day, as it was done before: O(charges × days).
fn one_by_one(window: &Window, charges: &[(Amount, i64, i64)]) -> BTreeMap<Date, Amount> {
    let mut days: BTreeMap<Date, Amount> = BTreeMap::new();
    for (cost, start, end) in charges {
        let passed = |at: i64| cost.share(at - start, end - start);
        let mut at = (*start).max(window.from_wall_ms());
        let to = (*end).min(window.to_wall_ms());
        while at < to {
            let next = window.next_day_wall_ms(at).min(to);
            let day = days.entry(window.day_of(at).unwrap()).or_default();
            *day = *day + passed(next) - passed(at);
            at = next;
        }
    }
    days
}

fn spread(window: &Window, charges: &[(Amount, i64, i64)]) -> BTreeMap<Date, Amount> {
    let calendar = Calendar::of(window);
    let mut spread = Charges::default();
    for (cost, start, end) in charges {
        spread.add(&calendar, ("USD".into(), false), *cost, (*start, *end));
    }
    let days = spread.by_day(&calendar).into_iter();
    days.map(|(date, tally)| (date, tally.charges["USD"])).collect()
}

fn charges() -> impl Strategy<Value = Vec<(Amount, i64, i64)>> {
    // Around the windows' time, from a millisecond to many years long, and credits too.
    let one = (
        -1_000_000_000_000_000_000_i64..1_000_000_000_000_000_000,
        1_767_000_000_000_i64..1_800_000_000_000,
        prop_oneof![1..3 * HOUR, 1..4 * DAY, 1..4_000 * DAY],
    );
    let one = one.prop_map(|(nano, start, length)| {
        (Amount::from_nano(i128::from(nano)), start, start + length)
    });
    prop::collection::vec(one, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn days_are_those_of_charges_one_by_one(charges in charges(), turn in any::<prop::sample::Index>()) {
        for window in windows() {
            let (new, old) = (spread(&window, &charges), one_by_one(&window, &charges));
            prop_assert_eq!(new.keys().collect::<Vec<_>>(), old.keys().collect::<Vec<_>>());
            // Each charge rounds each of its days to a billionth; here they are rounded together, and their sum is the same.
            let most = charges.len() as u128 + 1;
            for (date, amount) in &new {
                let off = amount.nano().abs_diff(old[date].nano());
                prop_assert!(off <= most, "{date}: {amount} for {}", old[date]);
            }
            let sum = |days: BTreeMap<Date, Amount>| days.into_values().sum::<Amount>();
            prop_assert_eq!(sum(new), sum(old));
            let mut turned = charges.clone();
            if !turned.is_empty() {
                let at = turn.index(turned.len());
                turned.rotate_left(at);
            }
            prop_assert_eq!(spread(&window, &turned), spread(&window, &charges));
        }
    }
}

#[test]
fn a_charge_that_lies_in_the_window_is_spread_to_the_last_digit() {
    let window = &windows()[0];
    let start = window.from_wall_ms() + 5 * HOUR;
    for nano in [1, -1, 7, 365_000_000_001, -999_999_999_999_999_999] {
        let cost = Amount::from_nano(nano);
        let days = spread(window, &[(cost, start, start + 300 * DAY)]);
        assert_eq!(days.len(), 301);
        assert_eq!(days.into_values().sum::<Amount>(), cost);
    }
}

#[test]
fn a_charge_of_years_is_written_down_in_a_few_places() {
    let window = Window::of_days(date(2020, 1, 1), date(2030, 12, 31), "Europe/Berlin").unwrap();
    let calendar = Calendar::of(&window);
    let mut charges = Charges::default();
    for n in 0..1_000 {
        let period = (window.from_wall_ms() - n, window.to_wall_ms() + n);
        charges.add(&calendar, ("USD".into(), false), Amount::whole(1), period);
    }
    let spread = &charges.0[&("USD".to_owned(), false)];
    let places = spread.days.len() + spread.slopes.len() + spread.rests.len() + spread.over.len();
    assert!(places <= 7, "{places}");
    assert_eq!(charges.by_day(&calendar).len(), 4_018);
}
