use serde_json::Value;

use super::*;

/// Written by scipy and pandas, see `tests/oracle/intervals.py`.
const ORACLE: &str = include_str!("../../tests/oracle/intervals.json");

fn cases(name: &str) -> Vec<Value> {
    let oracle: Value = serde_json::from_str(ORACLE).unwrap();
    oracle[name].as_array().unwrap().clone()
}

fn close(ours: f64, theirs: &Value, what: &Value) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() <= 1e-7 * theirs.abs().max(1.0), "{ours} for {theirs}: {what}");
}

fn same(interval: Option<Interval>, case: &Value) {
    let interval = interval.unwrap_or_else(|| panic!("no interval: {case}"));
    close(interval.low, &case["ends"][0], case);
    close(interval.high.unwrap(), &case["ends"][1], case);
}

fn share(pair: &Value) -> Share {
    Share { part: pair[0].as_u64().unwrap(), whole: pair[1].as_u64().unwrap() }
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn shares_have_the_intervals_of_scipy() {
    for case in cases("wilson") {
        same(wilson(case["part"].as_u64().unwrap(), case["whole"].as_u64().unwrap()), &case);
    }
    for case in cases("newcombe") {
        let (a, b) = (share(&case["a"]), share(&case["b"]));
        same(newcombe(a, b), &case);
        let percent = |share: Share| {
            (100.0 * share.value().unwrap(), wilson(share.part, share.whole).unwrap())
        };
        let (a, b) = (percent(a), percent(b));
        same(difference((a.0, &a.1), (b.0, &b.1)), &case);
    }
    for case in cases("katz") {
        same(katz(share(&case["a"]), share(&case["b"])), &case);
    }
    for case in cases("nps") {
        let [up, even, down] = [0, 1, 2].map(|at| case["votes"][at].as_u64().unwrap());
        same(net_promoter(up, even, down), &case);
    }
}

#[test]
fn middles_are_those_of_pandas() {
    for case in cases("middle") {
        let values = numbers(&case["values"]);
        close(mean(&values).unwrap(), &case["mean"], &case);
        close(median(&values).unwrap(), &case["median"], &case);
    }
    for case in cases("student") {
        let (low, middle, high) = student(&numbers(&case["values"])).unwrap();
        for (ours, at) in [(low, 0), (middle, 1), (high, 2)] {
            close(ours, &case["ends"][at], &case);
        }
    }
}

#[test]
fn nothing_has_no_middle_and_no_interval() {
    assert_eq!((mean(&[]), median(&[])), (None, None));
    assert_eq!(student(&[1.0]), None);
    assert_eq!(wilson(0, 0), None);
    assert_eq!(wilson(2, 1), None);
    assert_eq!(net_promoter(0, 0, 0), None);
    assert_eq!(katz(Share { part: 1, whole: 2 }, Share { part: 0, whole: 2 }), None);
    assert_eq!(newcombe(Share { part: 1, whole: 2 }, Share { part: 0, whole: 0 }), None);
}

/// How often the interval of `n` votes holds the truth, exactly: over all ways in which they can come out.
fn coverage(n: u64, up: f64, even: f64) -> f64 {
    let down = 1.0 - up - even;
    let truth = 100.0 * (up - down);
    let factorial = |n: u64| (1..=n).map(|k| k as f64).product::<f64>();
    let power = |base: f64, to: u64| base.max(0.0).powi(i32::try_from(to).unwrap());
    let mut held = 0.0;
    for promoters in 0..=n {
        for passives in 0..=n - promoters {
            let detractors = n - promoters - passives;
            let ends = net_promoter(promoters, passives, detractors).unwrap();
            if truth >= ends.low - 1e-9 && truth <= ends.high.unwrap() + 1e-9 {
                let ways = factorial(n)
                    / (factorial(promoters) * factorial(passives) * factorial(detractors));
                held +=
                    ways * power(up, promoters) * power(even, passives) * power(down, detractors);
            }
        }
    }
    held
}

#[test]
fn the_interval_of_an_nps_holds_the_truth_as_often_as_it_says() {
    // The same numbers as in the oracle, which counts them from the definition.
    for case in cases("nps_coverage") {
        let n = case["n"].as_u64().unwrap();
        let mut all = Vec::new();
        for up in 0..=20 {
            for even in 0..=20 - up {
                all.push(coverage(n, f64::from(up) / 20.0, f64::from(even) / 20.0));
            }
        }
        let mean = mean(&all).unwrap();
        let least = all.iter().copied().fold(1.0, f64::min);
        close(mean, &case["mean"], &case);
        close(least, &case["least"], &case);
        assert!((0.94..0.97).contains(&mean), "{n}: {mean}");
        assert!(n < 5 || least > 0.83, "{n}: {least}");
        assert!(n < 10 || least > 0.87, "{n}: {least}");
    }
}

#[test]
fn votes_that_are_all_alike_are_no_certainty() {
    for n in [1, 2, 10, 1_000] {
        for (votes, score) in [([n, 0, 0], 100.0), ([0, n, 0], 0.0), ([0, 0, n], -100.0)] {
            let ends = net_promoter(votes[0], votes[1], votes[2]).unwrap();
            let high = ends.high.unwrap();
            assert!(ends.low < high && ends.low >= -100.0 && high <= 100.0, "{ends:?}");
            assert!(ends.low <= score && score <= high, "{score} of {n}: {ends:?}");
        }
    }
    let both = (net_promoter(10, 0, 0).unwrap(), net_promoter(8, 0, 2).unwrap());
    let change = difference((60.0, &both.1), (100.0, &both.0)).unwrap();
    assert!(change.low < 0.0 && change.high.unwrap() > 0.0, "two of ten are no change: {change:?}");
}
