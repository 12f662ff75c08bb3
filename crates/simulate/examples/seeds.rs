//! Tries seeds until what must hold is broken, and says by which of them: what the mutation check
//! runs over each of its bugs.
//!
//! `cargo run --profile quick -p lockgate-simulate --example seeds -- [SEEDS]`
//!
//! Ends with 1 when something broke.
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::process::ExitCode;

use lockgate_simulate::setups::setup;
use lockgate_simulate::world::{Faults, run};

/// Those that are replayed by every test run come first.
const KEPT: &str = include_str!("../tests/it/seeds.txt");

fn main() -> ExitCode {
    let most: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(2_000);
    let kept = KEPT.lines().filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    for (tried, seed) in kept.chain(1..=most).enumerate() {
        // A machine that panics over an event is broken as well.
        let story = std::panic::catch_unwind(|| run(&setup(seed, Faults::all()), seed));
        let broken = match story {
            Ok(story) => {
                story.broken.map(|broken| format!("{}: {}", broken.invariant, broken.what))
            }
            Err(_) => Some("no panic: it panicked".into()),
        };
        if let Some(broken) = broken {
            println!("{}\t{seed}\t{broken}", tried + 1);
            return ExitCode::FAILURE;
        }
    }
    println!("{most} seeds hold");
    ExitCode::SUCCESS
}
