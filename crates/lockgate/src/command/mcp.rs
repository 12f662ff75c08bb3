//! `lockgate mcp …`

mod asker;
mod pipes;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use reqwest::Url;

use crate::error::{CliError, CliResult, Exit, OrExit as _};

use asker::Asker;

/// Where the token may stand. Arguments can be read by everybody on a machine, so it is none.
const TOKEN: &str = "LOCKGATE_IDENTITY";

/// Runs servers of tools beside agents.
#[derive(Debug, Subcommand)]
pub(crate) enum Mcp {
    /// Run an MCP server over stdio, and ask the running Lockgate about every message
    ///
    /// Stands between an agent and a server that it starts itself: give the agent this command in place of the
    /// server's own. What Lockgate does not allow does not reach the server, and nothing does while Lockgate cannot be
    /// reached.
    ///
    /// The token of the agent's version is read from the environment variable `LOCKGATE_IDENTITY`, or from a file. The
    /// server does not see it.
    Stdio(Stdio),
}

/// Which tool it is, and how it is started.
#[derive(Debug, Args)]
pub(crate) struct Stdio {
    /// The tool's name in the configuration, where it has `protocol: external`
    #[arg(long, value_name = "NAME")]
    tool: String,
    /// Where Lockgate takes agents' calls
    #[arg(
        long,
        env = "LOCKGATE_EGRESS",
        value_name = "URL",
        default_value = "http://127.0.0.1:8081",
        hide_env_values = true
    )]
    egress: Url,
    /// File that holds the token of the agent's version
    #[arg(long, env = "LOCKGATE_IDENTITY_FILE", value_name = "PATH", hide_env_values = true)]
    identity_file: Option<PathBuf>,
    /// The server's command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Mcp {
    pub(crate) async fn run(self) -> CliResult {
        let Self::Stdio(stdio) = self;
        stdio.run().await
    }
}

impl Stdio {
    async fn run(self) -> CliResult {
        let asker = Asker::new(&self.egress, self.token()?, self.tool)?;
        asker.try_out().await?;
        pipes::run(asker, &self.command).await
    }

    fn token(&self) -> CliResult<String> {
        let token = match &self.identity_file {
            Some(path) => std::fs::read_to_string(path)
                .or_exit(Exit::Usage, format!("cannot read the token file {}", path.display()))?,
            None => std::env::var(TOKEN).unwrap_or_default(),
        };
        let token = token.trim().to_owned();
        if token.is_empty() {
            return Err(CliError::usage("there is no token").hint(format!(
                "set {TOKEN} or --identity-file to what `lockgate identity issue` printed"
            )));
        }
        Ok(token)
    }
}
