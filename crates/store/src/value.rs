//! What agents are worth: counts of interactions, and events that were told.

mod about;
mod charges;
mod corrections;
mod events;
mod gather;
mod imports;
mod past;
mod questions;
mod rollups;
mod seen;
mod stable;
mod tallies;
mod times;

pub use charges::AlsoCharged;
pub use events::{EventRow, NotTaken, Taken, Told};
pub(crate) use imports::forget_stale;
pub use imports::{Import, NewImport, NotImported};
pub use questions::Incident;
pub use rollups::Resolution;
pub(crate) use rollups::{add, change};
pub use stable::{StableWindows, Stretch};
