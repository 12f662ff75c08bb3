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
    assert_eq!(net_promoter(1, 0, 0), None);
    assert_eq!(katz(Share { part: 1, whole: 2 }, Share { part: 0, whole: 2 }), None);
    assert_eq!(newcombe(Share { part: 1, whole: 2 }, Share { part: 0, whole: 0 }), None);
}
