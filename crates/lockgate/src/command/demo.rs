//! `lockgate demo`, and the two helper processes that it starts.

use lockgate_demo::{AgentArgs, DemoArgs, DemoError, ToolsArgs};

use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};

/// Runs the demo; fails when a version fared otherwise than it deserves.
pub(crate) async fn run(args: DemoArgs, format: Format) -> CliResult {
    let report = lockgate_demo::run(args).await.map_err(failed)?;
    match format {
        Format::Json => output::print_json(&report)?,
        Format::Text => output::print(&report.to_string())?,
    }
    if report.as_expected() {
        return Ok(Exit::Done);
    }
    let error = CliError::text(Exit::Failed, report.surprises().join("; "));
    Err(match report.too_busy() {
        Some(why) => error.hint(why),
        None => error,
    })
}

/// Runs one version of the demo's agent.
pub(crate) async fn agent(args: AgentArgs) -> CliResult {
    lockgate_demo::agent(args).await.map(|()| Exit::Done).map_err(failed)
}

/// Runs the demo's tool server.
pub(crate) async fn tools(args: ToolsArgs) -> CliResult {
    lockgate_demo::tools(args).await.map(|()| Exit::Done).map_err(failed)
}

fn failed(error: DemoError) -> CliError {
    let kind = match error {
        DemoError::TooLong { .. } | DemoError::NotReady { .. } => Exit::TimedOut,
        DemoError::Unreachable { .. } => Exit::Unreachable,
        DemoError::Trace { .. } => Exit::Usage,
        _ => Exit::Failed,
    };
    CliError::new(kind, error)
}
