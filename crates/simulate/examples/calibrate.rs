//! Prints how often judges are wrong and how soon they find what is bad.
//! `cargo run --release -p lockgate-simulate --example calibrate -- [RELEASES]`
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::sync::Arc;

use lockgate_rollout::state::Phase;
use lockgate_simulate::plans::{naive, standard};
use lockgate_simulate::release::{Ended, Setting, run};
use lockgate_simulate::traffic::{Conversation, Traffic};
use lockgate_simulate::truth::Truth;

fn main() {
    let releases: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(200);
    let plan = Arc::new(standard());
    let naive = Arc::new(naive(standard()));
    let good = Truth::default();
    let errors5 = Truth { error_rate: 0.05, ..good };
    let cases: Vec<(&str, Truth, Truth)> = vec![
        ("identical", good, good),
        ("0.2 -> 0.4 % errors", good, Truth { error_rate: 0.004, ..good }),
        ("0.5 -> 5 % errors", Truth { error_rate: 0.005, ..good }, errors5),
        ("5 -> 10 % errors", errors5, Truth { error_rate: 0.10, ..good }),
        ("20 % errors", good, Truth { error_rate: 0.20, ..good }),
        ("2 x p95", good, Truth { median_ms: 120.0, ..good }),
        ("1.5 x cost", good, Truth { cost_usd: 0.015, ..good }),
        ("8 % negative", good, Truth { negative: 0.08, satisfied: 0.85, ..good }),
    ];
    let which = std::env::args().nth(2).unwrap_or_default();
    for rate in [1.0, 10.0, 100.0] {
        for (name, stable, candidate) in &cases {
            if !name.contains(which.as_str()) {
                continue;
            }
            for (judge, plan) in [("statistical", &plan), ("naive", &naive)] {
                if judge == "naive" && std::env::args().nth(3).is_none() {
                    continue;
                }
                let setting = Setting {
                    traffic: Traffic { requests_per_s: rate, ..Traffic::default() },
                    stable: *stable,
                    candidate: *candidate,
                    ..Setting::identical(Arc::clone(plan))
                };
                report(
                    name,
                    judge,
                    rate,
                    &setting,
                    if judge == "naive" { releases.min(50) } else { releases },
                );
            }
        }
        let pinned = Traffic {
            requests_per_s: rate,
            conversation: Some(Conversation::USUAL),
            ..Traffic::default()
        };
        for (name, error) in
            [("pinned identical", 0.0005), ("pinned doubled", 0.001), ("pinned .005->.01", 0.01)]
        {
            if !name.contains(which.as_str()) {
                continue;
            }
            let base = if name.ends_with(".01") { 0.005 } else { 0.0005 };
            let setting = Setting {
                traffic: pinned.clone(),
                stable: Truth { error_rate: base, ..good },
                candidate: Truth { error_rate: error, ..good },
                ..Setting::identical(Arc::clone(&plan))
            };
            report(name, "statistical", rate, &setting, releases);
        }
    }
}

fn report(name: &str, judge: &str, rate: f64, setting: &Setting, releases: u64) {
    let began = std::time::Instant::now();
    let ended: Vec<Ended> = (0..releases).map(|seed| run(setting, seed)).collect();
    let promoted = ended.iter().filter(|e| e.phase == Phase::Promoted).count();
    let mut rules: std::collections::BTreeMap<&str, usize> = Default::default();
    for e in &ended {
        *rules.entry(e.rule().unwrap_or("-")).or_default() += 1;
    }
    let mut all: Vec<u64> =
        ended.iter().filter(|e| e.phase == Phase::RolledBack).map(|e| e.requests).collect();
    let mut own: Vec<u64> = ended
        .iter()
        .filter(|e| e.phase == Phase::RolledBack)
        .map(|e| e.candidate_requests)
        .collect();
    all.sort_unstable();
    own.sort_unstable();
    let q = |v: &[u64], q: f64| {
        v.get(((v.len() as f64 * q) as usize).min(v.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    println!(
        "{rate:>4}/s {name:<20} {judge:<11} promoted {promoted}/{releases}  to detect: all {} / {} own {} / {}  {:.1} ms each  {rules:?}",
        q(&all, 0.5),
        q(&all, 0.95),
        q(&own, 0.5),
        q(&own, 0.95),
        began.elapsed().as_secs_f64() * 1e3 / releases as f64
    );
}
