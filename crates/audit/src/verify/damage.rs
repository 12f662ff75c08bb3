//! What can be wrong with a log.

use serde::Serialize;

/// A kind of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DamageKind {
    /// A record is not the one that was signed.
    Edited,
    /// A record was taken out.
    Deleted,
    /// The end is gone.
    Truncated,
    /// Everything is gone.
    Emptied,
    /// Records changed places.
    Reordered,
    /// A record is there twice.
    Duplicated,
    /// A record was put in.
    Inserted,
    /// A tile of hashes is not the one that was signed.
    Tile,
    /// The checkpoint is older than the tiles.
    StaleCheckpoint,
    /// The history is another one than a checkpoint kept elsewhere signs.
    Forked,
    /// Signed by, or naming, another key.
    WrongKey,
    /// The checkpoint is not what its key signed.
    BadCheckpoint,
    /// A frame of the write-ahead log is broken where no crash can have broken it.
    Frame,
    /// A session's count has a gap: a record was never written, or left out before it was signed.
    CounterGap,
    /// A record says that others were pruned, and it cannot have been so.
    Pruned,
    /// A file is missing.
    Missing,
    /// A file is there that does not belong to a log.
    Stranger,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Its kind.
    pub kind: DamageKind,
    /// The first record concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The file, relative to the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// In words.
    pub why: String,
}

impl Damage {
    pub(crate) fn at(kind: DamageKind, seq: u64, why: impl Into<String>) -> Self {
        Self { kind, seq: Some(seq), file: None, why: why.into() }
    }

    pub(crate) fn of_file(
        kind: DamageKind,
        file: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self { kind, seq: None, file: Some(file.into()), why: why.into() }
    }

    pub(crate) fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = serde_json::to_value(self.kind).ok();
        write!(f, "{}", kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or("damage"))?;
        if let Some(seq) = self.seq {
            write!(f, " at record {seq}")?;
        }
        if let Some(file) = &self.file {
            write!(f, " in {file}")?;
        }
        write!(f, ": {}", self.why)
    }
}
