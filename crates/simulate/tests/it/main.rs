//! Releases that never happened.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod calibration;
mod faults;
mod holds;
mod mutants;

#[expect(clippy::disallowed_methods, reason = "who runs the test says how long")]
pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect(name))
}
