//! Releases that never happened: the real machine and the real judges on drawn traffic, in virtual
//! time. The same seed gives the same release.
//!
//! Not here: clocks, threads, networks. Counts are drawn, not requests: a day takes milliseconds.

pub mod draw;
pub mod release;
pub mod traffic;
pub mod truth;
