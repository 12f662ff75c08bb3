//! How often judges are wrong, and how soon they find what is bad, over the standard plan.
//!
//! `cargo run --profile quick -p lockgate-simulate --example calibrate -- [RELEASES] [CASE] [RATE] [naive]`
//!
//! CASE is a part of a case's name and RATE requests a second, `all` for all; `naive` asks the
//! threshold judge instead, which is slow.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::sync::Arc;

use lockgate_simulate::calibration::{RATES, cases, found, releases};
use lockgate_simulate::plans::{naive, standard};
use lockgate_simulate::release::Ended;
use lockgate_simulate::report::{Summary, upper_95};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(200);
    let wanted = arguments.next().unwrap_or_else(|| "all".into());
    let rate = arguments.next().unwrap_or_else(|| "all".into());
    let thresholds = arguments.next().is_some();
    let plan = Arc::new(if thresholds { naive(standard()) } else { standard() });
    for requests_per_s in RATES.into_iter().filter(|one| rate == "all" || rate == one.to_string()) {
        let asked = |name: &str| wanted == "all" || name.contains(&wanted);
        for case in cases().into_iter().filter(|case| asked(case.name)) {
            print!("{requests_per_s:>4}/s {:<29} ", case.name);
            report(&releases(&case.setting(&plan, requests_per_s), 0..count));
        }
    }
}

fn report(ended: &[Ended]) {
    let Summary { releases, ends, rules } = Summary::of(ended);
    let back = ends.get("rolled_back").copied().unwrap_or(0);
    let all = found(ended, |ended| ended.requests);
    let own = found(ended, |ended| ended.candidate_requests);
    let rules = rules.iter().map(|one| format!("{} {}", one.rule, one.releases));
    println!(
        "{ends:?} of {releases}; taken back at most {:.2} %; after {} / {} requests, {} / {} own; {}",
        100.0 * upper_95(back, releases),
        all.median,
        all.p95,
        own.median,
        own.p95,
        rules.collect::<Vec<_>>().join(", ")
    );
}
