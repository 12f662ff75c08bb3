//! The rollout state machine and its judges. Pure: events and a clock go in, a new state and
//! effects come out.
//!
//! Not here: databases, HTTP, Kubernetes, waiting. Whoever performs the effects feeds what became
//! of them back as events.

pub mod event;
pub mod explain;
pub mod judge;
pub mod machine;
pub mod replay;
pub mod shown;
pub mod signals;
pub mod start;
pub mod state;
pub mod stats;
pub mod view;
mod why;
