//! Configuration files, good and bad.

#![expect(clippy::unwrap_used, reason = "a failed test says where")]
#![expect(clippy::disallowed_methods, reason = "tests read the examples; the room itself does not")]

mod any_input;
mod bad;
mod diff;
mod examples;
mod meaning;
