//! Reports from what is given, as others use the room.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod forecast;
mod given;
mod oracle;
mod properties;
mod rendered;
mod time_saved;
mod versions;
mod worked;
