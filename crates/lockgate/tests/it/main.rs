//! The real binary, from the outside.

mod command_line;
mod errors;
mod support;
