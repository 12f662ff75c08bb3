//! Reports from what is given, as others use the room.
#![expect(clippy::float_cmp, reason = "numbers that must come out exactly")]

mod forecast;
mod given;
mod oracle;
mod properties;
mod rendered;
mod worked;
