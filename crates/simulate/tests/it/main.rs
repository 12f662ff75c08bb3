//! Releases that never happened.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod faults;
mod holds;
mod setups;
