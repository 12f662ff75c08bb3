//! A real log, real witnesses over HTTP, and some that are not what they say.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asks;
mod hostile;
mod world;
