//! How a command ends: one exit code, and one error that names what to do next.

use std::fmt;
use std::process::ExitCode;

use crate::output::plain_lines;

/// Exit codes. Stable: scripts branch on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, promoted, passed.
    Done = 0,
    /// A gate or a check failed, or the server refused.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The release was taken back.
    RolledBack = 3,
    /// Paused; a person has to decide.
    NeedsPerson = 4,
    /// Not finished in the time given.
    TimedOut = 5,
    /// The server cannot be reached.
    Unreachable = 6,
    /// What was asked could not be told.
    Unknown = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct CliError {
    /// The exit code that follows.
    pub(crate) kind: Exit,
    /// What went wrong.
    pub(crate) source: anyhow::Error,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// Whether the server answered, and may say something else in a moment.
    pub(crate) passing: bool,
}

/// What a command returns.
pub(crate) type CliResult<T = Exit> = Result<T, CliError>;

impl CliError {
    /// An error with an exit code.
    pub(crate) fn new(kind: Exit, source: impl Into<anyhow::Error>) -> Self {
        Self { kind, source: source.into(), hint: None, passing: false }
    }

    /// An error in words.
    pub(crate) fn text(kind: Exit, text: impl fmt::Display) -> Self {
        Self::new(kind, anyhow::anyhow!("{text}"))
    }

    /// A mistake on the command line or in a file.
    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self::text(Exit::Usage, text)
    }

    /// Whether it is worth to ask the server once more.
    pub(crate) fn may_pass(&self) -> bool {
        self.passing || self.kind == Exit::Unreachable
    }

    /// Says what was being done, before the error's own text.
    #[must_use]
    pub(crate) fn context(mut self, doing: String) -> Self {
        self.source = self.source.context(doing);
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", plain_lines(&format!("{:#}", self.source)))?;
        if let Some(hint) = &self.hint {
            write!(f, "\n\nhint: {}", plain_lines(hint))?;
        }
        Ok(())
    }
}

/// Gives any error an exit code on its way up.
pub(crate) trait OrExit<T> {
    /// Ends with `kind` and says `doing` before the error's own text.
    fn or_exit(self, kind: Exit, doing: impl fmt::Display) -> CliResult<T>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, kind: Exit, doing: impl fmt::Display) -> CliResult<T> {
        self.map_err(|error| CliError::new(kind, error.into().context(doing.to_string())))
    }
}
