//! Why the demo could not run to its end.

use std::path::{Path, PathBuf};

/// What went wrong, and with what.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or directory could not be used.
    #[error("cannot {doing} {path}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A port could not be taken, or a server stopped.
    #[error("cannot {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// Another demo runs in the directory.
    #[error(
        "a demo runs in {dir} already; stop it, or give this one another directory with --data-dir"
    )]
    InUse {
        /// Which.
        dir: PathBuf,
    },
    /// A child process ended although it was needed.
    #[error("{name} stopped early; its last words are in {log}")]
    ChildEnded {
        /// Which.
        name: String,
        /// Where its output is.
        log: PathBuf,
    },
    /// A child process was not ready in time.
    #[error("{name} was not ready after {seconds} s; its output is in {log}")]
    NotReady {
        /// Which.
        name: String,
        /// How long was waited.
        seconds: u64,
        /// Where its output is.
        log: PathBuf,
    },
    /// A trace could not be read.
    #[error("{file}:{line}: {what}")]
    Trace {
        /// Which file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The API could not be reached.
    #[error("cannot reach the API to {doing}")]
    Unreachable {
        /// What was asked.
        doing: String,
        /// Why not.
        source: reqwest::Error,
    },
    /// The API refused.
    #[error("the API refused to {doing}: {answer}")]
    Refused {
        /// What was asked.
        doing: String,
        /// What it said.
        answer: String,
    },
    /// A release did not end in time.
    #[error("the release of {version} was still {phase} after {seconds} s")]
    TooLong {
        /// Which version.
        version: String,
        /// Where it stood.
        phase: String,
        /// How long was waited.
        seconds: u64,
    },
    /// HTTP could not be set up.
    #[error("cannot prepare HTTP")]
    Http(#[source] reqwest::Error),
    /// Stopped by a signal before the report was complete.
    #[error("stopped before every version was released")]
    Stopped,
}

impl DemoError {
    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }

    pub(crate) fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}
