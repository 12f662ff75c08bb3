//! `lockgate policy status`

use clap::Args;
use serde::Deserialize;

use crate::client::{self, Client, ServerArgs};
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};

/// Asks a server which policy decides.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Deserialize)]
struct InForce {
    digest: Option<String>,
    rules: Option<u64>,
    tools: Option<u64>,
    since_wall_ms: Option<i64>,
    #[serde(default)]
    decisions: Option<u64>,
    #[serde(default)]
    decisions_slow: Option<u64>,
}

impl Status {
    pub(super) async fn run(self, format: Format) -> CliResult {
        let answer = Client::new(&self.server)?.get(&["policy"]).await?;
        if format == Format::Json {
            output::print_json(&answer)?;
            return Ok(Exit::Done);
        }
        let InForce { digest, rules, tools, since_wall_ms, decisions, decisions_slow } =
            client::typed(&answer)?;
        let text = match (digest, rules, tools, since_wall_ms) {
            (Some(digest), Some(rules), Some(tools), Some(since)) => format!(
                "{digest}  rules: {rules}, tools: {tools}, in force since {}{}",
                output::time(since),
                decided(decisions, decisions_slow)
            ),
            _ => "none: every call of an agent is denied; `lockgate serve --policies DIR` puts one in force".into(),
        };
        output::print(&text)?;
        Ok(Exit::Done)
    }
}

/// How fast it has decided since the server started; nothing where the server does not say.
fn decided(all: Option<u64>, slow: Option<u64>) -> String {
    match (all, slow) {
        (Some(all), Some(slow)) => {
            format!("; {} decisions, {} above 1 ms", output::count(all), output::count(slow))
        }
        _ => String::new(),
    }
}
