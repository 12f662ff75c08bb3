//! A real log on a real disk, and everything that can happen to it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crash;
mod disclosure;
mod disk;
mod evidence;
mod faulty;
mod growing;
mod index;
mod open_intents;
mod peers;
mod prune;
mod rotation;
mod tamper;
mod vault;
mod witness;
mod witness_memory;
mod witnessed;
mod world;
mod writers;
