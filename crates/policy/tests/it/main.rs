//! Bundles from the outside: files in, decisions out. And the facts of arguments, by tables of known evasions.

mod corpus;
mod decisions;
mod native;
mod properties;
mod refused;
mod sliced;
mod stack;
mod support;
