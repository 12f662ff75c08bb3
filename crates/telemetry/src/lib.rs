//! Mergeable measurements: counts, latency sketches, tokens, cost.
//!
//! Not here: what a number means for a release. This room knows windows and arms, not rollouts.

pub mod arm;
pub mod ports;
pub mod price;
pub mod sketch;
pub mod window;
