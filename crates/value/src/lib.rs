//! What agents are worth: measures of deployment, operations and business from the first interaction on, each with its
//! formula, unit, window and denominator, and reports of them (docs/value.md). From counts, events and facts that are
//! given to numbers; what was not seen stays unknown and says how to record it.
//!
//! Not here: storage, network, files, clocks. The same input gives the same bytes.

#![cfg_attr(test, expect(clippy::float_cmp, reason = "numbers that must come out exactly"))]

pub mod amount;
pub mod catalog;
pub mod distinct;
pub mod event;
pub mod forecast;
pub mod gather;
pub mod import;
pub mod judge;
pub mod ledger;
mod measure;
pub mod measured;
pub mod prices;
pub mod render;
pub mod report;
pub mod rollup;
pub mod score;
mod stats;
pub mod suggest;
mod trend;
mod versions;
pub mod window;
