//! A real log on a real disk, and everything that can happen to it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crash;
mod evidence;
mod growing;
mod tamper;
mod world;
mod writers;
