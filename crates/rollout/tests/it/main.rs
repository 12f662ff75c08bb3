//! The pure machine, without anything around it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod invariants;
mod keys;
mod listed;
mod measures;
mod oracle;
mod populations;
mod replays;
mod scenarios;
mod worth;
