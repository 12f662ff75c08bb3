//! Configuration files, good and bad.

mod any_input;
mod bad;
mod diff;
mod examples;
mod meaning;
