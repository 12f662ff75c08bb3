//! Why the log did not take or give something.

use std::path::{Path, PathBuf};

/// What went wrong, where, and what to do next.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuditError {
    /// The file system said no.
    #[error("cannot {what} {}: {why}", path.display())]
    Io {
        /// A verb: `read`, `write`.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's words.
        why: String,
        /// The system's class of it.
        kind: std::io::ErrorKind,
    },
    /// Another process holds the log.
    #[error("{} is held by another process; stop that one first", path.display())]
    Locked {
        /// The log.
        path: PathBuf,
    },
    /// The log on disk is not what was signed. It is left as it is.
    #[error("the audit log in {} is damaged: {why}; keep a copy, and look with `lockgate audit verify`", path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// The vault of persons' keys is not one, or not this log's.
    #[error("the vault {} cannot be used: {why}", path.display())]
    Vault {
        /// The vault, or a file in it.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A legal hold forbids it.
    #[error(
        "the hold `{hold}` keeps everything as it is; lift it first with `lockgate audit hold remove`"
    )]
    Held {
        /// The oldest hold.
        hold: String,
    },
    /// The record is larger than tiles can hold.
    #[error(
        "a record has {bytes} bytes, and at most {} fit; record a digest of the payload instead",
        crate::RECORD_MAX_BYTES
    )]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// The record cannot be written in canonical form.
    #[error("a record cannot be written: {why}")]
    Unwritable {
        /// What is wrong with it.
        why: String,
    },
    /// The log takes nothing any more.
    #[error("the audit log has stopped: {why}; nothing is recorded until the server starts again")]
    Stopped {
        /// Why.
        why: String,
    },
    /// A key or a checkpoint that is none.
    #[error("{what} is not valid: {why}")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Asked for what the log does not have.
    #[error("{0}")]
    Missing(String),
}

impl AuditError {
    pub(crate) fn io<'a>(
        what: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |error| Self::Io {
            what,
            path: path.to_owned(),
            why: error.to_string(),
            kind: error.kind(),
        }
    }

    pub(crate) fn damaged(path: &Path, why: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), why: why.into() }
    }
}
