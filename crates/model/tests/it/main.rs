//! Configuration files, good and bad.

mod examples;
