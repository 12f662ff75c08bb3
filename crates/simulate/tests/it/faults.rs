//! Whatever goes wrong, what must hold holds.
//!
//! `LOCKGATE_SIMULATION_SEEDS` says how many seeds are tried; `LOCKGATE_SIMULATION_FIRST` where
//! they begin. A seed that fails is printed with the least that still fails; put it into
//! `seeds.txt`, which is replayed.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::number;
use lockgate_simulate::setups::setup;
use lockgate_simulate::world::{Fault, Faults, Story, run, shrink};

const SEEDS: &str = include_str!("seeds.txt");

/// The least that breaks, and how it goes, in words.
fn report(seed: u64) -> String {
    let (least, story) = shrink(&setup(seed, Faults::all()), seed);
    let broken = story.broken.expect("it broke before");
    let log = story.log.join("\n");
    format!(
        "seed {seed} breaks \"{}\" with faults {}: {}\n{log}",
        broken.invariant, least.faults, broken.what
    )
}

/// Runs seeds on all cores; gives what they became, by name, and those that break.
fn try_seeds(first: u64, count: u64) -> (BTreeMap<String, u64>, Vec<u64>) {
    let next = AtomicU64::new(first);
    let became: Mutex<BTreeMap<String, u64>> = Mutex::default();
    let breaking: Mutex<Vec<u64>> = Mutex::default();
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= first + count || breaking.lock().unwrap().len() >= 3 {
            return;
        }
        let Story { phase, struck, broken, .. } = run(&setup(seed, Faults::all()), seed);
        if broken.is_some() {
            breaking.lock().unwrap().push(seed);
        }
        let mut became = became.lock().unwrap();
        *became.entry(phase.to_string()).or_default() += 1;
        for fault in struck.keys() {
            *became.entry(fault.to_string()).or_default() += 1;
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    (became.into_inner().unwrap(), breaking.into_inner().unwrap())
}

#[test]
fn no_invariant_breaks_with_every_fault_on() {
    let count = number("LOCKGATE_SIMULATION_SEEDS", 2_000);
    let (became, breaking) = try_seeds(number("LOCKGATE_SIMULATION_FIRST", 1), count);
    let reports: Vec<String> = breaking.into_iter().map(report).collect();
    assert!(reports.is_empty(), "{}", reports.join("\n\n"));
    // A test that meets nothing shows nothing.
    let ends = ["promoted", "rolled_back", "aborted", "superseded", "paused"];
    for name in ends.into_iter().chain(Fault::ALL.map(Fault::as_str)) {
        let seen = became.get(name).copied().unwrap_or(0);
        assert!(seen * 100 >= count, "{name} was met by {seen} of {count} seeds: {became:?}");
    }
}

#[test]
fn seeds_that_failed_once_hold() {
    for line in SEEDS.lines().filter(|line| !line.starts_with('#')) {
        let seed = line.split_whitespace().next().unwrap().parse().unwrap();
        let broken = run(&setup(seed, Faults::all()), seed).broken;
        assert_eq!(broken, None, "{line}");
    }
}

#[test]
fn a_seed_fixes_a_story() {
    for seed in 1..20 {
        let setup = setup(seed, Faults::all());
        assert_eq!(run(&setup, seed), run(&setup, seed));
    }
}

#[test]
fn without_faults_only_versions_that_deserve_it_are_promoted() {
    let mut promoted = 0;
    for seed in 1..=60 {
        let setup = setup(seed, Faults::default());
        let story = run(&setup, seed);
        assert_eq!(story.broken, None, "seed {seed}");
        if story.phase.as_str() == "promoted" {
            promoted += 1;
            assert!(setup.healthy && setup.candidate.error_rate < 0.5, "seed {seed}");
        }
    }
    assert!(promoted >= 5, "{promoted}");
}
