//! `lockgate policy …`: policies checked, tested and asked, without a server; and which of them a server has in force.

mod check;
mod decide;
mod explain;
mod import;
mod status;
mod test;

use std::path::Path;

use clap::Subcommand;
use lockgate_policy::{Asked, json};

use crate::error::{CliResult, Exit, OrExit as _};
use crate::output::Format;
use crate::text_file;

/// Check, test and ask policies
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Check a directory of policies and list what it holds
    Check(check::Check),
    /// Run the tests beside the rules
    ///
    /// The exit code is 1 when a test fails, when there is none, or when rules are untested and --require-coverage is
    /// given.
    Test(test::Test),
    /// Say why a request would be decided as it would
    ///
    /// Each rule that matched or nearly matched is shown clause by clause with the facts, and as the Cedar policy that is
    /// evaluated.
    Explain(explain::Explain),
    /// Decide one request
    ///
    /// The answer is JSON. The exit code is 0 for allow, 1 for deny, 4 for ask.
    Decide(decide::Decide),
    /// Turn policies of the Agent Governance Toolkit into rules
    ///
    /// Takes `governance.toolkit/v1` files and the older `PolicyDocument`. What cannot be carried over without making it
    /// weaker is refused with its place, and every difference that is left is told on standard error.
    Import(import::Import),
    /// Show which policy a server has in force
    Status(status::Status),
}

impl Policy {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        match self {
            Self::Status(status) => status.run(format).await,
            Self::Check(check) => check.run(format),
            Self::Test(test) => test.run(format),
            Self::Explain(explain) => explain.run(format),
            Self::Decide(decide) => decide.run(),
            Self::Import(import) => import.run(format),
        }
    }
}

/// The largest request. What is in it has smaller limits.
const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Reads a request as JSON in which no key stands twice.
fn request(path: &Path) -> CliResult<Asked> {
    let text = text_file::read(path, REQUEST_BYTES_MAX)?;
    let doing = || format!("{} is no request", path.display());
    let hint = "a request is {\"agent\": …, \"tool\": …, \"action\": …, \"arguments\": {…}}; docs/policy.md lists every field";
    let value =
        json::parse(&text).or_exit(Exit::Usage, doing()).map_err(|error| error.hint(hint))?;
    serde_json::from_value(value).or_exit(Exit::Usage, doing()).map_err(|error| error.hint(hint))
}
