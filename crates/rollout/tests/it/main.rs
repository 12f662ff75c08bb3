//! The pure machine, without anything around it.

mod invariants;
mod scenarios;
mod world;
