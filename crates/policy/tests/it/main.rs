//! Bundles from the outside: files in, decisions out. And the facts of arguments, by tables of known evasions.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod corpus;
mod decisions;
mod import;
mod native;
mod properties;
mod refused;
mod sliced;
mod stack;
mod support;
