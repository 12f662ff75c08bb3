//! `lockgate agent …`

use clap::Subcommand;
use lockgate_api::shapes::{AgentSummary, VersionSummary};

use crate::client::{self, Client, ServerArgs};
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};

/// Looks at agents.
#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// List agents
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show an agent, its versions and its traffic split
    Show {
        /// Its name
        agent: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

/// The head of [`version_cells`].
pub(crate) const VERSION_HEAD: [&str; 6] =
    ["VERSION", "STATE", "WEIGHT", "HEALTHY", "TEST HEALTHY", "DIGEST"];

/// Characters of a digest that tell versions apart at a glance.
const DIGEST_CHARS: usize = 19;

/// A version in a list.
pub(crate) fn version_cells(version: &VersionSummary) -> Vec<String> {
    let health = |known: Option<bool>| match known {
        None => output::UNKNOWN.to_owned(),
        Some(true) => "yes".into(),
        Some(false) => "no".into(),
    };
    vec![
        version.name.to_string(),
        version.state.as_str().to_owned(),
        output::weight(version.weight_bp),
        health(version.healthy),
        health(version.test_healthy),
        version.digest.chars().take(DIGEST_CHARS).collect(),
    ]
}

fn or_unknown(value: Option<impl ToString>) -> String {
    value.map_or_else(|| output::UNKNOWN.into(), |value| value.to_string())
}

fn candidate(agent: &AgentSummary) -> String {
    let member = agent.split.as_ref().and_then(|split| split.candidate.as_ref());
    or_unknown(
        member.map(|member| format!("{} {}", member.version, output::weight(member.weight_bp))),
    )
}

fn cells(agent: &AgentSummary) -> Vec<String> {
    vec![
        agent.name.to_string(),
        or_unknown(agent.stable.as_ref()),
        candidate(agent),
        or_unknown(agent.open_rollout),
    ]
}

impl Agent {
    pub(crate) async fn run(self, format: Format) -> CliResult {
        match self {
            Self::List { server } => {
                let listed = Client::new(&server)?.get(&["agents"]).await?;
                if format == Format::Json {
                    output::print_json(&listed)?;
                    return Ok(Exit::Done);
                }
                let agents: Vec<AgentSummary> = client::typed(&listed)?;
                let cells: Vec<_> = agents.iter().map(cells).collect();
                output::print(&output::table(
                    &["AGENT", "STABLE", "CANDIDATE", "OPEN ROLLOUT"],
                    &cells,
                ))?;
            }
            Self::Show { agent, server } => {
                let shown = Client::new(&server)?.get(&["agents", &agent]).await?;
                if format == Format::Json {
                    output::print_json(&shown)?;
                    return Ok(Exit::Done);
                }
                let summary: AgentSummary = client::typed(&shown)?;
                output::print(&details(&summary))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn details(agent: &AgentSummary) -> String {
    let cells: Vec<_> = agent.versions.iter().map(version_cells).collect();
    format!(
        "agent         {}\nstable        {}\ncandidate     {}\nplan          {}\nopen rollout  {}\n\n{}",
        agent.name,
        or_unknown(agent.stable.as_ref()),
        candidate(agent),
        agent.plan,
        or_unknown(agent.open_rollout),
        output::table(&VERSION_HEAD, &cells),
    )
}
