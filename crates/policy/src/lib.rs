//! Whether an action of an agent may be done: facts about it, rules compiled to Cedar, slices of them.
//!
//! Not here: forwarding anything, files, clocks, network.

pub mod facts;
