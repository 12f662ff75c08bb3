//! How often judges are wrong, and how soon they find what is bad, over the standard plan.
//!
//! `cargo run --profile quick -p lockgate-simulate --example calibrate -- [RELEASES] [CASE] [naive]`
//!
//! CASE is a part of a case's name; `naive` sets the threshold judge beside it, which is slow.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::collections::BTreeMap;
use std::sync::Arc;

use lockgate_rollout::state::Phase;
use lockgate_simulate::plans::{naive, standard};
use lockgate_simulate::release::{Ended, Setting, run};
use lockgate_simulate::traffic::{Conversation, Traffic};
use lockgate_simulate::truth::Truth;

/// Name, stable, candidate, and whether users stay with their version.
fn cases() -> Vec<(&'static str, Truth, Truth, bool)> {
    let good = Truth::default();
    let errors = |error_rate| Truth { error_rate, ..good };
    vec![
        ("identical", good, good, false),
        ("errors 0.2 -> 0.4 %", good, errors(0.004), false),
        ("errors 0.5 -> 5 %", errors(0.005), errors(0.05), false),
        ("errors 5 -> 10 %", errors(0.05), errors(0.10), false),
        ("errors 0.2 -> 20 %", good, errors(0.20), false),
        ("p95 twice", good, Truth { median_ms: 2.0 * good.median_ms, ..good }, false),
        ("cost 1.5 times", good, Truth { cost_usd: 1.5 * good.cost_usd, ..good }, false),
        ("8 % negative", good, Truth { negative: 0.08, satisfied: 0.85, ..good }, false),
        ("pinned, identical", errors(0.0005), errors(0.0005), true),
        ("pinned, errors 0.5 -> 1 %", errors(0.005), errors(0.01), true),
    ]
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let releases = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(200);
    let wanted = arguments.next().unwrap_or_default();
    let mut judges = vec![("statistical", Arc::new(standard()))];
    if arguments.next().is_some() {
        judges.push(("naive", Arc::new(naive(standard()))));
    }
    for requests_per_s in [1.0, 10.0, 100.0] {
        for (name, stable, candidate, pinned) in cases() {
            for (judge, plan) in judges.iter().filter(|_| name.contains(&wanted)) {
                let conversation =
                    pinned.then_some(Conversation { length_s: 300.0, requests_per_s: 0.02 });
                let traffic = Traffic { requests_per_s, conversation, ..Traffic::default() };
                let plan = Arc::clone(plan);
                let setting = Setting { traffic, stable, candidate, ..Setting::identical(plan) };
                print!("{requests_per_s:>4}/s {name:<26} {judge:<11} ");
                report(&setting, releases);
            }
        }
    }
}

fn report(setting: &Setting, releases: u64) {
    let ended: Vec<Ended> = (0..releases).map(|seed| run(setting, seed)).collect();
    let promoted = ended.iter().filter(|ended| ended.phase == Phase::Promoted).count();
    let mut rules = BTreeMap::<&str, usize>::new();
    for rule in ended.iter().filter_map(Ended::rule) {
        *rules.entry(rule).or_default() += 1;
    }
    let back = || ended.iter().filter(|ended| ended.phase == Phase::RolledBack);
    let of_all = quantiles(back().map(|ended| ended.requests));
    let own = quantiles(back().map(|ended| ended.candidate_requests));
    println!("promoted {promoted}/{releases}; found after {of_all} requests, {own} own; {rules:?}");
}

/// Median and 95th percentile.
fn quantiles(of: impl Iterator<Item = u64>) -> String {
    let mut of: Vec<u64> = of.collect();
    of.sort_unstable();
    let at = |percent: usize| {
        of.get(of.len() * percent / 100).map_or_else(|| "-".to_owned(), u64::to_string)
    };
    format!("{} / {}", at(50), at(95))
}
