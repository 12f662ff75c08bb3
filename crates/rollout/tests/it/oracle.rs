//! The tests beside those of `PyPI` `ville`, an independent implementation of anytime-valid
//! inference, on the same streams. Its mixtures differ, so its stopping times do; what must agree
//! is that neither stops at the bound more often than it may, and that ours stops no later.

use std::process::Command;

use lockgate_rollout::stats::bounded;
use lockgate_rollout::stats::quantile::{self, Histogram};
use lockgate_rollout::stats::{bernoulli, mean};
use lockgate_telemetry::sketch::{BINS_PER_20_PERCENT, Sketch};
use serde_json::Value;

const ALPHA: f64 = 0.05;

#[expect(clippy::disallowed_methods, reason = "the test finds its Python there")]
fn oracle() -> Value {
    let python = std::env::var("LOCKGATE_TEST_PYTHON").expect(
        "LOCKGATE_TEST_PYTHON must name a Python with crates/demo/tests/clients/requirements.txt; ./test sets it",
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/streams.py");
    let output = Command::new(python).arg(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn runs<'a>(oracle: &'a Value, name: &str) -> &'a [Value] {
    oracle[name].as_array().unwrap()
}

fn numbers(run: &Value, name: &str) -> Vec<i64> {
    run[name].as_array().unwrap().iter().map(|x| x.as_i64().unwrap()).collect()
}

/// The first observation after which `ln_e` has reached 1/α.
fn first(length: usize, mut ln_e: impl FnMut(usize) -> Option<f64>) -> Option<u64> {
    let stops = |at: &usize| ln_e(*at).is_some_and(|ln_e| ln_e >= -ALPHA.ln());
    (0..length).find(stops).map(|at| at as u64 + 1)
}

fn share_stops(run: &Value) -> Option<u64> {
    let x = numbers(run, "x");
    let (mut bad, mut good) = (0, 0);
    first(x.len(), |at| {
        *(if x[at] == 1 { &mut bad } else { &mut good }) += 1;
        bernoulli::above(bad, good, 0.05)
    })
}

fn votes_stop(run: &Value) -> Option<u64> {
    let x = numbers(run, "x");
    let mut votes = [0, 0, 0];
    first(x.len(), |at| {
        let score = usize::try_from(x[at] + 1).unwrap();
        votes[score] += 1;
        bounded::below(&[0.0, 0.5, 1.0].into_iter().zip(votes), 0.75)
    })
}

fn latency_stops(run: &Value) -> Option<u64> {
    let (slow, usual) = (numbers(run, "candidate"), numbers(run, "stable"));
    let mut sketches = [Sketch::default(), Sketch::default()];
    first(slow.len(), |at| {
        sketches[0].record(slow[at].try_into().unwrap());
        sketches[1].record(usual[at].try_into().unwrap());
        let [candidate, stable] =
            [&sketches[0], &sketches[1]].map(|one| Histogram::new(one.bins()));
        quantile::above(&candidate, &stable, 0.95, BINS_PER_20_PERCENT)
    })
}

/// How many stop where nothing is wrong; at most α, and three deviations, may.
fn assert_rarely_stops(oracle: &Value, name: &str, stops: fn(&Value) -> Option<u64>) {
    let runs = runs(oracle, name);
    let stopped = runs.iter().filter(|run| stops(run).is_some()).count() as f64;
    let n = runs.len() as f64;
    let most = ALPHA * n + 3.0 * (ALPHA * (1.0 - ALPHA) * n).sqrt();
    assert!(stopped <= most, "{name}: {stopped} of {n} stopped, at most {most} may");
}

fn median(mut of: Vec<u64>) -> f64 {
    of.sort_unstable();
    of[of.len() / 2] as f64
}

/// All stop, and the median is at most `factor` times that of the oracle's test.
fn assert_soon(
    oracle: &Value,
    name: &str,
    theirs: &str,
    factor: f64,
    stops: fn(&Value) -> Option<u64>,
) {
    let runs = runs(oracle, name);
    let ours: Vec<u64> = runs.iter().map(|run| stops(run).unwrap_or(u64::MAX)).collect();
    let others: Vec<u64> =
        runs.iter().map(|run| run[theirs].as_u64().unwrap_or(u64::MAX)).collect();
    let (ours, others) = (median(ours), median(others));
    assert!(ours <= factor * others, "{name}: {ours} observations, {theirs} {others}");
}

#[test]
fn tests_agree_with_an_independent_implementation() {
    let oracle = oracle();
    assert_rarely_stops(&oracle, "shares_at_the_bound", share_stops);
    assert_rarely_stops(&oracle, "votes_at_the_bound", votes_stop);
    assert_rarely_stops(&oracle, "latency_the_same", latency_stops);
    assert_soon(&oracle, "shares_twice_the_bound", "mixture", 1.0, share_stops);
    assert_soon(&oracle, "shares_twice_the_bound", "betting", 1.0, share_stops);
    // Six times the bound shows at once; less of our mixture lies there than of an even one.
    assert_soon(&oracle, "shares_far_above", "mixture", 1.25, share_stops);
    assert_soon(&oracle, "shares_far_above", "betting", 1.25, share_stops);
    assert_soon(&oracle, "votes_below", "betting", 1.25, votes_stop);
    assert_soon(&oracle, "latency_twice", "apart", 1.0, latency_stops);
    for pair in runs(&oracle, "half_widths") {
        let (n, theirs) = (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap());
        let ratio = mean::half_width(n, 0.01) / theirs;
        assert!((ratio - 1.0).abs() < 0.02, "half-width after {n}: {ratio} of the oracle's");
    }
}
