//! Scenarios of `docs/scenarios.md` that involve processes, over real ones. A test begins with the
//! numbers of what it shows.

mod crash;
mod disk;
mod edits;
mod judged;
mod outside;
mod people;
mod restart;
mod tampered;
mod users;

use serde_json::Value;

/// Requests of users after which something that should have happened has.
const ENOUGH: u64 = 200;

/// A number of a release.
fn number(view: &Value, pointer: &str) -> u64 {
    view.pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("no {pointer} in {view}"))
}

/// The steps of a history that lead to a phase.
fn steps_to<'a>(history: &'a [Value], phase: &str) -> Vec<&'a Value> {
    history.iter().filter(|step| step["transition"]["to"] == phase).collect()
}
