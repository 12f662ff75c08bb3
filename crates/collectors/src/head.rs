//! The commit of a checkout, as git tells it.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lockgate_readiness::drift::Ended;

use crate::program::{Environment, Run};

/// More of git's answer is not read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How long it may take.
const TIME_MAX: Duration = Duration::from_mins(1);

/// Before every command: it neither locks nor runs anything beside itself.
const OURS: [&str; 5] =
    ["--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];

/// Files that are named.
const NAMED_MAX: usize = 5;

/// What is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The commit, in full.
    pub commit: String,
    /// Files that are otherwise than in the commit, some of them; empty when all are as they are there.
    pub changed: Vec<String>,
}

/// Why the commit is not known.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// There is no git, or it cannot be run.
    #[error("cannot run git in {}: {why}", path.display())]
    NoGit {
        /// Where.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Git has no answer.
    #[error("git knows no commit of {}", .0.display())]
    NoCommit(PathBuf),
}

/// The commit of a checkout, and what is otherwise there. Runs git, which does what the checkout's own configuration of it
/// says: for one's own checkouts.
pub fn head(path: &Path) -> Result<Head, HeadError> {
    let no_commit = || HeadError::NoCommit(path.to_owned());
    let commit = git(path, &["rev-parse", "--verify", "HEAD^{commit}"])?.ok_or_else(no_commit)?;
    let commit = commit.trim().to_owned();
    let is_hex = commit.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hex || !matches!(commit.len(), 40 | 64) {
        return Err(no_commit());
    }
    let asked = ["status", "--porcelain=v1", "-z", "--untracked-files=normal", "--", "."];
    let status = git(path, &asked)?.ok_or_else(no_commit)?;
    // `XY name`; of what was renamed, the old name follows on its own.
    let names = status.split('\0').filter_map(|entry| entry.get(3..));
    let changed = names.filter(|name| !name.is_empty()).take(NAMED_MAX).map(str::to_owned);
    Ok(Head { commit, changed: changed.collect() })
}

/// What git prints; `None` when it fails.
fn git(path: &Path, args: &[&str]) -> Result<Option<String>, HeadError> {
    // Variables of git's own that name another repository are not among what a program gets.
    let environment = Environment::of(std::env::vars_os(), &[], &[])
        .with("GIT_TERMINAL_PROMPT", "0")
        .with("LC_ALL", "C");
    let failed = |why: String| HeadError::NoGit { path: path.to_owned(), why };
    let program = environment.find(Path::new("git"));
    let program = program.ok_or_else(|| failed("it is not installed".into()))?;
    let ran = Run {
        program: &program,
        arguments: OURS.iter().chain(args).map(Into::into).collect(),
        directory: path,
        environment: &environment,
        until: Instant::now() + TIME_MAX,
        time_max: TIME_MAX,
        stop: &AtomicBool::new(false),
        output_bytes_max: ANSWER_BYTES_MAX,
    }
    .go();
    match ran.ended {
        Ended::Exited(0) => Ok(Some(ran.stdout)),
        Ended::Exited(_) => Ok(None),
        Ended::Killed => Err(failed("something ended it".into())),
        Ended::TimedOut(seconds) => Err(failed(format!("it did not end within {seconds} s"))),
        Ended::NotStarted(why) => Err(failed(why)),
    }
}
