//! `zizmor`, which looks for faults in workflows: without the network, and within bounds.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lockgate_readiness::drift::Ended;

use crate::program::{Environment, Run};

/// How long it may take.
const TIME_MAX: Duration = Duration::from_mins(1);

/// The most that is read of its results, in bytes.
const OUTPUT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How it says that there is nothing to look at.
const NOTHING_TO_AUDIT: i32 = 3;

const ARGUMENTS: [&str; 7] =
    ["--offline", "--no-progress", "--no-exit-codes", "--format", "sarif", "--", "."];

/// Why there are no results.
#[derive(Debug, thiserror::Error)]
pub enum ZizmorError {
    /// No directory of `PATH` has it.
    #[error("zizmor is not installed")]
    NotInstalled,
    /// It cannot be started, or not be waited for.
    #[error("zizmor cannot be run: {0}")]
    Unrunnable(String),
    /// It did not end in time, and was ended.
    #[error("zizmor did not end within {0} s")]
    TimedOut(u64),
    /// It found more than is read.
    #[error("zizmor printed more than {OUTPUT_BYTES_MAX} bytes")]
    TooLong,
    /// Something ended it.
    #[error("zizmor was ended by something else")]
    Killed,
    /// It ended with an error.
    #[error("zizmor ended with code {code}: {said}")]
    Failed {
        /// Its exit code.
        code: i32,
        /// The first line of what it said about that.
        said: String,
    },
}

/// Looks at the workflows of a checkout with the `zizmor` of an environment, and returns its SARIF; none when there are no
/// workflows.
pub fn zizmor(root: &Path, environment: &Environment) -> Result<Option<String>, ZizmorError> {
    let program = environment.find(Path::new("zizmor")).ok_or(ZizmorError::NotInstalled)?;
    let ran = Run {
        program: &program,
        arguments: ARGUMENTS.map(Into::into).into(),
        directory: root,
        environment,
        until: Instant::now() + TIME_MAX,
        time_max: TIME_MAX,
        stop: &AtomicBool::new(false),
        output_bytes_max: OUTPUT_BYTES_MAX,
    }
    .go();
    match ran.ended {
        Ended::Exited(NOTHING_TO_AUDIT) => Ok(None),
        Ended::Exited(0) if ran.cut => Err(ZizmorError::TooLong),
        Ended::Exited(0) => Ok(Some(ran.stdout)),
        Ended::Exited(code) => {
            let mut lines = ran.stderr.lines();
            let first = lines.clone().next();
            let said = lines.find(|line| line.starts_with("error")).or(first);
            Err(ZizmorError::Failed { code, said: said.unwrap_or("it said nothing").to_owned() })
        }
        Ended::Killed => Err(ZizmorError::Killed),
        Ended::TimedOut(seconds) => Err(ZizmorError::TimedOut(seconds)),
        Ended::NotStarted(why) => Err(ZizmorError::Unrunnable(why)),
    }
}
