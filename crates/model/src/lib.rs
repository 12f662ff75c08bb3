//! The words every room shares: ids, agents, versions, plans, snapshots, interactions, and the
//! ports the gateway speaks through. Configuration is read and validated here.
//!
//! Not here: I/O, time and randomness. Whoever needs a clock is given a [`clock::Now`].

pub mod address;
pub mod agent;
pub mod approval;
pub mod clock;
pub mod config;
pub mod custody;
pub mod decision;
pub mod delegation;
pub mod destination;
pub mod drift;
pub mod freeze;
pub mod hook;
pub mod identity;
pub mod ids;
pub mod interaction;
pub mod issuer;
pub mod ledger;
pub mod limit;
pub mod measure;
pub mod operation;
pub mod path;
pub mod pin;
pub mod plan;
pub mod ports;
pub mod price;
pub mod probe;
pub mod quarantine;
pub mod security;
pub mod snapshot;
pub mod ticket;
pub mod tool;
pub mod version;
