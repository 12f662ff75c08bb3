//! Real processes: the built binary, real clients, the whole demo.
//!
//! `./test` builds the binary and installs the clients; run it once before `cargo test` alone.

#![expect(clippy::unwrap_used, reason = "a test may end where something unexpected comes")]

mod clients;
mod demo;
mod live;
mod model;
mod process;
mod served;
