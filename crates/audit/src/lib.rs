//! A transparency log: what was done, in an order that nobody can change afterwards.
//!
//! Records go to a write-ahead log, are acknowledged when they are as durable as was asked, and
//! become leaves of an RFC 6962 tree in C2SP tiles under a signed checkpoint. The room does not
//! know what a record means.
//!
//! Formats: <https://c2sp.org/tlog-tiles>, <https://c2sp.org/tlog-checkpoint>,
//! <https://c2sp.org/signed-note>, <https://c2sp.org/tlog-witness>, RFC 6962 and RFC 8785.

mod bundle;
mod committer;
mod copies;
mod cosign;
mod cosigned;
mod disk;
mod error;
mod grown;
mod inbox;
mod index;
mod keys;
mod layout;
mod log;
mod open_intents;
mod proof;
mod prune;
mod publish;
mod range_proof;
mod read;
mod record;
mod recover;
mod rotation;
mod tree;
mod vault;
mod verify;
mod wal;
mod witness;

pub use bundle::{BadItem, BundleFound, Disclosure, check_bundle, write_bundle};
pub use cosign::{Cosignature, CosignerKey, WitnessKey, add_cosignature, cosignatures};
pub use cosigned::{Cosigned, cosigned, keep_cosigned};
pub use disk::{Disk, LocalDisk, Segment};
pub use error::AuditError;
pub use index::{Index, Query};
pub use keys::{Checkpoint, LogKey, VerifierKey, checkpoint_from_note};
pub use log::{Durability, Log, LogOptions, LogStatus, Session};
pub use proof::{
    InclusionProof, check_consistency, check_inclusion, prove_consistency, prove_inclusion,
};
pub use prune::{PRUNE_ACTION, Prunable, finish as finish_pruning, prunable, prune};
pub use range_proof::{RangeCheck, RangeProof, prove_range};
pub use read::Reader;
pub use record::{Entry, RECORD_FORMAT, RECORD_MAX_BYTES, Record, Step};
pub use rotation::{current_key, rotate_key};
pub use vault::{Disclosed, ERASED, Hold, Kept, Opened, Personal, Seal, Vault};
pub use verify::{
    Damage, DamageKind, Found, Known, Outside, Pruned, Witnessed, verify, verify_against,
};
pub use witness::{AddCheckpoint, Refused, Witness, WitnessOptions, origin_hash};
