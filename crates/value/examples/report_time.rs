//! How long a report takes over a year of 10 million interactions a day, and what their rollups weigh:
//! `cargo run --release -p lockgate-value --example report_time`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement, and no part of the room"
)]

use std::time::Instant;

use lockgate_model::ids::AgentName;
use lockgate_value::amount::Amount;
use lockgate_value::gather::Gathered;
use lockgate_value::report::report;
use lockgate_value::rollup::{Bucket, HOUR_MS, Outcomes, Slot};
use lockgate_value::window::Window;

const AGENTS: u64 = 10;
const DAYS: i64 = 365;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2025-01-01T00:00:00Z.
const START: i64 = 1_735_689_600_000;

fn bucket(day: u64, agent: u64, hours: u64) -> Bucket {
    let interactions = 10_000_000 / AGENTS / 24 * hours;
    let mut bucket = Bucket {
        outcomes: Outcomes {
            resolved: interactions * 7 / 10,
            escalated: interactions / 5,
            failed: interactions / 20,
            unknown: 0,
        },
        ..Bucket::default()
    };
    bucket.cost.known = interactions;
    bucket.cost.sum_usd = Amount::whole(interactions / 300);
    bucket.votes.answers = [interactions / 1_000; 11];
    for user in 0..2_000 * hours {
        bucket.users.insert(user.wrapping_mul(day + 1) << 8 | agent);
    }
    bucket
}

fn main() {
    for (name, span_ms) in [("hours", HOUR_MS), ("days", DAY_MS)] {
        let hours = u64::try_from(span_ms / HOUR_MS).unwrap_or(1);
        let kinds: Vec<Vec<u8>> =
            (0..50).map(|kind| bucket(kind, kind % AGENTS, hours).to_bytes()).collect();
        let window = Window::new(START, START + DAYS * DAY_MS, "Europe/Berlin").expect("a window");
        let mut gathered = Gathered::new(window, None);
        let (mut rows, mut bytes, mut interactions) = (0usize, 0usize, 0u64);
        let began = Instant::now();
        for agent in 0..AGENTS {
            let agent: AgentName = format!("agent-{agent}").parse().expect("a name");
            let mut start_wall_ms = START;
            while start_wall_ms < START + DAYS * DAY_MS {
                let kind = &kinds[rows % kinds.len()];
                let bucket = Bucket::from_bytes(kind).expect("what was written");
                let version = format!("v{}", (start_wall_ms - START) / (30 * DAY_MS)).parse().ok();
                gathered.rollup(&Slot { agent: agent.clone(), version, start_wall_ms }, &bucket);
                (rows, bytes, interactions) =
                    (rows + 1, bytes + kind.len(), interactions + bucket.interactions());
                start_wall_ms += span_ms;
            }
        }
        let read = began.elapsed();
        let made = report(&gathered);
        let all = began.elapsed();
        let millions = interactions / 1_000_000;
        println!(
            "by {name}: {rows} rollups of {millions} million interactions, {} bytes per million",
            bytes as u64 / millions
        );
        println!(
            "  read and gathered {read:?}, with the report {all:?}, {} points",
            made.trend.points.len()
        );
    }
}
