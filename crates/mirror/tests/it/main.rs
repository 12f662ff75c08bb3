//! Copies of real logs in stores that fail, hang and lie.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod copies;
mod s3;
mod store;
mod world;
