//! Releases that never happened: the real machine and the real judges on drawn traffic, in virtual
//! time. The same seed gives the same release.
//!
//! Not here: clocks, threads, networks. Counts are drawn, not requests: a day takes milliseconds.

pub mod calibration;
pub mod draw;
mod expected;
pub mod forecast;
mod look_back;
pub mod plans;
pub mod release;
pub mod report;
pub mod setups;
pub mod trace;
pub mod traffic;
pub mod truth;
pub mod world;
