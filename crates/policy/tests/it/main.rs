//! Bundles from the outside: files in, decisions out.

mod decisions;
mod native;
mod refused;
mod sliced;
mod support;
