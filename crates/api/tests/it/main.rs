//! The server as its users meet it: over HTTP, with a real store and just enough control.
#![expect(clippy::unwrap_used, reason = "tests")]

mod applying;
mod audit;
mod console;
mod contract;
mod drift;
mod events;
mod guard;
mod identities;
mod idle;
mod paths;
mod security;
mod server;
mod starting;
mod suggestions;
mod value;
mod witness;
mod world;
