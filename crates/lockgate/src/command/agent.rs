//! `lockgate agent …`

use clap::Subcommand;
use serde::Deserialize;
use serde_json::Value;

use lockgate_model::snapshot::Split;

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

/// A version in an agent's list.
#[derive(Debug, Deserialize)]
pub(crate) struct VersionRow {
    name: String,
    digest: String,
    state: Option<String>,
    healthy: Option<bool>,
    test_healthy: Option<bool>,
}

impl VersionRow {
    pub(crate) const HEAD: [&str; 5] = ["VERSION", "STATE", "HEALTHY", "TEST HEALTHY", "DIGEST"];

    pub(crate) fn cells(&self) -> Vec<String> {
        let health = |known: Option<bool>| match known {
            None => output::UNKNOWN.to_owned(),
            Some(true) => "yes".into(),
            Some(false) => "no".into(),
        };
        vec![
            self.name.clone(),
            self.state.clone().unwrap_or_else(|| output::UNKNOWN.into()),
            health(self.healthy),
            health(self.test_healthy),
            self.digest.chars().take(19).collect(),
        ]
    }
}

#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    stable: Option<String>,
    split: Option<Split>,
    #[serde(default)]
    versions: Vec<VersionRow>,
    plan: Option<String>,
    open_rollout: Option<Value>,
}

impl Row {
    fn stable(&self) -> String {
        self.stable.clone().unwrap_or_else(|| output::UNKNOWN.into())
    }

    fn candidate(&self) -> String {
        match self.split.as_ref().and_then(|split| split.candidate.as_ref()) {
            Some(member) => format!("{} {}", member.version, output::weight(member.weight_bp)),
            None => output::UNKNOWN.into(),
        }
    }

    fn open(&self) -> String {
        match &self.open_rollout {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Object(view)) => {
                view.get("id").and_then(Value::as_str).unwrap_or(output::UNKNOWN).to_owned()
            }
            _ => output::UNKNOWN.into(),
        }
    }
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
                let rows: Vec<Row> = client::typed(&listed)?;
                let cells: Vec<_> = rows
                    .iter()
                    .map(|row| vec![row.name.clone(), row.stable(), row.candidate(), row.open()])
                    .collect();
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
                let row: Row = client::typed(&shown)?;
                output::print(&details(&row))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn details(row: &Row) -> String {
    let cells: Vec<_> = row.versions.iter().map(VersionRow::cells).collect();
    format!(
        "agent         {}\nstable        {}\ncandidate     {}\nplan          {}\nopen rollout  {}\n\n{}",
        row.name,
        row.stable(),
        row.candidate(),
        row.plan.as_deref().unwrap_or(output::UNKNOWN),
        row.open(),
        output::table(&VersionRow::HEAD, &cells),
    )
}
