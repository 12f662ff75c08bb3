//! What witnesses cosigned, kept beside the log: for each witness the newest checkpoint, as a note that log and witness
//! signed.
//!
//! One file a witness, so that a slow one holds up no other: every record below its checkpoint is vouched for by it.

use std::io::Read as _;
use std::path::Path;

use crate::cosign::{Cosignature, CosignerKey, cosignatures};
use crate::disk::{Disk as _, LocalDisk, open_file};
use crate::error::AuditError;
use crate::keys::unchecked_size;
use crate::layout;

/// The longest note that is read, in bytes.
const NOTE_MAX_BYTES: u64 = 1 << 20;

/// A file of them. Nothing in it was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Its name, relative to the log.
    pub file: String,
    /// The signed note.
    pub note: Vec<u8>,
}

impl Cosigned {
    /// How many records it says that it signs.
    pub fn says_size(&self) -> Option<u64> {
        unchecked_size(&self.note)
    }
}

/// The files that a log has, in order of their names. One that cannot be read is as if it were empty.
pub fn cosigned(root: &Path) -> Vec<Cosigned> {
    let Ok(entries) = std::fs::read_dir(root.join(layout::COSIGNED)) else { return Vec::new() };
    let mut all: Vec<Cosigned> = entries
        .flatten()
        .map(|entry| format!("{}/{}", layout::COSIGNED, entry.file_name().to_string_lossy()))
        .filter(|file| layout::cosigned_by(file).is_some())
        .map(|file| Cosigned { note: bounded(&root.join(&file)), file })
        .collect();
    all.sort_by(|one, other| one.file.cmp(&other.file));
    all
}

fn bounded(path: &Path) -> Vec<u8> {
    let mut note = Vec::new();
    let read = open_file(path).and_then(|file| file.take(NOTE_MAX_BYTES).read_to_end(&mut note));
    if read.is_err() {
        note.clear();
    }
    note
}

/// Keeps a checkpoint that a witness cosigned, in place of the one before. Blocks.
pub fn keep_cosigned(
    root: &Path,
    witness: &CosignerKey,
    note: &[u8],
) -> Result<Cosignature, AuditError> {
    let own = cosignatures(note, std::slice::from_ref(witness))?.pop();
    let own = own.ok_or_else(|| AuditError::Malformed {
        what: "a cosigned checkpoint",
        why: "it has no cosignature of the witness's key".into(),
    })?;
    let path = root.join(layout::cosigned_name(witness.id()));
    if let Some(parent) = path.parent() {
        LocalDisk.create_dir_all(parent).map_err(AuditError::io("make", parent))?;
    }
    LocalDisk.replace(&path, note).map_err(AuditError::io("write", &path))?;
    Ok(own)
}
