//! The state of a server on `SQLite`: configuration, rollouts, outbox, snapshots, measurements.
//!
//! Everything that returns `Ok` is on disk. Writes go through one connection, one transaction
//! each; reads have their own. Not here: what any of it means. This room decides nothing.

mod answers;
mod approvals;
mod codec;
mod config;
mod drift;
mod error;
mod events;
mod exchange;
mod feed;
mod forget;
mod identities;
mod identity_keys;
mod inbox;
mod interactions;
mod journal;
mod keys;
mod lease;
mod ledger_queue;
mod limits;
mod outbox;
mod paths;
mod pins;
mod price_tables;
mod quarantines;
mod retention;
mod rollouts;
mod rollup;
mod signals;
mod snapshot;
mod steady;
mod store;
mod tokens;
mod value;
mod windows;

pub use answers::OUTCOMES_OF_USER_MAX;
pub use approvals::{ApprovalRow, ApprovalState, NoVote, Vote};
pub use config::{ConfigOrigin, ConfigRecord, NewConfig};
pub use drift::DriftRow;
pub use error::StoreError;
pub use events::FuseRow;
pub use exchange::GatewayRow;
pub use feed::FeedRow;
pub use identities::IdentityRow;
pub use identity_keys::{IDENTITY_KEYS_MAX, IdentityKeyRow, NotRotated};
pub use inbox::{InboxBody, InboxId, InboxItem, InboxOutcome, InboxState, NewInboxItem, file_key};
pub use journal::JournalEntry;
pub use keys::ReleaseKeys;
pub use lease::CONTROL_LEASE;
pub use ledger_queue::UnrecordedStep;
pub use outbox::{EffectRecord, EffectState, OutboxRow};
pub use paths::PathReport;
pub use pins::PinRow;
pub use quarantines::QuarantineRow;
pub use retention::Compacted;
pub use rollouts::{StepCommit, TransitionRecord, Versioned};
pub use store::Store;
pub use tokens::{Role, TokenRecord};
pub use value::{
    AlsoCharged, EventRow, Import, Incident, NewImport, NotImported, NotTaken, Resolution,
    StableWindows, Stretch, Taken, Told,
};
